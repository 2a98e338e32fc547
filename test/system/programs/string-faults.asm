; Repeated string instructions and a page fault in their middle: what is done stays done, the registers say what is left, and the
; instruction goes on when it is returned to (SDM 2B, REP; SDM 3A §6.5).
%include "long.mac"

; The instruction at the label before it faulted: vector 14, code, CR2; then RCX, RSI, RDI.
%macro STOPPED 5
        CHECK   [GOT_VECTOR], 14
        CHECK   [GOT_CODE], %1
        CHECK   [GOT_CR2], %2
        CHECK   ecx, %3
        CHECK   esi, %4
        CHECK   edi, %5
%endmacro

; Runs the instruction with RCX, RSI and RDI.
%macro STARTS 4+.nolist
        mov     ecx, %1
        mov     esi, %2
        mov     edi, %3
        mov     dword [GOT_VECTOR], NOTHING
        mov     dword [RESUME], %%after
%%at:   %4
%%after:
        cld
%endmacro

start:
        ENTER_LONG
; Pages 0, 1 and 3, 4 are there; 2 and 5 are not.
%macro MAP_ALL 0
        MAP     0, FRAME(0) | P | W
        MAP     1, FRAME(1) | P | W
        MAP     2, 0
        MAP     3, FRAME(3) | P | W
        MAP     4, FRAME(4) | P | W
        MAP     5, 0
%endmacro
        MAP_ALL
        mov     edi, PAGE(0)
        mov     ecx, 0x2000 / 4
        mov     eax, 1
.fill:  stosd
        inc     eax
        dec     ecx
        jnz     .fill

; The destination ends.
        STARTS  100, PAGE(0), PAGE(2) - 40, rep movsb
        STOPPED EW, PAGE(2), 60, PAGE(0) + 40, PAGE(2)
        CHECK   [PAGE(2) - 4], 10
        STARTS  100, PAGE(0), PAGE(5) - 80, rep movsq
        STOPPED EW, PAGE(5), 90, PAGE(0) + 80, PAGE(5)
        CHECK   [PAGE(5) - 8], 19
; The source ends.
        STARTS  100, PAGE(2) - 12, PAGE(3), rep movsd
        STOPPED 0, PAGE(2), 97, PAGE(2), PAGE(3) + 12
        CHECK   [PAGE(3) + 8], 0x0a             ; what the first copy left there
        STARTS  100, PAGE(2) - 6, PAGE(3), rep lodsw
        STOPPED 0, PAGE(2), 97, PAGE(2), PAGE(3)
; An element across the border is not half done: nothing of it is stored.
        mov     dword [PAGE(5) - 4], 0x77777777
        STARTS  4, PAGE(0), PAGE(5) - 10, rep movsq
        STOPPED EW, PAGE(5), 3, PAGE(0) + 8, PAGE(5) - 2
        movzx   edx, word [PAGE(5) - 2]
        CHECK   edx, 0x7777
        STARTS  4, PAGE(2) - 7, PAGE(3), rep movsd
        STOPPED 0, PAGE(2), 3, PAGE(2) - 3, PAGE(3) + 4
; Source before destination when both are missing.
        STARTS  4, PAGE(2), PAGE(5), rep movsd
        STOPPED 0, PAGE(2), 4, PAGE(2), PAGE(5)
; STOS.
        mov     eax, 0x12345678
        STARTS  0x500, PAGE(0), PAGE(3), rep stosq
        STOPPED EW, PAGE(5), 0x100, PAGE(0), PAGE(5)
; Downwards.
        MAP     3, 0
        std
        STARTS  100, PAGE(0) + 0xffc, PAGE(4) + 12, rep movsd
        STOPPED EW, PAGE(4) - 4, 96, PAGE(0) + 0xffc - 16, PAGE(4) - 4
        CHECK   [PAGE(4)], 0x400 - 3
        MAP     3, FRAME(3) | P | W
; A read-only page.
        SET_CR  cr0, CR0_WP
        MAP     4, FRAME(4) | P
        STARTS  0x1001, PAGE(0), PAGE(3), rep movsb
        STOPPED EP | EW, PAGE(4), 1, PAGE(0) + 0x1000, PAGE(4)
        MAP     4, FRAME(4) | P | W
; No count: no access.
        STARTS  0, PAGE(2), PAGE(5), rep movsb
        CHECK   [GOT_VECTOR], NOTHING

; CMPS and SCAS: a fault restores the flags to those before the instruction, with the count where it is (SDM 2B, REP).
        mov     ecx, 64
        mov     esi, PAGE(0)
        mov     edi, PAGE(3)
        rep     movsd
        xor     eax, eax
        sub     eax, 1                          ; CF, SF; not ZF
        pushfq
        pop     rbp
        push    rbp
        popfq
        STARTS  100, PAGE(2) - 32, PAGE(3), lodsb
        mov     esi, PAGE(2) - 32
        mov     edi, PAGE(4)
        mov     ecx, 8
        rep     movsd
        push    rbp
        popfq
        STARTS  100, PAGE(2) - 32, PAGE(4), repe cmpsd
        STOPPED 0, PAGE(2), 92, PAGE(2), PAGE(4) + 32
        mov     rdx, [GOT_FLAGS]
        and     edx, 0x8d5
        and     ebp, 0x8d5
        CHECK   edx, ebp
        mov     eax, -1
        cmp     eax, 5
        STARTS  100, PAGE(0), PAGE(5) - 3, repne scasb
        STOPPED 0, PAGE(5), 97, PAGE(0), PAGE(5)

; The handler maps the page and returns to the instruction, which goes on: so many faults as pages, and everything is copied.
        GATE64  14, pager, CODE64, 0x8e, 0
        MAP     1, 0
        MAP     4, 0
        mov     ecx, 0x2000 - 24
        mov     esi, PAGE(0)
        mov     edi, PAGE(3) + 17
        rep     movsb
        CHECK   ecx, 0
        CHECK   esi, PAGE(2) - 24
        CHECK   edi, PAGE(5) - 7
        CHECK   [faults], 2
        CHECK   [PAGE(3) + 17], 1
        CHECK   [PAGE(4) + 17], 0x401
        CHECK   [PAGE(5) - 7 - 60], 0x7ec
; OUTS faults before it writes to the port: the check's line comes once.
        GATE64  14, stubs + 14 * STUB_SIZE, CODE64, 0x8e, 0
        mov     dword [PAGE(5) - 4], 0x600df00d
        mov     edx, PORT_ACTUAL
        STARTS  2, PAGE(5) - 4, 0, rep outsd
        mov     eax, 0x600df00d
        out     PORT_EXPECTED, eax
        mov     eax, __LINE__
        out     PORT_LINE, eax
        STOPPED 0, PAGE(5), 1, PAGE(5), 0
; Addresses of 32 bits in 64-bit code: the registers are used and left as 32 bits (SDM 1 §3.3.7).
        mov     rsi, 0xffffffff00000000 | PAGE(0)
        mov     rdi, 0xffffffff00000000 | PAGE(3)
        mov     rcx, 0xffffffff00000002
        a32 rep movsb
        CHECK   ecx, 0
        shr     rsi, 32
        shr     rdi, 32
        CHECK   esi, 0
        CHECK   edi, 0
        out     PORT_FINISH, al
        jmp     $

; Gives the missing page its frame, and counts.
pager:  push    rax
        push    rdx
        mov     rax, cr2
        shr     eax, 12
        and     eax, 0x1ff
        mov     edx, eax
        shl     edx, 12
        add     edx, FRAMES | P | W
        mov     [WINDOW_PT + rax * 8], edx
        inc     dword [faults]
        pop     rdx
        pop     rax
        add     rsp, 8
        iretq

        LEAVE3_HANDLER
        STUBS   64

align 4
faults: dd 0

        GDT_START
        GDT_END
