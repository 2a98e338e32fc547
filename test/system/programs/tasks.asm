; Task switches by JMP, CALL, INT and IRET, in 32- and 16-bit layouts (SDM 3A chapter 7).
%include "protected.mac"

%macro BUSY_IS 2.nolist             ; selector, expected access byte
        movzx   ecx, byte [gdt + (%1) + 5]
        CHECK   ecx, %2
%endmacro

start:
        ENTER_PROTECTED
        ; CR0.TS is set by every switch (§7.3 step 9); it is clear after reset.
        mov     eax, cr0
        CHECK   eax, 0x60000011

; CALL: the new task is nested: NT, link, both busy (§7.4, table 7-2).
        mov     ebx, 0xb0b0b0b0
        mov     ebp, 0xbbbbbbbb
        push    dword IF | 2
        popfd
        call    TSS2:0x12345678
after_call:
        CHECK   ebx, 0xb0b0b0b0         ; our own registers are back
        CHECK   ebp, 0xbbbbbbbb
        pushfd
        pop     ecx
        cli
        CHECK   ecx, IF | 2             ; and our flags, without NT
        CHECK   [seen_eax], 0xa2a2a2a2
        CHECK   [seen_esp], 0x5000
        CHECK   [seen_flags], NT | 2    ; NT over what the new task's image said
        CHECK   [seen_cs], CODE0
        CHECK   [seen_tr], TSS2
        CHECK   [seen_es], DATA3        ; selectors come from the task state too
        CHECK   [seen_busy1], 0x8b
        CHECK   [seen_busy2], 0x8b
        CHECK   [tss2], TSS             ; link
        CHECK   [tss + 0x20], after_call
        CHECK   [tss + 0x24], IF | 2    ; flags of the old task as they were
        CHECK   [tss + 0x34], 0xb0b0b0b0
        CHECK   [tss + 0x4c], CODE0
        mov     eax, cr0
        and     eax, 8
        CHECK   eax, 8
        clts
        BUSY_IS TSS, 0x8b
        BUSY_IS TSS2, 0x89
        CHECK   [tss2 + 0x20], task2_again      ; where it goes on
        mov     ecx, [tss2 + 0x24]
        and     ecx, NT | IF
        CHECK   ecx, 0                  ; IRET clears NT in the image it saves
        str     ecx
        CHECK   ecx, TSS

; JMP through a task gate: not nested; the old task is free.
        mov     dword [step], 1
        jmp     TASK_GATE:0
after_jump:
        mov     ecx, [seen_flags]
        and     ecx, NT | IF
        CHECK   ecx, 0
        CHECK   [seen_busy1], 0x89
        CHECK   [seen_busy2], 0x8b
        BUSY_IS TSS, 0x8b
        BUSY_IS TSS2, 0x89

; An exception through a task gate: nested, error code on the new task's stack, RF in the old task's image (§6.12.2, §17.3.1.1).
        mov     dword [IDT + 13 * 8], TSS3 << 16
        mov     dword [IDT + 13 * 8 + 4], 0x8500
        mov     dword [tss3 + 0x20], fault_task
        mov     dword [tss3 + 0x38], 0x5800
faulting:
        mov     bx, 0x1000
        mov     es, bx
after_fault:
        CHECK   [seen_code], 0x1000
        CHECK   [seen_esp], 0x5800 - 4
        CHECK   [seen_link], TSS
        CHECK   [saved_ip], faulting + 4
        mov     ecx, [saved_flags]
        and     ecx, RF | NT | IF
        CHECK   ecx, RF
        GATE    13, stubs + 13 * STUB_SIZE, CODE0, 0x8e
        clts

; INT n through a task gate returns behind it.
        mov     dword [IDT + 0x40 * 8], TSS2 << 16
        mov     dword [IDT + 0x40 * 8 + 4], 0x8500
        mov     dword [step], 0
        mov     dword [tss2 + 0x20], task2
        int     0x40
        CHECK   [seen_flags], NT | 2
        clts

; Checks before the switch (§7.3, table 7-1).
        FAULTS  13, TSS, jmp TSS:0                      ; busy
        FAULTS  11, TSS_ABSENT, jmp TSS_ABSENT:0
        FAULTS  10, TSS_SHORT, jmp TSS_SHORT:0          ; limit below 67h
        FAULTS  13, TSS, call GATE_TO_BUSY:0
        FAULTS  13, TSS2, jmp (TSS2 | 3):0              ; RPL above DPL
        BUSY_IS TSS, 0x8b
        mov     dword [tss], TSS2                       ; IRET with NT to a task that is not busy: #TS
        push    dword NT | 2
        popfd
        FAULTS  10, TSS2, iretd
        mov     dword [tss], 4                          ; link must name the GDT
        push    dword NT | 2
        popfd
        FAULTS  10, 4, iretd
        push    dword 2
        popfd

; Checks after the switch: faults are the new task's, which is where EIP and TR point.
%macro FAULTY_TASK 4                ; offset in the task state, value, vector, code
        call    fresh_task
        mov     dword [tss3 + %1], %2
        mov     dword [RESUME], fault_in_new_task
        mov     dword [GOT_VECTOR], NOTHING
        jmp     TSS3:0
        CHECK   [GOT_VECTOR], %3
        CHECK   [GOT_CODE], %4
        CHECK   [GOT_IP], new_task
        CHECK   [seen_tr], TSS3
%endmacro
        FAULTY_TASK 0x54, ABSENT, 11, ABSENT            ; DS
        FAULTY_TASK 0x54, CODE_ONLY, 10, CODE_ONLY
        FAULTY_TASK 0x5c, DATA0 | 3, 10, DATA0          ; GS
        FAULTY_TASK 0x48, 0x1000, 10, 0x1000            ; ES

; A 16-bit task: 16-bit registers, upper halves all ones.
        mov     ecx, 0x12345678
        call    TSS16:0
        CHECK   ecx, 0x12345678
        CHECK   [seen_eax], 0xffff1616
        movzx   ecx, word [tss16]
        CHECK   ecx, TSS
        clts

; The T flag: a debug trap before the new task's first instruction, DR6.BT (§17.3.1.5).
        xor     eax, eax
        mov     dr6, eax
        call    fresh_task
        mov     word [tss3 + 0x64], 1
        mov     dword [RESUME], fault_in_new_task
        jmp     TSS3:0
        CHECK   [GOT_VECTOR], 1
        CHECK   [GOT_IP], new_task
        mov     eax, dr6
        and     eax, 0xe00f
        CHECK   eax, 0x8000
        FINISH

; The second task. It returns by IRET, or by JMP when it was jumped to.
task2:  mov     [seen_eax], eax
        mov     [seen_esp], esp
        pushfd
        pop     dword [seen_flags]
        mov     [seen_cs], cs
        mov     [seen_es], es
        str     [seen_tr]
        movzx   eax, byte [gdt + TSS + 5]
        mov     [seen_busy1], eax
        movzx   eax, byte [gdt + TSS2 + 5]
        mov     [seen_busy2], eax
        cmp     dword [step], 0
        jne     task2_jump
        iretd
task2_again:
        jmp     task2
task2_jump:
        jmp     TSS:0

fault_task:
        mov     [seen_esp], esp
        pop     dword [seen_code]
        mov     eax, [tss3]
        mov     [seen_link], eax
        mov     eax, [tss + 0x20]
        mov     [saved_ip], eax
        mov     eax, [tss + 0x24]
        mov     [saved_flags], eax
        mov     dword [tss + 0x20], after_fault
        mov     dword [tss + 0x24], 2
        iretd

; A complete third task at level 0.
fresh_task:
        mov     dword [tss3 + 0x60], 0
        mov     dword [tss3 + 0x64], 0x680000
        mov     dword [tss3 + 0x20], new_task
        mov     dword [tss3 + 0x24], 2
        mov     dword [tss3 + 0x38], 0x5800
        mov     dword [tss3 + 0x48], DATA0
        mov     dword [tss3 + 0x4c], CODE0
        mov     dword [tss3 + 0x50], DATA0
        mov     dword [tss3 + 0x54], DATA0
        mov     dword [tss3 + 0x58], DATA0
        mov     dword [tss3 + 0x5c], DATA0
        ret
new_task:
        nop
        FINISH                          ; never reached
fault_in_new_task:
        mov     ax, DATA0
        mov     ds, ax
        str     [seen_tr]
        mov     es, ax
        jmp     TSS:0

task16: mov     [seen_eax], eax
        iretd

        STUBS   32
leave3: ud2

align 4
step:           dd 0
seen_eax:       dd 0
seen_esp:       dd 0
seen_flags:     dd 0
seen_cs:        dd 0
seen_es:        dd 0
seen_tr:        dd 0
seen_busy1:     dd 0
seen_busy2:     dd 0
seen_code:      dd 0
seen_link:      dd 0
saved_ip:       dd 0
saved_flags:    dd 0

; link, stacks, CR3, EIP, EFLAGS, EAX ECX EDX EBX ESP EBP ESI EDI, ES CS SS DS FS GS, LDT, T and map base
align 4
tss2:   dd      0, 0, 0, 0, 0, 0, 0, 0, task2, 2
        dd      0xa2a2a2a2, 0, 0, 0xb2b2b2b2, 0x5000, 0, 0, 0
        dd      DATA3, CODE0, DATA0, DATA0, 0, 0, 0, 0x680000
tss3:   dd      0, 0, 0, 0, 0, 0, 0, 0, fault_task, 2
        times   8 dd 0
        dd      DATA0, CODE0, DATA0, DATA0, DATA0, DATA0, 0, 0x680000
tss16:  dw      0, 0, 0, 0, 0, 0, 0, task16, 2
        dw      0x1616, 0, 0, 0, 0x5400, 0, 0, 0
        dw      DATA0, CODE0, DATA0, DATA0, 0

        GDT_START
        SELECTOR TSS2
        DESCRIPTOR ADDR(tss2), 0x67, 0x89, 0
        SELECTOR TSS3
        DESCRIPTOR ADDR(tss3), 0x67, 0x89, 0
        SELECTOR TSS16
        DESCRIPTOR ADDR(tss16), 0x2b, 0x81, 0
        SELECTOR TSS_ABSENT
        DESCRIPTOR ADDR(tss2), 0x67, 0x09, 0
        SELECTOR TSS_SHORT
        DESCRIPTOR ADDR(tss2), 0x66, 0x89, 0
        SELECTOR TASK_GATE
        dw      0, TSS2, 0x8500, 0
        SELECTOR GATE_TO_BUSY
        dw      0, TSS, 0x8500, 0
        SELECTOR ABSENT
        DESCRIPTOR 0, 0xff, 0x12, 0x4
        SELECTOR CODE_ONLY
        DESCRIPTOR 0, 0xfffff, 0x98, 0xc
        GDT_END
