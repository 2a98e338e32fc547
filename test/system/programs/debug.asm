; Single step, instruction and data breakpoints, general detect, ICEBP (SDM 3A chapter 17).
%include "protected.mac"

; Clears what the #DB handler notes, and DR6.
%macro FORGET 0
        mov     dword [traps], 0
        mov     dword [first_ip], 0
        mov     dword [last_ip], 0
        xor     eax, eax
        mov     dr6, eax
%endmacro

; Debug exceptions so far, the address in the last one's frame, and DR6's conditions.
%macro DEBUG_IS 3.nolist
        CHECK   [traps], %1
        CHECK   [last_ip], %2
        CHECK   [last_dr6], %3
%endmacro

; Breakpoint n at an address, with R/W and LEN.
%macro BREAKPOINT 4
        mov     eax, %2
        mov     dr%1, eax
        mov     eax, dr7
        and     eax, ~((0xf << (16 + %1 * 4)) | (3 << (%1 * 2)))
        or      eax, (((%4) << 2 | (%3)) << (16 + %1 * 4)) | (2 << (%1 * 2))
        mov     dr7, eax
%endmacro
%macro NO_BREAKPOINTS 0
        mov     eax, 0x400
        mov     dr7, eax
%endmacro

; Appends a digit to [order].
%macro NOTE_ORDER 1
        shl     dword [order], 4
        or      dword [order], %1
%endmacro

EXECUTE equ 0
WRITE   equ 1
IO      equ 2
ACCESS  equ 3
BYTE1   equ 0
BYTE2   equ 1
BYTE4   equ 3
BS      equ 0x4000
BD      equ 0x2000

start:
        ENTER_PROTECTED
        GATE    1, debug_handler, CODE0, 0x8e
        GATE    0x40, plain_handler, CODE0, 0x8e
        mov     eax, dr6
        CHECK   eax, 0xffff0ff0                 ; after reset (table 10-1)
        mov     eax, dr7
        CHECK   eax, 0x400

; TF: the instruction that sets it does not trap, the next one does, after it has completed (§17.3.1.4).
        FORGET
        mov     dword [stop_after], 2
        push    dword TF | 2
        popfd
        nop
.step1: nop
.step2: nop
        DEBUG_IS 2, .step2, BS
        CHECK   [first_ip], .step1
        CHECK   [last_flags], TF | 2            ; the frame has TF, the handler ran without

; INT n clears TF before anything traps: neither the handler nor the INT itself is stepped, the instruction after the return is.
        FORGET
        mov     dword [stop_after], 1
        push    dword TF | 2
        popfd
        int     0x40
        nop
.int_step:
        DEBUG_IS 1, .int_step, BS
        CHECK   [handler_traps], 0

; IRET that sets TF: the instruction it returns to runs first.
        FORGET
        mov     dword [stop_after], 1
        push    dword TF | 2
        push    dword CODE0
        push    dword .returned
        iretd
.returned:
        nop
.iret_step:
        DEBUG_IS 1, .iret_step, BS

; MOV SS inhibits the trap after itself (§6.8.3).
        FORGET
        mov     dword [stop_after], 2
        mov     bx, ss
        push    dword TF | 2
        popfd
        mov     ss, bx
        nop
.ss_step:
        nop
.ss_step2:
        CHECK   [first_ip], .ss_step
        DEBUG_IS 2, .ss_step2, BS

; A fault comes instead of its instruction's trap.
        FORGET
        mov     dword [stop_after], 1
        mov     dword [RESUME], .after_ud
        push    dword TF | 2
        popfd
        ud2
.after_ud:
        nop
.ud_step:
        DEBUG_IS 1, .ud_step, BS

; Instruction breakpoint: a fault, with RF clear in the frame; RF set by IRET lets the instruction run, once (§17.3.1.1).
        FORGET
        mov     dword [stop_after], 0
        BREAKPOINT 0, .target, EXECUTE, BYTE1
        mov     dword [set_rf], 1
        mov     ecx, 3
.target:
        dec     ecx
        jnz     .target
        DEBUG_IS 3, .target, 1
        and     dword [last_flags], RF
        CHECK   [last_flags], 0
        pushfd
        pop     eax
        and     eax, RF
        CHECK   eax, 0
; Not in the shadow of MOV SS.
        FORGET
        BREAKPOINT 0, .shadowed, EXECUTE, BYTE1
        mov     bx, ss
        mov     ss, bx
.shadowed:
        nop
        CHECK   [traps], 0
; Two breakpoints at one place are reported together, a disabled one is not.
        FORGET
        BREAKPOINT 0, .both, EXECUTE, BYTE1
        BREAKPOINT 3, .both, EXECUTE, BYTE1
.both:  nop
        DEBUG_IS 1, .both, 9
        NO_BREAKPOINTS

; Data breakpoints: traps, after the access; writes, or any access; the lengths align the address (§17.2.5).
        FORGET
        mov     dword [set_rf], 0
        BREAKPOINT 1, watched, WRITE, BYTE4
        mov     eax, [watched]
        CHECK   [traps], 0
        mov     [watched], eax
.wrote: DEBUG_IS 1, .wrote, 2
        mov     byte [watched + 3], 1
.wrote_last:
        DEBUG_IS 2, .wrote_last, 2
        mov     byte [watched + 4], 1
        mov     byte [watched - 1], 1
        CHECK   [traps], 2
        mov     [watched - 2], eax              ; overlaps
.overlaps:
        DEBUG_IS 3, .overlaps, 2
        FORGET
        BREAKPOINT 1, watched + 1, ACCESS, BYTE2
        mov     al, [watched]                   ; LEN = 2 takes the address as even
.read:  DEBUG_IS 1, .read, 2
        mov     al, [watched + 2]
        CHECK   [traps], 1
        push    dword [watched]                 ; any instruction
.pushed:
        DEBUG_IS 2, .pushed, 2
        add     esp, 4
; With single step: both conditions in one exception.
        FORGET
        mov     dword [stop_after], 2
        push    dword TF | 2
        popfd
        mov     al, [watched]
.stepped:
        nop
.stepped2:
        CHECK   [first_dr6], BS | 2
        DEBUG_IS 2, .stepped2, BS | 0           ; B0–B3 belong to their own exception (§17.2.3)
; MOV SS from watched memory: the trap waits for the next instruction.
        FORGET
        mov     dword [stop_after], 0
        mov     word [watched], DATA0
        FORGET
        mov     ss, [watched]
        nop
.late:  DEBUG_IS 1, .late, 2
; A faulting instruction leaves no trap.
        FORGET
        mov     dword [RESUME], .no_trap
        mov     bx, READ_ONLY
        mov     es, bx
        mov     byte [es:watched], 5
.no_trap:
        CHECK   [GOT_VECTOR], 13
        CHECK   [traps], 0
        mov     bx, DATA0
        mov     es, bx
        NO_BREAKPOINTS

; I/O breakpoints, with CR4.DE (§17.2.4).
        mov     eax, cr4
        or      eax, 8
        mov     cr4, eax
        FORGET
        BREAKPOINT 2, 0x81, IO, BYTE1
        in      al, 0x80
        CHECK   [traps], 0
        in      al, 0x81
.in:    DEBUG_IS 1, .in, 4
        in      ax, 0x80                        ; the second byte
.in2:   DEBUG_IS 2, .in2, 4
        mov     dx, 0x81
        out     dx, al
.out:   DEBUG_IS 3, .out, 4
        NO_BREAKPOINTS

; General detect: MOV to and from debug registers faults, DR6.BD, and GD is cleared for the handler (§17.2.4).
        FORGET
        mov     eax, 0x2400
        mov     dr7, eax
.detect:
        mov     eax, dr0
        DEBUG_IS 1, .detect, BD
        mov     eax, dr7
        CHECK   eax, 0x400

; ICEBP: #DB without a condition (SDM 2A, INT n: INT1), a trap.
        FORGET
        int1
.icebp: DEBUG_IS 1, .icebp, 0
; INT 1 goes to the same handler, and is checked like any INT n.
        int     1
.int1:  DEBUG_IS 2, .int1, 0

; Priorities (table 6-2): NMI before INTR, INTR before a breakpoint on the next instruction.
        FORGET
        mov     dword [order], 0
        GATE    0x41, intr_handler, CODE0, 0x8e
        GATE    2, nmi_handler, CODE0, 0x8e
        mov     dword [set_rf], 1
        BREAKPOINT 0, .next, EXECUTE, BYTE1
        mov     al, 0x41
        out     PORT_INTR, al
        mov     bx, ss
        sti
        mov     ss, bx
        out     PORT_NMI, al                    ; in the shadow: all three are due after it
.next:  nop
        cli
        CHECK   [order], 0x123
        FINISH

; Notes the exception. After [stop_after] of them it clears TF in the frame; with [set_rf] it sets RF.
debug_handler:
        push    eax
        inc     dword [traps]
        mov     eax, [esp + 4]
        mov     [last_ip], eax
        mov     eax, [esp + 12]
        mov     [last_flags], eax
        mov     eax, dr6
        and     eax, 0xe00f
        mov     [last_dr6], eax
        cmp     dword [traps], 1
        jne     .later
        mov     [first_dr6], eax
        mov     eax, [last_ip]
        mov     [first_ip], eax
.later: xor     eax, eax
        mov     dr6, eax
        mov     eax, [traps]
        cmp     eax, [stop_after]
        jb      .keep
        and     dword [esp + 12], ~TF
.keep:  cmp     dword [set_rf], 0
        je      .done
        or      dword [esp + 12], RF
.done:  NOTE_ORDER 3
        pop     eax
        iretd

intr_handler:
        NOTE_ORDER 2
        iretd

nmi_handler:
        NOTE_ORDER 1
        iretd

plain_handler:
        push    eax
        mov     eax, [traps]
        mov     [handler_traps], eax
        pop     eax
        iretd

        LEAVE3_HANDLER
        STUBS   32

align 8
watched:        dd 0, 0
traps:          dd 0
first_ip:       dd 0
first_dr6:      dd 0
last_ip:        dd 0
last_flags:     dd 0
last_dr6:       dd 0
stop_after:     dd 0
set_rf:         dd 0
handler_traps:  dd 0
order:          dd 0

        GDT_START
        SELECTOR READ_ONLY
        DESCRIPTOR 0, 0xfffff, 0x90, 0xc
        GDT_END
