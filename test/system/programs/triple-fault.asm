; A fault while a double fault is delivered shuts the processor down (SDM 3A §6.15, interrupt 8).
%include "protected.mac"

start:
        ENTER_PROTECTED
; #GP, then #NP for its gate, then #NP for the double fault's.
        GATE    13, never, CODE0, 0x0e
        GATE    8, never, CODE0, 0x0e
; A benign exception that cannot be delivered is no reason: #UD, then #GP for its gate, which can.
        GATE    6, never, CODE0, 0x8c
        GATE    13, stubs + 13 * STUB_SIZE, CODE0, 0x8e
        mov     dword [GOT_VECTOR], NOTHING
        mov     dword [RESUME], .survived
        ud2
.survived:
        CHECK   [GOT_VECTOR], 13
        CHECK   [GOT_CODE], 6 * 8 + 2 + 1
        GATE    13, never, CODE0, 0x0e
        mov     bx, 0x1000
        mov     es, bx
never:  CHECK   [GOT_VECTOR], 0xdead
        FINISH

leave3: ud2
        STUBS   32
        GDT_START
        GDT_END
