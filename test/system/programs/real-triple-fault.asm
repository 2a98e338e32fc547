; The same in real-address mode: no vector fits into the table (SDM 3A §20.1.4).
%include "prelude.mac"
bits 16
        mov     sp, 0x7c00
        lidt    [no_idt]
        CHECK   [no_idt], 0
        int3
        CHECK   [no_idt], 1
        FINISH
align 4
no_idt: dw 0
        dd 0
