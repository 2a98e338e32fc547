; A breakpoint on the first instruction of the #DB handler: the processor delivers #DB for ever. An engine must let its host in.
%include "protected.mac"

start:
        ENTER_PROTECTED
        GATE    1, debug_handler, CODE0, 0x8e
        mov     eax, debug_handler
        mov     dr0, eax
        mov     eax, 0x402
        mov     dr7, eax
        CHECK   eax, 0x402
; A 16-bit stack pointer wraps, so that the frames overwrite nothing but one another.
        mov     bx, STACK16
        mov     ss, bx
        xor     esp, esp
        int1
debug_handler:
        CHECK   eax, 0xdead
        FINISH

leave3: ud2
        STUBS   32
        GDT_START
        SELECTOR STACK16
        DESCRIPTOR 0x20000, 0xffff, 0x92, 0x0
        GDT_END
