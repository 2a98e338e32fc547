; Far transfers of protected mode: direct, conforming, call gates with stack switch and parameters, far returns (SDM 3A §5.8).
%include "protected.mac"

; At level 3 with no usable inner stack only a conforming handler can be reached.
%macro GATE_TO_CONFORMING 1
        GATE    %1, conforming_handler%1, CONFORMING0, 0x8e
%endmacro

start:
        ENTER_PROTECTED

; Direct: DPL = CPL for ordinary code, DPL ≤ CPL for conforming code (table 5-1).
        FAULTS  13, 0, jmp 0:start
        FAULTS  13, 0x1000, jmp 0x1000:start
        FAULTS  13, DATA0, jmp DATA0:start
        FAULTS  13, CODE3 & ~3, jmp (CODE3 & ~3):start
        FAULTS  13, CODE0, jmp (CODE0 | 3):start
        FAULTS  11, CODE_ABSENT, jmp CODE_ABSENT:start
        FAULTS  13, 0, jmp CODE_SMALL:0x100
        FAULTS  13, CONFORMING3, jmp CONFORMING3:start
        jmp     CONFORMING0:.conforming
.conforming:
        mov     cx, cs
        movzx   ecx, cx
        CHECK   ecx, CONFORMING0
        jmp     CODE0:.back
.back:  call    CODE0:procedure
.after: CHECK   [seen_ip], .after
        CHECK   [seen_cs], CODE0
        CHECK   esp, STACK0
        mov     dword [pointer], procedure
        mov     word [pointer + 4], CODE0
        call    far [pointer]
        CHECK   esp, STACK0
        FAULTS  13, DATA0, call DATA0:procedure
        CHECK   esp, STACK0

; A 16-bit code segment and back: D = 0 decides about operand and address size (§3.4.5).
        jmp     CODE16:small
bits 16
small:  push    ax
        mov     ecx, esp
        pop     ax
        jmp     dword CODE0:large
bits 32
large:  CHECK   ecx, STACK0 - 2

; A call gate at the same level: the offset of the instruction is not used.
        call    GATE_SAME:0xdeadbeef
.gate1: CHECK   [seen_ip], .gate1
        FAULTS  11, GATE_ABSENT, call GATE_ABSENT:0
        FAULTS  13, GATE_SAME, call (GATE_SAME | 3):0   ; RPL above the gate's DPL
        FAULTS  13, 0, call GATE_NULL:0
        FAULTS  13, DATA0, call GATE_DATA:0
        FAULTS  11, CODE_ABSENT, call GATE_TO_ABSENT:0
        FAULTS  13, CODE3 & ~3, call GATE_OUTWARD:0     ; never to a less privileged level

; From level 3: SS0:ESP0, then SS, ESP, two parameters, CS, EIP (§5.8.5, figure 5-12).
        ENTER3  IOPL3
        push    dword 0x11111111
        push    dword 0x22222222
        call    GATE_INNER:0
.gate2: mov     bx, ds
        mov     cx, DATA3
        mov     ds, cx
        CHECK   esp, STACK3             ; RET 8 released the parameters on both stacks
        CHECK   [seen_ip], .gate2
        CHECK   [seen_cs], CODE3
        CHECK   [first], 0x22222222
        CHECK   [second], 0x11111111
        CHECK   [seen_sp], STACK3 - 8
        CHECK   [seen_ss], DATA3
        CHECK   [inside_sp], STACK_INNER - 24
        CHECK   [inside_ss], DATA0
        movzx   ebx, bx
        CHECK   ebx, 0                  ; the procedure left a level-0 segment in DS: null after RET (§5.8.6)
; The 16-bit gate copies words and pushes 16-bit registers.
        push    word 0x3333
        call    GATE_INNER16:0
.gate3: CHECK   esp, STACK3
        CHECK   [seen_ip], .gate3
        CHECK   [first], 0x3333
        CHECK   [inside_sp], STACK_INNER - 10
; Access to the gate, and JMP through it, which never changes the level.
        FAULTS  13, GATE_SAME, call GATE_SAME:0
        FAULTS  13, CODE0, jmp GATE_INNER:0
        call    GATE_CONFORMING:0       ; conforming code runs at the caller's level, on its stack
        CHECK   [seen_cs], CODE3
        CHECK   [inside_cs], CONFORMING0 | 3
        CHECK   esp, STACK3
; RETF's checks.
        push    dword CODE0
        push    dword start
        FAULTS  13, CODE0, retf         ; to a more privileged level
        CHECK   esp, STACK3 - 8
        add     esp, 8
        LEAVE3

; A bad stack in the task state segment: #TS with the selector; absent: #SS (SDM 2A, CALL).
        mov     dword [tss + 8], DATA3
        ENTER3  IOPL3
        mov     dword [RESUME], .bad1
        GATE_TO_CONFORMING 10
.at1:   call    GATE_INNER:0
.bad1:  CHECK   [got], 10
        CHECK   [got_code], DATA3 & ~3
        CHECK   [got_ip], .at1
        mov     dword [tss + 8], 0
        mov     dword [RESUME], .bad2
        call    GATE_INNER:0
.bad2:  CHECK   [got], 10
        CHECK   [got_code], 0
        mov     dword [tss + 8], DATA_ABSENT
        GATE_TO_CONFORMING 12
        mov     dword [RESUME], .bad3
        call    GATE_INNER:0
.bad3:  CHECK   [got], 12
        CHECK   [got_code], DATA_ABSENT
        mov     dword [tss + 8], DATA0
        LEAVE3
        FINISH

procedure:
        push    eax
        mov     eax, [esp + 4]
        mov     [seen_ip], eax
        mov     eax, [esp + 8]
        mov     [seen_cs], eax
        pop     eax
        retf

inner:  mov     [inside_sp], esp
        mov     [inside_ss], ss
        push    eax
        mov     eax, [esp + 4]
        mov     [seen_ip], eax
        mov     eax, [esp + 8]
        mov     [seen_cs], eax
        mov     eax, [esp + 12]
        mov     [first], eax
        mov     eax, [esp + 16]
        mov     [second], eax
        mov     eax, [esp + 20]
        mov     [seen_sp], eax
        mov     eax, [esp + 24]
        mov     [seen_ss], eax
        mov     ax, DATA0
        mov     ds, ax
        pop     eax
        retf    8

inner16:
        mov     [inside_sp], esp
        push    eax
        movzx   eax, word [esp + 4]
        mov     [seen_ip], eax
        movzx   eax, word [esp + 8]
        mov     [first], eax
        pop     eax
        o16 retf 2

conforming_procedure:
        mov     [inside_cs], cs
        push    eax
        mov     eax, [esp + 8]
        mov     [seen_cs], eax
        pop     eax
        retf

; Handlers that stay on the caller's stack, for when there is no other.
conforming_handler10:
        mov     dword [got], 10
        jmp     conforming_handler
conforming_handler12:
        mov     dword [got], 12
conforming_handler:
        pop     dword [got_code]
        push    eax
        mov     eax, [esp + 4]
        mov     [got_ip], eax
        mov     eax, [RESUME]
        mov     [esp + 4], eax
        pop     eax
        iretd

        LEAVE3_HANDLER
        STUBS   32

align 4
seen_ip:        dd 0
seen_cs:        dd 0
seen_sp:        dd 0
seen_ss:        dd 0
inside_sp:      dd 0
inside_ss:      dd 0
inside_cs:      dd 0
first:          dd 0
second:         dd 0
got:            dd 0
got_code:       dd 0
got_ip:         dd 0
pointer:        dd 0, 0

        GDT_START
        SELECTOR CODE_ABSENT
        DESCRIPTOR 0, 0xfffff, 0x1a, 0xc
        SELECTOR CODE_SMALL
        DESCRIPTOR 0, 0xff, 0x9a, 0x4
        SELECTOR CODE16
        DESCRIPTOR 0, 0xffff, 0x9a, 0x0
        SELECTOR CONFORMING0
        DESCRIPTOR 0, 0xfffff, 0x9e, 0xc
        SELECTOR CONFORMING3
        DESCRIPTOR 0, 0xfffff, 0xfe, 0xc
        SELECTOR DATA_ABSENT
        DESCRIPTOR 0, 0xfffff, 0x12, 0xc
        SELECTOR GATE_SAME
        CALL_GATE CODE0, procedure, 0, 0x8c
        SELECTOR GATE_ABSENT
        CALL_GATE CODE0, procedure, 0, 0x0c
        SELECTOR GATE_NULL
        CALL_GATE 0, procedure, 0, 0x8c
        SELECTOR GATE_DATA
        CALL_GATE DATA0, procedure, 0, 0x8c
        SELECTOR GATE_TO_ABSENT
        CALL_GATE CODE_ABSENT, procedure, 0, 0x8c
        SELECTOR GATE_OUTWARD
        CALL_GATE CODE3, procedure, 0, 0x8c
        SELECTOR GATE_INNER
        CALL_GATE CODE0, inner, 2, 0xec
        SELECTOR GATE_INNER16
        CALL_GATE CODE0, inner16, 1, 0xe4
        SELECTOR GATE_CONFORMING
        CALL_GATE CONFORMING0, conforming_procedure, 0, 0xec
        GDT_END
