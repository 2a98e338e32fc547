; Four-level paging: accessed and dirty flags, rights of all levels, NX, WP, reserved bits, large pages (SDM 3A chapter 4).
%include "long.mac"

; The instruction at PAGE(n) is a RET: `call PAGE(n)` comes back.
%macro RETURNS 1
        mov     byte [ALIAS(%1)], 0xc3
%endmacro

start:
        ENTER_LONG

; Accessed: every level, by any access; dirty: only the entry that maps the page, only by a write (§4.8).
        MAP     0, FRAME(0) | P | W | U
        and     dword [PML4], ~A
        and     dword [PDPT], ~A
        and     dword [PD + 8], ~A
        invlpg  [PAGE(0)]
        mov     al, [PAGE(0)]
        CHECK   [ENTRY(0)], FRAME(0) | P | W | U | A
        mov     [PAGE(0)], al
        CHECK   [ENTRY(0)], FRAME(0) | P | W | U | A | D
        CHECK   [PML4], PDPT | P | W | U | A
        CHECK   [PDPT], PD | P | W | U | A
        CHECK   [PD + 8], WINDOW_PT | P | W | U | A
; A fetch is an access; a read-modify-write is a write.
        RETURNS 1
        MAP     1, FRAME(1) | P | W | U
        call    PAGE(1)
        CHECK   [ENTRY(1)], FRAME(1) | P | W | U | A
        MAP     1, FRAME(1) | P | W | U
        add     byte [PAGE(1) + 8], 1
        CHECK   [ENTRY(1)], FRAME(1) | P | W | U | A | D
; The other bits stay as software left them: 9–11 and 52–62 are ignored (table 4-20).
        MAP     1, FRAME(1) | P | W | U | 0xe00
        MAP_HIGH 1, 0x07f00000
        mov     [PAGE(1)], al
        CHECK   [ENTRY(1)], FRAME(1) | P | W | U | A | D | 0xe00
        CHECK   [ENTRY(1) + 4], 0x07f00000
; A store across a border marks both pages.
        MAP     0, FRAME(0) | P | W | U
        MAP     1, FRAME(1) | P | W | U
        mov     [PAGE(1) - 3], rax
        CHECK   [ENTRY(0)], FRAME(0) | P | W | U | A | D
        CHECK   [ENTRY(1)], FRAME(1) | P | W | U | A | D
; One that cannot write the second page writes nothing, and the first page is not dirty… unless the processor was early: not checked.
        MAP     1, 0
        mov     dword [ALIAS(0) + 0xffc], 0x11223344
        PAGE_FAULTS EW, PAGE(1), {mov [PAGE(1) - 3], rax}
        CHECK   [ALIAS(0) + 0xffc], 0x11223344

; Not present: the other bits of the entry mean nothing (§4.7), whatever level it is.
        MAP     0, 0xfffffffe
        MAP_HIGH 0, -1
        PAGE_FAULTS 0, PAGE(0) + 5, {mov al, [PAGE(0) + 5]}
        PAGE_FAULTS EW, PAGE(0) + 6, {mov [PAGE(0) + 6], al}
        and     byte [PD + 8], ~P
        invlpg  [PAGE(0)]
        PAGE_FAULTS 0, PAGE(7), {mov al, [PAGE(7)]}
        or      byte [PD + 8], P

; Level 0 writes to read-only pages unless CR0.WP is set; either level's W counts (§4.6.1).
        MAP     0, FRAME(0) | P
        PASSES  mov [PAGE(0)], al
        CHECK   [ENTRY(0)], FRAME(0) | P | A | D
        SET_CR  cr0, CR0_WP
        PAGE_FAULTS EP | EW, PAGE(0), {mov [PAGE(0)], al}
        PASSES  mov al, [PAGE(0)]
        MAP     0, FRAME(0) | P | W
        PASSES  mov [PAGE(0)], al
        and     byte [PD + 8], ~W
        invlpg  [PAGE(0)]
        PAGE_FAULTS EP | EW, PAGE(0), {mov [PAGE(0)], al}
        or      byte [PD + 8], W
        invlpg  [PAGE(0)]
        CLEAR_CR cr0, CR0_WP

; Level 3: U of all levels for any access, W of all levels for a write, whatever WP says.
        MAP     0, FRAME(0) | P | W
        MAP     1, FRAME(1) | P | U
        MAP     2, FRAME(2) | P | W | U
        ENTER3  IOPL3
        PAGE_FAULTS EP | EU, PAGE(0) + 1, {mov al, [PAGE(0) + 1]}
        PAGE_FAULTS EP | EU | EW, PAGE(0) + 2, {mov [PAGE(0) + 2], al}
        PASSES  mov al, [PAGE(1)]
        PAGE_FAULTS EP | EU | EW, PAGE(1) + 3, {mov [PAGE(1) + 3], al}
        PAGE_FAULTS EP | EU | EW, PAGE(1) + 4, {add [PAGE(1) + 4], al}
        PASSES  add [PAGE(2)], al
        PAGE_FAULTS EU, PAGE(3), {mov al, [PAGE(3)]}
        PAGE_FAULTS EU | EW, PAGE(3), {mov [PAGE(3) - 1], eax}
        LEAVE3
        and     byte [PD + 8], ~U
        invlpg  [PAGE(2)]
        ENTER3  IOPL3
        PAGE_FAULTS EP | EU, PAGE(2), {mov al, [PAGE(2)]}
        LEAVE3
        or      byte [PD + 8], U
        invlpg  [PAGE(2)]

; Without EFER.NXE bit 63 is reserved, and a fetch is not told apart in the error code (§4.7).
        RETURNS 0
        MAP     0, FRAME(0) | P | W | U
        MAP_HIGH 0, 0x80000000
        PAGE_FAULTS EP | ER, PAGE(0), {mov al, [PAGE(0)]}
        PAGE_FAULTS EP | ER | EW, PAGE(0), {mov [PAGE(0)], al}
        MAP     1, 0
        FETCH_FAULTS 0, PAGE(1)
        WRITE_MSR EFER, 0, EFER_LME | EFER_NXE
; With it the page can be read and written, not executed; NX of any level counts.
        PASSES  mov al, [PAGE(0)]
        PASSES  mov [PAGE(0)], al
        FETCH_FAULTS EP | EI, PAGE(0)
        FETCH_FAULTS EI, PAGE(1)
        MAP_HIGH 0, 0
        PASSES  call PAGE(0)
        mov     dword [PD + 12], 0x80000000
        invlpg  [PAGE(0)]
        FETCH_FAULTS EP | EI, PAGE(0)
        PASSES  mov al, [PAGE(0)]
        mov     dword [PD + 12], 0
        invlpg  [PAGE(0)]
        MAP_HIGH 0, 0x80000000
        ENTER3  IOPL3
        FETCH_FAULTS EP | EU | EI, PAGE(0)
        FETCH_FAULTS EU | EI, PAGE(1)
        LEAVE3

; Reserved bits: those above the physical address width that CPUID reports, in entries of every level (§4.5, tables 4-15 to 4-20).
        MAP     0, FRAME(0) | P | W | U
        mov     eax, 0x80000008
        cpuid
        movzx   ecx, al
        sub     ecx, 32
        mov     ebx, 1
        shl     ebx, cl                         ; the first bit too many
        cmp     ecx, 20
        jae     .all_bits                       ; 52 bits: none is too many
%macro RESERVED_HIGH 2                          ; entry, linear address in its reach
        or      [%1 + 4], ebx
        invlpg  [%2]
        FAULTS  14, EP | ER, {mov al, [%2]}
        xor     [%1 + 4], ebx
        invlpg  [%2]
        PASSES  mov al, [%2]
%endmacro
        mov     dword [PML4 + 8], PDPT | P | W | U      ; the same again at 512 GiB
        mov     rdi, 0x8000000000
        mov     dword [PDPT + 8], PD | P | W | U        ; and at 1 GiB
        RESERVED_HIGH PML4 + 8, rdi
        RESERVED_HIGH PDPT + 8, 0x40000000
        RESERVED_HIGH PD + 8, PAGE(0)
        RESERVED_HIGH ENTRY(0), PAGE(0)
        RESERVED_HIGH PD + 16, ALIAS(0)
.all_bits:
; PS in a PML4 entry; address bits below the size of a large page (PAT is bit 12).
        mov     dword [PML4 + 8], PDPT | P | W | U | PS
        mov     rdi, 0x8000000000
        invlpg  [rdi]
        FAULTS  14, EP | ER, {mov al, [rdi]}
        CHECK   [GOT_CR2], 0
        CHECK   [GOT_CR2 + 4], 0x80
        mov     dword [PML4 + 8], 0
        mov     dword [PD + 24], FRAMES | P | W | U | PS | 0x100000
        PAGE_FAULTS EP | ER, 0x600000, {mov al, [0x600000]}
        mov     dword [PD + 24], FRAMES | P | W | U | PS | 0x2000
        PAGE_FAULTS EP | ER | EW, 0x600000, {mov [0x600000], al}
        mov     dword [PD + 24], FRAMES | P | W | U | PS | 0x1000
        PASSES  mov al, [0x600000]
; A large page has its own accessed and dirty flags, and offset bits up to 20.
        mov     dword [PD + 24], FRAMES | P | W | U | PS
        invlpg  [0x600000]
        mov     byte [ALIASES + 0x12345], 0x5a
        movzx   ecx, byte [0x600000 + 0x12345]
        CHECK   ecx, 0x5a
        CHECK   [PD + 24], FRAMES | P | W | U | PS | A
        mov     byte [0x600000 + 0x1ffff8], 0x77
        CHECK   [PD + 24], FRAMES | P | W | U | PS | A | D
        movzx   ecx, byte [ALIASES + 0x1ffff8]
        CHECK   ecx, 0x77
; 1 GiB pages.
        mov     dword [PDPT + 8], P | W | PS
        invlpg  [0x40000000]
        mov     dword [0x40000000 + FRAMES + 0x12340], 0x600df00d
        CHECK   [ALIASES + 0x12340], 0x600df00d
        CHECK   [PDPT + 8], P | W | PS | A | D
        mov     dword [PDPT + 8], P | W | PS | 0x20000000
        invlpg  [0x40000000]
        PAGE_FAULTS EP | ER, 0x40000123, {mov al, [0x40000123]}
        mov     dword [PDPT + 8], P | W | PS | 0x2000
        invlpg  [0x40000000]
        PAGE_FAULTS EP | ER, 0x40000123, {mov al, [0x40000123]}
        mov     dword [PDPT + 8], P | W | PS | 0x1000
        invlpg  [0x40000000]
        PASSES  mov al, [0x40000123]
        ENTER3  IOPL3
        PAGE_FAULTS EP | EU, 0x40000123, {mov al, [0x40000123]}
        LEAVE3
        out     PORT_FINISH, al
        jmp     $

        LEAVE3_HANDLER
        STUBS   64
        GDT_START
        GDT_END
