; IA-32e mode on the processor itself, at level 0 too: interrupts within a level and between levels, x87.
%include "long.mac"

start:
        ENTER_LONG
        FAULTS  6, NO_CODE, ud2
        fninit
        fldpi
        fistp   dword [SAVED + 8]
        CHECK   [SAVED + 8], 3
        ENTER3  IOPL3
        FAULTS  13, 0, hlt
        LEAVE3
        out     PORT_FINISH, al
        jmp     $

        LEAVE3_HANDLER
        STUBS   64
        GDT_START
        GDT_END
