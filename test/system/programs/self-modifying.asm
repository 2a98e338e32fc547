; Code that changes: by its own address at once, by an alias after a serializing instruction, across page borders (SDM 3A §8.1.3, §11.6).
%include "long.mac"

%macro SERIALIZE 0                  ; keeps ECX
        mov     [saved], ecx
        xor     eax, eax
        cpuid
        mov     ecx, [saved]
%endmacro

start:
        ENTER_LONG
        MAP     0, FRAME(0) | P | W | U
        MAP     1, FRAME(5) | P | W | U         ; the frames are no neighbours
        MAP     2, FRAME(5) | P | W | U         ; and frame 5 is in two places

; The very next instruction (§11.6: prefetched instructions are checked by their linear address).
        mov     dword [.next + 1], 0x22222222
.next:  mov     ecx, 0x11111111
        CHECK   ecx, 0x22222222
; One further on, in a straight line, and one behind, in a loop.
        mov     byte [.later], 0x90
        nop
        nop
.later: int3
        mov     edx, 3
        xor     ecx, ecx
.loop:  add     ecx, 1
        inc     byte [.loop + 2]
        dec     edx
        jnz     .loop
        CHECK   ecx, 1 + 2 + 3
; A changed opcode, a changed length.
        mov     dword [.longer], 0x90c1ff90     ; nop; inc ecx; nop
        xor     ecx, ecx
.longer:
        mov     cl, 5
        nop
        nop
        CHECK   ecx, 1
; A branch that gets another target.
        mov     ebx, 2
.again: mov     ecx, 1
.branch:
        jmp     short .first
.first: mov     ecx, 2
.second:
        mov     byte [.branch + 1], .second - .first
        dec     ebx
        jnz     .again
        CHECK   ecx, 1

; An instruction across a page border: changes of its first and of its last bytes.
BORDER  equ PAGE(1) - 3
        COPY    value, value_end, BORDER        ; B9 11 11 | 11 11 C3
        call    BORDER
        CHECK   ecx, 0x11111111
        mov     byte [PAGE(1) + 1], 0x77
        call    BORDER
        CHECK   ecx, 0x77111111
        mov     byte [PAGE(1) - 2], 0x66
        call    BORDER
        CHECK   ecx, 0x77111166
        mov     dword [PAGE(1) - 2], 0x44332211 ; one store into both pages
        call    BORDER
        CHECK   ecx, 0x44332211
; Through another page of the same frame (§8.1.3, §11.6: aliases need a serializing instruction).
        mov     byte [PAGE(2) + 1], 0x88
        SERIALIZE
        call    BORDER
        CHECK   ecx, 0x88332211
        mov     word [ALIAS(5)], 0x9999
        SERIALIZE
        call    BORDER
        CHECK   ecx, 0x99992211
        mov     byte [ALIAS(0) + 0xffe], 0xaa
        SERIALIZE
        call    BORDER
        CHECK   ecx, 0x999922aa
; The same frame executed at two addresses, changed at a third.
        COPY    value, value_end, ALIAS(5) + 0x100
        SERIALIZE
        call    PAGE(1) + 0x100
        CHECK   ecx, 0x11111111
        call    PAGE(2) + 0x100
        CHECK   ecx, 0x11111111
        mov     dword [ALIAS(5) + 0x101], 0x13572468
        SERIALIZE
        call    PAGE(1) + 0x100
        CHECK   ecx, 0x13572468
        call    PAGE(2) + 0x100
        CHECK   ecx, 0x13572468
; The second page gets another frame: what the instruction's last bytes are changes with the mapping.
        COPY    value + 3, value_end, ALIAS(6)
        mov     dword [ALIAS(6)], 0xc3c3abcd
        MAP     1, FRAME(6) | P | W | U
        call    BORDER
        CHECK   ecx, 0xabcd22aa
        MAP     1, FRAME(5) | P | W | U
        call    BORDER
        CHECK   ecx, 0x999922aa

; Every kind of store: string, push, exchange, read-modify-write, eight bytes, wider registers.
%macro CHANGED 1-*.nolist           ; the instructions store EAX's 5A5A5A5Ah at RDI, the immediate of the instruction that is called
        mov     dword [PAGE(0) + 0x201], 0x11111111
        call    PAGE(0) + 0x200
        CHECK   ecx, 0x11111111
        mov     edi, PAGE(0) + 0x201
        mov     eax, 0x5a5a5a5a
%rep %0
        %1
%rotate 1
%endrep
        call    PAGE(0) + 0x200
        CHECK   ecx, 0x5a5a5a5a
%endmacro
        COPY    value, value_end, PAGE(0) + 0x200
        CHANGED {stosd}
        CHANGED {mov ecx, 4}, {rep stosb}
        CHANGED {mov esi, pattern}, {movsd}
        CHANGED {xchg [rdi], eax}
        CHANGED {mov dword [rdi], 0}, {lock xadd [rdi], eax}
        CHANGED {mov esi, 0x4b4b4b4b}, {xor [rdi], esi}
        CHANGED {mov r8, rsp}, {lea rsp, [rdi + 8]}, {mov rax, 0x909090c35a5a5a5a}, {push rax}, {mov rsp, r8}
        CHANGED {mov rax, 0x909090c35a5a5a5a}, {mov [rdi], rax}
        CHANGED {mov edx, [rdi + 4]}, {mov ebx, eax}, {mov ecx, edx}, {mov eax, [rdi]}, {lock cmpxchg8b [rdi]}
        mov     rax, cr4
        or      eax, 0x200                      ; OSFXSR
        mov     cr4, rax
        CHANGED {movdqu xmm0, [wide_pattern]}, {movdqu [rdi - 1], xmm0}
        CHANGED {movd xmm0, eax}, {movd [rdi], xmm0}
        CHANGED {mov edx, eax}, {mov eax, [rdi]}, {lock cmpxchg [rdi], edx}
; A neighbour's data in the same line does not matter.
        mov     edx, 3
.data:  mov     [PAGE(0) + 0x210], edx
        call    PAGE(0) + 0x200
        dec     edx
        jnz     .data
        CHECK   ecx, 0x5a5a5a5a
        CHECK   [PAGE(0) + 0x210], 1

; Level 3 changes its code as well.
        ENTER3  IOPL3
        mov     dword [PAGE(0) + 0x201], 0x01234567
        call    PAGE(0) + 0x200
        CHECK   ecx, 0x01234567
        mov     byte [BORDER + 4], 0x31
        call    BORDER
        CHECK   ecx, 0x319922aa
        LEAVE3
; The processor writes too: the accessed and dirty flags of a page-table entry that is also an instruction's immediate (§4.8).
        MAP     256, FRAME(0) | P | W
        mov     word [ENTRY(256) - 2], 0xb948   ; mov rcx, …
        mov     byte [ENTRY(256) + 8], 0xc3     ; ret
        mov     eax, ENTRY(256) - 2
        call    rax
        CHECK   ecx, FRAME(0) | P | W
        mov     [PAGE(256) + 0x300], al
        SERIALIZE
        mov     eax, ENTRY(256) - 2
        call    rax
        CHECK   ecx, FRAME(0) | P | W | A | D
        out     PORT_FINISH, al
        jmp     $

value:  mov     ecx, 0x11111111
        ret
value_end:
pattern:        dd 0x5a5a5a5a
wide_pattern:   db 0xb9
                dd 0x5a5a5a5a
                db 0xc3
                times 10 db 0x90

        LEAVE3_HANDLER
        STUBS   64

align 4
saved:          dd 0

        GDT_START
        GDT_END
