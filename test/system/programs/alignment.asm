; Alignment checks: level 3, CR0.AM and EFLAGS.AC together, by the size of each access (SDM 3A §6.15, interrupt 17).
%include "long.mac"

BUFFER  equ 0x3000

; The instruction raises #AC, whose error code is 0, and has done nothing.
%macro MISALIGNED 1+.nolist
        FAULTS  17, 0, %1
%endmacro

start:
        ENTER_LONG
        mov     rax, cr4
        or      eax, 0x200                      ; OSFXSR
        mov     cr4, rax
; Level 0 is never checked.
        SET_CR  cr0, CR0_AM
        push    qword AC | 2
        popfq
        PASSES  mov eax, [BUFFER + 1]
        PASSES  mov [BUFFER + 1], rax
; Level 3: not without AC.
        ENTER3  IOPL3
        PASSES  mov eax, [BUFFER + 1]
        push    qword IOPL3 | AC | 2
        popfq
; Words at odd addresses, doublewords not at multiples of 4, quadwords not of 8 (table 6-7).
        PASSES  mov al, [BUFFER + 1]
        PASSES  mov ax, [BUFFER + 2]
        MISALIGNED mov ax, [BUFFER + 1]
        MISALIGNED mov [BUFFER + 3], ax
        PASSES  mov eax, [BUFFER + 4]
        MISALIGNED mov eax, [BUFFER + 2]
        MISALIGNED mov [BUFFER + 1], eax
        PASSES  mov rax, [BUFFER + 8]
        MISALIGNED mov rax, [BUFFER + 4]
        MISALIGNED mov [BUFFER + 12], rax
        MISALIGNED add [BUFFER + 2], eax
        MISALIGNED lock xadd [BUFFER + 2], eax
        MISALIGNED movzx eax, word [BUFFER + 1]
        MISALIGNED test dword [BUFFER + 6], 1
        MISALIGNED imul eax, [BUFFER + 5], 3
        MISALIGNED bts dword [BUFFER + 1], 3
        PASSES  lea eax, [BUFFER + 1]
        PASSES  prefetcht0 [BUFFER + 1]
; The stack.
        mov     rbp, rsp
        mov     rsp, STACK3 - 4
        MISALIGNED push rax
        MISALIGNED pop rax
        MISALIGNED pushfq
        MISALIGNED call start
        MISALIGNED ret
        mov     rsp, rbp
        PASSES  push rax
        PASSES  pop rax
; Strings: both operands, element by element.
        mov     esi, BUFFER + 1
        mov     edi, BUFFER + 0x100
        MISALIGNED movsd
        CHECK   esi, BUFFER + 1
        mov     esi, BUFFER
        mov     edi, BUFFER + 0x102
        MISALIGNED movsd
        CHECK   edi, BUFFER + 0x102
        mov     ecx, 2
        MISALIGNED rep stosd
        CHECK   ecx, 2
        PASSES  rep movsb
        mov     edi, BUFFER + 0x103
        mov     ecx, 2
        MISALIGNED repne scasw
; x87 and SSE operands: 4 bytes by 4, 8 by 8, 10 by 8; sixteen bytes that must be aligned are #GP (table 6-7, SDM 1 §4.1.1).
        MISALIGNED fld dword [BUFFER + 2]
        MISALIGNED fld qword [BUFFER + 4]
        MISALIGNED fild word [BUFFER + 1]
        MISALIGNED fld tword [BUFFER + 4]
        MISALIGNED movss xmm0, [BUFFER + 2]
        MISALIGNED movq xmm0, [BUFFER + 4]
        PASSES  fld tword [BUFFER + 8]
        PASSES  movq xmm0, [BUFFER + 8]
        FAULTS  13, 0, {movaps xmm0, [BUFFER + 8]}
; The processor's own accesses are those of level 0: a descriptor table at an odd address.
        LEAVE3
        COPY    gdt, gdt_end, BUFFER + 0x201
        lgdt    [odd_gdt]
        ENTER3  IOPL3 | AC
        mov     ecx, DATA3
        PASSES  mov gs, ecx
        PASSES  lar eax, ecx
; Without AM again.
        LEAVE3
        lgdt    [gdt_pointer]
        CLEAR_CR cr0, CR0_AM
        ENTER3  IOPL3 | AC
        PASSES  mov eax, [BUFFER + 1]
        PASSES  mov [BUFFER + 3], rax
        LEAVE3
; 32-bit code: PUSHA, POPA, far pointers, and tables stored for level 3.
        SET_CR  cr0, CR0_AM
        RETURN_FRAME DATA3, STACK3, IOPL3 | AC | 2, CODE32U, compatible
        iretq
bits 32
compatible:
        mov     ax, DATA3
        mov     ds, ax
        mov     es, ax
        mov     esp, STACK3 - 2
        MISALIGNED push eax
        CHECK   esp, STACK3 - 2
        MISALIGNED pushad
        MISALIGNED popad
        PASSES  push ax
        mov     esp, STACK3
        mov     [BUFFER + 4], ax
        MISALIGNED lfs ebx, [BUFFER + 2]
        PASSES  {lfs ebx, [BUFFER]}
        LEAVE3
        out     PORT_FINISH, al
        jmp     $

        LEAVE3_HANDLER
        STUBS   64

odd_gdt:
        dw      gdt_end - gdt - 1
        dq      BUFFER + 0x201

        GDT_START
        GDT_END
