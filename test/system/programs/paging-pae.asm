; PAE paging: the four directory-pointer registers, NX, reserved bits, 2 MiB pages (SDM 3A §4.4).
%include "protected.mac"

POINTERS equ 0x100020               ; 32-byte aligned is enough
DIRECTORY equ 0x101000
LOW_TABLE equ 0x102000
WINDOW_TABLE equ 0x103000
OTHER_DIRECTORY equ 0x104000
%define PAGE(n) (0x200000 + (n) * 0x1000)
%define FRAME(n) (0x300000 + (n) * 0x1000)
%define ENTRY(n) (WINDOW_TABLE + (n) * 8)
LARGE   equ 0x400000
LARGE_ENTRY equ DIRECTORY + 16
SECOND  equ 0x40000000              ; the second pointer's first page

P       equ 1
W       equ 2
U       equ 4
A       equ 0x20
D       equ 0x40
PS      equ 0x80
G       equ 0x100
CR0_WP  equ 0x10000
CR4_PAE equ 0x20
CR4_PGE equ 0x80
EP      equ 1
EW      equ 2
EU      equ 4
ER      equ 8
EI      equ 0x10
EFER    equ 0xc0000080
EFER_NXE equ 0x800

%macro MAP 3.nolist                 ; page, upper half, lower half
        mov     dword [ENTRY(%1)], %3
        mov     dword [ENTRY(%1) + 4], %2
        invlpg  [PAGE(%1)]
%endmacro
%macro MAP_LARGE 2.nolist
        mov     dword [LARGE_ENTRY], %2
        mov     dword [LARGE_ENTRY + 4], %1
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
        mov     ecx, 512
.fill:  mov     [edi], eax
        add     edi, 8
        add     eax, 0x1000
        dec     ecx
        jnz     .fill
        mov     dword [POINTERS], DIRECTORY | P
        mov     dword [DIRECTORY], LOW_TABLE | P | W | U
        mov     dword [DIRECTORY + 8], WINDOW_TABLE | P | W | U
        mov     dword [DIRECTORY + 24], 0x200000 | P | W | U | PS       ; FRAMEs at 600000h + …
        mov     eax, POINTERS
        mov     cr3, eax
        SET_CR  cr4, CR4_PAE

; The pointers are loaded and checked when paging begins: bits 1, 2, 5–8 and those above the address width must be 0, unless P is (§4.4.1).
%macro REFUSED_POINTER 2            ; upper half, lower half
        mov     dword [POINTERS + 8], %2
        mov     dword [POINTERS + 12], %1
        mov     eax, cr0
        or      eax, 0x80000000
        FAULTS  13, 0, mov cr0, eax
%endmacro
        REFUSED_POINTER 0, OTHER_DIRECTORY | P | W
        REFUSED_POINTER 0, OTHER_DIRECTORY | P | U
        REFUSED_POINTER 0, OTHER_DIRECTORY | P | A
        REFUSED_POINTER 0, OTHER_DIRECTORY | P | G
        REFUSED_POINTER 0x80000000, OTHER_DIRECTORY | P
        REFUSED_POINTER 0x00100000, OTHER_DIRECTORY | P
        mov     eax, cr0
        shr     eax, 31
        CHECK   eax, 0                          ; paging did not begin
        mov     dword [POINTERS + 8], W | U | 0x1e0     ; not present: fine
        mov     dword [POINTERS + 12], 0xfff00000
        SET_CR  cr0, 0x80000000

; They are registers: what happens to them in memory shows after the next MOV to CR3 (§4.4.1).
        PAGE_FAULTS 0, SECOND + 8, {mov al, [SECOND + 8]}
        mov     dword [OTHER_DIRECTORY], LOW_TABLE | P | W
        mov     dword [POINTERS + 12], 0
        mov     dword [POINTERS + 8], OTHER_DIRECTORY | P
        invlpg  [SECOND]
        PAGE_FAULTS 0, SECOND + 8, {mov al, [SECOND + 8]}
        mov     eax, cr3
        mov     cr3, eax
        mov     dword [0x600008], 0x600df00d
        mov     dword [0x5008], 0x12344321
        CHECK   [SECOND + 0x5008], 0x12344321
; They get no accessed flag and have no rights of their own: level 3 may pass (table 4-8).
        CHECK   [POINTERS + 8], OTHER_DIRECTORY | P
        or      byte [OTHER_DIRECTORY], U
        invlpg  [SECOND + 0x5000]
        ENTER3  IOPL3
        PASSES  mov eax, [SECOND + 0x5008]
        LEAVE3
; A MOV to CR3 with a bad pointer does nothing: the old pointers stay.
        mov     dword [POINTERS + 8], OTHER_DIRECTORY | P | W
        mov     eax, POINTERS
        FAULTS  13, 0, mov cr3, eax
        CHECK   [SECOND + 0x5008], 0x12344321
; CR4.PGE, PSE and SMEP load them too, when they change; CR4.PCE does not (§4.4.1).
        mov     eax, cr4
        or      eax, CR4_PGE
        FAULTS  13, 0, mov cr4, eax
        mov     eax, cr4
        CHECK   eax, CR4_PAE
        or      eax, 0x100
        PASSES  mov cr4, eax
        mov     dword [POINTERS + 8], OTHER_DIRECTORY | P

; Accessed and dirty.
        MAP     0, 0, FRAME(0) | P | W | U
        and     dword [DIRECTORY + 8], ~A
        invlpg  [PAGE(0)]
        mov     al, [PAGE(0)]
        CHECK   [ENTRY(0)], FRAME(0) | P | W | U | A
        mov     [PAGE(0)], al
        CHECK   [ENTRY(0)], FRAME(0) | P | W | U | A | D
        CHECK   [DIRECTORY + 8], WINDOW_TABLE | P | W | U | A
; Rights.
        SET_CR  cr0, CR0_WP
        MAP     0, 0, FRAME(0) | P
        PAGE_FAULTS EP | EW, PAGE(0), {mov [PAGE(0)], al}
        CLEAR_CR cr0, CR0_WP
        MAP     0, 0, FRAME(0) | P | W
        ENTER3  IOPL3
        PAGE_FAULTS EP | EU, PAGE(0), {mov al, [PAGE(0)]}
        PAGE_FAULTS EU | EW, PAGE(1) + 7, {mov [PAGE(1) + 7], al}
        LEAVE3
; Reserved: bits 62–52 always, 63 without EFER.NXE (table 4-11).
        MAP     0, 0x00100000, FRAME(0) | P | W
        PAGE_FAULTS EP | ER, PAGE(0), {mov al, [PAGE(0)]}
        MAP     0, 0x40000000, FRAME(0) | P | W
        PAGE_FAULTS EP | ER, PAGE(0), {mov al, [PAGE(0)]}
        MAP     0, 0x80000000, FRAME(0) | P | W
        PAGE_FAULTS EP | ER, PAGE(0), {mov al, [PAGE(0)]}
        MAP     1, 0, 0
        FETCH_FAULTS 0, PAGE(1)
        MAP_LARGE 0, 0x300000 | P | W | PS
        PAGE_FAULTS EP | ER, LARGE, {mov al, [LARGE]}
        MAP_LARGE 0, 0x202000 | P | W | PS
        PAGE_FAULTS EP | ER | EW, LARGE, {mov [LARGE], al}
        MAP_LARGE 0x40000000, 0x200000 | P | W | PS
        PAGE_FAULTS EP | ER, LARGE, {mov al, [LARGE]}
        MAP_LARGE 0, 0x201000 | P | W | PS              ; PAT
        mov     dword [LARGE + 0x1ff000], 0x13572468
        CHECK   [0x600000 + 0x1ff000], 0x13572468
        CHECK   [LARGE_ENTRY], 0x201000 | P | W | PS | A | D
        MAP_LARGE 0, 0x200000 | P | PS
        ENTER3  IOPL3
        PAGE_FAULTS EP | EU, LARGE, {mov al, [LARGE]}
        LEAVE3
; NX.
        mov     ecx, EFER
        mov     eax, EFER_NXE
        xor     edx, edx
        wrmsr
        mov     byte [0x600000 + 0x100000], 0xc3        ; FRAME(0)
        MAP     0, 0x80000000, FRAME(0) | P | W | U
        PASSES  mov al, [PAGE(0)]
        FETCH_FAULTS EP | EI, PAGE(0)
        FETCH_FAULTS EI, PAGE(1)
        ENTER3  IOPL3
        FETCH_FAULTS EP | EI | EU, PAGE(0)
        LEAVE3
        MAP     0, 0, FRAME(0) | P | W | U
        PASSES  call PAGE(0)
        mov     dword [DIRECTORY + 12], 0x80000000
        invlpg  [PAGE(0)]
        FETCH_FAULTS EP | EI, PAGE(0)
        mov     dword [DIRECTORY + 12], 0
        invlpg  [PAGE(0)]
        PASSES  call PAGE(0)
        FINISH

        LEAVE3_HANDLER
        STUBS   32
        GDT_START
        GDT_END
