// Micro-kernels: one kind of code each, freestanding, for 32 and 64 bits. Each prints MARK lines and a checksum that depends on
// neither the word size nor addresses. With arguments, only those that are named run.
typedef unsigned char u8;
typedef unsigned u32;
typedef unsigned long long u64;
typedef unsigned long word;

#define NOINLINE __attribute__((noinline))
#define LENGTH(a) (sizeof(a) / sizeof *(a))

// ---- the kernel's interface

#ifdef __x86_64__
enum { SYS_WRITE = 1, SYS_MMAP = 9, SYS_MUNMAP = 11, SYS_NANOSLEEP = 35, SYS_EXIT = 60, SYS_GETPPID = 110 };

static long call(long number, long a, long b, long c, long d, long e) {
  register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = 0;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

__asm__(".globl _start\n_start:\n mov %rsp,%rdi\n and $-16,%rsp\n call begin\n");
#else
enum { SYS_WRITE = 4, SYS_MMAP = 192, SYS_MUNMAP = 91, SYS_NANOSLEEP = 162, SYS_EXIT = 1, SYS_GETPPID = 64 };

static long call(long number, long a, long b, long c, long d, long e) {
  long result;
  __asm__ volatile("push %%ebp\n xor %%ebp,%%ebp\n int $0x80\n pop %%ebp"
                   : "=a"(result)
                   : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                   : "memory");
  return result;
}

__asm__(".globl _start\n_start:\n mov %esp,%eax\n and $-16,%esp\n sub $12,%esp\n push %eax\n call begin\n");
#endif

static u8 *map(word bytes, int protection) {
  enum { PRIVATE_ANONYMOUS = 0x22 };
  return (u8 *)call(SYS_MMAP, 0, (long)bytes, protection, PRIVATE_ANONYMOUS, -1);
}


/** Sleeps for an instant, in which an emulator passes on what the console was sent: it may do so between its slices only. */
static void rest(void) {
  const struct {
    long seconds, nanoseconds;
  } instant = {0, 300000};
  call(SYS_NANOSLEEP, (long)&instant, 0, 0, 0, 0);
}

static int same(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

/** Writes a line with one system call, so that the host sees it whole. */
static void say(const char *name, const char *what, const u32 *checksum) {
  char line[64];
  u32 n = 0;
  const char *const pieces[] = {"MARK ", name, what};
  for (u32 i = 0; i < LENGTH(pieces); i++)
    for (const char *s = pieces[i]; *s; s++) line[n++] = *s;
  if (checksum)
    for (int shift = 28; shift >= 0; shift -= 4) line[n++] = "0123456789abcdef"[*checksum >> shift & 15];
  line[n++] = '\n';
  call(SYS_WRITE, 1, (long)line, n, 0, 0);
}

static u32 seed;

static u32 random32(void) {
  seed ^= seed << 13;
  seed ^= seed >> 17;
  return seed ^= seed << 5;
}

static u32 fold(u64 v) { return (u32)v ^ (u32)(v >> 32); }

static u32 bits(double d) {
  union { double d; u64 u; } both = {d};
  return fold(both.u);
}

// Not a power of two apart: pages of both would share the entries of a direct-mapped TLB, which is another measurement.
static struct {
  u8 a[4 << 20], gap[5 << 12], b[4 << 20];
} __attribute__((aligned(4096))) memory;

#define A memory.a
#define B memory.b

// ---- integers and control flow

static u32 alu(void) {
  u32 x = 1, sum = 0;
  for (u32 i = 0; i < 80000000; i++) {
    x ^= x << 13, x ^= x >> 17, x ^= x << 5;
    sum += x;
  }
  return sum;
}

static u32 sieve(void) {
  u32 count = 0;
  for (int round = 0; round < 3; round++) {
    count = 0;
    for (u32 i = 0; i < sizeof A; i++) A[i] = 1;
    for (u32 i = 2; i * i < sizeof A; i++)
      if (A[i])
        for (u32 j = i * i; j < sizeof A; j += i) A[j] = 0;
    for (u32 i = 2; i < sizeof A; i++) count += A[i];
  }
  return count;
}

static NOINLINE u32 fibonacci(u32 n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
static u32 fib(void) { return fibonacci(35); }

static NOINLINE u32 add_one(u32 x) { return x + 1; }
static NOINLINE u32 times_three(u32 x) { return x * 3; }
static NOINLINE u32 flip(u32 x) { return x ^ 0x5a5a; }
static NOINLINE u32 rotate(u32 x) { return x >> 1 | x << 31; }
static u32 (*const operations[])(u32) = {add_one, times_three, flip, rotate};

static u32 indirect(void) {
  u32 x = 7;
  for (u32 i = 0; i < 12000000; i++) x = operations[(x ^ i) & 3](x);
  return x;
}

static u32 gcd(void) {
  u32 sum = 0;
  seed = 99;
  for (u32 i = 0; i < 1500000; i++) {
    u32 a = random32(), b = random32();
    while (b) {
      u32 rest = a % b;
      a = b, b = rest;
    }
    sum += a;
  }
  return sum;
}

enum { PUSH, ADD, MULTIPLY, EXCHANGE, DUPLICATE, DROP, LOOP, END };

/** An interpreter's loop: one switch, reached again after each operation. */
static u32 dispatch(void) {
  static const u8 code[] = {PUSH, 3, PUSH, 5, ADD, DUPLICATE, MULTIPLY, EXCHANGE, PUSH, 7, MULTIPLY, ADD, DUPLICATE, PUSH, 1, ADD, EXCHANGE, DROP, LOOP, END};
  u32 stack[16] = {1}, *top = stack, left = 1500000;
  for (const volatile u8 *pc = code;;) {
    switch (*pc++) {
      case PUSH: *++top = *pc++; break;
      case ADD: top--, top[0] += top[1]; break;
      case MULTIPLY: top--, top[0] *= top[1]; break;
      case EXCHANGE: { u32 t = top[0]; top[0] = top[-1], top[-1] = t; break; }
      case DUPLICATE: top[1] = top[0], top++; break;
      case DROP: top--; break;
      case LOOP:
        if (--left) stack[0] = *top, top = stack, pc = code;
        break;
      default: return *top;
    }
  }
}

// ---- memory

static u32 bytes(void) {
  for (u32 i = 0; i < sizeof A; i++) A[i] = (u8)(i * 7 + (i >> 8));
  for (int round = 0; round < 32; round++) {
    volatile u8 *to = B;
    const volatile u8 *from = A;
    for (u32 n = sizeof A; n; n--) *to++ = *from++;
    A[round] ^= B[round * 4096 + 1];
  }
  return B[12345] + B[31] * 256u;
}

static u32 repmovs(void) {
  for (u32 i = 0; i < sizeof A; i++) A[i] = (u8)(i * 11);
  for (int round = 0; round < 48; round++) {
    void *to = B;
    const void *from = A;
    word count = sizeof A / 4;
    __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(count)::"memory");
    A[round] ^= B[round * 4096 + 1];
  }
  return B[12345] + B[3] * 256u;
}

struct node {
  struct node *next;
  u32 value;
};

static u32 list(void) {
  enum { NODES = 1 << 16 };
  struct node *nodes = (struct node *)A;
  u32 *order = (u32 *)B, sum = 0;
  seed = 5;
  for (u32 i = 0; i < NODES; i++) order[i] = i;
  for (u32 i = NODES - 1; i; i--) {
    u32 j = random32() % (i + 1), t = order[i];
    order[i] = order[j], order[j] = t;
  }
  for (u32 i = 0; i < NODES; i++) {
    nodes[order[i]].next = &nodes[order[(i + 1) % NODES]];
    nodes[order[i]].value = i * 2654435761u;
  }
  const struct node *at = nodes;
  for (u32 i = 0; i < 20000000; i++) sum = (sum << 1 | sum >> 31) ^ at->value, at = at->next;
  return sum;
}

static u32 hash(void) {
  enum { SLOTS = 1 << 18 };
  u32 *keys = (u32 *)A, *counts = (u32 *)B, hits = 0;
  for (u32 i = 0; i < SLOTS; i++) keys[i] = counts[i] = 0;
  seed = 77;
  for (u32 i = 0; i < 3000000; i++) {
    u32 key = random32() % 120000 + 1, slot = key * 2654435761u >> 14;
    while (keys[slot] && keys[slot] != key) slot = (slot + 1) % SLOTS;
    hits += keys[slot] == key;
    keys[slot] = key;
    counts[slot] += i & 7;
  }
  for (u32 i = 0; i < SLOTS; i++) hits = hits * 31 + counts[i];
  return hits;
}

static NOINLINE int compare_bytes(const u8 *a, const u8 *b, u32 n) {
  for (u32 i = 0; i < n; i++)
    if (a[i] != b[i]) return a[i] - b[i];
  return 0;
}

static NOINLINE u32 string_length(const char *s) {
  u32 n = 0;
  while (s[n]) n++;
  return n;
}

static u32 strings(void) {
  enum { WORDS = 20000, STRIDE = 64 };
  u32 sum = 0;
  seed = 3;
  for (u32 i = 0; i < WORDS; i++) {
    u32 n = random32() % (STRIDE - 1);
    for (u32 j = 0; j < STRIDE; j++) A[i * STRIDE + j] = j < n ? (u8)('a' + j % 3) : 0;
  }
  for (int round = 0; round < 60; round++)
    for (u32 i = 1; i < WORDS; i++) {
      const u8 *a = A + i * STRIDE, *b = A + (i - 1) * STRIDE;
      sum = sum * 3 + string_length((const char *)a) + (compare_bytes(a, b, STRIDE) > 0);
    }
  return sum;
}

static int by_value(const u32 *a, const u32 *b) { return *a < *b ? -1 : *a > *b; }
static int by_bits(const u32 *a, const u32 *b) {
  u32 x = *a << 16 | *a >> 16, y = *b << 16 | *b >> 16;
  return x < y ? -1 : x > y;
}

static NOINLINE void sort(u32 *first, u32 *last, int (*order)(const u32 *, const u32 *)) {
  while (last > first) {
    u32 pivot = first[(last - first) / 2], *i = first, *j = last;
    do {
      while (order(i, &pivot) < 0) i++;
      while (order(&pivot, j) < 0) j--;
      if (i <= j) {
        u32 t = *i;
        *i++ = *j, *j-- = t;
      }
    } while (i <= j);
    if (j - first < last - i) sort(first, j, order), first = i;
    else sort(i, last, order), last = j;
  }
}

static u32 qsort_callbacks(void) {
  enum { COUNT = 300000 };
  u32 *values = (u32 *)A, sum = 0;
  seed = 11;
  for (u32 i = 0; i < COUNT; i++) values[i] = random32();
  sort(values, values + COUNT - 1, by_value);
  for (u32 i = 0; i < COUNT; i += 100) sum = sum * 31 + values[i];
  sort(values, values + COUNT - 1, by_bits);
  for (u32 i = 0; i < COUNT; i += 100) sum = sum * 31 + values[i];
  return sum;
}

// ---- numbers

#define ROTATE(x, n) ((x) >> (n) | (x) << (32 - (n)))

/** A compression function of SHA-256's shape, with made-up constants. */
static NOINLINE void compress(u32 *h, const u8 *block, const u32 *k) {
  u32 w[64], s[8];
  for (int i = 0; i < 16; i++) w[i] = (u32)block[4 * i] << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 | block[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    u32 a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + w[i - 7] + (ROTATE(a, 7) ^ ROTATE(a, 18) ^ a >> 3) + (ROTATE(b, 17) ^ ROTATE(b, 19) ^ b >> 10);
  }
  for (int i = 0; i < 8; i++) s[i] = h[i];
  for (int i = 0; i < 64; i++) {
    u32 choice = (s[4] & s[5]) ^ (~s[4] & s[6]), majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
    u32 t = s[7] + (ROTATE(s[4], 6) ^ ROTATE(s[4], 11) ^ ROTATE(s[4], 25)) + choice + k[i] + w[i];
    u32 u = (ROTATE(s[0], 2) ^ ROTATE(s[0], 13) ^ ROTATE(s[0], 22)) + majority;
    for (int j = 7; j; j--) s[j] = s[j - 1];
    s[4] += t, s[0] = t + u;
  }
  for (int i = 0; i < 8; i++) h[i] += s[i];
}

static u32 sha(void) {
  u32 k[64], h[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  seed = 1;
  for (int i = 0; i < 64; i++) k[i] = random32();
  for (u32 i = 0; i < sizeof A; i++) A[i] = (u8)i;
  for (u32 i = 0; i < sizeof A; i += 64) compress(h, A + i, k);
  return h[0];
}

static u32 matmul(void) {
  enum { N = 128 };
  u32 *a = (u32 *)A, *b = a + N * N, *c = b + N * N, sum = 0;
  for (u32 i = 0; i < N * N; i++) a[i] = i, b[i] = i * 7;
  for (u32 round = 0; round < 24; round++)
    for (u32 i = 0; i < N; i++)
      for (u32 j = 0; j < N; j++) {
        u32 s = 0;
        for (u32 k = 0; k < N; k++) s += a[i * N + k] * b[k * N + j];
        c[i * N + j] = s + round;
      }
  for (u32 i = 0; i < N * N; i++) sum = sum * 3 + c[i];
  return sum;
}

static u32 x87(void) {
  long double s = 0, x = 1;
  for (u32 i = 0; i < 2000000; i++) {
    s += x * 1.0000001L;
    x = x * 0.999999L + 0.5L;
    if (x > 1e6L) x = 1;
  }
  return bits((double)s);
}

static u32 sse2(void) {
  double s = 0, x = 1;
  for (u32 i = 0; i < 10000000; i++) {
    s += x * 1.0000001;
    x = x * 0.999999 + 0.5;
    if (x > 1e6) x = 1;
  }
  return bits(s);
}

static u32 mandelbrot(void) {
  enum { SIZE = 320, LIMIT = 200 };
  u32 sum = 0;
  for (int py = 0; py < SIZE; py++)
    for (int px = 0; px < SIZE; px++) {
      double cx = px * 3.0 / SIZE - 2, cy = py * 2.4 / SIZE - 1.2, x = 0, y = 0;
      u32 n = 0;
      for (; n < LIMIT && x * x + y * y < 4; n++) {
        double t = x * x - y * y + cx;
        y = 2 * x * y + cy, x = t;
      }
      sum = sum * 5 + n;
    }
  return sum;
}

typedef float vector __attribute__((vector_size(16)));

static u32 saxpy(void) {
  enum { COUNT = 2048 };
  vector *x = (vector *)A, *y = (vector *)B;
  for (u32 i = 0; i < COUNT * 4; i++) ((float *)A)[i] = (float)i * 0.001f, ((float *)B)[i] = (float)(COUNT * 4 - i);
  for (int round = 0; round < 2500; round++) {
    float a = 1.0f / (float)(round + 1);
    for (u32 i = 0; i < COUNT; i++) y[i] = y[i] * 0.5f + x[i] * a;
  }
  double sum = 0;
  for (u32 i = 0; i < COUNT * 4; i++) sum += ((float *)B)[i];
  return bits(sum);
}

// ---- the kernel's paths

static u32 syscall(void) {
  long first = call(SYS_GETPPID, 0, 0, 0, 0, 0);
  u32 different = 0;
  for (u32 i = 0; i < 400000; i++) different += call(SYS_GETPPID, 0, 0, 0, 0, 0) != first;
  return different;
}

static u32 pfault(void) {
  enum { BYTES = 16 << 20 };
  u32 sum = 0;
  for (int round = 0; round < 4; round++) {
    u8 *p = map(BYTES, 3);
    for (u32 i = 0; i < BYTES; i += 4096) sum += p[i]++;
    for (u32 i = 0; i < BYTES; i += 4096) sum += p[i];
    call(SYS_MUNMAP, (long)p, BYTES, 0, 0, 0);
  }
  return sum;
}

static u32 smc(void) {
  u8 *code = map(4096, 7);
  u32 sum = 0;
  code[0] = 0xb8; // mov eax, i; ret
  code[5] = 0xc3;
  for (u32 i = 0; i < 40000; i++) {
    *(volatile u32 *)(code + 1) = i;
    sum += ((u32(*)(void))code)();
  }
  return sum;
}

static const struct {
  const char *name;
  u32 (*run)(void);
} kernels[] = {
    {"alu", alu},         {"sieve", sieve},   {"fib", fib},       {"indirect", indirect},       {"gcd", gcd},
    {"dispatch", dispatch}, {"bytes", bytes}, {"repmovs", repmovs}, {"list", list},             {"hash", hash},
    {"strings", strings}, {"qsort", qsort_callbacks}, {"sha", sha}, {"matmul", matmul},         {"x87", x87},
    {"sse2", sse2},       {"mandelbrot", mandelbrot}, {"saxpy", saxpy}, {"syscall", syscall},   {"pfault", pfault},
    {"smc", smc},
};

static int wanted(const char *name, char **names) {
  if (!*names) return 1;
  for (; *names; names++)
    if (same(*names, name)) return 1;
  return 0;
}

/** Gets the stack as the kernel leaves it: the number of arguments, then pointers to them and a null. */
__attribute__((used)) void begin(word *stack) {
  char **names = (char **)(stack + 2);
  for (u32 i = 0; i < LENGTH(kernels); i++) {
    if (!wanted(kernels[i].name, names)) continue;
    say(kernels[i].name, "-start", 0);
    rest();
    u32 checksum = kernels[i].run();
    say(kernels[i].name, "-end ck=", &checksum);
  }
  call(SYS_EXIT, 0, 0, 0, 0, 0);
  for (;;) {}
}
