; 64-bit code at level 3 on the processor itself, whatever runs level 0: x87, and exceptions that come back.
%include "long.mac"

start:
        ENTER_LONG
        ENTER3  IOPL3
        fninit
        fldpi
        fistp   dword [SAVED + 8]
        CHECK   [SAVED + 8], 3
        PAGE_FAULTS EU, PAGE(0), {mov al, [PAGE(0)]}
        FAULTS  13, 0, hlt
        out     PORT_FINISH, al
        jmp     $

        LEAVE3_HANDLER
        STUBS   64
        GDT_START
        GDT_END
