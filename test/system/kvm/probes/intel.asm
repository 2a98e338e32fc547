; A processor by Intel, whose manual the programs cite: others differ in SYSRET, SYSENTER and what they do with addresses that are
; not canonical.
%include "prelude.mac"
bits 16
start:
        xor     eax, eax
        cpuid
        CHECK   ebx, "Genu"
        FINISH
