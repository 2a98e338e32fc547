; Loading segment registers in protected mode, and questions about selectors (SDM 3A §3.4, §5.2–§5.10).
%include "protected.mac"

; mov %2 with selector %1 fails with vector %3, code %4.
%macro REFUSED 4.nolist
        mov     bx, %1
        FAULTS  %3, %4, mov %2, bx
%endmacro
%macro TAKEN 2.nolist
        mov     bx, %1
        PASSES  mov %2, bx
%endmacro

start:
        ENTER_PROTECTED

; Data segments: data or readable code; DPL not below CPL and RPL unless conforming (SDM 2B, MOV).
        REFUSED 0x1000, es, 13, 0x1000                  ; beyond the table
        REFUSED 4, es, 13, 4                            ; there is no LDT
        REFUSED TSS, es, 13, TSS                        ; a system segment
        REFUSED CODE_ONLY, es, 13, CODE_ONLY            ; code that cannot be read
        REFUSED DATA0 | 1, es, 13, DATA0                ; RPL above DPL
        REFUSED ABSENT, es, 11, ABSENT
        REFUSED ABSENT | 3, es, 13, ABSENT                  ; levels are checked before presence
        TAKEN   CODE0, es
        TAKEN   CODE_CONFORMING | 3, es                 ; conforming: no check of levels
        TAKEN   DATA3, es
        mov     cx, es
        movzx   ecx, cx
        CHECK   ecx, DATA3
        TAKEN   3, es                                   ; null, RPL kept
        mov     cx, es
        movzx   ecx, cx
        CHECK   ecx, 3
        FAULTS  13, 0, {mov eax, [es:0]}                ; and unusable
        FAULTS  6, NO_CODE, {db 0x8e, 0xcb}             ; MOV CS, BX
        FAULTS  6, NO_CODE, {db 0x8e, 0xf3}             ; there is no segment register 6
        FAULTS  6, NO_CODE, {db 0x8c, 0xf8}

; The stack segment: writable data, DPL = RPL = CPL; absent is #SS.
        REFUSED 0, ss, 13, 0
        REFUSED CODE0, ss, 13, CODE0
        REFUSED READ_ONLY, ss, 13, READ_ONLY
        REFUSED DATA3, ss, 13, DATA3 & ~3
        REFUSED DATA0 | 3, ss, 13, DATA0
        REFUSED ABSENT, ss, 12, ABSENT
        TAKEN   DATA0, ss

; Accessed is set by the load, in memory too (§3.4.5.1).
        and     byte [gdt + FRESH + 5], 0xfe
        TAKEN   FRESH, fs
        movzx   ecx, byte [gdt + FRESH + 5]
        CHECK   ecx, 0x93

; Base and limit: FRESH starts at 3000h and has 100h bytes.
        mov     dword [0x30fc], 0x13579bdf
        CHECK   [fs:0xfc], 0x13579bdf
        FAULTS  13, 0, {mov eax, [fs:0xfd]}
        FAULTS  13, 0, {mov al, [fs:0x100]}
        PASSES  mov al, [fs:0xff]

; Types: no writes to read-only data and to code, no reads of execute-only code.
        TAKEN   READ_ONLY, gs
        PASSES  mov eax, [gs:0x3000]
        FAULTS  13, 0, {mov [gs:0x3000], eax}
        TAKEN   CODE0, gs
        PASSES  mov eax, [gs:0x3000]
        FAULTS  13, 0, {mov [gs:0x3000], eax}
        PASSES  mov eax, [cs:0x3000]
        FAULTS  13, 0, {mov [cs:0x3000], eax}

; Expand-down: valid above the limit, up to FFFFh or FFFFFFFFh by the B flag (§5.3).
        TAKEN   DOWN16, gs
        FAULTS  13, 0, {mov al, [gs:0xfff]}
        PASSES  mov al, [gs:0x1000]
        PASSES  mov al, [gs:0xffff]
        FAULTS  13, 0, {mov al, [gs:0x10000]}
        TAKEN   DOWN32, gs
        FAULTS  13, 0, {mov al, [gs:0xfff]}
        PASSES  mov al, [gs:0x10000]

; A 16-bit stack: pushes use SP, the upper half of ESP stays.
        mov     eax, esp
        mov     bx, STACK16
        mov     ss, bx
        mov     esp, 0x12340100
        push    dword 0x55aa55aa
        mov     ecx, esp
        mov     bx, DATA0
        mov     ss, bx
        mov     esp, eax
        CHECK   ecx, 0x123400fc
        CHECK   [0x3000 + 0xfc], 0x55aa55aa
; POP to segment registers and LDS, LES, LFS, LGS, LSS.
        push    dword FRESH
        PASSES  pop fs
        CHECK   [fs:0xfc], 0x55aa55aa
        push    dword ABSENT
        mov     ecx, esp
        FAULTS  11, ABSENT, pop fs
        CHECK   esp, ecx                                ; restartable
        add     esp, 4
        mov     dword [0x2100], 0xfc
        mov     word [0x2104], FRESH
        PASSES  les esi, [0x2100]
        CHECK   esi, 0xfc
        CHECK   [es:esi], 0x55aa55aa
        mov     word [0x2104], ABSENT
        mov     esi, 7
        FAULTS  11, ABSENT, {lgs esi, [0x2100]}
        CHECK   esi, 7                                  ; nothing was loaded
        mov     [0x2100], esp
        mov     word [0x2104], DATA0
        PASSES  lss esp, [0x2100]

; LDT: LLDT checks, then selectors with TI set work (§3.5).
        mov     ax, DATA0
        FAULTS  13, DATA0, lldt ax
        mov     ax, LDT_ABSENT
        FAULTS  11, LDT_ABSENT, lldt ax
        mov     ax, 4
        FAULTS  13, 4, lldt ax
        mov     ax, LDT
        PASSES  lldt ax
        sldt    ecx
        CHECK   ecx, LDT
        TAKEN   4, gs
        CHECK   [gs:0xfc], 0x55aa55aa
        REFUSED 0xc, gs, 13, 0xc                        ; beyond the LDT
        xor     ax, ax
        PASSES  lldt ax
        REFUSED 4, gs, 13, 4

; LTR: available tasks only, which become busy (§7.2.4).
        mov     ax, TSS
        FAULTS  13, TSS, ltr ax                         ; busy since the start
        movzx   ecx, byte [gdt + TSS + 5]
        CHECK   ecx, 0x8b
        xor     ax, ax
        FAULTS  13, 0, ltr ax
        str     ecx
        CHECK   ecx, TSS

; LAR and LSL: rights and limit of what the program may see, else ZF = 0 and the destination stays.
%macro LAR_IS 2.nolist
        mov     ecx, %1
        mov     edx, 0x77
        lar     edx, ecx
        setz    cl
        movzx   ecx, cl
        CHECK   ecx, 1
        CHECK   edx, %2
%endmacro
%macro LAR_NOT 1.nolist
        mov     ecx, %1
        mov     edx, 0x77
        lar     edx, ecx
        setz    cl
        movzx   ecx, cl
        CHECK   ecx, 0
        CHECK   edx, 0x77
%endmacro
        LAR_IS  CODE0, 0xcf9b00
        LAR_IS  DATA3, 0xcff300
        LAR_IS  ABSENT, 0x401200                        ; presence does not matter
        LAR_IS  TSS, 0x008b00
        LAR_IS  GATE0, 0x008c00
        LAR_NOT 0
        LAR_NOT 0x1000
        LAR_NOT DATA0 | 3
        LAR_NOT INT_GATE                                ; not a type that can be in a GDT
        mov     ecx, FRESH
        lsl     edx, ecx
        CHECK   edx, 0xff
        mov     ecx, DATA0
        lsl     edx, ecx
        CHECK   edx, 0xffffffff
        mov     ecx, GATE0                              ; gates have no limit
        mov     edx, 5
        lsl     edx, ecx
        CHECK   edx, 5
        mov     ecx, DATA0
        mov     edx, 0x12345678
        o16 lsl dx, cx
        CHECK   edx, 0x1234ffff

; VERR and VERW.
%macro VERIFY 3.nolist
        mov     cx, %2
        %1      cx
        setz    cl
        movzx   ecx, cl
        CHECK   ecx, %3
%endmacro
        VERIFY  verr, DATA0, 1
        VERIFY  verw, DATA0, 1
        VERIFY  verr, CODE0, 1
        VERIFY  verw, CODE0, 0
        VERIFY  verr, CODE_ONLY, 0
        VERIFY  verr, READ_ONLY, 1
        VERIFY  verw, READ_ONLY, 0
        VERIFY  verr, DATA0 | 1, 0
        VERIFY  verr, TSS, 0
        VERIFY  verr, 0, 0

; ARPL.
        mov     bx, DATA0
        mov     cx, 3
        arpl    bx, cx
        setz    dl
        movzx   edx, dl
        movzx   ebx, bx
        CHECK   edx, 1
        CHECK   ebx, DATA0 | 3
        arpl    bx, cx
        setz    dl
        movzx   edx, dl
        CHECK   edx, 0

; At level 3: level-0 data is out of reach, LLDT and LTR are privileged, SLDT and STR are not (without UMIP).
        ENTER3  IOPL3
        REFUSED DATA0, fs, 13, DATA0
        REFUSED DATA0 | 3, fs, 13, DATA0
        TAKEN   DATA3 & ~3, fs
        TAKEN   CODE_CONFORMING, fs
        REFUSED DATA3 & ~3, ss, 13, DATA3 & ~3          ; RPL must be CPL
        xor     ax, ax
        FAULTS  13, 0, lldt ax
        FAULTS  13, 0, ltr ax
        PASSES  str ax
        LAR_NOT DATA0
        VERIFY  verr, CODE_CONFORMING, 1
        LEAVE3
        FINISH

        LEAVE3_HANDLER
        STUBS   32

align 8
ldt:    DESCRIPTOR 0x3000, 0xff, 0x92, 0x4

        GDT_START
        SELECTOR CODE_ONLY
        DESCRIPTOR 0, 0xfffff, 0x98, 0xc
        SELECTOR CODE_CONFORMING
        DESCRIPTOR 0, 0xfffff, 0x9e, 0xc
        SELECTOR READ_ONLY
        DESCRIPTOR 0, 0xfffff, 0x90, 0xc
        SELECTOR ABSENT
        DESCRIPTOR 0, 0xff, 0x12, 0x4
        SELECTOR FRESH
        DESCRIPTOR 0x3000, 0xff, 0x92, 0x4
        SELECTOR DOWN16
        DESCRIPTOR 0, 0xfff, 0x96, 0x0
        SELECTOR DOWN32
        DESCRIPTOR 0, 0xfff, 0x96, 0x4
        SELECTOR STACK16
        DESCRIPTOR 0x3000, 0xfff, 0x92, 0x0
        SELECTOR LDT
        DESCRIPTOR ADDR(ldt), 7, 0x82, 0
        SELECTOR LDT_ABSENT
        DESCRIPTOR ADDR(ldt), 7, 0x02, 0
        SELECTOR GATE0
        CALL_GATE CODE0, start, 0, 0x8c
        SELECTOR INT_GATE
        CALL_GATE CODE0, start, 0, 0x8e
        GDT_END
