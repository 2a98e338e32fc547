; Virtual-8086 mode, without and with its extensions (SDM 3A chapter 20).
%include "protected.mac"

; To 8086 code at %1 with EFLAGS %2: CS = 0, stack at 5000h, ES DS FS GS = 100h 0 300h 400h.
%macro ENTER_V86 2
        push    dword 0x400
        push    dword 0x300
        push    dword 0
        push    dword 0x100
        push    dword 0
        push    dword 0x5000
        push    dword VM | 2 | (%2)
        push    dword 0
        push    dword %1
        iretd
%endmacro

; INT 30h is the way back to protected mode.
%macro LEAVE_V86 0
        mov     dword [RETURN0], %%inside
        int     0x30
bits 32
%%inside:
%endmacro

; Where INT 30h is not allowed, HLT raises #GP.
%macro LEAVE_V86_BY_FAULT 0
        mov     dword [RETURN0], %%inside
        GATE    13, leave3, CODE0, 0x8e
        hlt
bits 32
%%inside:
        GATE    13, stubs + 13 * STUB_SIZE, CODE0, 0x8e
%endmacro

; In 8086 code: the instruction raises an exception whose handler is in protected mode and returns behind it.
%macro V86_FAULTS 3+.nolist
        mov     dword [GOT_VECTOR], NOTHING
        mov     dword [RESUME], %%after
%%at:
        %3
%%after:
        CHECK   [GOT_VECTOR], %1
        CHECK   [GOT_CODE], %2
        CHECK   [GOT_IP], %%at
        and     dword [GOT_FLAGS], VM
        CHECK   [GOT_FLAGS], VM
%endmacro

start:
        ENTER_PROTECTED
        GATE    0x40, frame_handler, CODE0, 0xee
        GATE    3, count_handler, CODE0, 0xee
        GATE    4, count_handler, CODE0, 0xee

; IOPL 3: software interrupts go through the IDT to level 0; GS FS DS ES SS ESP EFLAGS CS EIP on its stack (§20.3.1).
        ENTER_V86 .v1, IOPL3 | IF
bits 16
.v1:    mov     eax, cs
        and     eax, 0xffff
        CHECK   eax, 0
        mov     ax, es
        movzx   eax, ax
        CHECK   eax, 0x100
        mov     dword [0x3000], 0xcafe0001
        mov     ax, 0x2f0
        mov     fs, ax
        CHECK   [fs:0x100], 0xcafe0001  ; base = selector × 16
        mov     eax, [es:0x2000]
        CHECK   eax, 0xcafe0001
        V86_FAULTS 13, 0, {mov eax, [ds:0xfffe]}        ; the limit is FFFFh
        int     0x40
.after_int:
        CHECK   [seen_ip], .after_int
        CHECK   [seen_cs], 0
        and     dword [seen_flags], ~PF
        CHECK   [seen_flags], VM | IOPL3 | IF | 2
        CHECK   [seen_sp], 0x5000
        CHECK   [seen_ss], 0
        CHECK   [seen_es], 0x100
        CHECK   [seen_ds], 0
        CHECK   [seen_fs], 0x2f0
        CHECK   [seen_gs], 0x400
        CHECK   [inside_sp], STACK_INNER - 36
        CHECK   [inside_gs], 0          ; data segments are null in the handler
        and     dword [inside_flags], VM | IF | TF | NT | RF
        CHECK   [inside_flags], 0
        mov     ax, es
        movzx   eax, ax
        CHECK   eax, 0x100              ; all segments are back
        mov     ax, gs
        movzx   eax, ax
        CHECK   eax, 0x400
        pushfd
        pop     eax
        and     eax, VM | RF | IF | IOPL3
        CHECK   eax, IF | IOPL3         ; PUSHF never shows VM and RF
        cli                             ; allowed with IOPL 3
        pushf
        pop     ax
        movzx   eax, ax
        and     eax, IF
        CHECK   eax, 0
        V86_FAULTS 13, 0, hlt           ; level 3
        V86_FAULTS 6, NO_CODE, {db 0x0f, 0x00, 0xc0}    ; SLDT is undefined here
        V86_FAULTS 0, NO_CODE, {div word [zero]}
        V86_FAULTS 13, 0x41 * 8 + 2, int 0x41           ; the gate's DPL counts
; IRET within 8086 code.
        pushf
        push    cs
        push    .iret_target
        iret
.iret_target:
; A handler must be at level 0: conforming code is #GP with its selector (SDM 2A, INT n).
        mov     dword [IDT + 0x42 * 8], (CONFORMING0 << 16) | (ADDR(frame_handler) & 0xffff)
        mov     dword [IDT + 0x42 * 8 + 4], 0xee00
        V86_FAULTS 13, CONFORMING0, int 0x42
        LEAVE_V86

; IOPL 0 without VME: INT n, CLI, STI, PUSHF, POPF, IRET are #GP(0); INT3 and INTO are not sensitive (§20.2.7).
        ENTER_V86 .v2, IF
bits 16
.v2:    V86_FAULTS 13, 0, int 0x40
        V86_FAULTS 13, 0, cli
        V86_FAULTS 13, 0, sti
        V86_FAULTS 13, 0, pushf
        V86_FAULTS 13, 0, popf
        V86_FAULTS 13, 0, iret
        mov     dword [counter], 0
        int3
        mov     al, 0x7f
        inc     al
        into
        CHECK   [counter], 2
        LEAVE_V86_BY_FAULT

; VME, bit clear: the 8086 program's own handler from the table at 0. With IOPL 0 it sees VIF as IF and IOPL 3 (§20.3.3, table 20-2).
        mov     eax, cr4
        or      eax, 1
        mov     cr4, eax
        mov     byte [redirection + (0x40 >> 3)], 0xfe
        mov     dword [0x40 * 4], v86_handler
        ENTER_V86 .v3, VIF | IF
bits 16
.v3:    stc
        int     0x40
.after_redirected:
        CHECK   [seen_ip], .after_redirected
        CHECK   [seen_cs], 0
        CHECK   [seen_flags], IOPL3 | IF | CF | 2
        CHECK   [inside_sp], 0x5000 - 6
        CHECK   [inside_flags], IOPL3 | CF | 2          ; PUSHF shows VIF, which is clear now, as IF
        pushf
        pop     ax
        movzx   eax, ax
        CHECK   eax, IOPL3 | IF | CF | 2                ; IRET brought VIF back
        cli
        pushf
        pop     ax
        movzx   eax, ax
        CHECK   eax, IOPL3 | CF | 2
        sti
        V86_FAULTS 13, 0, int 0x43                      ; bit set, IOPL below 3 (§20.3.3, table 20-2)
        push    word TF | 2
        V86_FAULTS 13, 0, popf                          ; TF may not be set this way (§20.3.2)
        pop     ax
        V86_FAULTS 13, 0, o32 pushf                     ; only 16-bit forms work
        LEAVE_V86_BY_FAULT

; VIP: an interrupt waits for the program. STI and IRET that would set VIF are #GP(0) (§20.3.2).
        ENTER_V86 .v4, VIP
bits 16
.v4:    V86_FAULTS 13, 0, sti
        push    word IF | 2
        push    cs
        push    .v4
        V86_FAULTS 13, 0, iret
        mov     eax, esp
        CHECK   eax, 0x5000 - 6
        mov     sp, 0x5000
        LEAVE_V86_BY_FAULT

; IOPL 3 with VME, bit clear: redirected too; FLAGS as they are, IF cleared (§20.3.3, table 20-2).
        ENTER_V86 .v5, IOPL3 | IF
bits 16
.v5:    int     0x40
        CHECK   [seen_flags], IOPL3 | IF | 2
        and     dword [inside_flags], IF | IOPL3
        CHECK   [inside_flags], IOPL3
        pushf
        pop     ax
        movzx   eax, ax
        and     eax, IF
        CHECK   eax, IF
; An external interrupt always goes through the IDT.
        GATE    0x44, frame_handler, CODE0, 0x8e
        mov     al, 0x44
        out     PORT_INTR, al
        nop
.interrupted:
        CHECK   [seen_cs], 0
        and     dword [seen_flags], VM | IF
        CHECK   [seen_flags], VM | IF
        out     PORT_FINISH, al
        jmp     $

count_handler:
bits 32
        push    eax
        push    ds
        mov     ax, DATA0
        mov     ds, ax
        inc     dword [counter]
        pop     ds
        pop     eax
        iretd

; Notes the frame and the state inside.
frame_handler:
        push    eax
        push    ebx
        mov     ax, DATA0
        mov     bx, gs
        mov     ds, ax
        movzx   ebx, bx
        mov     [inside_gs], ebx
        pushfd
        pop     dword [inside_flags]
        lea     eax, [esp + 8]
        mov     [inside_sp], eax
        mov     ebx, eax
%assign i 0
%rep 9
        mov     eax, [ebx + i * 4]
        mov     [frame + i * 4], eax
%assign i i + 1
%endrep
        pop     ebx
        pop     eax
        iretd

        LEAVE3_HANDLER
        STUBS   32

bits 16
v86_handler:
        push    bp
        mov     bp, sp
        push    eax
        movzx   eax, word [bp + 2]
        mov     [seen_ip], eax
        movzx   eax, word [bp + 4]
        mov     [seen_cs], eax
        movzx   eax, word [bp + 6]
        mov     [seen_flags], eax
        lea     ax, [bp + 2]
        movzx   eax, ax
        mov     [inside_sp], eax
        pushf
        pop     ax
        movzx   eax, ax
        mov     [inside_flags], eax
        pop     eax
        pop     bp
        iret

align 4
zero:           dw 0, 0
counter:        dd 0
inside_sp:      dd 0
inside_gs:      dd 0
inside_flags:   dd 0
frame:
seen_ip:        dd 0
seen_cs:        dd 0
seen_flags:     dd 0
seen_sp:        dd 0
seen_ss:        dd 0
seen_es:        dd 0
seen_ds:        dd 0
seen_fs:        dd 0
seen_gs:        dd 0

        GDT_START
        SELECTOR CONFORMING0
        DESCRIPTOR 0, 0xfffff, 0x9e, 0xc
        GDT_END
