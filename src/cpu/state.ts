// Where everything about one virtual processor lies, relative to its base address in the WebAssembly memory.
//
// Engines address all of it from `base`, so that several processors fit into one memory. Operand fields of decoded records are
// one byte and index the first 256 bytes, which is why general registers, the zero slot, the page of the running code and the
// segment bases come first: an effective address adds slots, whatever they are.
//
//   000h  general registers, 16 × 8 (AH is at 001h, as on silicon)
//   080h  zero · 088h linear page of the running code (RIP-relative addressing adds this slot)
//   090h  segment bases ES CS SS DS FS GS
//   0C0h  instruction pointer, lazy flags, EFLAGS, attention, pending fault
//   200h  control, debug and model-specific registers; segment selectors, limits and rights
//   400h  XMM0–15 · 500h x87 · 600h scratch for host calls · 700h MTRRs (msr.ts) · 800h counters

/** One named slot of the state: offset from the base in bytes, width in bits. */
export interface Slot {
  readonly offset: number;
  readonly width: 8 | 16 | 32 | 64 | 128;
}

const slot = (offset: number, width: Slot["width"]): Slot => ({ offset, width });

/** Names of the general registers in encoding order (SDM 2A table 3-1). */
// oxfmt-ignore
export const GPR64 = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"] as const;

/** Segment registers in encoding order (SDM 2A, Sreg), then the two system segments. */
export const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"] as const;
/** A segment register by its name. */
export type SegmentName = (typeof SEGMENTS)[number];

/** The slot that is always zero: base or index of addresses that have none. */
export const ZERO = 0x80;
/** The slot of the running code's linear page: base of RIP-relative addresses. */
export const RIP_PAGE = 0x88;
/** Segment base n is at SEG_BASE + 8n; LDTR's and TR's follow GS's. */
export const SEG_BASE = 0x90;

/** The slots that are not an array of registers. */
export const SCALARS = {
  zero: { offset: 0x80, width: 64 },
  ripPage: { offset: 0x88, width: 64 },
  /** Instruction pointer (offset in CS), valid when no routine runs: at faults, exits and after `RIP` writers. */
  rip: { offset: 0xd0, width: 64 },
  /** Lazy flags, see isa/flags.ts. */
  flagResult: { offset: 0xd8, width: 64 },
  flagA: { offset: 0xe0, width: 64 },
  flagB: { offset: 0xe8, width: 64 },
  flagKind: { offset: 0xf0, width: 32 },
  /** EFLAGS without CF PF AF ZF SF OF, which the lazy flags hold. */
  eflags: { offset: 0xf4, width: 32 },
  /** Bits of ATTENTION: reasons to leave the fast loop. */
  attention: { offset: 0xf8, width: 32 },
  /** Pending guest exception: 0 none, otherwise see FAULT. */
  fault: { offset: 0xfc, width: 32 },
  faultCode: { offset: 0x100, width: 32 },
  /** Why the loop returned to the host; see EXIT. */
  exit: { offset: 0x104, width: 32 },
  /** Host address of the TLB view in use, see engine/layout.ts. */
  tlbView: { offset: 0x108, width: 32 },
  /** The view of the fast loop's cases: `tlbView`, or where 32-bit code's segments are not flat the one that never hits. */
  hotView: { offset: 0x1e0, width: 32 },
  /** Privilege level 0..3 (SS.DPL). */
  cpl: { offset: 0x10c, width: 32 },
  /** Code mode bits of the running code, see MODE. */
  mode: { offset: 0x110, width: 32 },
  /** Generations of jump-cache entries, 0..4095: of the supervisor's and of user code's. A new one forgets all of them. */
  generation: { offset: 0x114, width: 32 },
  userGeneration: { offset: 0x6dc, width: 32 },
  /** 1 when the supervisor may have executed, since the last flush, a page that a new CR3 takes away. */
  looseCode: { offset: 0x6e0, width: 32 },
  /** Bits above 47 of jump-cache keys: mode, privilege and generation. */
  jumpTag: { offset: 0x118, width: 64 },
  /** Stack pointer mask: FFFFh, FFFFFFFFh or all ones (SS.B; 64-bit mode). */
  stackMask: { offset: 0x120, width: 64 },
  /** Instruction pointer mask of the running code segment (CS.D, CS.L). */
  ipMask: { offset: 0x128, width: 64 },
  /** Number of valid TLB entries of pages that are not global, or more than the list holds. */
  tlbCount: { offset: 0x130, width: 32 },
  /** First and last address in a large page since the last flush, of the lower and the upper half (mmu/large-pages.ts). */
  largeFirst: { offset: 0x1b0, width: 64 },
  largeLast: { offset: 0x1b8, width: 64 },
  largeFirstUpper: { offset: 0x1c0, width: 64 },
  largeLastUpper: { offset: 0x1c8, width: 64 },
  /** Physical page and host page of the last walk. */
  walkPhysical: { offset: 0x138, width: 64 },
  walkHost: { offset: 0x140, width: 32 },
  /** Instructions retired, before the current run. */
  retired: { offset: 0x148, width: 64 },
  ramBase: { offset: 0x150, width: 32 },
  lowSize: { offset: 0x154, width: 32 },
  highSize: { offset: 0x158, width: 32 },
  /** Host address of the page table, see engine/layout.ts. */
  pageTable: { offset: 0x15c, width: 32 },
  /** 1 while memory accesses must go the slow way: data breakpoints or alignment checks. */
  checked: { offset: 0x160, width: 32 },
  /** Interrupt line level of INTR, and a latched NMI edge. */
  intr: { offset: 0x164, width: 32 },
  nmiPending: { offset: 0x168, width: 32 },
  nmiBlocked: { offset: 0x16c, width: 32 },
  /** Set by STI and by MOV SS and POP SS: interrupts wait for the end of the next instruction; see SHADOW. */
  shadow: { offset: 0x170, width: 32 },
  /** 1 when the record that has just run was no instruction but a look-up of one, while something wanted attention. */
  lookedUp: { offset: 0x1d8, width: 32 },
  /** How often translated regions were entered, and how many instructions they executed. */
  regionEntries: { offset: 0x6c0, width: 64 },
  regionInstructions: { offset: 0x6c8, width: 64 },
  /** What happened off the fast paths, for statistics; see engine/engine.ts and engine/translation.ts. */
  regionMemoryExits: { offset: 0x800, width: 64 },
  regionInstructionExits: { offset: 0x808, width: 64 },
  regionHandlerExits: { offset: 0x810, width: 64 },
  regionRefusals: { offset: 0x818, width: 64 },
  tlbMisses: { offset: 0x820, width: 64 },
  pageWalks: { offset: 0x828, width: 64 },
  tlbFlushes: { offset: 0x830, width: 64 },
  pageFlushes: { offset: 0x838, width: 64 },
  localFlushes: { offset: 0x860, width: 64 },
  jumpMisses: { offset: 0x840, width: 64 },
  exceptions: { offset: 0x848, width: 64 },
  pageFaults: { offset: 0x850, width: 64 },
  interrupts: { offset: 0x858, width: 64 },
  /** How often the generation has begun again at 0: part of `jumpTag`, so that no tag comes twice. */
  generationEpoch: { offset: 0x6d8, width: 32 },
  /** Samples taken since somebody looked, see engine/layout.ts. */
  sampleCount: { offset: 0x194, width: 32 },
  /** 1 while halted. */
  halted: { offset: 0x174, width: 32 },
  /** EFLAGS.TF as it was when the next instruction starts: what makes it trap afterwards. */
  stepping: { offset: 0x1f0, width: 32 },
  /** 1 when EFLAGS.RF was set by the instruction before, so that it serves the next one. */
  resumeFresh: { offset: 0x1f4, width: 32 },
  /** Debug conditions found by the current instruction, as DR6 bits; those that MOV SS holds back 16 bits up. */
  debugHits: { offset: 0x178, width: 32 },
  /** RIP of the instruction being executed by a cold handler (host address of its record). */
  currentRecord: { offset: 0x17c, width: 32 },
  /** A 64-bit value on its way into or out of a helper. */
  scratchValue: { offset: 0x198, width: 64 },
  /** Second result of the wide integer routines (float/wide.ts). */
  wideHigh: { offset: 0x1a0, width: 64 },
  /** Sign and exponent, and exceptions, that an extended-precision routine leaves beside its significand (float/extended.ts). */
  floatHead: { offset: 0x1a8, width: 32 },
  floatRaised: { offset: 0x1ac, width: 32 },
  /** State components that XRSTOR set to their initial configuration, see isa/state-image.ts. */
  initialized: { offset: 0x1d0, width: 32 },
  /** Exceptions of the SSE floating-point instruction being executed, in MXCSR's positions (float/ieee.ts). */
  sseFlags: { offset: 0x1d4, width: 32 },
  /** 0, or the exception (FAULT bits | vector) that x87, MMX and SSE instructions raise now: derived from CR0 and CR4. */
  fpuTrap: { offset: 0x188, width: 32 },
  mmxTrap: { offset: 0x18c, width: 32 },
  sseTrap: { offset: 0x190, width: 32 },
  /** Page-fault address. */
  faultAddress: { offset: 0x180, width: 64 },

  cr0: { offset: 0x200, width: 64 },
  cr2: { offset: 0x208, width: 64 },
  cr3: { offset: 0x210, width: 64 },
  cr4: { offset: 0x218, width: 64 },
  cr8: { offset: 0x220, width: 64 },
  efer: { offset: 0x228, width: 64 },
  xcr0: { offset: 0x230, width: 64 },
  dr0: { offset: 0x238, width: 64 },
  dr1: { offset: 0x240, width: 64 },
  dr2: { offset: 0x248, width: 64 },
  dr3: { offset: 0x250, width: 64 },
  dr6: { offset: 0x258, width: 64 },
  dr7: { offset: 0x260, width: 64 },
  gdtrBase: { offset: 0x268, width: 64 },
  gdtrLimit: { offset: 0x270, width: 32 },
  idtrLimit: { offset: 0x274, width: 32 },
  idtrBase: { offset: 0x278, width: 64 },
  star: { offset: 0x280, width: 64 },
  lstar: { offset: 0x288, width: 64 },
  cstar: { offset: 0x290, width: 64 },
  sfmask: { offset: 0x298, width: 64 },
  kernelGsBase: { offset: 0x2a0, width: 64 },
  sysenterCs: { offset: 0x2a8, width: 64 },
  sysenterEsp: { offset: 0x2b0, width: 64 },
  sysenterEip: { offset: 0x2b8, width: 64 },
  tscAux: { offset: 0x2c0, width: 64 },
  tscOffset: { offset: 0x2c8, width: 64 },
  pat: { offset: 0x2d0, width: 64 },
  xss: { offset: 0x2d8, width: 64 },
  /** PAE page-directory-pointer entries, loaded with CR3. */
  pdpte0: { offset: 0x2e8, width: 64 },
  pdpte1: { offset: 0x2f0, width: 64 },
  pdpte2: { offset: 0x2f8, width: 64 },
  pdpte3: { offset: 0x300, width: 64 },
  miscEnable: { offset: 0x2e0, width: 64 },

  specCtrl: { offset: 0x3b0, width: 64 },
  mcgStatus: { offset: 0x3b8, width: 64 },
  debugCtl: { offset: 0x3c0, width: 64 },
  mxcsr: { offset: 0x380, width: 32 },
  fcw: { offset: 0x384, width: 16 },
  fsw: { offset: 0x386, width: 16 },
  /** x87 tags, one bit a physical register: 1 = valid (FXSAVE's abridged form). */
  ftw: { offset: 0x388, width: 8 },
  /** Top of stack, 0..7 (also in fsw bits 11–13 when stored). */
  ftop: { offset: 0x389, width: 8 },
  fop: { offset: 0x38a, width: 16 },
  fip: { offset: 0x390, width: 64 },
  fdp: { offset: 0x398, width: 64 },
  fcs: { offset: 0x3a0, width: 16 },
  fds: { offset: 0x3a2, width: 16 },
} as const;

/** Name of a state slot. */
export type StateName = keyof typeof SCALARS | (typeof GPR64)[number] | `${SegmentName}${"Base" | "Selector" | "Limit" | "Access"}`;

/** Selectors, limits (bytes, inclusive) and access rights of the segments, 4 bytes each. */
const SEG_SELECTOR = 0x310;
const SEG_LIMIT = 0x330;
/** Access rights: descriptor bits 40–55; a clear bit 7 (P) marks an unusable (null) segment. */
const SEG_ACCESS = 0x350;

/** State slots by name: the one definition that engines, snapshots, debuggers and tests share. */
export const STATE: Readonly<Record<StateName, Slot>> = {
  ...SCALARS,
  ...(Object.fromEntries(GPR64.map((name, i) => [name, slot(i * 8, 64)])) as Record<(typeof GPR64)[number], Slot>),
  ...(Object.fromEntries(
    SEGMENTS.flatMap((name, i) => [
      [`${name}Base`, slot(SEG_BASE + i * 8, 64)],
      [`${name}Selector`, slot(SEG_SELECTOR + i * 4, 32)],
      [`${name}Limit`, slot(SEG_LIMIT + i * 4, 32)],
      [`${name}Access`, slot(SEG_ACCESS + i * 4, 32)],
    ]),
  ) as Record<`${SegmentName}${"Base" | "Selector" | "Limit" | "Access"}`, Slot>),
};

/** Offset of a state slot. */
export const at = (name: StateName): number => STATE[name].offset;

/** XMM register n is at XMM + 16n. */
export const XMM = 0x400;
/** x87 physical register n: significand at X87 + 16n, sign and exponent (16 bits) at X87 + 16n + 8. MMX registers are the significands. */
export const X87 = 0x500;
/** 128 bytes for values that host functions and routines pass back beside their result. */
export const SCRATCH = 0x600;

/** Reasons in `attention`: any bit makes the loop leave its fast path after the current instruction. */
export const ATTENTION = {
  /** INTR is asserted and EFLAGS.IF is set, or an NMI is latched, or a shadow ends. */
  interrupt: 1,
  /** EFLAGS.TF or instruction breakpoints: one instruction at a time. */
  step: 2,
  /** The host asked the loop to return. */
  kick: 4,
} as const;

/** Values of `exit`. */
export const EXIT = { none: 0, budget: 1, halt: 2, shutdown: 3, kick: 4 } as const;

/** `fault` holds vector | flags. */
export const FAULT = {
  /** Set in every pending fault, so that #DE (vector 0) is not "none". */
  pending: 0x100,
  /** An error code goes with it, in `faultCode`. */
  hasCode: 0x200,
  /** INT n, INT3, INTO: checked against the gate's DPL, return address after the instruction. */
  software: 0x400,
  /** `rip` already holds the address to report: traps (#DB after an instruction) and faults while fetching a branch target. */
  ripValid: 0x800,
  /** An external interrupt: no error code, not counted for double faults. */
  external: 0x1000,
  /** Together with `software`: INT n with its immediate byte, which virtual-8086 mode treats differently from INT3 and INTO. */
  intN: 0x2000,
} as const;

/** Values of `shadow`: who set it, and whether its setter has completed. */
export const SHADOW = { sti: 1, movSs: 2, ending: 0x100 } as const;

/** Bits of `mode`; with the physical address they are the key of decoded code. */
export const MODE = {
  /** CS.L in IA-32e mode: 64-bit code. */
  long: 1,
  /** CS.D: 32-bit default operand and address size. */
  code32: 2,
  /** SS.B: 32-bit stack pointer. */
  stack32: 4,
} as const;
