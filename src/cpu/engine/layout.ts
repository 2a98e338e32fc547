// Where an engine's tables lie, relative to a processor's base address, and how one record of decoded code looks.
//
//   base + 0        state (state.ts)
//        + 1000h    list of filled TLB entries, for quick flushes
//        + 2000h    records that are executed once (page-crossing refetch, single fetches from devices)
//        + 4000h    samples: what the interpreter was executing
//        + 40000h   TLB views: user, supervisor, supervisor with AC, never filled
//        + 140000h  jump cache
//        + 180000h  code hash: host address → record
//        + 580000h  record arena
//        + 4580000h counters of a profiling module
//        + 4680000h records of translated regions

/**
 * Host addresses (u32) of the TLB entries filled since the last flush, but for global pages; state slot `tlbCount` says how many, also
 * beyond the list.
 */
export const TLB_LIST = 0x1000;
export const TLB_LIST_MAX = 1024;
/** Room for the records of one block that is used once. */
export const ONCE = 0x2000;
/** Samples, 16 bytes each: { linear address u64, record u32, TLB view | mode u32 }; state slot `sampleCount` says how many. */
export const SAMPLES = 0x4000;
export const SAMPLES_MAX = 512;
/**
 * One TLB entry, 32 bytes. A tag is the linear page address the entry serves for that kind of access; 0 serves none (entry 0
 * uses INVALID_0, since linear page 0 belongs there). `x = address ^ tag` is below 4096 - size + 1 exactly when the access hits
 * and stays in the page; the host address is then `x + host`.
 *
 *   0        8        16       24     28
 *   ┌────────┬────────┬────────┬──────┬──────┐
 *   │ read   │ write  │ execute│ host │flags │
 *   └────────┴────────┴────────┴──────┴──────┘
 *
 * flags: PAGE.global (mmu/walk.ts) for a page that a new CR3 leaves alone, or 0
 */
export const TLB = { read: 0, write: 8, execute: 16, host: 24, flags: 28, size: 32, entries: 8192 } as const;
export const TLB_INVALID_0 = 0x1000n;
export const VIEW_SIZE: number = TLB.size * TLB.entries;
/** Each at a multiple of its size, so that an entry's distance from the base says which one it is. */
export const VIEW = { user: 0x4_0000, supervisor: 0x8_0000, supervisorAc: 0xc_0000, none: 0x10_0000 } as const;

/** Direct-mapped, 16 bytes an entry: { linear address ^ jumpTag u64, record u32, unused u32 }. */
export const JUMP_CACHE = 0x14_0000;
/** A C compiler misses twice as often in 4096 entries; each miss is a search of the code hash. */
export const JUMP_ENTRIES = 0x4000;

/** Open-addressed table: { host address u32, record | mode u32 }. */
export const CODE_HASH: number = JUMP_CACHE + JUMP_ENTRIES * 16;
export const CODE_HASH_ENTRIES = 0x8_0000;
/** First slot of the code hash for a host address. The multiplier is odd, which spreads neighbouring addresses. */
export const HASH_MULTIPLIER = 0x9e3779b1;
export const HASH_SHIFT: number = 32 - Math.log2(CODE_HASH_ENTRIES);

/** Records of decoded blocks, filled from the start and dropped as a whole, seldom all of it: see engine/arena-limit.ts. */
export const ARENA: number = CODE_HASH + CODE_HASH_ENTRIES * 8;
export const ARENA_SIZE = 0x400_0000;

/** Execution counters (i64) of a profiling module, eight a handler; untouched, and so no memory, otherwise. */
export const PROFILE: number = ARENA + ARENA_SIZE;
const PROFILE_SIZE = 0x10_0000;

/** Records that translated regions need beside their code (engine/region-cache.ts). */
export const REGION_RECORDS: number = PROFILE + PROFILE_SIZE;
export const REGION_RECORDS_SIZE = 0x100_0000;
/** In the record behind an entry's copy: 1 once the region has been entered there, until somebody looks. */
export const ENTRY_USED = 8;
/** Regions that can be there at a time: entries of the interpreter module's second table. */
export const REGIONS = 0x4000;

/** Bytes from one processor's base to the next. */
export const CPU_AREA: number = REGION_RECORDS + REGION_RECORDS_SIZE;

/**
 * A decoded instruction, 32 bytes. Operand fields A B C hold a register's byte offset in the state (GPRs), or 16 × its number
 * (XMM, x87, MMX), or its number (segment, control and debug registers).
 *
 *   0       2     3     4        6    8  9  10 11    12   13     14   15     16     20       24
 *   ┌───────┬─────┬─────┬────────┬────┬──┬──┬──┬─────┬────┬──────┬────┬──────┬──────┬────────┬───────────┐
 *   │ cold  │ len │ hot │ offset │ n  │A │B │C │base │idx │scale │seg │flags │ disp │ target │ immediate │
 *   └───────┴─────┴─────┴────────┴────┴──┴──┴──┴─────┴────┴──────┴────┴──────┴──────┴────────┴───────────┘
 *
 * cold: index of the complete handler · hot: case of the fast loop, 0 for none · offset: of the instruction in its page ·
 * n: instructions from the block's start, this one included · seg: state offset of the segment base to add (the zero slot for
 * none) · target: record of a direct branch's target, 0 until linked · immediate: sign-extended; for near branches the linear
 * target relative to the page. An indirect branch notes where it went last in `target`, as a distance from its page (i32), and where
 * it went before in the halves of its immediate: 0 for nowhere yet.
 */
// oxfmt-ignore
export const RECORD = {
  size: 32, cold: 0, len: 2, hot: 3, offset: 4, n: 6, a: 8, base: 11, index: 12, scale: 13, seg: 14, flags: 15, disp: 16, target: 20, imm: 24,
} as const;

/** In the record of a conditional branch, which has no operand: how often it was taken, and not (u16 each, the largest number stays). */
export const WAYS_GONE: { readonly taken: number; readonly notTaken: number } = { taken: RECORD.a, notTaken: RECORD.disp };

/**
 * Ids of handlers that are not instructions (engine/internal.ts): what the decoder plants at the ends of blocks and where nothing can
 * be decoded. Those of instructions follow.
 */
export const INTERNAL = {
  /** A record whose bytes have changed: decodes the code at its own address again. */
  stale: 0,
  undefined: 1,
  tooLong: 2,
  /** Checks that the second page of a page-crossing instruction is still the one it was decoded from. */
  crossing: 3,
  /** The end of a block: goes on with the code at its own address. */
  end: 4,
  /** The entry of a translated region, one instruction at a time: goes on with the record at `target`. */
  region: 5,
} as const;
/** How many ids the internal handlers take. */
export const INTERNAL_HANDLERS = 6;
/** The case of the fast loop that calls a translated region, whose number is the record's immediate. */
export const HOT_REGION = 255;

/** Bits of a record's `flags`. */
export const RECORD_FLAGS = {
  /** Effective addresses are truncated to 32 bits (67h in 64-bit mode; 32-bit addressing). */
  address32: 1,
  /** … to 16 bits. */
  address16: 2,
  /** Segment register number of the memory operand, for checks: bits 2–4. */
  segShift: 2,
} as const;

/** Segment registers that the fast loop's 32-bit cases may access, by number: ES, SS and DS. CS takes no writes; FS and GS are never flat. */
export const FLAT_SEGMENTS = 0b00_1101;

/** Pages of RAM have 8 bytes each in the page table: one bit for every 64 bytes that hold decoded code. */
export const PAGE_ENTRY = 8;
