// Idioms of compiled code, and the ways into and out of a kernel. @table
import type { Idiom } from "./idiom-text.ts";

/** What stands in test/golden/idioms. */
export const IDIOMS: readonly Idiom[] = [
  {
    name: "counted-loop",
    title: "A loop that counts down",
    width: 64,
    code: `
       0  31 c0                        xor eax, eax
       2  b9 64 00 00 00               mov ecx, 0x64
       7  01 c8                        add eax, ecx
       9  ff c9                        dec ecx
       b  75 fa                        jne 0x7
       d  c3                           ret
    `,
  },
  {
    name: "memcpy-bytes",
    title: "A copy, byte by byte",
    width: 64,
    code: `
       0  31 c9                        xor ecx, ecx
       2  0f b6 04 0e                  movzx eax, byte ptr [rsi + rcx]
       6  88 04 0f                     mov byte ptr [rdi + rcx], al
       9  48 ff c1                     inc rcx
       c  48 39 d1                     cmp rcx, rdx
       f  75 f1                        jne 0x2
      11  c3                           ret
    `,
  },
  {
    name: "memcpy-words",
    title: "A copy, two quadwords at a time through pointers",
    width: 64,
    code: `
       0  48 8b 06                     mov rax, qword ptr [rsi]
       3  4c 8b 46 08                  mov r8, qword ptr [rsi + 0x8]
       7  48 89 07                     mov qword ptr [rdi], rax
       a  4c 89 47 08                  mov qword ptr [rdi + 0x8], r8
       e  48 83 c6 10                  add rsi, 0x10
      12  48 83 c7 10                  add rdi, 0x10
      16  48 83 ea 10                  sub rdx, 0x10
      1a  75 e4                        jne 0x0
      1c  c3                           ret
    `,
  },
  {
    name: "rep-movsb",
    title: "A copy by a repeated string instruction",
    width: 64,
    code: `
       0  48 89 f8                     mov rax, rdi
       3  48 89 d1                     mov rcx, rdx
       6  f3 a4                        rep movs
       8  c3                           ret
    `,
  },
  {
    name: "rep-stosq",
    title: "A page cleared by a repeated string instruction",
    width: 64,
    code: `
       0  b9 00 02 00 00               mov ecx, 0x200
       5  31 c0                        xor eax, eax
       7  f3 48 ab                     rep stos
       a  c3                           ret
    `,
  },
  {
    name: "strlen",
    title: "The length of a string",
    width: 64,
    code: `
       0  31 c0                        xor eax, eax
       2  80 3c 07 00                  cmp byte ptr [rdi + rax], 0x0
       6  74 05                        je 0xd
       8  48 ff c0                     inc rax
       b  eb f5                        jmp 0x2
       d  c3                           ret
    `,
  },
  {
    name: "call-return",
    title: "A function called in a loop",
    width: 64,
    code: `
       0  48 89 df                     mov rdi, rbx
       3  e8 08 00 00 00               call 0x10
       8  49 01 c4                     add r12, rax
       b  ff cb                        dec ebx
       d  75 f1                        jne 0x0
       f  c3                           ret
      10  48 8d 04 7f                  lea rax, [rdi + rdi*2]
      14  48 83 f0 55                  xor rax, 0x55
      18  c3                           ret
    `,
  },
  {
    name: "virtual-call",
    title: "A call through a table of functions, in a loop, the place that it returns to being an entry",
    width: 64,
    code: `
       0  48 8b 3b                     mov rdi, qword ptr [rbx]
       3  48 8b 07                     mov rax, qword ptr [rdi]
       6  ff 50 18                     call qword ptr [rax + 0x18]
    >  9  48 83 c3 08                  add rbx, 0x8
       d  48 39 eb                     cmp rbx, rbp
      10  75 ee                        jne 0x0
      12  c3                           ret
    `,
  },
  {
    name: "switch-table",
    title: "A switch through a table of distances, its cases being entries",
    width: 64,
    code: `
       0  0f b6 06                     movzx eax, byte ptr [rsi]
       3  48 ff c6                     inc rsi
       6  83 f8 03                     cmp eax, 0x3
       9  77 1d                        ja 0x28
       b  48 8d 15 00 02 00 00         lea rdx, [rip + 0x200] # 0x212
      12  48 63 04 82                  movsxd rax, dword ptr [rdx + rax*4]
      16  48 01 d0                     add rax, rdx
      19  ff e0                        jmp rax
    > 1b  83 c1 01                     add ecx, 0x1
      1e  eb e0                        jmp 0x0
    > 20  d1 e1                        shl ecx, 1
      22  eb dc                        jmp 0x0
    > 24  f7 d9                        neg ecx
      26  eb d8                        jmp 0x0
      28  c3                           ret
    `,
  },
  {
    name: "syscall-user",
    title: "A system call in a loop, on the side of the program",
    width: 64,
    code: `
       0  b8 27 00 00 00               mov eax, 0x27
       5  0f 05                        syscall
       7  ff cb                        dec ebx
       9  75 f5                        jne 0x0
       b  c3                           ret
    `,
  },
  {
    name: "syscall-entry",
    title: "Where the kernel is entered by SYSCALL",
    width: 64,
    code: `
       0  0f 01 f8                     swapgs
       3  65 48 89 24 25 14 60 00 00   mov qword ptr gs:[0x6014], rsp
       c  65 48 8b 24 25 f8 c5 01 00   mov rsp, qword ptr gs:[0x1c5f8]
      15  6a 2b                        push 0x2b
      17  65 ff 34 25 14 60 00 00      push qword ptr gs:[0x6014]
      1f  41 53                        push r11
      21  6a 33                        push 0x33
      23  51                           push rcx
      24  50                           push rax
      25  57                           push rdi
      26  56                           push rsi
      27  52                           push rdx
      28  51                           push rcx
      29  6a da                        push 0xda
      2b  41 50                        push r8
      2d  41 51                        push r9
      2f  41 52                        push r10
      31  41 53                        push r11
      33  53                           push rbx
      34  55                           push rbp
      35  41 54                        push r12
      37  41 55                        push r13
      39  41 56                        push r14
      3b  41 57                        push r15
      3d  31 f6                        xor esi, esi
      3f  31 d2                        xor edx, edx
      41  31 c9                        xor ecx, ecx
      43  45 31 c0                     xor r8d, r8d
      46  45 31 c9                     xor r9d, r9d
      49  45 31 d2                     xor r10d, r10d
      4c  45 31 db                     xor r11d, r11d
      4f  31 db                        xor ebx, ebx
      51  31 ed                        xor ebp, ebp
      53  48 89 e7                     mov rdi, rsp
      56  48 63 f0                     movsxd rsi, eax
      59  e8 fb 07 00 00               call 0x859
    `,
  },
  {
    name: "syscall-exit",
    title: "Where the kernel is left by SYSRET",
    width: 64,
    code: `
       0  41 5f                        pop r15
       2  41 5e                        pop r14
       4  41 5d                        pop r13
       6  41 5c                        pop r12
       8  5d                           pop rbp
       9  5b                           pop rbx
       a  5e                           pop rsi
       b  41 5a                        pop r10
       d  41 59                        pop r9
       f  41 58                        pop r8
      11  58                           pop rax
      12  5e                           pop rsi
      13  5a                           pop rdx
      14  5e                           pop rsi
      15  48 89 e7                     mov rdi, rsp
      18  65 48 8b 24 25 04 60 00 00   mov rsp, qword ptr gs:[0x6004]
      21  ff 77 28                     push qword ptr [rdi + 0x28]
      24  ff 37                        push qword ptr [rdi]
      26  5f                           pop rdi
      27  5c                           pop rsp
      28  0f 01 f8                     swapgs
      2b  48 0f 07                     sysret
    `,
  },
  {
    name: "fib",
    title: "Recursion: Fibonacci numbers",
    width: 64,
    code: `
       0  53                           push rbx
       1  89 fb                        mov ebx, edi
       3  83 ff 01                     cmp edi, 0x1
       6  76 18                        jbe 0x20
       8  55                           push rbp
       9  8d 7b ff                     lea edi, [rbx - 0x1]
       c  e8 ef ff ff ff               call 0x0
      11  89 c5                        mov ebp, eax
      13  8d 7b fe                     lea edi, [rbx - 0x2]
      16  e8 e5 ff ff ff               call 0x0
      1b  01 e8                        add eax, ebp
      1d  5d                           pop rbp
      1e  5b                           pop rbx
      1f  c3                           ret
      20  89 f8                        mov eax, edi
      22  5b                           pop rbx
      23  c3                           ret
    `,
  },
  {
    name: "saxpy",
    title: "A vector added to another after a multiplication, in scalar doubles",
    width: 64,
    code: `
       0  31 c9                        xor ecx, ecx
       2  f2 0f 10 0c ce               movsd xmm1, qword ptr [rsi + rcx*8]
       7  f2 0f 59 c8                  mulsd xmm1, xmm0
       b  f2 0f 58 0c cf               addsd xmm1, qword ptr [rdi + rcx*8]
      10  f2 0f 11 0c cf               movsd qword ptr [rdi + rcx*8], xmm1
      15  48 ff c1                     inc rcx
      18  48 39 d1                     cmp rcx, rdx
      1b  75 e5                        jne 0x2
      1d  c3                           ret
    `,
  },
  {
    name: "newton",
    title: "A square root in scalar doubles, with a comparison",
    width: 64,
    code: `
       0  66 0f 28 d0                  movapd xmm2, xmm0
       4  f2 0f 5e d1                  divsd xmm2, xmm1
       8  f2 0f 58 d1                  addsd xmm2, xmm1
       c  f2 0f 59 d3                  mulsd xmm2, xmm3
      10  66 0f 28 e2                  movapd xmm4, xmm2
      14  f2 0f 5c e1                  subsd xmm4, xmm1
      18  66 0f 54 e5                  andpd xmm4, xmm5
      1c  66 0f 28 ca                  movapd xmm1, xmm2
      20  66 0f 2e e6                  ucomisd xmm4, xmm6
      24  77 da                        ja 0x0
      26  f2 48 0f 2c c1               cvttsd2si rax, xmm1
      2b  c3                           ret
    `,
  },
  {
    name: "packed-integers",
    title: "An array added to another, four numbers at a time",
    width: 64,
    code: `
       0  31 c0                        xor eax, eax
       2  f3 0f 6f 0c 06               movdqu xmm1, xmmword ptr [rsi + rax]
       7  f3 0f 6f 14 07               movdqu xmm2, xmmword ptr [rdi + rax]
       c  66 0f fe ca                  paddd xmm1, xmm2
      10  66 0f ef d9                  pxor xmm3, xmm1
      14  f3 0f 7f 0c 07               movdqu xmmword ptr [rdi + rax], xmm1
      19  48 83 c0 10                  add rax, 0x10
      1d  48 39 d0                     cmp rax, rdx
      20  72 e0                        jb 0x2
      22  c3                           ret
    `,
  },
  {
    name: "x87-dot",
    title: "A dot product on the x87 stack",
    width: 64,
    code: `
       0  d9 ee                        fldz
       2  31 c9                        xor ecx, ecx
       4  dd 04 ce                     fld qword ptr [rsi + rcx*8]
       7  dc 0c cf                     fmul qword ptr [rdi + rcx*8]
       a  de c1                        faddp st(1), st
       c  48 ff c1                     inc rcx
       f  48 39 d1                     cmp rcx, rdx
      12  75 f0                        jne 0x4
      14  c3                           ret
    `,
  },
  {
    name: "prologue",
    title: "A function's frame: registers pushed and popped, locals on the stack",
    width: 64,
    code: `
       0  55                           push rbp
       1  48 89 e5                     mov rbp, rsp
       4  41 54                        push r12
       6  53                           push rbx
       7  48 83 ec 20                  sub rsp, 0x20
       b  48 89 7d e8                  mov qword ptr [rbp - 0x18], rdi
       f  48 89 75 e0                  mov qword ptr [rbp - 0x20], rsi
      13  48 8b 45 e8                  mov rax, qword ptr [rbp - 0x18]
      17  48 03 45 e0                  add rax, qword ptr [rbp - 0x20]
      1b  48 83 c4 20                  add rsp, 0x20
      1f  5b                           pop rbx
      20  41 5c                        pop r12
      22  5d                           pop rbp
      23  c3                           ret
    `,
  },
  {
    name: "spin-lock",
    title: "A lock taken by CMPXCHG, and given back",
    width: 64,
    code: `
       0  ba 01 00 00 00               mov edx, 0x1
       5  31 c0                        xor eax, eax
       7  f0 0f b1 17                  lock cmpxchg dword ptr [rdi], edx
       b  74 04                        je 0x11
       d  f3 90                        pause
       f  eb f4                        jmp 0x5
      11  ff 06                        inc dword ptr [rsi]
      13  c7 07 00 00 00 00            mov dword ptr [rdi], 0x0
      19  c3                           ret
    `,
  },
  {
    name: "memory-loop",
    title: "A counter in memory",
    width: 64,
    code: `
       0  48 83 07 01                  add qword ptr [rdi], 0x1
       4  48 ff c9                     dec rcx
       7  75 f7                        jne 0x0
       9  c3                           ret
    `,
  },
  {
    name: "list-walk",
    title: "A list followed to its end",
    width: 64,
    code: `
       0  31 c0                        xor eax, eax
       2  ff c0                        inc eax
       4  48 8b 3f                     mov rdi, qword ptr [rdi]
       7  48 85 ff                     test rdi, rdi
       a  75 f6                        jne 0x2
       c  c3                           ret
    `,
  },
  {
    name: "hash-loop",
    title: "A multiplicative hash of a string",
    width: 64,
    code: `
       0  b8 c5 9d 1c 81               mov eax, 0x811c9dc5
       5  0f b6 17                     movzx edx, byte ptr [rdi]
       8  31 d0                        xor eax, edx
       a  69 c0 93 01 00 01            imul eax, eax, 0x1000193
      10  c1 c0 05                     rol eax, 0x5
      13  48 ff c7                     inc rdi
      16  48 ff ce                     dec rsi
      19  75 ea                        jne 0x5
      1b  c3                           ret
    `,
  },
  {
    name: "wide-add",
    title: "A long addition with carry, which lives through the loop",
    width: 64,
    code: `
       0  31 c9                        xor ecx, ecx
       2  48 8b 04 ce                  mov rax, qword ptr [rsi + rcx*8]
       6  48 13 04 cf                  adc rax, qword ptr [rdi + rcx*8]
       a  48 89 04 cf                  mov qword ptr [rdi + rcx*8], rax
       e  48 8d 49 01                  lea rcx, [rcx + 0x1]
      12  48 ff ca                     dec rdx
      15  75 eb                        jne 0x2
      17  0f 92 c0                     setb al
      1a  c3                           ret
    `,
  },
  {
    name: "earlier-flags",
    title: "Flags that were set before the region",
    width: 64,
    code: `
       0  72 06                        jb 0x8
       2  0f 9c c0                     setl al
       5  0f 46 d1                     cmovbe edx, ecx
       8  c3                           ret
    `,
  },
  {
    name: "middle-of-loop",
    title: "A loop that is also entered in the middle",
    width: 64,
    code: `
       0  48 85 ff                     test rdi, rdi
       3  74 03                        je 0x8
       5  48 ff cf                     dec rdi
    >  8  ff c0                        inc eax
       a  39 f8                        cmp eax, edi
       c  75 f5                        jne 0x3
       e  c3                           ret
    `,
  },
  {
    name: "across-pages",
    title: "A function in another page",
    width: 64,
    code: `
       0  48 89 df                     mov rdi, rbx
       3  e8 f8 0f 00 00               call 0x1000
       8  ff cb                        dec ebx
       a  75 f4                        jne 0x0
       c  c3                           ret
      1000  48 8d 47 01                  lea rax, [rdi + 0x1]
      1004  c3                           ret
    `,
  },
  {
    name: "loop-32",
    title: "An array summed up by 32-bit code",
    width: 32,
    code: `
       0  55                           push ebp
       1  89 e5                        mov ebp, esp
       3  8b 4d 08                     mov ecx, dword ptr [ebp + 0x8]
       6  8b 55 0c                     mov edx, dword ptr [ebp + 0xc]
       9  31 c0                        xor eax, eax
       b  03 44 8a fc                  add eax, dword ptr [edx + ecx*4 - 0x4]
       f  49                           dec ecx
      10  75 f9                        jne 0xb
      12  5d                           pop ebp
      13  c3                           ret
    `,
  },
  {
    name: "call-32",
    title: "A function of 32-bit code, called in a loop",
    width: 32,
    code: `
       0  53                           push ebx
       1  e8 07 00 00 00               call 0xd
       6  83 c4 04                     add esp, 0x4
       9  4b                           dec ebx
       a  75 f4                        jne 0x0
       c  c3                           ret
       d  8b 44 24 04                  mov eax, dword ptr [esp + 0x4]
      11  0f af c0                     imul eax, eax
      14  c3                           ret
    `,
  },
];
