/* The few Linux x86-64 interfaces the recorder needs, spelled out so that gcc alone can build it: no C library (its thread
 * pointer would be lost to cases that own FS), no kernel headers. */
#ifndef LINUX_H
#define LINUX_H
#include "abi.h"

enum {
  SYS_read = 0, SYS_write = 1, SYS_mmap = 9, SYS_munmap = 11, SYS_rt_sigaction = 13, SYS_rt_sigreturn = 15,
  SYS_setitimer = 38, SYS_exit = 60, SYS_ftruncate = 77, SYS_sigaltstack = 131, SYS_prctl = 157, SYS_exit_group = 231,
  SYS_memfd_create = 319,
};
enum { SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGFPE = 8, SIGSEGV = 11, SIGALRM = 14, SIGSYS = 31 };
enum { PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4, MAP_SHARED = 1, MAP_FIXED = 16, MAP_POPULATE = 0x8000 };
enum { SA_SIGINFO = 4, SA_RESTORER = 0x04000000, SA_ONSTACK = 0x08000000 };
enum { UC_FP_XSTATE = 1, UC_SIGCONTEXT_SS = 2, UC_STRICT_RESTORE_SS = 4 };
enum { ITIMER_REAL = 0 };
enum { PR_SET_SECCOMP = 22, PR_SET_NO_NEW_PRIVS = 38, SECCOMP_MODE_FILTER = 2 };
#define SECCOMP_RET_ALLOW 0x7fff0000u
#define SECCOMP_RET_TRAP 0x00030000u
#define AT_HWCAP2 26
#define HWCAP2_FSGSBASE 2

struct sigaction_raw {
  void (*handler)(int, void *, void *);
  u64 flags;
  void (*restorer)(void);
  u64 mask;
};

struct stack_raw {
  void *base;
  int flags;
  u64 size;
};

/* struct sigcontext: general registers in this fixed order. */
struct sigcontext_raw {
  u64 r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, flags;
  u16 cs, gs, fs, ss;
  u64 err, trapno, oldmask, cr2;
  u8 *fpstate;
  u64 reserved[8];
};

struct ucontext_raw {
  u64 flags;
  struct ucontext_raw *link;
  struct stack_raw stack;
  struct sigcontext_raw mc;
  u64 sigmask;
};

struct filter_raw {
  u16 code;
  u8 jump_true, jump_false;
  u32 k;
};

struct filter_program_raw {
  u16 length;
  struct filter_raw *filter;
};

static inline long syscall6(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return result;
}
#define SYSCALL(number, a, b, c, d, e, f) syscall6((number), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

__attribute__((noreturn)) static inline void die(int status) {
  SYSCALL(SYS_exit_group, status, 0, 0, 0, 0, 0);
  __builtin_unreachable();
}
#endif
