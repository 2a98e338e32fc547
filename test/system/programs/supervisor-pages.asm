; SMEP and SMAP, STAC and CLAC, and the processor's own accesses to tables (SDM 3A §4.6).
%include "long.mac"

USER_CODE equ PAGE(16)              ; where level 3 sees the code at user_page
USER_STACK equ PAGE(18)

; Runs the code at label %1 of user_page at level 3, which comes back by INT 30h.
%macro AT_LEVEL3 2                  ; label, flags
        mov     dword [RETURN0], %%inside
        RETURN_FRAME DATA3, USER_STACK, (%2) | 2, CODE64U, USER_CODE + (%1 - user_page)
        iretq
%%inside:
%endmacro

start:
        ENTER_LONG
; The program itself has to lie in supervisor pages. Windows into user pages: 0 and 1 data and code, 16 and 17 code and stack of level 3.
        and     byte [PD], ~U
        and     byte [PD + 16], ~U
        mov     rax, cr3
        mov     cr3, rax
        MAP     0, FRAME(0) | P | W | U
        MAP     16, ADDR(user_page) | P | W | U
        MAP     17, FRAME(17) | P | W | U
        mov     byte [ALIAS(0)], 0xc3

; SMEP: no fetch from user pages below level 3; the code tells fetches apart even without NXE (§4.6.1, §4.7).
        PASSES  call PAGE(0)
        SET_CR  cr4, CR4_SMEP
        FETCH_FAULTS EP | EI, PAGE(0)
        FETCH_FAULTS EI, PAGE(1)
        PASSES  mov al, [PAGE(0)]
        PASSES  mov [PAGE(0) + 8], al
; A user page is one with U at every level.
        and     byte [PD + 8], ~U
        invlpg  [PAGE(0)]
        PASSES  call PAGE(0)
        or      byte [PD + 8], U
        invlpg  [PAGE(0)]
        FETCH_FAULTS EP | EI, PAGE(0)
; Level 3 is not concerned.
        mov     dword [user_result], 0
        AT_LEVEL3 user_calls, 0
        CHECK   [user_result], 1
        CLEAR_CR cr4, CR4_SMEP
        PASSES  call PAGE(0)

; SMAP: no data access to user pages below level 3 while AC is clear; fetches are not concerned (§4.6.1).
        PASSES  mov al, [PAGE(0)]
        SET_CR  cr4, CR4_SMAP
        PAGE_FAULTS EP, PAGE(0) + 1, {mov al, [PAGE(0) + 1]}
        PAGE_FAULTS EP | EW, PAGE(0) + 2, {mov [PAGE(0) + 2], al}
        PAGE_FAULTS EP | EW, PAGE(0) + 3, {lock inc byte [PAGE(0) + 3]}
        PASSES  call PAGE(0)
        stac
        PASSES  mov al, [PAGE(0) + 1]
        PASSES  mov [PAGE(0) + 2], al
        pushfq
        pop     rcx
        CHECK   ecx, AC | 2
        clac
        pushfq
        pop     rcx
        CHECK   ecx, 2
        PAGE_FAULTS EP, PAGE(0) + 1, {mov al, [PAGE(0) + 1]}
; AC opens user pages however it was set.
        push    qword AC | 2
        popfq
        PASSES  mov al, [PAGE(0) + 1]
; It does not open read-only pages, nor what is not there.
        SET_CR  cr0, CR0_WP
        MAP     2, FRAME(0) | P | U
        PAGE_FAULTS EP | EW, PAGE(2), {mov [PAGE(2)], al}
        PASSES  mov al, [PAGE(2)]
        PAGE_FAULTS 0, PAGE(3), {mov al, [PAGE(3)]}
        clac
        CLEAR_CR cr0, CR0_WP
; An access that begins in a supervisor page and ends in a user page.
        MAP     4, FRAME(4) | P | W
        MAP     5, FRAME(5) | P | W | U
        PAGE_FAULTS EP, PAGE(5), {mov eax, [PAGE(5) - 2]}
        PAGE_FAULTS EP | EW, PAGE(5), {mov [PAGE(5) - 2], eax}
        stac
        PASSES  mov [PAGE(5) - 2], eax
        clac
; Stack accesses count too.
        GATE64  14, stubs + 14 * STUB_SIZE, CODE64, 0x8e, 1     ; on a stack of its own
        mov     dword [GOT_VECTOR], NOTHING
        mov     dword [RESUME], .after_push
        mov     rsp, PAGE(5) + 0x800
        push    rax
.after_push:
        mov     rsp, STACK0
        CHECK   [GOT_VECTOR], 14
        CHECK   [GOT_CODE], EP | EW
        CHECK   [GOT_CR2], PAGE(5) + 0x7f8
        GATE64  14, stubs + 14 * STUB_SIZE, CODE64, 0x8e, 0

; Tables of the processor: its accesses are supervisor's at every level, and AC does not open user pages to them (§4.6.1). Here the
; last descriptors are in a user page, and later the I/O bitmap; what delivers the fault is not.
        mov     esi, gdt
        mov     edi, NEW_GDT_ALIAS
        mov     ecx, NEW_GDT_BYTES
        rep     movsb
        mov     eax, [gdt + DATA3 - 3]
        mov     edx, [gdt + DATA3 - 3 + 4]
        mov     [ALIAS(7)], eax
        mov     [ALIAS(7) + 4], edx
        mov     [ALIAS(7) + 8], eax
        mov     [ALIAS(7) + 12], edx
        MAP     6, FRAME(6) | P | W
        MAP     7, FRAME(7) | P | W | U
        lgdt    [new_gdt_pointer]
        stac
        mov     ebx, IN_USER_PAGE
        PAGE_FAULTS EP, PAGE(7), {mov fs, bx}
        PAGE_FAULTS EP, PAGE(7), {lar eax, ebx}
        PAGE_FAULTS EP, PAGE(7), {verr bx}
        clac
        mov     dword [RESUME], USER_CODE + (user_loads.resumed - user_page)
        mov     dword [GOT_VECTOR], NOTHING
        AT_LEVEL3 user_loads, AC
        CHECK   [GOT_VECTOR], 14
        CHECK   [GOT_CODE], EP          ; not U: level 3 did not ask for it
        CHECK   [GOT_CR2], PAGE(7) + 8
        CHECK   [GOT_CS], CODE64U
        and     byte [ENTRY(7)], ~U
        invlpg  [PAGE(7)]
        AT_LEVEL3 user_loads, 0
        CHECK   [user_result], IN_USER_PAGE + 8 + 3
        lgdt    [gdt_pointer]

        mov     esi, tss
        mov     edi, NEW_TSS_ALIAS
        mov     ecx, 0x88 + 64
        rep     movsb
        MAP     8, FRAME(8) | P | W
        MAP     9, FRAME(9) | P | W | U
        mov     ax, NEW_TSS
        ltr     ax
        mov     dword [RESUME], USER_CODE + (user_writes_port.resumed - user_page)
        mov     dword [GOT_VECTOR], NOTHING
        AT_LEVEL3 user_writes_port, 0
        CHECK   [GOT_VECTOR], 14
        CHECK   [GOT_CODE], EP
        CHECK   [GOT_CR2], PAGE(9) + 0x20 + 0x80 / 8
        CLEAR_CR cr4, CR4_SMAP
        mov     dword [GOT_VECTOR], NOTHING
        AT_LEVEL3 user_writes_port, 0
        CHECK   [GOT_VECTOR], NOTHING
; STAC and CLAC are for level 0 (SDM 2, STAC).
        SET_CR  cr4, CR4_SMAP
        mov     dword [RESUME], USER_CODE + (user_stac.resumed - user_page)
        AT_LEVEL3 user_stac, 0
        CHECK   [GOT_VECTOR], 6
        mov     dword [RESUME], USER_CODE + (user_clac.resumed - user_page)
        mov     dword [GOT_VECTOR], NOTHING
        AT_LEVEL3 user_clac, AC
        CHECK   [GOT_VECTOR], 6
; Level 3 itself reads and writes its pages, AC or not.
        mov     byte [user_result], 0
        AT_LEVEL3 user_reads, 0
        CHECK   [user_result], 0x77
        AT_LEVEL3 user_reads, AC
        CHECK   [user_result], 0x77
        out     PORT_FINISH, al
        jmp     $

leave3: mov     cx, DATA0
        mov     ss, cx
        mov     rsp, STACK0
        clac                            ; level 3 may have set it
        mov     [user_result], eax
        jmp     [RETURN0]

        STUBS   64

NEW_GDT_BYTES equ 0x48          ; up to CODE32
NEW_GDT_ALIAS equ ALIAS(7) - NEW_GDT_BYTES
IN_USER_PAGE equ NEW_GDT_BYTES
new_gdt_pointer:
        dw      NEW_GDT_BYTES + 15
        dq      PAGE(7) - NEW_GDT_BYTES
NEW_TSS_ALIAS equ ALIAS(9) - 0x68
user_result:    dd 0

align 4096
user_page:
user_calls:
        mov     rax, PAGE(0)
        call    rax
        mov     eax, 1
        int     0x30
user_loads:
        mov     ebx, IN_USER_PAGE + 8 + 3
        mov     gs, bx
.resumed:
        mov     eax, gs
        int     0x30
user_writes_port:
        out     0x80, al
.resumed:
        int     0x30
user_stac:
        stac
.resumed:
        int     0x30
user_clac:
        clac
.resumed:
        int     0x30
user_reads:
        mov     rcx, PAGE(0) + 0x700
        mov     byte [rcx], 0x77
        movzx   eax, byte [rcx]
        int     0x30

        GDT_START
        SELECTOR NEW_TSS
        DESCRIPTOR PAGE(9) - 0x68, 0x88 + 63, 0x89, 0
        dq      0
        GDT_END
