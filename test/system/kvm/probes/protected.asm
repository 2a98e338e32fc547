; 32-bit protected mode on the processor itself: interrupts within a level and between levels, x87.
%include "protected.mac"

start:
        ENTER_PROTECTED
        FAULTS  6, NO_CODE, ud2
        fninit
        fldpi
        fistp   dword [SAVED + 8]
        CHECK   [SAVED + 8], 3
        ENTER3  IOPL3
        FAULTS  13, 0, hlt
        LEAVE3
        FINISH

        LEAVE3_HANDLER
        STUBS   32
        GDT_START
        GDT_END
