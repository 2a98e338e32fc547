; Segment limits at their edges: code, stacks of both sizes, expand-down, 16-bit wrap (SDM 3A §5.3; SDM 2A, CALL, JMP; SDM 2B, PUSH, POP, RET).
%include "protected.mac"

; The instruction of level 3 raises the exception while SS:ESP is %3:%4, and ESP stays.
%macro STACK_FAULTS 5+.nolist       ; vector, code, selector, ESP, instruction
        mov     dword [GOT_VECTOR], NOTHING
        mov     dword [RESUME], %%after
        mov     bx, (%3) | 3
        mov     ss, bx
        mov     esp, %4
%%at:   %5
%%after:
        mov     bx, DATA3
        mov     ss, bx
        mov     esp, STACK3
        CHECK   [GOT_VECTOR], %1
        CHECK   [GOT_CODE], %2
        CHECK   [GOT_IP], %%at
        CHECK   [GOT_SP], %4
%endmacro
; It raises nothing, and leaves ESP = %3.
%macro STACK_PASSES 4+.nolist       ; selector, ESP, ESP afterwards, instruction
        mov     dword [GOT_VECTOR], NOTHING
        mov     dword [RESUME], %%after
        mov     bx, (%1) | 3
        mov     ss, bx
        mov     esp, %2
        %4
%%after:
        mov     ecx, esp
        mov     bx, DATA3
        mov     ss, bx
        mov     esp, STACK3
        CHECK   [GOT_VECTOR], NOTHING
        CHECK   ecx, %3
%endmacro

; CODE_SMALL is 100h bytes at CODE_BYTES. Runs it from offset %1; the exception's EIP is %2.
CODE_BYTES equ 0x3000
%macro SMALL_CODE_FAULTS 2
        mov     dword [GOT_VECTOR], NOTHING
        mov     byte [CODE_BYTES], 0xea                 ; jmp CODE0:%%after
        mov     dword [CODE_BYTES + 1], %%after
        mov     word [CODE_BYTES + 5], CODE0
        mov     dword [RESUME], 0
        jmp     CODE_SMALL:%1
%%after:
        CHECK   [GOT_VECTOR], 13
        CHECK   [GOT_CODE], 0
        CHECK   [GOT_CS], CODE_SMALL
        CHECK   [GOT_IP], %2
%endmacro

start:
        ENTER_PROTECTED
; Data: the last byte counts, not the first; limits in pages end at FFFh.
        mov     bx, SMALL
        mov     es, bx
        PASSES  mov al, [es:0xff]
        PASSES  mov ax, [es:0xfe]
        FAULTS  13, 0, {mov ax, [es:0xff]}
        FAULTS  13, 0, {mov eax, [es:0xfd]}
        FAULTS  13, 0, {fld tword [es:0xf8]}
        PASSES  fld tword [es:0xf6]
        fninit
        FAULTS  13, 0, {mov al, [es:0xffffffff]}
        FAULTS  13, 0, {mov eax, [es:0xfffffffe]}
        mov     edi, 0xf8
        mov     esi, 0x3000
        mov     ecx, 4
        cld
        FAULTS  13, 0, rep movsd                        ; two are done
        CHECK   ecx, 2
        CHECK   edi, 0x100
        mov     bx, PAGES
        mov     es, bx
        PASSES  mov al, [es:0x1fff]
        FAULTS  13, 0, {mov al, [es:0x2000]}
; Addresses of 16 bits wrap before the limit is looked at: BX + SI + displacement (SDM 1 §3.7.5).
        mov     bx, 0xff00
        mov     si, 0x3180
        mov     dword [0x3080], 0x600df00d
        mov     ecx, [bx + si]
        CHECK   ecx, 0x600df00d
        mov     bx, SIXTY_FOUR
        mov     es, bx
        mov     si, 0xfffe
        PASSES  mov ax, [es:si]
        FAULTS  13, 0, {mov eax, [es:si]}               ; an operand does not wrap
; Expand-down: offsets above the limit, up to FFFFh or FFFFFFFFh.
        mov     bx, DOWN16
        mov     es, bx
        FAULTS  13, 0, {mov eax, [es:0xffd]}
        PASSES  mov eax, [es:0x1000]
        PASSES  mov eax, [es:0xfffc]
        FAULTS  13, 0, {mov eax, [es:0xfffd]}
        mov     bx, DOWN32
        mov     es, bx
        FAULTS  13, 0, {mov al, [es:0xfff]}
        PASSES  mov al, [es:0x100000]

; Code: a branch beyond the limit faults as the branch, running into the limit as the instruction behind it.
        mov     word [CODE_BYTES + 0xfe], 0x9090        ; nop; nop
        SMALL_CODE_FAULTS 0xfe, 0x100
        mov     word [CODE_BYTES + 0xfe], 0x00b8        ; mov eax, imm32
        SMALL_CODE_FAULTS 0xfe, 0xfe
        mov     dword [CODE_BYTES + 0xf0], 0x90907eeb   ; jmp 170h
        SMALL_CODE_FAULTS 0xf0, 0xf0
        mov     dword [CODE_BYTES + 0xf0], 0x90900eeb   ; jmp 100h
        SMALL_CODE_FAULTS 0xf0, 0xf0
        mov     dword [CODE_BYTES + 0xf0], 0x00010be8   ; call 200h
        mov     byte [CODE_BYTES + 0xf4], 0
        SMALL_CODE_FAULTS 0xf0, 0xf0
        CHECK   esp, STACK0
        mov     byte [CODE_BYTES + 0xf0], 0xc3          ; ret
        push    dword 0x100
        SMALL_CODE_FAULTS 0xf0, 0xf0
        CHECK   esp, STACK0 - 4
        mov     dword [esp], CODE_BYTES
        mov     word [CODE_BYTES + 0xf0], 0xe0ff        ; jmp eax
        mov     eax, 0xffffffff
        SMALL_CODE_FAULTS 0xf0, 0xf0
        mov     esp, STACK0
        FAULTS  13, 0, jmp CODE_SMALL:0x100             ; a far jump faults in the old segment (SDM 2A, JMP)
        FAULTS  13, 0, call CODE_SMALL:0x100
        CHECK   esp, STACK0

; Stacks: a 16-bit stack of 64 KiB wraps from 0 to FFFEh; instructions of 32 bits push by SP, too.
        ENTER3  IOPL3
        STACK_PASSES STACK16, 0, 0xfffe, push ax
        STACK_PASSES STACK16, 0x12340000, 0x1234fffc, push eax
        STACK_PASSES STACK16, 0xfffe, 0, pop ax
        STACK_FAULTS 12, 0, STACK16, 1, push ax         ; FFFFh and beyond
        STACK_FAULTS 12, 0, STACK16, 0xffff, pop ax
        STACK_FAULTS 12, 0, STACK16, 0xfffd, pop eax
; With a limit of FFh.
        STACK_PASSES STACK_SMALL, 0x100, 0xfc, push eax
        STACK_FAULTS 12, 0, STACK_SMALL, 0x102, push eax
        STACK_FAULTS 12, 0, STACK_SMALL, 0, push eax    ; FFFFFFFCh
        STACK_FAULTS 12, 0, STACK_SMALL, 0xfe, pop eax
        STACK_FAULTS 12, 0, STACK_SMALL, 0, pushad
        STACK_FAULTS 12, 0, STACK_SMALL, 0xf0, popad
        STACK_FAULTS 12, 0, STACK_SMALL, 0x104, call start
        STACK_FAULTS 12, 0, STACK_SMALL, 0x100, ret
        STACK_FAULTS 12, 0, STACK_SMALL, 0xfd, iretd
        STACK_FAULTS 12, 0, STACK_SMALL, 0x200, {enter 8, 0}
        mov     ebp, 0x100
        STACK_FAULTS 12, 0, STACK_SMALL, 0x80, leave
        STACK_FAULTS 12, 0, STACK_SMALL, 0x80, {mov eax, [ebp]}
        STACK_FAULTS 12, 0, STACK_SMALL, 0x80, {mov eax, [ebp - 2]}
        STACK_PASSES STACK_SMALL, 0x80, 0x80, {mov eax, [ebp - 4]}
        mov     cx, SMALL | 3
        mov     es, cx
        STACK_FAULTS 13, 0, STACK_SMALL, 0x80, {mov al, [es:ebp]}
; An expand-down stack: from above the limit.
        STACK_PASSES STACK_DOWN, 0x1004, 0x1000, push eax
        STACK_FAULTS 12, 0, STACK_DOWN, 0x1002, push eax
        STACK_FAULTS 12, 0, STACK_DOWN, 0x1000, push ax
        LEAVE3
        FINISH

        LEAVE3_HANDLER
        STUBS   32
        GDT_START
        SELECTOR SMALL
        DESCRIPTOR CODE_BYTES, 0xff, 0xf2, 4
        SELECTOR PAGES
        DESCRIPTOR 0, 1, 0x92, 0xc
        SELECTOR SIXTY_FOUR
        DESCRIPTOR 0, 0xffff, 0x92, 4
        SELECTOR DOWN16
        DESCRIPTOR 0, 0xfff, 0x96, 0
        SELECTOR DOWN32
        DESCRIPTOR 0, 0xfff, 0x96, 4
        SELECTOR CODE_SMALL
        DESCRIPTOR CODE_BYTES, 0xff, 0x9a, 4
        SELECTOR STACK16
        DESCRIPTOR 0x20000, 0xffff, 0xf2, 0
        SELECTOR STACK_SMALL
        DESCRIPTOR CODE_BYTES, 0xff, 0xf2, 4
        SELECTOR STACK_DOWN
        DESCRIPTOR 0x20000, 0xfff, 0xf6, 4
        GDT_END
