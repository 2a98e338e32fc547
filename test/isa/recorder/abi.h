/* The binary conversation between the recorder and whoever feeds it (wire.ts writes and reads the same layouts), and the
 * address space a case runs in. All integers are little-endian.
 *
 *   hello | batch in -> batch out | batch in -> batch out | ...        batch = u32 count, u32 bytes, count records
 *
 *   state   gpr[16] in encoding order | rip | rflags | fs base | gs base | es cs ss ds fs gs, pad | FXSAVE64 image
 *           0                         128   136      144       152       160                     176             688
 *   case    size mode stop codeLength patchBytes runBytes | state | code, padded to 8 | patches
 *           u32  u8   u8   u16        u32        u32
 *   result  size kind vector runs error pad cr2 | state | runs
 *           u32  u8   u8     u16  u32   u32 u64
 *   patch and run:  u32 offset in the data area | u32 length | bytes, padded to 8
 */
#ifndef ABI_H
#define ABI_H
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define ABI_MAGIC 0x4f44494e /* "NIDO" */
#define ABI_VERSION 1

/* Two executable pages full of INT3; whatever follows them is unmapped. */
#define CODE_BASE 0x10000000ull
#define CODE_SIZE 0x2000ull
#define CODE_MAX 512
/* Two writable pages, then a read-only one; before and behind them nothing is mapped. */
#define DATA_BASE 0x20000000ull
#define DATA_SIZE 0x3000ull
#define DATA_WRITABLE 0x2000ull
/* The program itself lives in this 4 GiB (Makefile-less build: see recorder.ts), out of the reach of 32-bit cases. */
#define RECORDER_BASE 0x523400000000ull
#define RECORDER_SPAN 0x100000000ull
#define CODE_ALIAS (RECORDER_BASE + 0x40000000ull)
#define DATA_ALIAS (RECORDER_BASE + 0x40010000ull)

#define BATCH_MAX (16u << 20)

struct state {
  u64 gpr[16];
  u64 rip;
  u64 rflags;
  u64 fs_base;
  u64 gs_base;
  u16 seg[6]; /* es cs ss ds fs gs: SDM 2A table B-8's order */
  u16 pad[2];
  u8 fx[512];
};

enum { STOP_LANDING = 0, STOP_STEP = 1 };

struct test_case {
  u32 size;
  u8 mode; /* 64 or 32 */
  u8 stop;
  u16 code_length;
  u32 patch_bytes;
  u32 reserved;
  struct state state;
  u8 tail[];
};

enum { KIND_OK = 0, KIND_EXCEPTION = 1, KIND_TIMEOUT = 2, KIND_SYSCALL = 3 };

struct result {
  u32 size;
  u8 kind;
  u8 vector;
  u16 runs;
  u32 error;
  u32 pad;
  u64 cr2;
  struct state state;
  u8 tail[];
};

struct span {
  u32 offset;
  u32 length;
  u8 bytes[];
};

/* What the processor says of itself (CPUID), so that vectors can be labelled with where they come from. */
struct hello {
  u32 magic;
  u32 version;
  u32 fsgsbase; /* non-zero: cases may choose fs_base and gs_base */
  u32 signature; /* leaf 1 EAX: family, model, stepping */
  u32 leaf1[2]; /* ECX, EDX */
  u32 leaf7[3]; /* EBX, ECX, EDX */
  u32 pad;
  char vendor[16];
  char brand[48];
};

#define PAD8(n) (((n) + 7u) & ~7u)
#define SPAN_MAX (sizeof(struct span) + PAD8(DATA_WRITABLE))
#endif
