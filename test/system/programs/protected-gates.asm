; Interrupt and trap gates of protected mode: frames, privilege changes, checks and error codes (SDM 3A §6.12, §6.13).
%include "protected.mac"

start:
        ENTER_PROTECTED

; Same privilege: EFLAGS, CS, EIP; an interrupt gate clears IF, TF, NT, RF (§6.12.1.3).
        GATE    0x40, frame_handler, CODE0, 0x8e
        push    dword IF | NT | 2
        popfd
        int     0x40
after_int:
        CHECK   [seen_ip], after_int
        CHECK   [seen_cs], CODE0
        CHECK   [seen_flags], IF | NT | 2
        CHECK   [inside_flags], 2
        CHECK   [inside_sp], STACK0 - 12
        pushfd
        pop     eax
        CHECK   eax, IF | NT | 2        ; IRETD from a handler without NT: an ordinary return
; A trap gate leaves IF alone.
        GATE    0x40, frame_handler, CODE0, 0x8f
        int     0x40
        CHECK   [inside_flags], IF | 2
        push    dword 2
        popfd
; A 16-bit gate pushes words.
        GATE    0x40, word_handler, CODE0, 0x86
        int     0x40
after_word:
        CHECK   [seen_ip], after_word
        CHECK   [inside_sp], STACK0 - 6

; Checks of INT n, with error codes (§6.13): vector × 8 + IDT flag; EXT is clear for software interrupts.
        GATE    0x41, frame_handler, CODE0, 0x0e        ; not present
        FAULTS  11, 0x41 * 8 + 2, int 0x41
        GATE    0x41, frame_handler, CODE0, 0x8c        ; a call gate has no business here
        FAULTS  13, 0x41 * 8 + 2, int 0x41
        GATE    0x41, frame_handler, 0, 0x8e            ; null selector
        FAULTS  13, 0, int 0x41
        GATE    0x41, frame_handler, DATA0, 0x8e        ; not code
        FAULTS  13, DATA0, int 0x41
        GATE    0x41, frame_handler, CODE3, 0x8e        ; code of a less privileged level
        FAULTS  13, CODE3 & ~3, int 0x41
        GATE    0x41, frame_handler, 0x1000, 0x8e       ; beyond the table
        FAULTS  13, 0x1000, int 0x41
        GATE    0x41, frame_handler, CODE_ABSENT, 0x8e
        FAULTS  11, CODE_ABSENT, int 0x41
        GATE    0x41, frame_handler, CODE_SMALL, 0x8e   ; entry point beyond the segment's limit
        FAULTS  13, 0, int 0x41
        lidt    [short_idt]
        FAULTS  13, 0x41 * 8 + 2, int 0x41              ; beyond the table's limit
        lidt    [idt_pointer]

; The same with an external interrupt sets EXT; the fault's return address is the interrupted instruction's successor.
        GATE    0x41, frame_handler, CODE0, 0x0e
        mov     dword [GOT_VECTOR], NOTHING
        mov     dword [RESUME], resumed1
        mov     al, 0x41
        out     PORT_INTR, al
        sti
        nop
interrupted:
        nop
resumed1:
        cli
        CHECK   [GOT_VECTOR], 11
        CHECK   [GOT_CODE], 0x41 * 8 + 2 + 1
        CHECK   [GOT_IP], interrupted
        GATE    0x41, frame_handler, CODE0, 0x8e

; An exception whose gate is absent: #UD is benign, so #NP follows, with EXT; #GP is contributory, so it is a double fault (table 6-5).
        mov     dword [GOT_VECTOR], NOTHING
        mov     dword [RESUME], resumed2
        GATE    6, frame_handler, CODE0, 0x0e
undefined:
        ud2
resumed2:
        CHECK   [GOT_VECTOR], 11
        CHECK   [GOT_CODE], 6 * 8 + 2 + 1
        CHECK   [GOT_IP], undefined
        mov     dword [RESUME], resumed3
        GATE    13, frame_handler, CODE0, 0x0e
        mov     ax, 0x1000
        mov     es, ax
resumed3:
        CHECK   [GOT_VECTOR], 8
        CHECK   [GOT_CODE], 0
        STUB_GATES CODE0, 0x8e

; Level 3 and back. ES keeps a level-3 segment, FS and GS hold level-0 ones and become null (§5.8.6).
        mov     ax, DATA3
        mov     es, ax
        push    dword DATA3
        push    dword STACK3
        push    dword IOPL3 | 2
        push    dword CODE3
        push    dword level3
        iretd
level3:
        mov     bx, ds
        mov     cx, es
        mov     dx, fs
        mov     si, cs
        mov     di, ss
        mov     ax, DATA3
        mov     ds, ax
        movzx   ebx, bx
        movzx   ecx, cx
        movzx   edx, dx
        movzx   esi, si
        movzx   edi, di
        CHECK   ebx, 0
        CHECK   ecx, DATA3
        CHECK   edx, 0
        CHECK   esi, CODE3
        CHECK   edi, DATA3
        CHECK   esp, STACK3

; A gate for level 3: the stack comes from the task state segment, and SS:ESP goes first (§6.12.1).
        LEAVE3
        GATE    0x40, frame_handler, CODE0, 0xee
        ENTER3  IOPL3
        int     0x40
after_int3:
        CHECK   [seen_ip], after_int3
        CHECK   [seen_cs], CODE3
        CHECK   [seen_sp], STACK3
        CHECK   [seen_ss], DATA3
        CHECK   [inside_sp], STACK_INNER - 20
        CHECK   [inside_cs], CODE0
        CHECK   [inside_ss], DATA0
        CHECK   esp, STACK3
; A gate with DPL 0: software interrupts may not use it, exceptions may.
        FAULTS  13, 0x41 * 8 + 2, int 0x41
        CHECK   [GOT_CS], CODE3
        FAULTS  13, 3 * 8 + 2, int3
        FAULTS  6, NO_CODE, ud2
        CHECK   [GOT_FLAGS], RF | IOPL3 | 2             ; faults save RF set (§17.3.1.1)
        CHECK   [GOT_SP], STACK3
        FAULTS  13, 0, hlt                              ; privileged

; A conforming handler keeps the level, and the stack (§6.12.1.1).
        LEAVE3
        GATE    0x40, conforming_handler, CODE_CONFORMING, 0xee
        ENTER3  IOPL3
        int     0x40
        CHECK   [inside_cs], CODE_CONFORMING | 3
        CHECK   [inside_sp], STACK3 - 12
        CHECK   [inside_ss], DATA3

; At level 3 IRET changes neither IOPL nor, with IOPL below 3, IF (SDM 2A, IRET).
        pushfd
        or      dword [esp], IF
        push    dword CODE3
        push    dword .same
        iretd
.same:  pushfd
        pop     eax
        and     eax, IOPL3 | IF
        CHECK   eax, IOPL3 | IF                         ; IOPL 3: IF may change
        LEAVE3
        ENTER3  IF
        mov     dword [saved3], 0
        push    dword 2
        push    dword CODE3
        push    dword .kept
        iretd
.kept:  pushfd
        pop     dword [saved3]
        LEAVE3
        mov     eax, [saved3]
        and     eax, IF | IOPL3
        CHECK   eax, IF

; IRET's own checks: CS null, not code, more privileged, absent; EIP beyond the limit; SS (SDM 2A, IRET).
%macro RETURN_FRAME 5               ; SS, ESP, EFLAGS, CS, EIP
        mov     esp, STACK0
        push    dword %1
        push    dword %2
        push    dword %3
        push    dword %4
        push    dword %5
%endmacro
        RETURN_FRAME DATA3, STACK3, 2, 0, start
        FAULTS  13, 0, iretd
        CHECK   esp, STACK0 - 20
        RETURN_FRAME DATA3, STACK3, 2, DATA0, start
        FAULTS  13, DATA0, iretd
        RETURN_FRAME DATA3, STACK3, 2, CODE0 | 3, start
        FAULTS  13, CODE0, iretd                        ; DPL is not RPL
        RETURN_FRAME DATA3, STACK3, 2, CODE_ABSENT, start
        FAULTS  11, CODE_ABSENT, iretd
        RETURN_FRAME DATA3, STACK3, 2, CODE_SMALL, 0x8000
        FAULTS  13, 0, iretd
        RETURN_FRAME 0, STACK3, 2, CODE3, start
        FAULTS  13, 0, iretd
        RETURN_FRAME DATA0, STACK3, 2, CODE3, start
        FAULTS  13, DATA0, iretd
        RETURN_FRAME CODE3, STACK3, 2, CODE3, start
        FAULTS  13, CODE3 & ~3, iretd
        RETURN_FRAME DATA3_ABSENT | 3, STACK3, 2, CODE3, start
        FAULTS  12, DATA3_ABSENT, iretd
        mov     esp, STACK0

; NMI through its gate, and blocked until IRET even when that IRET faults (§6.7.1).
        GATE    2, nmi_handler, CODE0, 0x8e
        mov     dword [nmis], 0
        mov     dword [RESUME], after_nmi
        out     PORT_NMI, al
after_nmi:
        mov     esp, STACK0
        CHECK   [nmis], 2
        CHECK   [nmis_inside], 1
        FINISH

frame_handler:
        mov     [inside_sp], esp
        pushfd
        pop     dword [inside_flags]
        mov     [inside_cs], cs
        mov     [inside_ss], ss
        push    eax
        mov     eax, [esp + 4]
        mov     [seen_ip], eax
        mov     eax, [esp + 8]
        mov     [seen_cs], eax
        mov     eax, [esp + 12]
        mov     [seen_flags], eax
        mov     eax, [esp + 16]
        mov     [seen_sp], eax
        mov     eax, [esp + 20]
        mov     [seen_ss], eax
        pop     eax
        iretd

word_handler:
        mov     [inside_sp], esp
        push    eax
        movzx   eax, word [esp + 4]
        mov     [seen_ip], eax
        pop     eax
        o16 iret

conforming_handler:
        mov     [inside_sp], esp
        mov     [inside_cs], cs
        mov     [inside_ss], ss
        iretd

nmi_handler:
        inc     dword [nmis]
        cmp     dword [nmis], 2
        je      .second
        out     PORT_NMI, al
        nop
        mov     eax, [nmis]
        mov     [nmis_inside], eax
        push    dword 2
        push    dword 0                 ; a null CS: #GP, after NMIs are unblocked
        push    dword start
        iretd
.second:
        iretd

        LEAVE3_HANDLER
        STUBS   32

align 4
seen_ip:        dd 0
seen_cs:        dd 0
seen_flags:     dd 0
seen_sp:        dd 0
seen_ss:        dd 0
inside_sp:      dd 0
inside_flags:   dd 0
inside_cs:      dd 0
inside_ss:      dd 0
saved3:         dd 0
nmis:           dd 0
nmis_inside:    dd 0
short_idt:      dw 0x41 * 8 + 6
                dd IDT

        GDT_START
        SELECTOR CODE_ABSENT
        DESCRIPTOR 0, 0xfffff, 0x1a, 0xc
        SELECTOR CODE_SMALL
        DESCRIPTOR 0, 0xff, 0x9a, 0x4
        SELECTOR CODE_CONFORMING
        DESCRIPTOR 0, 0xfffff, 0x9e, 0xc
        SELECTOR DATA3_ABSENT
        DESCRIPTOR 0, 0xfffff, 0x72, 0xc
        GDT_END
