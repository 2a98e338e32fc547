; SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS: flags, segments and stacks (SDM 2B; SDM 3A §5.8.7, §5.8.8).
%include "long.mac"

STAR    equ 0xc0000081
LSTAR   equ 0xc0000082
FMASK   equ 0xc0000084
SYSENTER_CS equ 0x174
SYSENTER_ESP equ 0x175
SYSENTER_EIP equ 0x176
FS_BASE equ 0xc0000100
GS_BASE equ 0xc0000101
KERNEL_GS_BASE equ 0xc0000102

; SYSRET's selectors: SS = base + 8, 64-bit CS = base + 16. SYSEXIT's follow SYSENTER_CS: + 16, + 24 for 32-bit code, + 32, + 40 for 64.
USER_BASE equ CODE32U & ~3
IOPL    equ IOPL3

; The processor's idea of the selectors and level: CS and SS as they read, and whether a privileged instruction passes.
%macro SELECTORS_ARE 2
        mov     ecx, cs
        CHECK   ecx, %1
        mov     ecx, ss
        CHECK   ecx, %2
%endmacro

start:
        ENTER_LONG
        WRITE_MSR STAR, (USER_BASE << 16) | CODE64 | 3, 0       ; the two low bits of SYSCALL's selector do not count
        WRITE_MSR LSTAR, 0, entry
        WRITE_MSR FMASK, 0, IF | DF | AC | CF

; Without EFER.SCE both do not exist.
        FAULTS  6, NO_CODE, syscall
        FAULTS  6, NO_CODE, {o64 sysret}
        WRITE_MSR EFER, 0, EFER_LME | EFER_SCE

; From level 3: RCX = next instruction, R11 = RFLAGS, RFLAGS without FMASK's bits; RSP stays.
        ENTER3  IOPL3 | IF | DF | AC | CF | ZF
        mov     r11, -1
        mov     rcx, -1
        syscall
after_syscall:
        CHECK   [seen_rcx], after_syscall
        CHECK   [seen_rcx + 4], 0
        CHECK   [seen_r11], IOPL3 | IF | DF | AC | CF | ZF | 2
        CHECK   [seen_r11 + 4], 0
        CHECK   [seen_flags], IOPL3 | ZF | 2
        CHECK   [seen_cs], CODE64
        CHECK   [seen_ss], DATA0
        CHECK   [seen_rsp], STACK3
        CHECK   [seen_cr0], 0x11                        ; level 0 it was: CR0's PE and ET
; …and back: SYSRET takes RIP and RFLAGS from RCX and R11.
        pushfq
        pop     rdx
        CHECK   edx, IOPL3 | IF | DF | AC | CF | ZF | 2
        SELECTORS_ARE CODE64U, DATA3
        CHECK   esp, STACK3
        FAULTS  13, 0, hlt                              ; level 3
        FAULTS  13, 0, {o64 sysret}
        FAULTS  13, 0, {o64 sysexit}
        FAULTS  13, 0, swapgs
        LEAVE3
; The descriptors are not read: with a table that has none of these selectors SYSCALL and SYSRET do the same (§5.8.8).
        WRITE_MSR LSTAR, 0, entry_to_label
        mov     qword [return_label], .with_table
        lgdt    [empty_gdt]
        mov     rcx, .without_table
        mov     r11d, IOPL3 | 2
        o64 sysret
.without_table:
        mov     ecx, cs
        mov     edx, ss
        mov     [seen_rcx], rcx
        mov     [seen_rdx], rdx
        syscall
.with_table:
        lgdt    [gdt_pointer]
        mov     rsp, STACK0
        CHECK   [seen_rcx], CODE64U
        CHECK   [seen_rdx], DATA3
        CHECK   [seen_cs], CODE64
        mov     ecx, ss
        CHECK   ecx, DATA0
        WRITE_MSR LSTAR, 0, entry
; SYSRET's flags: R11 & 3C7FD7h | 2: no RF, no VM.
        mov     rcx, .flags
        mov     r11d, 0xffffffff & ~(TF | NT | VIP | VIF)
        o64 sysret
.flags: pushfq
        pop     rdx
        CHECK   edx, 0x00243ed7 & ~(TF | NT)
        cld
        LEAVE3
; To compatibility mode: 32-bit CS, EIP from ECX.
        mov     rcx, 0x1234567800000000
        mov     edx, .compatible
        or      rcx, rdx
        mov     r11d, IOPL3 | 2
        mov     esp, STACK3
        sysret
bits 32
.compatible:
        mov     ax, DATA3
        mov     ds, ax
        SELECTORS_ARE CODE32U, DATA3
        mov     ecx, 0x7fffffff
        inc     ecx                                     ; 41h is no prefix here
        CHECK   ecx, 0x80000000
; SYSCALL is for 64-bit code, SWAPGS too.
        FAULTS  6, NO_CODE, syscall
        FAULTS  6, NO_CODE, {db 0x0f, 0x01, 0xf8}
        LEAVE3
; SYSCALL at level 0 is allowed and stays there.
        mov     qword [return_label], .same_level
        mov     rsp, STACK0 - 64
        WRITE_MSR LSTAR, 0, entry_to_label
        syscall
.same_level:
        CHECK   [seen_rsp], STACK0 - 64
        CHECK   [seen_cs], CODE64
        mov     rsp, STACK0
        WRITE_MSR LSTAR, 0, entry

; SYSENTER: CS from the MSR, SS the next, RIP and RSP of 64 bits; IF, VM and RF are cleared, nothing is saved.
        WRITE_MSR SYSENTER_CS, 0, 0
        FAULTS  13, 0, sysenter                         ; a null selector
        WRITE_MSR SYSENTER_CS, 0, 3
        FAULTS  13, 0, sysenter
        FAULTS  13, 0, {o64 sysexit}
        WRITE_MSR SYSENTER_CS, 0, CODE64 | 3
        WRITE_MSR SYSENTER_ESP, 0, STACK_INNER
        WRITE_MSR SYSENTER_EIP, 0, fast_entry
        ENTER3  IOPL3 | IF | DF | CF
        mov     ecx, 0x1111
        sysenter
fast_entry:
        pushfq
        pop     rdx
        mov     [seen_flags], rdx
        mov     [seen_rsp], rsp
        cld
        SELECTORS_ARE CODE64, DATA0
        CHECK   [seen_flags], IOPL3 | DF | CF | 2
        CHECK   [seen_rsp], STACK_INNER
        CHECK   [seen_rsp + 4], 0
        mov     rcx, cr0                                ; level 0
        and     ecx, 1
        CHECK   ecx, 1
        mov     rsp, STACK0
; SYSEXIT: RIP from RDX, RSP from RCX; flags stay.
        mov     edx, .left
        mov     ecx, STACK3 - 8
        stc
        o64 sysexit
.left:  setc    bl
        movzx   ebx, bl
        SELECTORS_ARE CODE64U, (CODE64U + 8) | 3      ; what is there does not matter
        CHECK   ebx, 1
        CHECK   esp, STACK3 - 8
        LEAVE3
; To compatibility mode: EIP and ESP.
        WRITE_MSR SYSENTER_EIP, 0, .entered
        WRITE_MSR SYSENTER_CS, 0, CODE64
        mov     rdx, 0x5555555500000000
        mov     ecx, .left32
        or      rdx, rcx
        mov     rcx, 0x6666666600000000 | STACK3
        sysexit
bits 32
.left32:
        mov     ax, DATA3
        mov     ds, ax
        SELECTORS_ARE CODE32U, DATA3
        mov     edx, 0x7fffffff
        inc     edx
        CHECK   edx, 0x80000000
        CHECK   esp, STACK3
; SYSENTER from compatibility mode enters 64-bit code.
        sysenter
bits 64
.entered:

; SWAPGS exchanges GS's base with the MSR; selectors do not matter, and loading one leaves the MSR alone.
        WRITE_MSR GS_BASE, 0x11, 0x22222000
        WRITE_MSR KERNEL_GS_BASE, 0, 0x3000
        mov     dword [0x3010], 0x600df00d
        swapgs
        CHECK   [gs:0x10], 0x600df00d
        mov     ecx, KERNEL_GS_BASE
        rdmsr
        CHECK   edx, 0x11
        mov     ecx, eax
        CHECK   ecx, 0x22222000
        mov     ax, DATA_BASED
        mov     gs, ax
        mov     ecx, GS_BASE
        rdmsr
        CHECK   edx, 0
        mov     ecx, eax
        CHECK   ecx, 0x12345678
        mov     ecx, KERNEL_GS_BASE
        rdmsr
        CHECK   edx, 0x11
        swapgs
        mov     ecx, GS_BASE
        rdmsr
        CHECK   edx, 0x11
; 64-bit code ignores the bases of the other data segments (SDM 1 §3.4.2.1).
        mov     ax, DATA_BASED
        mov     ds, ax
        CHECK   [0x3010], 0x600df00d
        out     PORT_FINISH, al
        jmp     $

; SYSCALL arrives here, notes what it sees and returns.
entry:  mov     [seen_rsp], rsp
        mov     rsp, STACK_INNER
        pushfq
        pop     qword [seen_flags]
        mov     [seen_rcx], rcx
        mov     [seen_r11], r11
        mov     [seen_cs], cs
        mov     [seen_ss], ss
        mov     rdx, cr0
        and     edx, 0x11
        mov     [seen_cr0], edx
        mov     rsp, [seen_rsp]
        o64 sysret

entry_to_label:
        mov     [seen_rsp], rsp
        mov     [seen_cs], cs
        jmp     [return_label]

        LEAVE3_HANDLER
        STUBS   64

align 8
seen_rcx:       dq 0
seen_rdx:       dq 0
seen_r11:       dq 0
seen_flags:     dq 0
seen_cs:        dq 0
seen_ss:        dq 0
seen_rsp:       dq 0
seen_cr0:       dq 0
return_label:   dq 0
empty_gdt:      dw 7
                dq gdt

        GDT_START
        SELECTOR DATA_BASED
        DESCRIPTOR 0x12345678, 0xfffff, 0x92, 0xc
        GDT_END
