; Interrupts and far transfers in real-address mode (SDM 3A chapter 20), the interrupt shadow, NMI blocking, HLT.
%include "prelude.mac"
bits 16

%macro VECTOR 2                     ; number, label
        mov     word [%1 * 4], %2
        mov     word [%1 * 4 + 2], 0
%endmacro

start:
        mov     sp, 0x7c00

; INT n pushes FLAGS, CS and the IP of the next instruction, and clears IF and TF (SDM 2A, INT n, REAL-ADDRESS-MODE).
        VECTOR  0x40, handler40
        sti
        stc
        int     0x40
after40:
        pushf
        pop     ax
        movzx   eax, ax
        and     eax, IF | CF
        CHECK   eax, IF | CF            ; IRET brought both back
        movzx   ecx, sp
        CHECK   ecx, 0x7c00

; A divide error is a fault: IP of the instruction itself (SDM 3A table 6-1).
        VECTOR  0, handler0
        xor     dx, dx
        xor     cx, cx
divides:
        div     cx
after_divide:

; The vector table lies where IDTR says, and its limit counts: a vector beyond is #GP, without error code (SDM 3A §20.1.4).
        VECTOR  13, handler13
        lidt    [short_idt]
beyond:
        int     0x40
after_beyond:
        lidt    [real_idt]

; IRET with a 32-bit operand pops EIP, CS and EFLAGS; ID and AC come along, VM does not (SDM 2A, IRET, REAL-ADDRESS-MODE).
        push    dword IF | AC | VM | 2
        push    dword 0
        push    dword after_iretd
        iretd
after_iretd:
        pushfd
        pop     eax
        CHECK   eax, IF | AC | 2
        push    dword 2
        popfd

; Far transfers: CS.base = selector × 16 (SDM 3A §20.1.1).
        call    0x0100:(far_procedure - 0x1000)
after_call:
        movzx   ecx, sp
        CHECK   ecx, 0x7c00 + 4         ; RETF 4 released four bytes more than it popped
        mov     sp, 0x7c00
        jmp     0x0200:(far_jump - 0x2000)
far_jump:
        mov     cx, cs
        movzx   ecx, cx
        CHECK   ecx, 0x0200
        jmp     0:back
back:
        call    far [far_pointer]
        movzx   ecx, sp
        CHECK   ecx, 0x7c00

; Loading a segment register changes selector and base only: a 4 GiB limit from protected mode stays (unreal mode).
        cli
        lgdt    [gdt_pointer]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        mov     bx, 8
        mov     fs, bx
        and     al, 0xfe
        mov     cr0, eax
        mov     bx, 0x10
        mov     fs, bx
        mov     dword [0x3000], 0x12345678
        mov     esi, 0x3000 - 0x100
        CHECK   [fs:esi], 0x12345678
        mov     esi, 0x100000
        mov     dword [fs:esi], 0x87654321
        CHECK   [fs:esi], 0x87654321    ; beyond 64 KiB: no #GP

; STI lets one more instruction run before an interrupt (SDM 2B, STI).
        VECTOR  0x41, count_interrupt
        mov     dword [counter], 0
        mov     al, 0x41
        out     PORT_INTR, al
        nop
        CHECK   [counter], 0            ; IF is clear
        sti
        mov     ebx, [counter]
        mov     ecx, [counter]
        cli
        CHECK   ebx, 0
        CHECK   ecx, 1

; MOV SS and POP SS hold interrupts until after the next instruction (SDM 3A §6.8.3).
        mov     dword [counter], 0
        xor     dx, dx
        mov     al, 0x41
        push    dx
        sti
        nop
        out     PORT_INTR, al           ; taken right after this instruction
        mov     ebx, [counter]
        CHECK   ebx, 1
        mov     [counter], dword 0
        cli
        out     PORT_INTR, al
        sti                             ; shadow of STI covers MOV SS, the shadow of MOV SS the next one
        mov     ss, dx
        mov     ebx, [counter]
        mov     ecx, [counter]
        cli
        CHECK   ebx, 0
        CHECK   ecx, 1
        mov     [counter], dword 0
        out     PORT_INTR, al
        sti
        pop     ss
        mov     ebx, [counter]
        mov     ecx, [counter]
        cli
        CHECK   ebx, 0
        CHECK   ecx, 1

; STI; HLT with an interrupt pending: HLT is in the shadow, and the interrupt ends it (SDM 2A, HLT: returns to the instruction after).
        mov     dword [counter], 0
        out     PORT_INTR, al
        sti
        hlt
        cli
        CHECK   [counter], 1
; …and one that comes later.
        mov     dword [counter], 0
        out     PORT_HALT_INTR, al
        sti
        hlt
        cli
        CHECK   [counter], 1

; NMI: vector 2, whatever IF says; blocked until IRET (SDM 3A §6.7.1).
        VECTOR  2, handler_nmi
        mov     dword [counter], 0
        mov     dword [nested], 0
        out     PORT_NMI, al
        CHECK   [counter], 2            ; the second came right after the first one's IRET
        CHECK   [nested], 1             ; while the first was not disturbed
        mov     dword [counter], 1      ; no nested one this time
        out     PORT_HALT_NMI, al
        hlt
        CHECK   [counter], 2

; INT3 and INTO (SDM 2A, INT n).
        VECTOR  3, count_interrupt
        VECTOR  4, count_interrupt
        mov     dword [counter], 0
        int3
        CHECK   [counter], 1
        mov     al, 0x7f
        into
        add     al, 1
        into
        CHECK   [counter], 2
        FINISH

handler40:
        movzx   ecx, sp
        CHECK   ecx, 0x7c00 - 6
        pushf
        pop     ax
        movzx   eax, ax
        and     eax, IF | TF | CF
        CHECK   eax, CF
        mov     bp, sp
        movzx   ecx, word [bp]
        CHECK   ecx, after40
        movzx   ecx, word [bp + 2]
        CHECK   ecx, 0
        movzx   ecx, word [bp + 4]
        and     ecx, IF | CF
        CHECK   ecx, IF | CF
        iret

handler0:
        mov     bp, sp
        movzx   ecx, word [bp]
        CHECK   ecx, divides
        mov     word [bp], after_divide
        iret

handler13:
        mov     bp, sp
        movzx   ecx, word [bp]
        CHECK   ecx, beyond
        movzx   ecx, sp
        CHECK   ecx, 0x7c00 - 6
        mov     word [bp], after_beyond
        iret

count_interrupt:
        inc     dword [counter]
        iret

handler_nmi:
        inc     dword [counter]
        cmp     dword [counter], 1
        jne     .done
        out     PORT_NMI, al            ; waits for the IRET
        nop
        mov     ecx, [counter]
        mov     [nested], ecx
.done:
        iret

far_procedure:
        mov     cx, cs
        movzx   ecx, cx
        CHECK   ecx, 0x0100
        mov     bp, sp
        movzx   ecx, word [bp]
        CHECK   ecx, after_call
        movzx   ecx, word [bp + 2]
        CHECK   ecx, 0
        retf    4

near_target:
        retf

counter:        dd 0
nested:         dd 0
far_pointer:    dw near_target, 0
short_idt:      dw 0xff             ; vectors 0–3Fh
                dd 0
real_idt:       dw 0x3ff
                dd 0
align 8
gdt:            dq 0
                DESCRIPTOR 0, 0xfffff, 0x92, 0xc
gdt_pointer:    dw 15
                dd gdt
