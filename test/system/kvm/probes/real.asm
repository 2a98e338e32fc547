; Real-address mode on the processor itself: KVM emulates it where the processor cannot run it as a guest, and its emulator has no x87.
%include "prelude.mac"
bits 16
start:
        mov     sp, 0x7c00
        fninit
        fldpi
        fistp   dword [SAVED + 8]
        CHECK   [SAVED + 8], 3
        FINISH
