// The local APIC's registers in the manual's spelling (SDM 3A table 11-1 and table 11-6).
//
// A register's index is its xAPIC offset divided by 16, which is also its x2APIC MSR number minus 800h.

/** Register indices; ISR, TMR and IRR are eight registers each. */
export const REG = {
  ID: 0x02,
  VERSION: 0x03,
  TPR: 0x08,
  APR: 0x09,
  PPR: 0x0a,
  EOI: 0x0b,
  RRD: 0x0c,
  LDR: 0x0d,
  DFR: 0x0e,
  SVR: 0x0f,
  ISR: 0x10,
  TMR: 0x18,
  IRR: 0x20,
  ESR: 0x28,
  LVT_CMCI: 0x2f,
  ICR_LOW: 0x30,
  ICR_HIGH: 0x31,
  LVT_TIMER: 0x32,
  LVT_THERMAL: 0x33,
  LVT_PERFORMANCE: 0x34,
  LVT_LINT0: 0x35,
  LVT_LINT1: 0x36,
  LVT_ERROR: 0x37,
  INITIAL_COUNT: 0x38,
  CURRENT_COUNT: 0x39,
  DIVIDE: 0x3e,
  SELF_IPI: 0x3f,
} as const;

/** How many register indices there are (offsets 000h to 3F0h). */
export const REGISTER_COUNT = 0x40;

/** Every local vector table entry, in the order of the manual. */
export const LVT_REGISTERS: readonly number[] = [
  REG.LVT_CMCI,
  REG.LVT_TIMER,
  REG.LVT_THERMAL,
  REG.LVT_PERFORMANCE,
  REG.LVT_LINT0,
  REG.LVT_LINT1,
  REG.LVT_ERROR,
];

// Version register (SDM 3A §11.4.8): integrated APIC 14h, highest LVT entry 6, EOI-broadcast suppression supported.
//
//  31        25 24 23        16 15         8 7          0
// ┌────────────┬──┬────────────┬────────────┬────────────┐
// │  reserved  │SE│ max LVT = 6│  reserved  │version= 14h│
// └────────────┴──┴────────────┴────────────┴────────────┘
/** The version register's value. */
export const VERSION_VALUE = 0x0106_0014;

// Local vector table entry (SDM 3A figure 11-8); timer mode only in LVT_TIMER, trigger and remote IRR only in LINT0 and LINT1.
//
//  31    19 18 17 16 15 14  13 12 11 10  8 7        0
// ┌────────┬─────┬──┬──┬───┬──┬──┬──┬─────┬──────────┐
// │        │TIMER│ M│TM│IRR│PP│DS│  │ DM  │  vector  │
// └────────┴─────┴──┴──┴───┴──┴──┴──┴─────┴──────────┘
export const LVT_REMOTE_IRR: number = 1 << 14;
export const LVT_LEVEL: number = 1 << 15;
export const LVT_MASKED: number = 1 << 16;
export const LVT_DELIVERY_SHIFT = 8;
export const LVT_TIMER_MODE_SHIFT = 17;
const LVT_DELIVERY_STATUS = 1 << 12;

/** Timer modes in LVT_TIMER bits 18:17 (SDM 3A §11.5.4). */
export const TIMER_MODE = { ONE_SHOT: 0, PERIODIC: 1, TSC_DEADLINE: 2 } as const;

// Spurious-interrupt vector register (SDM 3A figure 11-23).
export const SVR_ENABLE: number = 1 << 8;
export const SVR_SUPPRESS_EOI_BROADCAST: number = 1 << 12;
const SVR_FOCUS_DISABLE = 1 << 9;

/** Error status bits (SDM 3A figure 11-9). */
export const ESR = { SEND_ILLEGAL_VECTOR: 0x20, RECEIVE_ILLEGAL_VECTOR: 0x40, ILLEGAL_REGISTER: 0x80 } as const;

// Interrupt command register, low half (SDM 3A figure 11-12); figure 11-28 has no delivery status in x2APIC mode.
//
//  31      20 19 18 17 16 15 14 13 12 11 10  8 7       0
// ┌──────────┬─────┬─────┬──┬──┬──┬──┬──┬─────┬─────────┐
// │          │SHORT│     │TM│ L│  │DS│DM│mode │ vector  │
// └──────────┴─────┴─────┴──┴──┴──┴──┴──┴─────┴─────────┘
export const ICR_LOGICAL: number = 1 << 11;
export const ICR_ASSERT: number = 1 << 14;
export const ICR_LEVEL: number = 1 << 15;
export const ICR_SHORTHAND_SHIFT = 18;
export const ICR_MODE_SHIFT = 8;

/** ICR destination shorthands. */
export const SHORTHAND = { NONE: 0, SELF: 1, ALL: 2, OTHERS: 3 } as const;

// IA32_APIC_BASE (SDM 3A figure 11-26).
//
//  63   MAXPHYADDR            12 11  10   9  8  7      0
// ┌───────────┬─────────────────┬──┬────┬───┬───┬───────┐
// │ reserved  │    APIC base    │EN│EXTD│   │BSP│       │
// └───────────┴─────────────────┴──┴────┴───┴───┴───────┘
export const BASE_BSP: number = 1 << 8;
export const BASE_EXTD: number = 1 << 10;
export const BASE_EN: number = 1 << 11;
/** Where the register page is after a reset. */
export const DEFAULT_BASE = 0xfee0_0000;

/** MSR numbers that belong to the local APIC. */
export const MSR = { IA32_APIC_BASE: 0x1b, IA32_TSC_DEADLINE: 0x6e0, X2APIC_FIRST: 0x800, X2APIC_LAST: 0x8ff } as const;

/** Access rights of a register, one bit each. */
export const ACCESS = { XAPIC_READ: 1, XAPIC_WRITE: 2, X2APIC_READ: 4, X2APIC_WRITE: 8 } as const;

const R = ACCESS.XAPIC_READ | ACCESS.X2APIC_READ;
const W = ACCESS.XAPIC_WRITE | ACCESS.X2APIC_WRITE;
const XAPIC = ACCESS.XAPIC_READ | ACCESS.XAPIC_WRITE;
const LVT_LOCAL = 0xff | (7 << LVT_DELIVERY_SHIFT) | LVT_MASKED;
const LVT_PIN = LVT_LOCAL | (1 << 13) | LVT_LEVEL;

interface RegisterRow {
  readonly index: number;
  readonly count?: number;
  /** ACCESS bits; an access of a mode without them is one of a reserved register. */
  readonly access: number;
  /** Bits that software can set; the others read as zero. */
  readonly writable?: number;
  /** Read-only bits that software may write as anything. */
  readonly ignored?: number;
}

// SDM 3A table 11-6: which registers x2APIC mode has, and what may be read and written there. EOI and ESR take only zero, xAPIC mode is
// lenient. The self-IPI register exists in x2APIC mode alone, the destination format and remote read registers in xAPIC mode alone.
const ROWS: readonly RegisterRow[] = [
  { index: REG.ID, access: R | ACCESS.XAPIC_WRITE },
  { index: REG.VERSION, access: R | ACCESS.XAPIC_WRITE },
  { index: REG.TPR, access: R | W, writable: 0xff },
  { index: REG.APR, access: XAPIC },
  { index: REG.PPR, access: R | ACCESS.XAPIC_WRITE },
  { index: REG.EOI, access: W | ACCESS.XAPIC_READ },
  { index: REG.RRD, access: XAPIC },
  { index: REG.LDR, access: R | ACCESS.XAPIC_WRITE, writable: 0xff00_0000 },
  { index: REG.DFR, access: XAPIC, writable: 0xf000_0000 },
  { index: REG.SVR, access: R | W, writable: 0xff | SVR_ENABLE | SVR_FOCUS_DISABLE | SVR_SUPPRESS_EOI_BROADCAST },
  { index: REG.ISR, count: 8, access: R | ACCESS.XAPIC_WRITE },
  { index: REG.TMR, count: 8, access: R | ACCESS.XAPIC_WRITE },
  { index: REG.IRR, count: 8, access: R | ACCESS.XAPIC_WRITE },
  { index: REG.ESR, access: R | W },
  { index: REG.LVT_CMCI, access: R | W, writable: LVT_LOCAL, ignored: LVT_DELIVERY_STATUS },
  { index: REG.ICR_LOW, access: R | W, writable: 0x000c_cfff, ignored: LVT_DELIVERY_STATUS },
  { index: REG.ICR_HIGH, access: XAPIC, writable: 0xff00_0000 },
  { index: REG.LVT_TIMER, access: R | W, writable: 0xff | LVT_MASKED | (3 << LVT_TIMER_MODE_SHIFT), ignored: LVT_DELIVERY_STATUS },
  { index: REG.LVT_THERMAL, access: R | W, writable: LVT_LOCAL, ignored: LVT_DELIVERY_STATUS },
  { index: REG.LVT_PERFORMANCE, access: R | W, writable: LVT_LOCAL, ignored: LVT_DELIVERY_STATUS },
  { index: REG.LVT_LINT0, access: R | W, writable: LVT_PIN, ignored: LVT_DELIVERY_STATUS | LVT_REMOTE_IRR },
  { index: REG.LVT_LINT1, access: R | W, writable: LVT_PIN, ignored: LVT_DELIVERY_STATUS | LVT_REMOTE_IRR },
  { index: REG.LVT_ERROR, access: R | W, writable: 0xff | LVT_MASKED, ignored: LVT_DELIVERY_STATUS },
  { index: REG.INITIAL_COUNT, access: R | W, writable: 0xffff_ffff },
  { index: REG.CURRENT_COUNT, access: R | ACCESS.XAPIC_WRITE },
  { index: REG.DIVIDE, access: R | W, writable: 0xb },
  { index: REG.SELF_IPI, access: ACCESS.X2APIC_WRITE, writable: 0xff },
];

/** ACCESS bits by register index; 0 for reserved registers. */
export const REGISTER_ACCESS: Uint8Array = new Uint8Array(REGISTER_COUNT);
/** Bits that software can set, by register index. */
export const WRITABLE: Uint32Array = new Uint32Array(REGISTER_COUNT);
/** Bits whose setting raises #GP in x2APIC mode, by register index (SDM 3A §11.12.1.3). */
export const RESERVED: Uint32Array = new Uint32Array(REGISTER_COUNT);

for (const { index, count = 1, access, writable = 0, ignored = 0 } of ROWS) {
  for (let at = index; at < index + count; at++) {
    REGISTER_ACCESS[at] = access;
    WRITABLE[at] = writable;
    RESERVED[at] = ~(writable | ignored);
  }
}
