; From real-address mode through every mode and back (SDM 3A §10.9 and §10.8.5): what the instruction and address sizes are on the way,
; and which switches are refused.
%include "long.mac"

PAE_POINTERS equ PML4 + 0x8000

start:
bits 16
        cli
        mov     esp, STACK0
        lgdt    [gdt_pointer]
; Real-address mode: CR0.PG without PE is refused, by vector 13 of the interrupt table, without error code.
        mov     word [13 * 4], .refused
        mov     word [13 * 4 + 2], 0
        mov     dword [seen], 0
        mov     eax, cr0
        or      eax, 0x80000000
        mov     cr0, eax
        jmp     .go_on
.refused:
        inc     dword [seen]
        add     sp, 6
.go_on: CHECK   [seen], 1
; PE, still with the code segment of real-address mode: 16-bit code goes on, a segment load takes descriptors already (§10.9.1).
        lidt    [idt_pointer]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        mov     ax, DATA16
        mov     fs, ax
        mov     dword [0x3000], 0x11223344
        CHECK   [fs:0], 0x11223344
        smsw    cx
        movzx   ecx, cx
        and     ecx, 1
        CHECK   ecx, 1
        jmp     CODE16:.code16
; 16-bit protected mode: offsets of 16 bits.
.code16:
        mov     cx, cs
        movzx   ecx, cx
        CHECK   ecx, CODE16
        mov     ecx, 0x12345678
        mov     cx, 0xffff
        inc     cx
        CHECK   ecx, 0x12340000
        jmp     dword CODE32:.code32
bits 32
.code32:
        mov     ax, DATA0
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        STUB_GATES CODE32, 0x8e
        mov     ecx, 0xffff
        inc     cx
        CHECK   ecx, 0
; IA-32e mode needs PAE: paging with EFER.LME set and CR4.PAE clear is refused (§10.8.5).
        mov     ecx, EFER
        xor     edx, edx
        mov     eax, EFER_LME
        wrmsr
        mov     eax, PML4
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80000000
        FAULTS  13, 0, {mov cr0, eax}
        mov     ecx, EFER
        xor     edx, edx
        xor     eax, eax
        wrmsr
; CR4.PCIDE is for IA-32e mode (§4.10.1).
        mov     eax, cr4
        or      eax, CR4_PCIDE
        FAULTS  13, 0, {mov cr4, eax}

; PAE paging: 2 MiB one to one.
        mov     dword [PAE_POINTERS], (PAE_POINTERS + 0x1000) | P
        mov     dword [PAE_POINTERS + 0x1000], P | W | U | PS
        mov     eax, PAE_POINTERS
        mov     cr3, eax
        mov     eax, cr4
        or      eax, CR4_PAE
        mov     cr4, eax
        mov     eax, cr0
        or      eax, 0x80000000
        mov     cr0, eax
        jmp     short .paged
.paged: CHECK   [0x3000], 0x11223344
        mov     ecx, EFER
        rdmsr
        CHECK   eax, 0
; LME cannot be set while paging is on; PAE can be cleared: that is 32-bit paging, whose tables are others.
        mov     eax, EFER_LME
        FAULTS  13, 0, wrmsr
        mov     eax, cr0
        and     eax, 0x7fffffff
        mov     cr0, eax

; IA-32e mode: compatibility mode first.
        mov     dword [PML4], PDPT | P | W | U
        mov     dword [PDPT], PD | P | W | U
        mov     dword [PD], P | W | U | PS
        mov     ecx, EFER
        xor     edx, edx
        mov     eax, EFER_LME
        wrmsr
        rdmsr
        CHECK   eax, EFER_LME                           ; LMA comes with paging
        mov     eax, PML4
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80000000
        mov     cr0, eax
        jmp     short .compatible
.compatible:
        mov     ecx, EFER
        rdmsr
        CHECK   eax, EFER_LME | 0x400
        mov     ecx, 0x7fffffff
        inc     ecx                                     ; 41h is INC in 32-bit code
        CHECK   ecx, 0x80000000
        lldt    [null_selector]                                ; descriptors of tables have 16 bytes now
        mov     ax, TSS
        ltr     ax
; 16-bit code in IA-32e mode.
        jmp     CODE16:.compatible16
bits 16
.compatible16:
        mov     ecx, 0x12345678
        mov     cx, 0xffff
        inc     cx
        CHECK   ecx, 0x12340000
        jmp     dword CODE64:.code64
bits 64
.code64:
        STUB_GATES64 CODE64, 0x8e, stubs64
        mov     rsp, STACK0
        mov     rcx, 0xffffffff
        inc     rcx
        shr     rcx, 32
        CHECK   ecx, 1
; Paging cannot be left here, nor PAE (SDM 2B, MOV CR).
        mov     rax, cr0
        and     eax, 0x7fffffff
        FAULTS  13, 0, {mov cr0, rax}
        mov     rax, cr4
        and     eax, ~CR4_PAE
        FAULTS  13, 0, {mov cr4, rax}
        mov     ecx, EFER
        xor     eax, eax
        xor     edx, edx
        FAULTS  13, 0, wrmsr
        mov     rbx, 0x1122334455667788
; Back to compatibility mode; there paging may end, and with it IA-32e mode.
        push    qword CODE32
        push    qword .back32
        retfq
bits 32
.back32:
        CHECK   ebx, 0x55667788
        mov     eax, cr0
        and     eax, 0x7fffffff
        mov     cr0, eax
        jmp     short .unpaged
.unpaged:
        mov     ecx, EFER
        rdmsr
        CHECK   eax, EFER_LME
        xor     eax, eax
        wrmsr
        STUB_GATES CODE32, 0x8e
        mov     ax, 0x1000
        FAULTS  13, 0x1000, {mov gs, ax}
; 32-bit paging with PSE, once more on the same processor.
        mov     eax, cr4
        and     eax, ~CR4_PAE
        or      eax, CR4_PSE
        mov     cr4, eax
        mov     dword [PML4], P | W | PS
        mov     eax, cr0
        or      eax, 0x80000000
        mov     cr0, eax
        jmp     short .paged32
.paged32:
        CHECK   [0x3000], 0x11223344
        mov     eax, cr0
        and     eax, 0x7fffffff
        mov     cr0, eax
; 16-bit code, real-address mode, with its interrupt table (§10.9.2).
        mov     ax, DATA16
        mov     ds, ax
        jmp     CODE16:.back16
bits 16
.back16:
        mov     ax, DATA16_FLAT
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        lidt    [real_idt]
        mov     eax, cr0
        and     al, 0xfe
        mov     cr0, eax
        jmp     0:.real
.real:  xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, STACK0
        mov     word [0x40 * 4], .interrupt
        mov     word [0x40 * 4 + 2], 0
        mov     dword [seen], 0
        int     0x40
        CHECK   [seen], 0x40
        mov     ax, 0x300
        mov     fs, ax
        CHECK   [fs:0], 0x11223344                      ; 3000h: 16 times the selector
        FINISH
.interrupt:
        mov     dword [seen], 0x40
        iret

bits 32
        STUBS   32
bits 64
        STUBS   64, stubs64

align 4
seen:           dd 0
null_selector:  dw 0
real_idt:       dw 0x3ff
                dd 0

        GDT_START
        SELECTOR CODE16
        DESCRIPTOR 0, 0xffff, 0x9a, 0
        SELECTOR DATA16
        DESCRIPTOR 0x3000, 0xffff, 0x92, 0
        SELECTOR DATA16_FLAT
        DESCRIPTOR 0, 0xffff, 0x92, 0
        GDT_END
