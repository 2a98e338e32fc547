// Bits of control registers, EFER and EFLAGS that routines test (SDM 3A §2.3, §2.5, §2.2.1).

/** CR0 (SDM 3A §2.5). */
// oxfmt-ignore
export const CR0 = {
  PE: 1, MP: 2, EM: 4, TS: 8, ET: 0x10, NE: 0x20, WP: 0x1_0000, AM: 0x4_0000, NW: 0x2000_0000, CD: 0x4000_0000, PG: 0x8000_0000,
} as const;
/** CR4, as far as CPUID offers it (SDM 3A §2.5). */
// oxfmt-ignore
export const CR4 = {
  VME: 1, PVI: 2, TSD: 4, DE: 8, PSE: 0x10, PAE: 0x20, MCE: 0x40, PGE: 0x80, PCE: 0x100, OSFXSR: 0x200, OSXMMEXCPT: 0x400, UMIP: 0x800,
  FSGSBASE: 0x1_0000, PCIDE: 0x2_0000, OSXSAVE: 0x4_0000, SMEP: 0x10_0000, SMAP: 0x20_0000,
} as const;
/** IA32_EFER (SDM 3A §2.2.1). */
export const EFER = { SCE: 1, LME: 0x100, LMA: 0x400, NXE: 0x800 } as const;
/** EFLAGS but for the arithmetic flags (SDM 3A §2.3); IOPL is two bits wide. */
// oxfmt-ignore
export const EFLAGS = {
  TF: 0x100, IF: 0x200, DF: 0x400, IOPL: 0x3000, NT: 0x4000, RF: 0x1_0000, VM: 0x2_0000, AC: 0x4_0000, VIF: 0x8_0000, VIP: 0x10_0000, ID: 0x20_0000,
} as const;

/** The arithmetic flags in EFLAGS, which isa/flags.ts has one by one (SDM 1 §3.4.3.1). */
export const ARITHMETIC = 0x8d5;

/** Physical address width: what CPUID 80000008h reports and reserved-bit checks use. */
export const PHYSICAL_BITS = 40;

/** Exception vectors (SDM 3A table 6-1). */
// oxfmt-ignore
export const VECTOR = {
  DE: 0, DB: 1, NMI: 2, BP: 3, OF: 4, BR: 5, UD: 6, NM: 7, DF: 8, TS: 10, NP: 11, SS: 12, GP: 13, PF: 14, MF: 16, AC: 17, XM: 19,
} as const;
