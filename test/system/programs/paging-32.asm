; 32-bit paging: two levels, 4 MiB pages and PSE-36, rights of both levels, WP, accessed and dirty (SDM 3A §4.3, §4.6–§4.8).
%include "protected.mac"

DIRECTORY equ 0x100000
LOW_TABLE equ 0x101000              ; linear 0…4 MiB one to one, for level 3 too
WINDOW_TABLE equ 0x102000           ; linear 4…8 MiB, empty at first
%define PAGE(n) (0x400000 + (n) * 0x1000)
%define FRAME(n) (0x200000 + (n) * 0x1000)
%define ENTRY(n) (WINDOW_TABLE + (n) * 4)
LARGE   equ 0x800000                ; linear, its directory entry:
LARGE_ENTRY equ DIRECTORY + 8

P       equ 1
W       equ 2
U       equ 4
A       equ 0x20
D       equ 0x40
PS      equ 0x80
CR0_WP  equ 0x10000
CR4_PSE equ 0x10
; Error code of #PF (§4.7).
EP      equ 1
EW      equ 2
EU      equ 4
ER      equ 8

%macro MAP 2.nolist
        mov     dword [ENTRY(%1)], %2
        invlpg  [PAGE(%1)]
%endmacro
%macro MAP_LARGE 1.nolist
        mov     dword [LARGE_ENTRY], %1
        invlpg  [LARGE]
%endmacro
%macro SET_CR 2.nolist
        mov     eax, %1
        or      eax, %2
        mov     %1, eax
%endmacro
%macro CLEAR_CR 2.nolist
        mov     eax, %1
        and     eax, ~(%2)
        mov     %1, eax
%endmacro

start:
        ENTER_PROTECTED
        mov     edi, LOW_TABLE
        mov     eax, P | W | U
        mov     ecx, 1024
.fill:  mov     [edi], eax
        add     edi, 4
        add     eax, 0x1000
        dec     ecx
        jnz     .fill
        mov     dword [DIRECTORY], LOW_TABLE | P | W | U
        mov     dword [DIRECTORY + 4], WINDOW_TABLE | P | W | U
        mov     eax, DIRECTORY
        mov     cr3, eax
        SET_CR  cr0, 0x80000000

; Accessed at both levels, dirty in the page's entry alone (§4.8).
        MAP     0, FRAME(0) | P | W | U
        and     dword [DIRECTORY + 4], ~A
        invlpg  [PAGE(0)]
        mov     al, [PAGE(0)]
        CHECK   [ENTRY(0)], FRAME(0) | P | W | U | A
        mov     [PAGE(0)], al
        CHECK   [ENTRY(0)], FRAME(0) | P | W | U | A | D
        CHECK   [DIRECTORY + 4], WINDOW_TABLE | P | W | U | A
        mov     dword [FRAME(0) + 0x124], 0x600df00d
        CHECK   [PAGE(0) + 0x124], 0x600df00d
; An access across two pages, and the order of their faults: the first page's comes first.
        MAP     1, FRAME(7) | P | W | U
        mov     dword [PAGE(1) - 2], 0xaabbccdd
        CHECK   [FRAME(0) + 0xffc], 0xccdd0000
        CHECK   [FRAME(7)], 0x0000aabb
        CHECK   [ENTRY(1)], FRAME(7) | P | W | U | A | D
        MAP     1, 0
        PAGE_FAULTS 0, PAGE(1), {mov eax, [PAGE(1) - 2]}
        PAGE_FAULTS 0, PAGE(1) + 0xffe, {mov eax, [PAGE(2) - 2]}

; Level 0 and WP (§4.6.1).
        MAP     0, FRAME(0) | P
        PASSES  mov [PAGE(0)], al
        CHECK   [ENTRY(0)], FRAME(0) | P | A | D
        SET_CR  cr0, CR0_WP
        PAGE_FAULTS EP | EW, PAGE(0), {mov [PAGE(0)], al}
        MAP     0, FRAME(0) | P | W
        and     byte [DIRECTORY + 4], ~W
        invlpg  [PAGE(0)]
        PAGE_FAULTS EP | EW, PAGE(0) + 3, {or [PAGE(0) + 3], al}
        or      byte [DIRECTORY + 4], W
        invlpg  [PAGE(0)]
        CLEAR_CR cr0, CR0_WP

; Level 3.
        MAP     0, FRAME(0) | P | W
        MAP     1, FRAME(1) | P | U
        MAP     2, FRAME(2) | P | W | U
        ENTER3  IOPL3
        PAGE_FAULTS EP | EU, PAGE(0) + 1, {mov al, [PAGE(0) + 1]}
        PASSES  mov al, [PAGE(1)]
        PAGE_FAULTS EP | EU | EW, PAGE(1) + 3, {inc byte [PAGE(1) + 3]}
        PASSES  inc byte [PAGE(2)]
        PAGE_FAULTS EU | EW, PAGE(3), {mov [PAGE(3) - 1], eax}
        PAGE_FAULTS EP | EU, PAGE(1) - 1, {mov eax, [PAGE(1) - 1]}
; Without PAE a fetch is not told apart (§4.7).
        FETCH_FAULTS EU, PAGE(3)
        LEAVE3
        and     byte [DIRECTORY + 4], ~U
        invlpg  [PAGE(2)]
        ENTER3  IOPL3
        PAGE_FAULTS EP | EU, PAGE(2), {mov al, [PAGE(2)]}
        LEAVE3
        or      byte [DIRECTORY + 4], U
        invlpg  [PAGE(2)]
; The processor's own accesses are those of level 0 (§4.6.1): the descriptor table may lie in a page without U.
        MAP     4, ADDR(gdt) & ~0xfff | P | W
        MAP     5, (ADDR(gdt) & ~0xfff) + 0x1000 | P | W
        mov     dword [gdt_pointer + 2], PAGE(4) + (ADDR(gdt) & 0xfff)
        lgdt    [gdt_pointer]
        ENTER3  IOPL3
        mov     bx, DATA3
        PASSES  mov gs, bx
        LEAVE3
        mov     dword [gdt_pointer + 2], gdt
        lgdt    [gdt_pointer]

; Without CR4.PSE bit 7 of a directory entry is ignored: the entry names a table (table 4-3).
        mov     dword [LARGE_ENTRY], WINDOW_TABLE | P | W | PS
        CHECK   [LARGE + 0x2124], 0             ; FRAME(2)
        mov     dword [FRAME(2) + 0x124], 0x11112222
        CHECK   [LARGE + 0x2124], 0x11112222
        SET_CR  cr4, CR4_PSE
; With it the entry maps 4 MiB, with dirty flag; linear bits 21–0 are the offset.
        MAP_LARGE P | W | PS
        CHECK   [LARGE + 0x200124 + 0x2000], 0x11112222
        CHECK   [LARGE_ENTRY], P | W | PS | A
        mov     dword [LARGE + 0x3ffffc], 0x33334444
        CHECK   [LARGE_ENTRY], P | W | PS | A | D
        CHECK   [0x3ffffc], 0x33334444
        PASSES  mov al, [LARGE + 0x12345]
        ENTER3  IOPL3
        PAGE_FAULTS EP | EU, LARGE + 0x12345, {mov al, [LARGE + 0x12345]}
        LEAVE3
; PSE-36: bits 20–13 are address bits 39–32, so this is beyond all memory here; bit 21 is reserved; bit 12 is PAT (table 4-4).
        MAP_LARGE P | W | PS | 0x2000
        CHECK   [LARGE + 0x202124], 0xffffffff
        MAP_LARGE P | W | PS | 0x200000
        PAGE_FAULTS EP | ER, LARGE + 4, {mov al, [LARGE + 4]}
        PAGE_FAULTS EP | ER | EW, LARGE + 4, {mov [LARGE + 4], al}
        MAP_LARGE P | W | PS | 0x1000
        CHECK   [LARGE + 0x202124], 0x11112222
; The level of the access is in the code of a reserved bit's fault too.
        MAP_LARGE P | W | PS | 0x200000
        ENTER3  IOPL3
        PAGE_FAULTS EP | ER | EU, LARGE, {mov al, [LARGE]}
        LEAVE3
; Not present: nothing else counts.
        MAP_LARGE W | PS | 0x200000
        PAGE_FAULTS 0, LARGE, {mov al, [LARGE]}
; Clearing PSE takes large pages away again: the flush of CR4's change makes it seen (§4.10.4.1).
        MAP_LARGE P | W | PS | WINDOW_TABLE
        CLEAR_CR cr4, CR4_PSE
        CHECK   [LARGE + 0x2124], 0x11112222

; Linear addresses wrap at 4 GiB: a dword at its last bytes ends in page 0 (§3.3.5 and §4.3: 32-bit linear addresses).
        mov     dword [DIRECTORY + 0xffc], WINDOW_TABLE | P | W
        mov     dword [ENTRY(1023)], FRAME(8) | P | W
        mov     dword [FRAME(8) + 0xffc], 0x55667788
        mov     dword [0], 0x99aabbcc
        mov     eax, 0xfffffffe
        CHECK   [eax], 0xbbcc5566

; Paging off: linear addresses are physical again, whatever the tables say.
        CLEAR_CR cr0, 0x80000000
        CHECK   [FRAME(2) + 0x124], 0x11112222
        mov     dword [PAGE(2) + 0x124], 5              ; beyond memory
        CHECK   [FRAME(2) + 0x124], 0x11112222
        FINISH

        LEAVE3_HANDLER
        STUBS   32
        GDT_START
        GDT_END
