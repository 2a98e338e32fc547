/* Prepares the address space and the signals, says hello, and enters the first case by way of its own breakpoint. Everything
 * that happens after that happens in run.c's signal handler. */
#include "linux.h"
#include "run.h"

static u8 alternate_stack[1 << 17] __attribute__((aligned(64)));
static u8 main_stack[1 << 16] __attribute__((aligned(64), used));

/* The handler starts with the interrupted flags: AC would fault the first unaligned access of compiled code, DF and NT are ours
 * to clear too. The kernel aligned the stack. */
__asm__(
  ".globl _start, handler_entry, restorer\n"
  "_start: mov %rsp, %rdi\n"
  "  lea main_stack(%rip), %rsp\n"
  "  add $0xfff0, %rsp\n"
  "  call start\n"
  "handler_entry: pushq $0x202\n"
  "  popfq\n"
  "  jmp handler\n"
  "restorer: mov $15, %eax\n"
  "  syscall\n");
__attribute__((visibility("hidden"))) void handler_entry(int, void *, void *);
__attribute__((visibility("hidden"))) void restorer(void);

static void check(long result, int status) {
  if (result < 0 && result > -4096) die(status);
}

/* Populated, so that a write to the read-only page reports a present page (error code 7) from the first case on. */
static void map(int file, u64 address, u64 size, u64 offset, int protection) {
  check(SYSCALL(SYS_mmap, address, size, protection, MAP_SHARED | MAP_FIXED | MAP_POPULATE, file, offset), 10);
}

static void unmap(u64 from, u64 to) {
  check(SYSCALL(SYS_munmap, from, to - from, 0, 0, 0, 0), 11);
}

static void map_case_memory(void) {
  int file = SYSCALL(SYS_memfd_create, "case", 0, 0, 0, 0, 0);
  check(file, 12);
  check(SYSCALL(SYS_ftruncate, file, CODE_SIZE + DATA_SIZE, 0, 0, 0, 0), 13);
  unmap(0x10000, RECORDER_BASE);
  /* The kernel's start-up stack and vDSO go too: a wild access has nothing to hit but the case's own pages. */
  unmap(RECORDER_BASE + RECORDER_SPAN, 0x7ffffffff000ull);
  map(file, CODE_ALIAS, CODE_SIZE, 0, PROT_READ | PROT_WRITE);
  map(file, CODE_BASE, CODE_SIZE, 0, PROT_READ | PROT_EXEC);
  map(file, DATA_ALIAS, DATA_SIZE, CODE_SIZE, PROT_READ | PROT_WRITE);
  map(file, DATA_BASE, DATA_WRITABLE, CODE_SIZE, PROT_READ | PROT_WRITE);
  map(file, DATA_BASE + DATA_WRITABLE, DATA_SIZE - DATA_WRITABLE, CODE_SIZE + DATA_WRITABLE, PROT_READ);
  for (u64 i = 0; i < CODE_SIZE; i++) ((u8 *)CODE_ALIAS)[i] = 0xcc;
}

static void install_signals(void) {
  static const int signals[] = { SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGALRM, SIGSYS };
  struct stack_raw stack = { alternate_stack, 0, sizeof alternate_stack };
  struct sigaction_raw action = { handler_entry, SA_SIGINFO | SA_ONSTACK | SA_RESTORER, restorer, ~0ull };
  check(SYSCALL(SYS_sigaltstack, &stack, 0, 0, 0, 0, 0), 14);
  for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++)
    check(SYSCALL(SYS_rt_sigaction, signals[i], &action, 0, 8, 0, 0), 15);
  u64 tick[4] = { 0, 50000, 0, 50000 };
  check(SYSCALL(SYS_setitimer, ITIMER_REAL, tick, 0, 0, 0, 0), 16);
}

/* Only this program's own instructions may call the kernel: the filter looks at the upper half of the instruction pointer
 * (struct seccomp_data, offset 12). A case that gets a system call through is reported, not obeyed. */
static void forbid_system_calls(void) {
  struct filter_raw filter[] = {
    { 0x20, 0, 0, 12 },
    { 0x15, 0, 1, RECORDER_BASE >> 32 },
    { 0x06, 0, 0, SECCOMP_RET_ALLOW },
    { 0x06, 0, 0, SECCOMP_RET_TRAP },
  };
  struct filter_program_raw program = { 4, filter };
  check(SYSCALL(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0), 17);
  check(SYSCALL(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0, 0), 18);
}

static void cpuid(u32 leaf, u32 out[4]) {
  __asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(0));
}

static void say_hello(u32 fsgsbase) {
  static struct hello hello = { .magic = ABI_MAGIC, .version = ABI_VERSION };
  u32 r[4];
  hello.fsgsbase = fsgsbase;
  cpuid(0, r);
  u32 vendor[3] = { r[1], r[3], r[2] };
  __builtin_memcpy(hello.vendor, vendor, sizeof vendor);
  cpuid(1, r);
  hello.signature = r[0], hello.leaf1[0] = r[2], hello.leaf1[1] = r[3];
  cpuid(7, r);
  hello.leaf7[0] = r[1], hello.leaf7[1] = r[2], hello.leaf7[2] = r[3];
  for (u32 i = 0; i < 3; i++) {
    cpuid(0x80000002 + i, r);
    __builtin_memcpy(hello.brand + 16 * i, r, sizeof r);
  }
  write_all(&hello, sizeof hello);
}

/* The kernel allows RDFSBASE and its like only when it says so in the auxiliary vector, behind arguments and environment. */
static u32 has_fsgsbase(u64 *stack) {
  u64 *p = stack + 1 + stack[0] + 1;
  while (*p++);
  for (; p[0]; p += 2)
    if (p[0] == AT_HWCAP2) return p[1] & HWCAP2_FSGSBASE;
  return 0;
}

__attribute__((used)) void start(u64 *stack) {
  u32 fsgsbase = has_fsgsbase(stack);
  map_case_memory();
  install_signals();
  forbid_system_calls();
  say_hello(fsgsbase);
  prepare(fsgsbase);
  __asm__ volatile("int3");
  die(19);
}
