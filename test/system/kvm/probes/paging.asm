; 32-bit paging and PAE paging.
%include "protected.mac"

TABLES  equ 0x100000

start:
        ENTER_PROTECTED
        mov     dword [TABLES], 0x83            ; 4 MiB one to one
        mov     eax, TABLES
        mov     cr3, eax
        mov     eax, cr4
        or      eax, 0x10                       ; PSE
        mov     cr4, eax
        mov     eax, cr0
        or      eax, 0x80000000
        mov     cr0, eax
        PAGE_FAULTS 0, 0x400000, {mov al, [0x400000]}
        mov     eax, cr0
        and     eax, 0x7fffffff
        mov     cr0, eax
        mov     dword [TABLES], (TABLES + 0x1000) | 1
        mov     dword [TABLES + 0x1000], 0x83   ; 2 MiB
        mov     eax, cr4
        or      eax, 0x20                       ; PAE
        mov     cr4, eax
        mov     eax, cr0
        or      eax, 0x80000000
        mov     cr0, eax
        PAGE_FAULTS 0, 0x200000, {mov al, [0x200000]}
        FINISH

        LEAVE3_HANDLER
        STUBS   32
        GDT_START
        GDT_END
