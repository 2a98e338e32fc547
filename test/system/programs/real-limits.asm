; Offsets of 64 KiB and no more in real-address mode, and what does not exist there (SDM 3A §20.1, table 20-2; exceptions as listed
; under "Real-Address Mode Exceptions" in SDM 2).
%include "prelude.mac"
bits 16

; The instruction raises `vector`, whose frame has its address and no error code.
%macro RAISES 2+.nolist
        mov     dword [GOT_VECTOR], NOTHING
        mov     word [RESUME], %%after
%%at:   %2
%%after:
        CHECK   [GOT_VECTOR], %1
        movzx   ecx, word [GOT_IP]
        CHECK   ecx, %%at
%endmacro
%macro PASSES16 1+.nolist
        mov     dword [GOT_VECTOR], NOTHING
        mov     word [RESUME], %%after
        %1
%%after:
        CHECK   [GOT_VECTOR], NOTHING
%endmacro
%macro VECTOR 2
        mov     word [%1 * 4], %2
        mov     word [%1 * 4 + 2], 0
%endmacro

start:
        mov     sp, 0x7c00
        mov     ax, 0x1000
        mov     es, ax                          ; 10000h…1FFFFh
        VECTOR  6, handler6
        VECTOR  12, handler12
        VECTOR  13, handler13

; Operands that reach beyond FFFFh.
        mov     bx, 0xffff
        PASSES16 mov al, [es:bx]
        RAISES  13, {mov ax, [es:bx]}
        RAISES  13, {mov [es:bx], ax}
        RAISES  13, {mov eax, [es:bx - 2]}
        PASSES16 mov eax, [es:bx - 3]
        PASSES16 mov ax, [es:bx + 1]            ; offset 0: addresses of 16 bits wrap
        mov     ebx, 0x10000
        RAISES  13, {mov al, [es:ebx]}
        RAISES  13, {mov al, [es:ebx - 0x10001]}
        PASSES16 mov al, [es:ebx - 1]
        mov     bp, 0xffff
        RAISES  12, {mov ax, [bp]}
        RAISES  13, {mov ax, [es:bp]}
; Strings: registers wrap between elements, elements do not.
        cld
        mov     di, 0xffff
        mov     si, 0x3000
        mov     cx, 2
        PASSES16 rep movsb
        movzx   ecx, di
        CHECK   ecx, 1
        mov     di, 0xfffd
        mov     cx, 2
        RAISES  13, {rep stosw}                 ; FFFDh went, FFFFh does not
        movzx   edx, di
        CHECK   edx, 0xffff
; The stack: SP wraps from 0 to FFFEh.
        mov     bp, sp
        mov     ax, 0x2000
        mov     ss, ax
        xor     sp, sp
        push    word 0x1234
        movzx   edx, sp
        pop     cx
        movzx   ebx, sp
        xor     ax, ax
        mov     ss, ax
        mov     sp, bp
        movzx   ecx, cx
        CHECK   ecx, 0x1234
        CHECK   edx, 0xfffe
        CHECK   ebx, 0
; POP from FFFFh: the frame's own pushes, at odd offsets, fit.
        mov     ax, 0x2000
        mov     ss, ax
        mov     sp, 0xffff
        mov     dword [GOT_VECTOR], NOTHING
        mov     word [RESUME], .popped
.pop:   pop     ax
.popped:
        xor     ax, ax
        mov     ss, ax
        mov     sp, bp
        CHECK   [GOT_VECTOR], 12
        movzx   ecx, word [GOT_IP]
        CHECK   ecx, .pop
; Code: running beyond FFFFh, and branches of 32 bits to there.
        mov     byte [es:0xffff], 0x90
        mov     dword [GOT_VECTOR], NOTHING
        mov     word [RESUME], .ran
        jmp     0x1000:0xffff
.ran:   CHECK   [GOT_VECTOR], 13
        movzx   ecx, word [GOT_CS]
        CHECK   ecx, 0x1000
        mov     eax, 0x10000
        RAISES  13, {jmp eax}
        RAISES  13, {call eax}
        RAISES  13, {jmp dword 0:0x10000}
        movzx   ecx, sp
        CHECK   ecx, 0x7c00

; Instructions of protected mode (SDM 2: "not recognized in real-address mode").
        RAISES  6, {lldt ax}
        RAISES  6, {ltr ax}
        RAISES  6, {sldt ax}
        RAISES  6, {str ax}
        RAISES  6, {lar ax, cx}
        RAISES  6, {lsl ax, cx}
        RAISES  6, {verr ax}
        RAISES  6, {verw ax}
        RAISES  6, {arpl ax, cx}
; Everything is level 0: privileged instructions pass.
        PASSES16 smsw ax
        PASSES16 clts
        PASSES16 {mov eax, cr0}
        PASSES16 {lgdt [gdt_pointer]}
; LOCK, invalid opcodes, too long an instruction.
        RAISES  6, {ud2}
        RAISES  6, {db 0xf0, 0x89, 0xc8}                ; lock mov ax, cx
        RAISES  6, {db 0x8e, 0xc9}                      ; mov cs, cx
        RAISES  13, {db 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x90}
        PASSES16 {db 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x26, 0x90}
        RAISES  13, sysenter                            ; SDM 2B: #GP in real-address mode
        FINISH

%macro HANDLER 1
handler%1:
        mov     dword [cs:GOT_VECTOR], %1
        push    bp
        push    ax
        mov     bp, sp
        mov     ax, [bp + 4]
        mov     [cs:GOT_IP], ax
        mov     ax, [bp + 6]
        mov     [cs:GOT_CS], ax
        mov     ax, [cs:RESUME]
        mov     [bp + 4], ax
        mov     word [bp + 6], 0
        pop     ax
        pop     bp
        iret
%endmacro
        HANDLER 6
        HANDLER 12
        HANDLER 13

gdt_pointer:
        dw 0
        dd 0
