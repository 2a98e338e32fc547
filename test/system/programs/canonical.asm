; Canonical addresses, bits 63–47 all equal, on every way to memory: #SS(0) through the stack segment, #GP(0) otherwise
; (SDM 1 §3.3.7.1; SDM 3A §6.15, interrupts 12 and 13). Where an access has a page fault as well, either may come first (§6.9).
%include "long.mac"

HOLE    equ 0x800000000000          ; the first address that is not canonical
UPPER   equ 0xffff800000000000      ; the first that is again
TOP     equ HOLE - 0x1000           ; the last page before the hole, which shows FRAME(511)
TOP_ALIAS equ ALIAS(511)

; The instruction raises #PF with the code at an address of 64 bits.
%macro FAR_PAGE_FAULTS 4+.nolist    ; code, upper half, lower half, instruction
        FAULTS  14, %1, %4
        CHECK   [GOT_CR2], %3
        CHECK   [GOT_CR2 + 4], %2
%endmacro

; The instruction raises the exception while RSP is %3; RSP stays.
%macro STACK_FAULTS 4+.nolist       ; vector, code, RSP, instruction
        mov     rsp, %3
        mov     dword [GOT_VECTOR], NOTHING
        mov     dword [RESUME], %%after
%%at:   %4
%%after:
        mov     [saved_sp], rsp
        mov     rsp, STACK0
        CHECK   [GOT_VECTOR], %1
        CHECK   [GOT_CODE], %2
        CHECK   [GOT_IP], %%at
        mov     rcx, %3
        xor     rcx, [saved_sp]
        setnz   cl
        movzx   ecx, cl
        CHECK   ecx, 0
%endmacro

; Goes to TOP + %1, where an exception with RIP = TOP + %2 comes.
%macro RUNS_INTO 2
        mov     dword [GOT_VECTOR], NOTHING
        mov     dword [RESUME], %%after
        mov     rax, TOP + %1
        jmp     rax
%%after:
        CHECK   [GOT_VECTOR], 13
        CHECK   [GOT_CODE], 0
        mov     rax, TOP + %2
        cmp     rax, [GOT_IP]
        setne   cl
        movzx   ecx, cl
        CHECK   ecx, 0
%endmacro

start:
        ENTER_LONG
        GATE64  12, stubs + 12 * STUB_SIZE, CODE64, 0x8e, 1     ; on a good stack
        GATE64  13, stubs + 13 * STUB_SIZE, CODE64, 0x8e, 1
        GATE64  14, stubs + 14 * STUB_SIZE, CODE64, 0x8e, 1
        mov     dword [PML4 + 255 * 8], PDPT | P | W | U
        mov     dword [PDPT + 511 * 8], PD | P | W | U
        mov     dword [PD + 511 * 8], WINDOW_PT | P | W | U
        MAP     511, FRAME(511) | P | W | U

; Data: the edges of the hole, and accesses that begin in the last page before it.
        mov     rbx, HOLE
        FAULTS  13, 0, {mov al, [rbx]}
        FAULTS  13, 0, {mov [rbx], al}
        FAULTS  13, 0, {lock inc dword [rbx]}
        FAULTS  13, 0, {push qword [rbx]}
        FAULTS  13, 0, {pop qword [rbx]}
        FAULTS  13, 0, {bts dword [rbx], 3}
        FAULTS  13, 0, {cmpxchg16b [rbx]}
        FAULTS  13, 0, {clflush [rbx]}
        FAULTS  13, 0, {sgdt [rbx]}
        FAULTS  13, 0, {mov rax, [qword HOLE]}
        xor     eax, eax
        FAULTS  13, 0, {xlatb}
        PASSES  prefetcht0 [rbx]
        PASSES  lea rax, [rbx]
        PASSES  mov al, [rbx - 1]
        FAULTS  13, 0, {mov ax, [rbx - 1]}
        FAULTS  13, 0, {mov [rbx - 3], eax}
        FAULTS  13, 0, {mov [rbx - 7], rax}
        mov     rbx, UPPER
        FAR_PAGE_FAULTS 0, 0xffff8000, 0, {mov al, [rbx]}
        FAULTS  13, 0, {mov al, [rbx - 1]}
; The base of FS and GS counts.
        WRITE_MSR 0xc0000100, 0x7fff, 0xfffff000
        FAULTS  13, 0, {mov al, [fs:0x1000]}
        PASSES  mov al, [fs:0xfff]
        xor     ebp, ebp
        FAULTS  13, 0, {mov al, [fs:rbp + 0x1000]}              ; FS is not the stack segment
; Addresses of 32 bits are zero-extended and always canonical.
        mov     rbx, UPPER | 0x8000
        PASSES  mov al, [ebx]

; Strings: either operand.
        mov     rsi, HOLE
        mov     edi, 0x3000
        mov     ecx, 2
        FAULTS  13, 0, {movsb}
        FAULTS  13, 0, {rep lodsb}
        CHECK   ecx, 2
        mov     esi, 0x3000
        mov     rdi, HOLE
        FAULTS  13, 0, {movsb}
        FAULTS  13, 0, {rep stosd}
        FAULTS  13, 0, {repe cmpsb}
        CHECK   ecx, 2
        CHECK   esi, 0x3000
        xor     ecx, ecx
        PASSES  rep stosd                       ; nothing is accessed

; The stack: pushes, pops, calls, returns, frames; RBP and RSP as base registers.
        STACK_FAULTS 12, 0, HOLE + 8, push rax
        STACK_FAULTS 12, 0, HOLE + 8, push qword [0x3000]
        STACK_FAULTS 12, 0, HOLE + 8, pushfq
        STACK_FAULTS 12, 0, HOLE + 4, push rax
        STACK_FAULTS 12, 0, HOLE, pop rax
        STACK_FAULTS 12, 0, HOLE - 4, pop rax
        STACK_FAULTS 12, 0, HOLE, popfq
        STACK_FAULTS 12, 0, HOLE + 8, call start
        STACK_FAULTS 12, 0, HOLE, ret
        STACK_FAULTS 12, 0, HOLE, iretq
        STACK_FAULTS 12, 0, HOLE, retfq
        STACK_FAULTS 12, 0, HOLE + 8, enter 16, 0
        mov     rbp, HOLE
        mov     ebx, 8
        FAULTS  12, 0, leave
        FAULTS  12, 0, {mov al, [rbp]}
        FAULTS  12, 0, {mov [rbp + rbx], al}
        FAULTS  12, 0, {mov eax, [rbp - 2]}
        FAULTS  13, 0, {mov [rbx + rbp], al}            ; here RBP is the index
        mov     rsp, STACK0
        mov     rcx, HOLE - STACK0
        FAULTS  12, 0, {mov al, [rsp + rcx]}

; Branches: the branch itself faults, and has done nothing (SDM 2A, CALL, JMP; SDM 2B, RET).
        mov     rbx, HOLE
        FAULTS  13, 0, {jmp rbx}
        FAULTS  13, 0, {call rbx}
        CHECK   esp, STACK0
        mov     [saved_sp], rbx
        FAULTS  13, 0, {jmp [saved_sp]}
        FAULTS  13, 0, {call [saved_sp]}
        push    rbx
        FAULTS  13, 0, ret
        FAULTS  13, 0, ret 8
        CHECK   esp, STACK0 - 8
        mov     rsp, STACK0
        push    qword CODE64
        push    rbx
        FAULTS  13, 0, retfq
        CHECK   esp, STACK0 - 16
        mov     rsp, STACK0
        FAULTS  13, 0, {o64 jmp far [far_hole]}
        FAULTS  13, 0, {o64 call far [far_hole]}
; At the last page: relative branches over its end, instructions over it, execution into the hole.
        mov     dword [TOP_ALIAS + 0xffc], 0x9090fceb   ; jmp back 2: TOP + FFAh
        mov     dword [TOP_ALIAS + 0xff8], 0x020aeb90   ; at FF9h: jmp forward 10
        RUNS_INTO 0xff9, 0xff9
        mov     dword [TOP_ALIAS + 0xff8], 0x0000e990   ; at FF9h: jmp rel32
        mov     dword [TOP_ALIAS + 0xffc], 0x90900010
        RUNS_INTO 0xff9, 0xff9
        mov     dword [TOP_ALIAS + 0xffc], 0x90909090
        RUNS_INTO 0xffc, 0x1000                         ; the fetch beyond
        mov     word [TOP_ALIAS + 0xffe], 0x00b8        ; mov eax, imm32
        RUNS_INTO 0xffe, 0xffe
        mov     word [TOP_ALIAS + 0xffe], 0x0874        ; je, not taken and taken
        xor     eax, eax
        inc     eax
        RUNS_INTO 0xffe, 0x1000
        xor     eax, eax
        RUNS_INTO 0xffe, 0xffe

; SYSRET and SYSEXIT check their targets at level 0 (SDM 2B).
        mov     ecx, EFER
        rdmsr
        or      eax, EFER_SCE
        wrmsr
        WRITE_MSR 0x174, 0, CODE64
        mov     rcx, HOLE
        mov     edx, 0x8000
        FAULTS  13, 0, {o64 sysret}
        FAULTS  13, 0, {o64 sysexit}
        mov     rdx, HOLE
        mov     ecx, 0x8000
        FAULTS  13, 0, {o64 sysexit}
        CHECK   [GOT_CS], CODE64

; Registers that hold addresses (SDM 2B, WRMSR; LGDT, LIDT; WRFSBASE).
%macro REFUSED_MSR 1.nolist
        mov     ecx, %1
        mov     edx, 0x8000
        xor     eax, eax
        FAULTS  13, 0, wrmsr
        mov     edx, 0xffff8000
        PASSES  wrmsr
        xor     edx, edx
        wrmsr
%endmacro
        REFUSED_MSR 0xc0000100                          ; FS.base
        REFUSED_MSR 0xc0000101                          ; GS.base
        REFUSED_MSR 0xc0000102                          ; KernelGSBase
        REFUSED_MSR 0xc0000082                          ; LSTAR
        REFUSED_MSR 0x175                               ; SYSENTER_ESP
        REFUSED_MSR 0x176                               ; SYSENTER_EIP
        FAULTS  13, 0, {lgdt [pointer_hole]}
        FAULTS  13, 0, {lidt [pointer_hole]}
        mov     rax, cr4
        or      eax, 0x10000                            ; FSGSBASE
        mov     cr4, rax
        FAULTS  13, 0, {wrfsbase rbx}
        FAULTS  13, 0, {wrgsbase rbx}
        rdfsbase rcx
        CHECK   ecx, 0
        out     PORT_FINISH, al
        jmp     $

        LEAVE3_HANDLER
        STUBS   64

align 8
saved_sp:       dq 0
far_hole:       dq HOLE
                dw CODE64
pointer_hole:   dw 0xfff
                dq HOLE

        GDT_START
        GDT_END
