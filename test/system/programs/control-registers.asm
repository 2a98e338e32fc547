; Which bits control, debug and model-specific registers take, what is refused and with which exception (SDM 3A §2.5, §17.2;
; SDM 2B, MOV CR, MOV DR, WRMSR, XSETBV; SDM 2A, LMSW).
%include "long.mac"

CR0_TS  equ 8
CR0_NW  equ 0x20000000
CR0_CD  equ 0x40000000
CR4_TSD equ 4
CR4_DE  equ 8
CR4_OSXSAVE equ 0x40000

; MOV to the register with RAX = %2 raises #GP(0), and the register stays.
%macro REFUSED_CR 2.nolist
        mov     rbx, %1
        mov     rax, %2
        FAULTS  13, 0, {mov %1, rax}
        mov     rax, %1
        xor     rax, rbx
        setnz   cl
        movzx   ecx, cl
        CHECK   ecx, 0
%endmacro
; WRMSR of EDX:EAX = %2:%3 raises #GP(0).
%macro REFUSED_MSR 3.nolist
        mov     ecx, %1
        mov     edx, %2
        mov     eax, %3
        FAULTS  13, 0, wrmsr
%endmacro
%macro NO_MSR 1.nolist
        mov     ecx, %1
        FAULTS  13, 0, rdmsr
        xor     eax, eax
        xor     edx, edx
        FAULTS  13, 0, wrmsr
%endmacro
%macro MSR_IS 3.nolist
        mov     ecx, %1
        rdmsr
        mov     ecx, eax
        CHECK   edx, %2
        CHECK   ecx, %3
%endmacro

start:
        ENTER_LONG

; CR0: 32 bits; NW needs CD, PG needs PE; bits that are not defined are ignored, ET is always 1.
        mov     rbx, cr0
        REFUSED_CR cr0, 0x100000000 | 0x80000011
        REFUSED_CR cr0, 0x80000011 | CR0_NW
        REFUSED_CR cr0, 0x80000010
        mov     rax, cr0
        or      eax, 0x1ff8ffc0 & ~CR0_WP
        mov     cr0, rax
        mov     rax, cr0
        xor     rax, rbx
        CHECK   eax, 0
        mov     rax, cr0
        and     eax, ~0x10
        mov     cr0, rax
        mov     rax, cr0
        and     eax, 0x10
        CHECK   eax, 0x10
        mov     rax, cr0
        or      eax, CR0_CD
        PASSES  mov cr0, rax
        or      eax, CR0_NW
        PASSES  mov cr0, rax
        mov     cr0, rbx
; LMSW loads PE, MP, EM, TS and cannot clear PE; SMSW stores all of CR0; CLTS.
        mov     eax, 0xfff0
        lmsw    ax
        mov     rax, cr0
        and     eax, 0x1f
        CHECK   eax, 0x11
        mov     eax, 0xe
        lmsw    ax
        mov     rax, cr0
        and     eax, 0x1f
        CHECK   eax, 0x1f
        smsw    rcx
        mov     rax, cr0
        sub     rax, rcx
        CHECK   eax, 0
        clts
        mov     rax, cr0
        and     eax, 0x1f
        CHECK   eax, 0x17
        mov     cr0, rbx
; TS and EM: x87, MMX and SSE are refused (table 2-2).
        SET_CR  cr4, 0x200
        SET_CR  cr0, CR0_TS
        FAULTS  7, NO_CODE, fld1
        FAULTS  7, NO_CODE, {paddb mm0, mm1}
        FAULTS  7, NO_CODE, {addps xmm0, xmm1}
        PASSES  fwait                                   ; MP is clear
        SET_CR  cr0, 2
        FAULTS  7, NO_CODE, fwait
        clts
        SET_CR  cr0, 4
        FAULTS  7, NO_CODE, fld1
        FAULTS  6, NO_CODE, {paddb mm0, mm1}
        FAULTS  6, NO_CODE, {addps xmm0, xmm1}
        mov     cr0, rbx
        CLEAR_CR cr4, 0x200
        FAULTS  6, NO_CODE, {addps xmm0, xmm1}          ; without OSFXSR
        PASSES  paddb mm0, mm1
        emms

; CR4: reserved bits; PAE stays set in IA-32e mode; PCIDE needs CR3[11:0] = 0 (see translations.asm).
        REFUSED_CR cr4, 0x100000000 | CR4_PAE
        REFUSED_CR cr4, CR4_PAE | 0x8000                ; bit 15 is nobody's
        REFUSED_CR cr4, 0
; CR3: address bits that do not exist; ignored low bits read back.
        REFUSED_CR cr3, PML4 | (1 << 52)
        mov     eax, PML4 | 0x18
        mov     cr3, rax
        mov     rax, cr3
        CHECK   eax, PML4 | 0x18
        mov     eax, PML4
        mov     cr3, rax
; CR2 takes anything; CR8 four bits; the other numbers do not exist.
        mov     rax, 0x123456789abcdef0
        mov     cr2, rax
        mov     rcx, cr2
        sub     rcx, rax
        CHECK   ecx, 0
        mov     eax, 16
        FAULTS  13, 0, {mov cr8, rax}
        FAULTS  6, NO_CODE, {db 0x0f, 0x20, 0xc8}       ; mov rax, cr1
        FAULTS  6, NO_CODE, {db 0x0f, 0x22, 0xe8}       ; mov cr5, rax
        FAULTS  6, NO_CODE, {db 0x44, 0x0f, 0x22, 0xc8} ; mov cr9, rax
        FAULTS  6, NO_CODE, {db 0xf0, 0x0f, 0x20, 0xc0} ; lock

; Debug registers: fixed bits of DR6 and DR7, DR4 and DR5 are their aliases unless CR4.DE (§17.2.2).
        xor     eax, eax
        mov     dr6, rax
        mov     rcx, dr6
        CHECK   ecx, 0xffff0ff0
        mov     eax, 0xe00f
        mov     dr6, rax
        mov     rcx, dr6
        CHECK   ecx, 0xffffeff0 | 0xf
        mov     eax, 0
        mov     dr7, rax
        mov     rcx, dr7
        CHECK   ecx, 0x400
        mov     rbx, 1 << 32
        FAULTS  13, 0, {mov dr6, rbx}
        FAULTS  13, 0, {mov dr7, rbx}
        mov     rbx, 0xffff800000001234
        PASSES  {mov dr0, rbx}
        mov     rcx, dr0
        sub     rcx, rbx
        CHECK   ecx, 0
        db      0x0f, 0x21, 0xe9                        ; mov rcx, dr5
        CHECK   ecx, 0x400
        db      0x0f, 0x21, 0xe1                        ; mov rcx, dr4
        CHECK   ecx, 0xffffeff0 | 0xf
        SET_CR  cr4, CR4_DE
        FAULTS  6, NO_CODE, {db 0x0f, 0x21, 0xe0}       ; mov rax, dr4
        FAULTS  6, NO_CODE, {db 0x0f, 0x23, 0xe8}       ; mov dr5, rax
        CLEAR_CR cr4, CR4_DE
        FAULTS  6, NO_CODE, {db 0x44, 0x0f, 0x21, 0xc0} ; mov rax, dr8
        xor     eax, eax
        mov     dr6, rax

; EFER: LMA follows, LME cannot change while paging, the rest is reserved (§2.2.1, §10.8.5.3).
        MSR_IS  EFER, 0, EFER_LME | 0x400
        REFUSED_MSR EFER, 0, 0
        REFUSED_MSR EFER, 0, EFER_LME | 2
        REFUSED_MSR EFER, 1, EFER_LME
        WRITE_MSR EFER, 0, EFER_LME                     ; LMA in the operand is ignored
        MSR_IS  EFER, 0, EFER_LME | 0x400
; Other registers: read-only, reserved bits and values, no such register (SDM 4; SDM 3A §12.11, §12.12).
        NO_MSR  0x2
        NO_MSR  0xc0001fff
        NO_MSR  0x40000fff
        REFUSED_MSR 0xfe, 0, 0x508                      ; IA32_MTRRCAP
        REFUSED_MSR 0x277, 0, 0x00070402                ; PAT: type 2
        REFUSED_MSR 0x277, 0x00000008, 0x00070406
        WRITE_MSR 0x277, 0x00010506, 0x01050600
        MSR_IS  0x277, 0x00010506, 0x01050600
        WRITE_MSR 0x277, 0x00070406, 0x00070406
        REFUSED_MSR 0x2ff, 0, 0x100                     ; IA32_MTRR_DEF_TYPE: a reserved bit, and type 2
        REFUSED_MSR 0x2ff, 0, 0xc02
        REFUSED_MSR 0x200, 0, 0xf00                     ; IA32_MTRR_PHYSBASE0
        REFUSED_MSR 0x250, 0x02, 0                      ; IA32_MTRR_FIX64K_00000: type 2
        WRITE_MSR 0x174, 0, 0x12345
        MSR_IS  0x174, 0, 0x12345
        WRITE_MSR 0xc0000103, 0, 0x87654321             ; TSC_AUX, which RDTSCP gives
        rdtscp
        CHECK   ecx, 0x87654321

; XCR0 exists with CR4.OSXSAVE; x87 is always on; there are no others than those that CPUID lists (SDM 1 §13.3).
        xor     ecx, ecx
        FAULTS  6, NO_CODE, xgetbv
        FAULTS  6, NO_CODE, xsetbv
        mov     eax, 1
        cpuid
        and     ecx, 1 << 27
        CHECK   ecx, 0
        SET_CR  cr4, CR4_OSXSAVE
        mov     eax, 1
        cpuid
        and     ecx, 1 << 27
        CHECK   ecx, 1 << 27
        xor     ecx, ecx
        xgetbv
        CHECK   eax, 1
        mov     eax, 3
        PASSES  xsetbv
        mov     eax, 2
        FAULTS  13, 0, xsetbv
        mov     edx, 0x80000000
        mov     eax, 3
        FAULTS  13, 0, xsetbv
        xor     edx, edx
        mov     ecx, 7
        FAULTS  13, 0, xsetbv
        FAULTS  13, 0, xgetbv

; Level 3: all of it is privileged; RDTSC, RDPMC by CR4; the five that tell the system's tables by CR4.UMIP (SDM 3A §2.5).
        SET_CR  cr4, CR4_TSD
        ENTER3  IOPL3
        FAULTS  13, 0, {mov rax, cr0}
        FAULTS  13, 0, {mov cr3, rax}
        FAULTS  13, 0, {mov rax, cr8}
        FAULTS  6, NO_CODE, {db 0x0f, 0x20, 0xc8}       ; no such register, at any level
        FAULTS  13, 0, {mov rax, dr7}
        FAULTS  13, 0, {mov dr0, rax}
        FAULTS  13, 0, clts
        FAULTS  13, 0, {lmsw ax}
        FAULTS  13, 0, rdmsr
        FAULTS  13, 0, wrmsr
        FAULTS  13, 0, rdtsc
        FAULTS  13, 0, rdtscp
        FAULTS  13, 0, rdpmc
        FAULTS  13, 0, xsetbv
        FAULTS  13, 0, invd
        FAULTS  13, 0, wbinvd
        FAULTS  13, 0, {lgdt [gdt_pointer]}
        FAULTS  13, 0, {lidt [idt_pointer]}
        FAULTS  13, 0, {lldt ax}
        FAULTS  13, 0, {ltr ax}
        FAULTS  13, 0, hlt
        xor     ecx, ecx
        PASSES  xgetbv
        PASSES  {sgdt [0x3000]}
        PASSES  {smsw ax}
        LEAVE3
        CLEAR_CR cr4, CR4_TSD
        SET_CR  cr4, CR4_UMIP
        PASSES  {sgdt [0x3000]}                         ; level 0 may
        PASSES  {str ax}
        ENTER3  IOPL3
        FAULTS  13, 0, {sgdt [0x3000]}
        FAULTS  13, 0, {sidt [0x3000]}
        FAULTS  13, 0, {sldt ax}
        FAULTS  13, 0, {str ax}
        FAULTS  13, 0, {smsw ax}
        FAULTS  13, 0, {smsw [0x3000]}
        PASSES  rdtsc
        PASSES  {lar eax, ecx}
        LEAVE3
        out     PORT_FINISH, al
        jmp     $

        LEAVE3_HANDLER
        STUBS   64

        GDT_START
        GDT_END
