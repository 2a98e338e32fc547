; 64-bit code at level 3, from beginning to end: page rights and error codes, canonical addresses, privileges, alignment, changing
; code, strings (SDM 3A §4.6, §4.7, §5.9, §6.15). Level 0 only prepares, so that hosts whose KVM runs nothing but level 3 on the
; processor can say something as well.
%include "long.mac"

HOLE    equ 0x800000000000

start:
        ENTER_LONG
        SET_CR  cr0, CR0_AM | CR0_WP
        SET_CR  cr4, 0x600                      ; OSFXSR, OSXMMEXCPT
        WRITE_MSR EFER, 0, EFER_LME | EFER_NXE
        MAP     0, FRAME(0) | P | W | U
        MAP     1, FRAME(1) | P | U
        MAP     2, FRAME(2) | P | W
        MAP     3, FRAME(3) | P | W | U         ; to be NX
        MAP_HIGH 3, 0x80000000
        MAP     5, FRAME(5) | P | W | U
        MAP     6, FRAME(6) | P | W | U
        MAP     8, FRAME(8) | P | W | U
        MAP     9, FRAME(9) | P | W | U
        MAP_HIGH 9, 0x80000000
        mov     dword [ALIAS(0)], 0x11223344
        mov     byte [ALIAS(1)], 0xc3
        mov     byte [ALIAS(3)], 0xc3
        ENTER3  IOPL3

; Pages.
        PAGE_FAULTS EU, PAGE(4) + 5, {mov al, [PAGE(4) + 5]}
        PAGE_FAULTS EU | EW, PAGE(4) + 6, {mov [PAGE(4) + 6], al}
        PAGE_FAULTS EU | EP, PAGE(2) + 7, {mov al, [PAGE(2) + 7]}
        PAGE_FAULTS EU | EP | EW, PAGE(2) + 8, {mov [PAGE(2) + 8], al}
        PAGE_FAULTS EU | EP | EW, PAGE(1) + 9, {mov [PAGE(1) + 9], al}
        PASSES  mov al, [PAGE(1) + 9]
        CHECK   [PAGE(0)], 0x11223344
        PAGE_FAULTS EU, PAGE(4), {mov eax, [PAGE(4) - 2]}
        FETCH_FAULTS EU | EI, PAGE(4)
        FETCH_FAULTS EU | EP | EI, PAGE(3)
        PASSES  mov al, [PAGE(3)]
        PASSES  call PAGE(1)
        FETCH_FAULTS EU | EP | EI, PAGE(2)

; Instructions at the end of a page: the next page is only asked for when they reach into it, and CR2 is its first byte (§4.7).
%macro FETCH_FAULTS_BEHIND 3        ; code, instruction's address, CR2
        mov     dword [GOT_VECTOR], NOTHING
        mov     dword [RESUME], %%after
        mov     rcx, rsp
        call    %2
%%after:
        mov     rsp, rcx
        CHECK   [GOT_VECTOR], 14
        CHECK   [GOT_CODE], %1
        CHECK   [GOT_IP], %2
        CHECK   [GOT_CR2], %3
%endmacro
        mov     byte [PAGE(0) + 0xfff], 0xc3            ; ret
        PASSES  call PAGE(0) + 0xfff
        mov     word [PAGE(6) + 0xffe], 0x00b8          ; mov eax, imm32
        FETCH_FAULTS_BEHIND EU | EI, PAGE(6) + 0xffe, PAGE(7)
        mov     word [PAGE(8) + 0xffe], 0x00b8
        FETCH_FAULTS_BEHIND EU | EI | EP, PAGE(8) + 0xffe, PAGE(9)
        mov     word [PAGE(9) + 0xffe], 0x9090
        FETCH_FAULTS_BEHIND EU | EI | EP, PAGE(9) + 0xffe, PAGE(9) + 0xffe

; Canonical addresses.
        mov     rbx, HOLE
        FAULTS  13, 0, {mov al, [rbx]}
        mov     rbp, HOLE
        FAULTS  12, 0, {mov al, [rbp]}
        mov     rcx, rsp
        mov     rsp, HOLE + 8
        FAULTS  12, 0, {push rax}
        mov     rsp, HOLE
        FAULTS  12, 0, {pop rax}
        FAULTS  12, 0, ret
        mov     rsp, rcx
        FAULTS  13, 0, {jmp rbx}
        FAULTS  13, 0, {call rbx}
        push    rbx
        FAULTS  13, 0, ret
        mov     rsp, rcx
        FAULTS  13, 0, {mov al, [qword 0xffff7fffffffffff]}

; Privileges.
        FAULTS  13, 0, hlt
        FAULTS  13, 0, {mov rax, cr0}
        FAULTS  13, 0, rdmsr
        FAULTS  13, 0, invd
        FAULTS  13, 0, {lgdt [gdt_pointer]}
        mov     ebx, DATA0
        FAULTS  13, DATA0, {mov ds, ebx}
        FAULTS  6, NO_CODE, ud2

; Arithmetic.
        xor     ecx, ecx
        FAULTS  0, NO_CODE, {div ecx}
        mov     ecx, 1
        mov     edx, 1
        FAULTS  0, NO_CODE, {div ecx}           ; too large a quotient
        mov     dword [SAVED + 8], 0x1d80       ; division by zero unmasked
        ldmxcsr [SAVED + 8]
        mov     eax, 1
        cvtsi2ss xmm0, eax
        xorps   xmm1, xmm1
        FAULTS  19, NO_CODE, {divss xmm0, xmm1}
        mov     dword [SAVED + 8], 0x1f80
        ldmxcsr [SAVED + 8]

; Alignment.
        push    qword IOPL3 | AC | 2
        popfq
        FAULTS  17, 0, {mov eax, [PAGE(0) + 1]}
        FAULTS  17, 0, {mov [PAGE(0) + 4], rax}
        PASSES  mov eax, [PAGE(0) + 4]
        push    qword IOPL3 | 2
        popfq
        PASSES  mov eax, [PAGE(0) + 1]

; Code that changes: at once, and over a page border.
        mov     dword [.next + 1], 0x22222222
.next:  mov     ecx, 0x11111111
        CHECK   ecx, 0x22222222
        COPY    value, value_end, PAGE(6) - 3
        call    PAGE(6) - 3
        CHECK   ecx, 0x13571357
        mov     byte [PAGE(6) + 1], 0x77
        call    PAGE(6) - 3
        CHECK   ecx, 0x77571357
        mov     byte [PAGE(6) - 1], 0x88
        call    PAGE(6) - 3
        CHECK   ecx, 0x77578857

; A string that ends in a page that is not there.
        mov     ecx, 100
        mov     esi, PAGE(0)
        mov     edi, PAGE(7) - 40
        PAGE_FAULTS EU | EW, PAGE(7), rep movsb
        CHECK   ecx, 60
        CHECK   esi, PAGE(0) + 40
        CHECK   edi, PAGE(7)
        out     PORT_FINISH, al
        jmp     $

value:  mov     ecx, 0x13571357
        ret
value_end:

        LEAVE3_HANDLER
        STUBS   64
        GDT_START
        GDT_END
