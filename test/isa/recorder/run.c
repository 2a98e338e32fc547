/* One signal per case: the case ends in an exception (its own, or the landing's INT3, or a single step), the handler writes the
 * result down from the signal frame, puts the next case's state into that same frame, and sigreturn enters it — with any code
 * segment, stack pointer and FPU state, which no user-mode sequence of loads could do for all of them at once. */
#include "run.h"
#include "linux.h"

#define USER_DATA 0x2b
#define USER_CODE_32 0x23
#define USER_CODE_64 0x33
#define TF 0x100ull
/* Flags that sigreturn may set: AC OF DF SF ZF AF PF CF (TF is ours). */
#define SETTABLE_FLAGS 0x40cd5ull
#define FX_USED 416

static u8 input[BATCH_MAX], output[BATCH_MAX + (1u << 20)];
static u8 initial[DATA_SIZE] __attribute__((aligned(64)));
static struct test_case *current;
static u64 left, in_at, out_at;
static u32 use_bases, ticks;

void prepare(u32 fsgsbase) {
  use_bases = fsgsbase;
}

void *memcpy(void *to, const void *from, u64 n) {
  void *result = to;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
  return result;
}

void *memset(void *to, int value, u64 n) {
  void *result = to;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
  return result;
}

static void read_all(void *bytes, u64 length) {
  for (u64 done = 0; done < length;) {
    long n = SYSCALL(SYS_read, 0, (u8 *)bytes + done, length - done, 0, 0, 0);
    if (n <= 0) die(done ? 21 : 0);
    done += n;
  }
}

void write_all(const void *bytes, u64 length) {
  for (u64 done = 0; done < length;) {
    long n = SYSCALL(SYS_write, 1, (const u8 *)bytes + done, length - done, 0, 0, 0);
    if (n <= 0) die(22);
    done += n;
  }
}

static void read_batch(void) {
  u32 head[2];
  read_all(head, sizeof head);
  if (head[1] > BATCH_MAX) die(23);
  read_all(input, head[1]);
  left = head[0], in_at = 0, out_at = 8;
}

static void write_batch(u32 count) {
  ((u32 *)output)[0] = count;
  ((u32 *)output)[1] = out_at - 8;
  write_all(output, out_at);
}

static void save_segments(struct state *s) {
  __asm__ volatile("mov %%es, %0" : "=m"(s->seg[0]));
  __asm__ volatile("mov %%ds, %0" : "=m"(s->seg[3]));
  __asm__ volatile("mov %%fs, %0" : "=m"(s->seg[4]));
  __asm__ volatile("mov %%gs, %0" : "=m"(s->seg[5]));
  s->fs_base = s->gs_base = 0;
  if (!use_bases) return;
  __asm__ volatile("rdfsbase %0" : "=r"(s->fs_base));
  __asm__ volatile("rdgsbase %0" : "=r"(s->gs_base));
}

static void load_segments(int mode, const struct state *s) {
  u16 data = USER_DATA, fs = mode == 64 ? 0 : USER_DATA;
  __asm__ volatile("mov %0, %%es\n mov %0, %%ds\n mov %1, %%fs\n mov %1, %%gs" : : "r"(data), "r"(fs));
  if (!use_bases || mode != 64) return;
  __asm__ volatile("wrfsbase %0\n wrgsbase %1" : : "r"(s->fs_base), "r"(s->gs_base));
}

static void save_registers(struct state *s, const struct ucontext_raw *context) {
  const struct sigcontext_raw *m = &context->mc;
  const u64 gpr[16] = { m->ax, m->cx, m->dx, m->bx, m->sp, m->bp, m->si, m->di, m->r8, m->r9, m->r10, m->r11, m->r12, m->r13, m->r14, m->r15 };
  memcpy(s->gpr, gpr, sizeof gpr);
  s->rip = m->ip, s->rflags = m->flags;
  s->seg[1] = m->cs, s->seg[2] = m->ss, s->pad[0] = s->pad[1] = 0;
  memcpy(s->fx, m->fpstate, FX_USED);
  memset(s->fx + FX_USED, 0, sizeof s->fx - FX_USED);
}

static void load_registers(struct ucontext_raw *context, const struct test_case *c) {
  struct sigcontext_raw *m = &context->mc;
  const u64 *g = c->state.gpr;
  m->ax = g[0], m->cx = g[1], m->dx = g[2], m->bx = g[3], m->sp = g[4], m->bp = g[5], m->si = g[6], m->di = g[7];
  m->r8 = g[8], m->r9 = g[9], m->r10 = g[10], m->r11 = g[11], m->r12 = g[12], m->r13 = g[13], m->r14 = g[14], m->r15 = g[15];
  m->ip = c->state.rip;
  m->flags = (c->state.rflags & SETTABLE_FLAGS) | 0x202 | (c->stop == STOP_STEP ? TF : 0);
  m->cs = c->mode == 64 ? USER_CODE_64 : USER_CODE_32;
  m->ss = USER_DATA;
  context->flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
  memcpy(m->fpstate, c->state.fx, FX_USED);
  /* MXCSR's reserved bits and those outside the mask would make the kernel's XRSTOR refuse the frame. */
  *(u32 *)(m->fpstate + 24) &= 0xffff;
  /* XSAVE header: x87 and SSE come from the frame, everything else starts in its initial configuration. */
  *(u64 *)(m->fpstate + 512) = 3;
}

static int in_code(u64 rip) {
  return rip >= current->state.rip && rip < current->state.rip + current->code_length;
}

/* Leaving the code is what a case is meant to do: by falling or jumping onto an INT3, by a single step, or by jumping to where
 * nothing can be fetched (the fetch's page fault has the target in CR2 and in RIP). */
static void classify(struct result *r, int signal, const struct ucontext_raw *context) {
  const struct sigcontext_raw *m = &context->mc;
  r->kind = KIND_EXCEPTION, r->vector = m->trapno, r->error = m->err, r->cr2 = m->cr2;
  if (signal == SIGALRM) r->kind = KIND_TIMEOUT;
  else if (signal == SIGSYS) r->kind = KIND_SYSCALL;
  else if (m->trapno == 1 && current->stop == STOP_STEP) r->kind = KIND_OK;
  else if (m->trapno == 3 && !in_code(m->ip - 1)) r->kind = KIND_OK, r->state.rip = m->ip - 1;
  else if (m->trapno == 14 && (m->err & 16) && m->cr2 == m->ip && !in_code(m->ip)) r->kind = KIND_OK;
  if (r->kind != KIND_EXCEPTION) r->vector = 0, r->error = 0;
  if (r->kind != KIND_EXCEPTION || r->vector != 14) r->cr2 = 0;
}

static u64 add_run(u8 *to, u32 offset, u32 length) {
  struct span *run = (struct span *)to;
  run->offset = offset, run->length = length;
  memset(run->bytes, 0, PAD8(length));
  memcpy(run->bytes, (u8 *)DATA_ALIAS + offset, length);
  return sizeof *run + PAD8(length);
}

/* Changed memory as runs of 8-byte words; also puts the initial bytes back (`initial` is all zero between cases). */
static void save_memory(struct result *r) {
  u64 *now = (u64 *)DATA_ALIAS, *then = (u64 *)initial;
  r->runs = 0;
  for (u32 i = 0; i < DATA_WRITABLE / 8; i++) {
    u32 from = i;
    while (i < DATA_WRITABLE / 8 && now[i] != then[i]) i++;
    if (i == from) continue;
    r->size += add_run((u8 *)r + r->size, from * 8, (i - from) * 8);
    r->runs++;
    memset(now + from, 0, (i - from) * 8);
  }
}

static void for_patches(void (*action)(const struct span *)) {
  const u8 *p = current->tail + PAD8(current->code_length), *end = p + current->patch_bytes;
  while (p < end) {
    const struct span *patch = (const struct span *)p;
    if (patch->offset > DATA_SIZE || patch->length > DATA_SIZE - patch->offset) die(24);
    action(patch);
    p += sizeof *patch + PAD8(patch->length);
  }
}

static void apply(const struct span *patch) {
  memcpy(initial + patch->offset, patch->bytes, patch->length);
  memcpy((u8 *)DATA_ALIAS + patch->offset, patch->bytes, patch->length);
}

static void undo(const struct span *patch) {
  memset(initial + patch->offset, 0, patch->length);
  memset((u8 *)DATA_ALIAS + patch->offset, 0, patch->length);
}

static void finish(int signal, const struct ucontext_raw *context) {
  struct result *r = (struct result *)(output + out_at);
  r->size = sizeof *r, r->pad = 0;
  save_segments(&r->state);
  save_registers(&r->state, context);
  classify(r, signal, context);
  save_memory(r);
  for_patches(undo);
  memset((u8 *)CODE_ALIAS + (current->state.rip - CODE_BASE), 0xcc, current->code_length);
  out_at += r->size;
}

static void check_case(const struct test_case *c) {
  u64 at = c->state.rip - CODE_BASE;
  if (c->code_length > CODE_MAX || at > CODE_SIZE || c->code_length > CODE_SIZE - at) die(25);
  if (c->size != sizeof *c + PAD8(c->code_length) + c->patch_bytes || (c->mode != 64 && c->mode != 32)) die(26);
}

static void begin(struct ucontext_raw *context) {
  current = (struct test_case *)(input + in_at);
  check_case(current);
  in_at += current->size;
  memcpy((u8 *)CODE_ALIAS + (current->state.rip - CODE_BASE), current->tail, current->code_length);
  for_patches(apply);
  load_registers(context, current);
  load_segments(current->mode, &current->state);
  ticks = 0;
}

/* A case that has seen two ticks ran for 50 ms at least. Wall-clock time, because the kernel may put a case to sleep again and
 * again: it takes an #AC without EFLAGS.AC (IRET about to set it) for a split lock and retries the instruction every 10 ms. */
static int still_running(int signal) {
  return signal == SIGALRM && ticks++ < 1;
}

void handler(int signal, void *info, void *frame) {
  static u32 count;
  struct ucontext_raw *context = frame;
  (void)info;
  if (current) {
    if (still_running(signal)) return;
    finish(signal, context);
    left--;
  }
  if (left == 0 && current) write_batch(count);
  while (left == 0) {
    read_batch();
    count = left;
    if (left == 0) write_batch(0);
  }
  begin(context);
}
