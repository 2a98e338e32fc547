; SYSENTER and SYSEXIT outside IA-32e mode (SDM 2B; SDM 3A §5.8.7).
%include "protected.mac"

SYSENTER_CS equ 0x174
SYSENTER_ESP equ 0x175
SYSENTER_EIP equ 0x176

%macro WRITE_MSR 2.nolist
        mov     ecx, %1
        xor     edx, edx
        mov     eax, %2
        wrmsr
%endmacro

start:
        ENTER_PROTECTED
        WRITE_MSR SYSENTER_CS, 0
        FAULTS  13, 0, sysenter                         ; a null selector
        FAULTS  13, 0, sysexit
        WRITE_MSR SYSENTER_CS, CODE0 | 3                ; its two low bits do not count
        WRITE_MSR SYSENTER_ESP, STACK_INNER
        WRITE_MSR SYSENTER_EIP, .entered

; From level 3: EIP, ESP, CS and SS come from the registers, IF is cleared, nothing is saved.
        ENTER3  IOPL3 | IF | DF | CF
        FAULTS  13, 0, sysexit                          ; for level 0
        sysenter
.entered:
        pushfd
        pop     ebx
        mov     ecx, cs
        mov     edx, ss
        mov     esi, esp
        cld
        CHECK   ecx, CODE0
        CHECK   edx, DATA0
        CHECK   esi, STACK_INNER
        CHECK   ebx, IOPL3 | DF | CF | 2
        mov     eax, cr0                                ; level 0
        and     eax, 1
        CHECK   eax, 1
; SYSEXIT: EIP from EDX, ESP from ECX, CS and SS 16 and 24 behind; flags stay.
        mov     edx, .left
        mov     ecx, STACK3 - 16
        stc
        sysexit
.left:  setc    bl
        movzx   ebx, bl
        mov     ecx, cs
        mov     edx, ss
        mov     esi, esp
        CHECK   ebx, 1
        CHECK   ecx, CODE3
        CHECK   edx, DATA3
        CHECK   esi, STACK3 - 16
        FAULTS  13, 0, hlt
; Segments are flat whatever the table says: with a table of nothing else SYSENTER works, and SYSEXIT back (§5.8.7).
        LEAVE3
        lgdt    [empty_gdt]
        mov     dword [RETURN0], 0
        WRITE_MSR SYSENTER_EIP, .entered_again
        mov     edx, .outside
        mov     ecx, STACK3
        sysexit
.outside:
        mov     [GOT + 96], esp
        sysenter
.entered_again:
        lgdt    [gdt_pointer]
        CHECK   [GOT + 96], STACK3
        mov     ecx, ss
        CHECK   ecx, DATA0
; DS and its like are not touched.
        mov     ecx, ds
        CHECK   ecx, DATA0
        FINISH

        LEAVE3_HANDLER
        STUBS   32

empty_gdt:
        dw      7
        dd      gdt

        GDT_START
        GDT_END
