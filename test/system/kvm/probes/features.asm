; What the programs take for granted (SDM 2A, CPUID): PCID, FSGSBASE, SMEP, INVPCID, SMAP, UMIP, SYSCALL, NX, 1 GiB pages, RDTSCP.
%include "prelude.mac"
bits 16
start:
        mov     eax, 1
        cpuid
        and     ecx, 1 << 17
        CHECK   ecx, 1 << 17
        mov     eax, 7
        xor     ecx, ecx
        cpuid
        mov     edx, ecx
        and     ebx, 1 | 1 << 7 | 1 << 10 | 1 << 20
        CHECK   ebx, 1 | 1 << 7 | 1 << 10 | 1 << 20
        and     edx, 1 << 2
        CHECK   edx, 1 << 2
        mov     eax, 0x80000001
        cpuid
        and     edx, 1 << 20 | 1 << 26 | 1 << 27 | 1 << 29
        CHECK   edx, 1 << 20 | 1 << 26 | 1 << 27 | 1 << 29
        FINISH
