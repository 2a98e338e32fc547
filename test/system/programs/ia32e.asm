; Interrupts, exceptions and far transfers of IA-32e mode (SDM 3A §6.14, §5.8, SDM 2A IRET).
%include "prelude.mac"

CODE64  equ 0x08
DATA0   equ 0x10
CODE32U equ 0x18 | 3
DATA3   equ 0x20 | 3
CODE64U equ 0x28 | 3
TSS     equ 0x30
IOPL3   equ 0x3000

STACK0  equ 0x7c00
STACK_INNER equ 0x7000              ; RSP0 of the task state segment
STACK_IST1 equ 0x6808               ; not aligned on purpose
STACK_IST2 equ 0x6400
STACK3  equ 0x6000
PML4    equ 0x100000
UNMAPPED equ 0x200000               ; the first linear address without a page

%macro RETURN_FRAME 5               ; SS, RSP, RFLAGS, CS, RIP: the stack pointer goes to a known place first
        mov     rsp, STACK0
        push    qword %1
        push    qword %2
        push    qword %3
        push    qword %4
        push    qword %5
%endmacro

%macro ENTER3 1                     ; RFLAGS; goes on in 64-bit code at level 3
        RETURN_FRAME DATA3, STACK3, (%1) | 2, CODE64U, %%outside
        iretq
%%outside:
%endmacro

%macro LEAVE3 0
        mov     dword [RETURN0], %%inside       ; from 64- and 32-bit code; the upper half stays 0
        int     0x30
bits 64
%%inside:
%endmacro

bits 16
start:
        cli
        lgdt    [gdt_pointer]
        lidt    [idt_pointer]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     dword CODE32:inside32
bits 32
inside32:
        mov     ax, DATA0
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
; 2 MiB mapped one to one, for level 3 too.
        mov     dword [PML4], (PML4 + 0x1000) | 7
        mov     dword [PML4 + 0x1000], (PML4 + 0x2000) | 7
        mov     dword [PML4 + 0x2000], 0x87
        mov     eax, PML4
        mov     cr3, eax
        mov     eax, cr4
        or      eax, 0x20               ; PAE
        mov     cr4, eax
        mov     ecx, 0xc0000080
        rdmsr
        or      eax, 0x100              ; EFER.LME
        wrmsr
        mov     eax, cr0
        or      eax, 0x80000000
        mov     cr0, eax
        jmp     CODE64:inside64
bits 64
inside64:
        mov     rsp, STACK0
        STUB_GATES64 CODE64, 0x8e
        GATE64  0x30, leave3, CODE64, 0xee, 0
        mov     ax, TSS
        ltr     ax
        movzx   ecx, byte [gdt + TSS + 5]
        CHECK   ecx, 0x8b               ; busy

; Same level: SS:RSP is pushed nevertheless, from a stack pointer aligned to 16 bytes (§6.14.2, §6.14.3).
        GATE64  0x40, frame_handler, CODE64, 0x8e, 0
        push    qword IF | NT | 2
        popfq
        mov     rsp, STACK0 - 5
        int     0x40
after_int:
        CHECK   [seen_ip], after_int
        CHECK   [seen_cs], CODE64
        CHECK   [seen_flags], IF | NT | 2
        CHECK   [seen_sp], STACK0 - 5
        CHECK   [seen_ss], DATA0
        CHECK   [inside_sp], STACK0 - 16 - 40
        CHECK   [inside_flags], 2
        CHECK   esp, STACK0 - 5
        mov     rsp, STACK0
        push    qword 2
        popfq
        GATE64  0x40, frame_handler, CODE64, 0x8f, 0
        push    qword IF | 2
        popfq
        int     0x40
        cli
        CHECK   [inside_flags], IF | 2  ; a trap gate

; The interrupt stack table is used whatever the level (§6.14.5).
        GATE64  0x40, frame_handler, CODE64, 0x8e, 1
        int     0x40
        CHECK   [inside_sp], (STACK_IST1 & ~15) - 40
        CHECK   [seen_sp], STACK0

; Gates: 64-bit ones only, to 64-bit code only.
        GATE64  0x41, frame_handler, CODE64, 0x86, 0
        FAULTS  13, 0x41 * 8 + 2, int 0x41
        GATE64  0x41, frame_handler, CODE64, 0x0e, 0
        FAULTS  11, 0x41 * 8 + 2, int 0x41
        GATE64  0x41, frame_handler, CODE32, 0x8e, 0
        FAULTS  13, CODE32, int 0x41
        GATE64  0x41, frame_handler, CODE_BOTH, 0x8e, 0
        FAULTS  13, CODE_BOTH, int 0x41                 ; L and D both set
        GATE64  0x41, frame_handler, CODE64, 0x8e, 0
        mov     dword [IDT + 0x41 * 16 + 8], 0x00008000 ; entry point not canonical
        FAULTS  13, 0, int 0x41
        FAULTS  13, 0x80 * 8 + 2, int 0x80              ; beyond the limit of the table

; Level 3, 64-bit: RSP0; SS becomes null with RPL = CPL (§6.14.4).
        GATE64  0x40, frame_handler, CODE64, 0xee, 0
        GATE64  0x42, frame_handler, CODE64, 0x8e, 0
        ENTER3  IOPL3
        int     0x40
after_int3:
        CHECK   [seen_ip], after_int3
        CHECK   [seen_cs], CODE64U
        CHECK   [seen_sp], STACK3
        CHECK   [seen_ss], DATA3
        CHECK   [inside_sp], STACK_INNER - 40
        CHECK   [inside_ss], 0
        mov     eax, ss
        CHECK   eax, DATA3
        FAULTS  13, 0x42 * 8 + 2, int 0x42
        FAULTS  6, NO_CODE, ud2
        and     dword [GOT_FLAGS], RF | IOPL3
        CHECK   [GOT_FLAGS], RF | IOPL3
        CHECK   [GOT_CS], CODE64U
        FAULTS  13, 0, {mov rax, [qword 0x0000800000000000]}
        mov     rbp, 0x0000800000000000
        FAULTS  12, 0, {mov al, [rbp]}                  ; addressed through SS
        xor     ecx, ecx
        FAULTS  13, 0, {mov ss, cx}                     ; null SS is for levels 0–2
        mov     ecx, DATA0
        FAULTS  13, DATA0, {mov ds, cx}

; Page faults: CR2, and U W P in the code (§6.15, interrupt 14).
        FAULTS  14, 4, {mov al, [UNMAPPED + 5]}
        FAULTS  14, 6, {mov [UNMAPPED + 0x777], al}
        LEAVE3
        mov     rax, cr2
        CHECK   eax, UNMAPPED + 0x777
        FAULTS  14, 0, {mov al, [UNMAPPED + 9]}
        FAULTS  14, 2, {mov [UNMAPPED + 11], al}
        mov     rax, cr2
        CHECK   eax, UNMAPPED + 11

; Compatibility mode at level 3: same frames of eight-byte slots, return to 32-bit code.
        RETURN_FRAME DATA3, STACK3, IOPL3 | 2, CODE32U, compatible
        iretq
bits 32
compatible:
        mov     ax, DATA3
        mov     ds, ax
        mov     es, ax
        mov     ecx, 0x80000000
        inc     ecx                     ; 41h would be a prefix in 64-bit mode
        CHECK   ecx, 0x80000001
        int     0x40
after_compatible:
        CHECK   [seen_ip], after_compatible
        CHECK   [seen_cs], CODE32U
        CHECK   [seen_sp], STACK3
        CHECK   [inside_sp], STACK_INNER - 40
        FAULTS  6, NO_CODE, ud2
; A far jump to 64-bit code of the same level, and back by a far return.
        jmp     CODE64U:.in64
bits 64
.in64:  push    qword CODE32U
        push    qword .in32
        retfq
bits 32
.in32:  mov     eax, cs
        CHECK   eax, CODE32U
; A call gate to level 0: 64-bit code, RSP0, no parameters (§5.8.3.1, §5.8.5.1).
        call    CALL_GATE64:0
.after_gate:
        CHECK   [seen_ip], .after_gate
        CHECK   [seen_cs], CODE32U
        CHECK   [seen_sp], STACK3
        CHECK   [seen_ss], DATA3
        CHECK   [inside_sp], STACK_INNER - 32
        CHECK   [inside_ss], 0
        CHECK   esp, STACK3
        LEAVE3

; IRETQ's checks.
        RETURN_FRAME 0, STACK0, 2, CODE64, null_stack
        iretq
null_stack:
        mov     eax, ss
        CHECK   eax, 0                  ; a null SS is fine for 64-bit code below level 3
        mov     ax, DATA0
        mov     ss, ax
        RETURN_FRAME 0, STACK3, 2, CODE64U, start
        FAULTS  13, 0, iretq            ; but not at level 3
        RETURN_FRAME 0, STACK0, 2, CODE32, start
        FAULTS  13, 0, iretq            ; nor for 32-bit code
        RETURN_FRAME DATA3, STACK3, 2, CODE64U, 0
        mov     dword [rsp + 4], 0x8000
        FAULTS  13, 0, iretq            ; RIP not canonical
        RETURN_FRAME DATA0, STACK0, 2, CODE_BOTH, start
        FAULTS  13, CODE_BOTH, iretq
        RETURN_FRAME DATA0, STACK0, 2, 0, start
        FAULTS  13, 0, iretq
        RETURN_FRAME DATA0, STACK3, 2, CODE64U, start
        FAULTS  13, DATA0, iretq
        mov     rsp, STACK0
        push    qword NT | 2
        popfq
        FAULTS  13, 0, iretq            ; no tasks to return to
        push    qword 2
        popfq
        FAULTS  13, TSS, {jmp dword far [pointer_to_task]}

; An inner stack that is not canonical: #SS(0), here on a stack of its own; #TS beyond the task state's limit.
        GATE64  12, stubs + 12 * STUB_SIZE, CODE64, 0x8e, 2
        GATE64  10, stubs + 10 * STUB_SIZE, CODE64, 0x8e, 2
        mov     dword [tss + 8], 0x8000
        ENTER3  IOPL3
        FAULTS  12, 0, int 0x40
        mov     dword [tss + 8], 0
        mov     qword [RETURN0], .leave_again
        int     0x30
.leave_again:

; Double faults: #NP while #PF is delivered; the frame has the first instruction's address, the code is 0 (table 6-5).
        GATE64  8, stubs + 8 * STUB_SIZE, CODE64, 0x8e, 2
        GATE64  14, stubs, CODE64, 0x0e, 0
        FAULTS  8, 0, {mov al, [UNMAPPED]}
        mov     rax, cr2
        CHECK   eax, UNMAPPED
        STUB_GATES64 CODE64, 0x8e
        GATE64  8, stubs + 8 * STUB_SIZE, CODE64, 0x8e, 2
; A page fault on the inner stack while #UD is delivered: benign, so #PF comes next, with its own stack; EXT is not in its code.
        GATE64  14, stubs + 14 * STUB_SIZE, CODE64, 0x8e, 2
        mov     dword [tss + 4], UNMAPPED + 0x100
        ENTER3  IOPL3
        FAULTS  14, 2, ud2
; …and while a page fault is delivered to an unmapped stack: double fault.
        GATE64  14, stubs + 14 * STUB_SIZE, CODE64, 0x8e, 0
        FAULTS  8, 0, {mov al, [UNMAPPED]}
        mov     dword [tss + 4], STACK_INNER
        GATE64  14, stubs + 14 * STUB_SIZE, CODE64, 0x8e, 0
        LEAVE3
        mov     rax, cr2
        CHECK   eax, UNMAPPED + 0xf8    ; the second fault's address

; NMI blocking across IRETQ.
        GATE64  2, nmi_handler, CODE64, 0x8e, 1
        out     PORT_NMI, al
        CHECK   [nmis], 2
        CHECK   [nmis_inside], 1
; SYSCALL with TF in IA32_FMASK does not step into the kernel; SYSRET that sets TF traps at once.
        GATE64  1, debug_handler, CODE64, 0x8e, 0
        mov     ecx, 0xc0000080
        rdmsr
        or      eax, 1                  ; EFER.SCE
        wrmsr
        mov     ecx, 0xc0000081
        xor     eax, eax
        mov     edx, ((CODE32U & ~3) << 16) | CODE64
        wrmsr
        inc     ecx                     ; IA32_LSTAR
        mov     eax, system_call
        xor     edx, edx
        wrmsr
        inc     ecx
        inc     ecx                     ; IA32_FMASK
        mov     eax, TF
        wrmsr
        ENTER3  IOPL3
        push    qword IOPL3 | TF | 2
        popfq
        syscall
.system_return:
        nop
        CHECK   [traps_in_kernel], 0
        CHECK   [traps], 1
        CHECK   [trap_ip], .system_return
        LEAVE3
; Interrupts at level 3, with IF.
        GATE64  0x43, frame_handler, CODE64, 0x8e, 0
        ENTER3  IOPL3 | IF
        mov     al, 0x43
        out     PORT_INTR, al
interrupted:
        CHECK   [seen_ip], interrupted
        CHECK   [seen_flags], IOPL3 | IF | 2
        CHECK   [inside_flags], IOPL3 | 2
        out     PORT_FINISH, al
        jmp     $

frame_handler:
        mov     [inside_sp], rsp
        mov     [inside_ss], ss
        pushfq
        pop     qword [inside_flags]
        push    rax
%assign i 0
%rep 5
        mov     rax, [rsp + 8 + i * 8]
        mov     [frame + i * 8], rax
%assign i i + 1
%endrep
        pop     rax
        iretq

gate_procedure:
        mov     [inside_sp], rsp
        mov     [inside_ss], ss
        push    rax
        mov     rax, [rsp + 8]
        mov     [seen_ip], rax
        mov     rax, [rsp + 16]
        mov     [seen_cs], rax
        mov     rax, [rsp + 24]
        mov     [seen_sp], rax
        mov     rax, [rsp + 32]
        mov     [seen_ss], rax
        pop     rax
        retfq

system_call:
        mov     eax, [traps]
        mov     [traps_in_kernel], eax
        o64 sysret

debug_handler:                          ; the first trap ends the stepping
        inc     dword [traps]
        push    rax
        mov     rax, [rsp + 8]
        mov     [trap_ip], rax
        and     qword [rsp + 24], ~TF
        pop     rax
        iretq

nmi_handler:
        inc     dword [nmis]
        cmp     dword [nmis], 1
        jne     .done
        out     PORT_NMI, al
        nop
        mov     eax, [nmis]
        mov     [nmis_inside], eax
.done:  iretq

leave3: mov     ax, DATA0
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     rsp, STACK0
        jmp     [RETURN0]

        STUBS   64

align 8
inside_sp:      dq 0
inside_ss:      dq 0
inside_flags:   dq 0
frame:
seen_ip:        dq 0
seen_cs:        dq 0
seen_flags:     dq 0
seen_sp:        dq 0
seen_ss:        dq 0
nmis:           dd 0
traps:          dd 0
traps_in_kernel: dd 0
trap_ip:        dq 0
nmis_inside:    dd 0
pointer_to_task:
                dd 0
                dw TSS

align 8
gdt:    dq      0
        DESCRIPTOR 0, 0xfffff, 0x9a, 0xa        ; CODE64
        DESCRIPTOR 0, 0xfffff, 0x92, 0xc
        DESCRIPTOR 0, 0xfffff, 0xfa, 0xc        ; CODE32U
        DESCRIPTOR 0, 0xfffff, 0xf2, 0xc
        DESCRIPTOR 0, 0xfffff, 0xfa, 0xa        ; CODE64U
        DESCRIPTOR ADDR(tss), 0x87 + 0x2001, 0x89, 0
        dq      0
CODE32  equ $ - gdt
        DESCRIPTOR 0, 0xfffff, 0x9a, 0xc
CODE_BOTH equ $ - gdt
        DESCRIPTOR 0, 0xfffff, 0x9a, 0xe
CALL_GATE64 equ $ - gdt
        CALL_GATE CODE64, gate_procedure, 0, 0xec
        dq      0
gdt_end:
gdt_pointer:
        dw      gdt_end - gdt - 1
        dd      gdt
idt_pointer:
        dw      0x7ff
        dd      IDT
align 8
tss:    dd      0
        dq      STACK_INNER, 0, 0, 0
        dq      STACK_IST1, STACK_IST2, 0, 0, 0, 0, 0
        dq      0
        dw      0, 0x88
        times   32 db 0xff
        times   0x2000 db 0
        db      0xff
