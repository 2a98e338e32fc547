// What CPUID reports (SDM 2A, CPUID): exactly what works, as one table of features and a few numbers.
//
// The frequency leaves say what the machine's clocks really do, so that a guest need not measure them.
import { CR4 } from "./mmu/control.ts";
import { PHYSICAL_BITS } from "./mmu/control.ts";

/** Where a feature's bit is: leaf, register, bit. */
export interface FeatureBit {
  readonly leaf: number;
  readonly register: "ebx" | "ecx" | "edx";
  readonly bit: number;
}

const bit = (leaf: number, register: FeatureBit["register"], n: number): FeatureBit => ({ leaf, register, bit: n });

/** Every feature that this processor has, by the name that Linux gives it. Instructions name theirs in their `feature`. */
// oxfmt-ignore
export const FEATURES: Readonly<Record<string, FeatureBit>> = {
  fpu: bit(1, "edx", 0), vme: bit(1, "edx", 1), de: bit(1, "edx", 2), pse: bit(1, "edx", 3), tsc: bit(1, "edx", 4), msr: bit(1, "edx", 5),
  pae: bit(1, "edx", 6), mce: bit(1, "edx", 7), cx8: bit(1, "edx", 8), apic: bit(1, "edx", 9), sep: bit(1, "edx", 11), mtrr: bit(1, "edx", 12),
  pge: bit(1, "edx", 13), mca: bit(1, "edx", 14), cmov: bit(1, "edx", 15), pat: bit(1, "edx", 16), pse36: bit(1, "edx", 17), clflush: bit(1, "edx", 19),
  mmx: bit(1, "edx", 23), fxsr: bit(1, "edx", 24), sse: bit(1, "edx", 25), sse2: bit(1, "edx", 26),
  sse3: bit(1, "ecx", 0), pclmulqdq: bit(1, "ecx", 1), monitor: bit(1, "ecx", 3), ssse3: bit(1, "ecx", 9), cx16: bit(1, "ecx", 13), pcid: bit(1, "ecx", 17),
  sse4_1: bit(1, "ecx", 19), sse4_2: bit(1, "ecx", 20), x2apic: bit(1, "ecx", 21), movbe: bit(1, "ecx", 22), popcnt: bit(1, "ecx", 23),
  tsc_deadline_timer: bit(1, "ecx", 24), aes: bit(1, "ecx", 25), xsave: bit(1, "ecx", 26), rdrand: bit(1, "ecx", 30),
  fsgsbase: bit(7, "ebx", 0), fdp_excptn_only: bit(7, "ebx", 6), smep: bit(7, "ebx", 7), erms: bit(7, "ebx", 9), invpcid: bit(7, "ebx", 10), zero_fcs_fds: bit(7, "ebx", 13), rdseed: bit(7, "ebx", 18), smap: bit(7, "ebx", 20),
  umip: bit(7, "ecx", 2), spec_ctrl: bit(7, "edx", 26), arch_capabilities: bit(7, "edx", 29),
  lahf_lm: bit(0x8000_0001, "ecx", 0), "3dnowprefetch": bit(0x8000_0001, "ecx", 8),
  syscall: bit(0x8000_0001, "edx", 11), nx: bit(0x8000_0001, "edx", 20), pdpe1gb: bit(0x8000_0001, "edx", 26), rdtscp: bit(0x8000_0001, "edx", 27), lm: bit(0x8000_0001, "edx", 29),
  constant_tsc: bit(0x8000_0007, "edx", 8),
};

/**
 * Family 6, model 36h, stepping 1: the last of the cores that execute in order. Nothing here speculates either, and kernels know of this
 * family that it needs no countermeasures, which cost a third of a system call: thunks around every return and indirect call, and a loop
 * that clears the branch history at every entry.
 */
export const SIGNATURE = 0x0003_0661;
const VENDOR = "GenuineIntel";
const BRAND = "Nido x86-64-v2 processor";
const MAX_BASIC = 0x16;
const MAX_EXTENDED = 0x8000_0008;

/** The core crystal clock, which also drives the APIC timer; the TSC runs at TSC_RATIO times that. */
export const CRYSTAL_HZ = 25_000_000;
const TSC_RATIO = 40;
/** Frequency of the time-stamp counter: one tick a nanosecond. */
export const TSC_HZ: number = CRYSTAL_HZ * TSC_RATIO;

/** EAX, EBX, ECX, EDX. */
export type CpuidResult = [eax: number, ebx: number, ecx: number, edx: number];

/** What the answer depends on. */
export interface CpuidInput {
  readonly apicId: number;
  readonly cpus: number;
  readonly cr4: number;
  readonly xcr0: number;
}

function features(leaf: number, register: FeatureBit["register"]): number {
  let value = 0;
  for (const f of Object.values(FEATURES)) if (f.leaf === leaf && f.register === register) value |= 1 << f.bit;
  return value;
}

const text32 = (s: string, at: number): number =>
  [0, 1, 2, 3].reduce((v, i) => v | ((at + i < s.length ? s.charCodeAt(at + i) : 0) << (8 * i)), 0);

/** Deterministic cache parameters (leaf 4): L1 data, L1 instruction, L2. */
const CACHES: readonly (readonly [type: number, level: number, ways: number, sets: number])[] = [
  [1, 1, 8, 64],
  [2, 1, 8, 64],
  [3, 2, 16, 1024],
];

function cacheLeaf(index: number): CpuidResult {
  const c = CACHES[index];
  if (!c) return [0, 0, 0, 0];
  const [type, level, ways, sets] = c;
  return [type | (level << 5) | (1 << 8), 63 | ((ways - 1) << 22), sets - 1, 0];
}

/** x87 and SSE: legacy area and header; nothing beyond (SDM 1 §13.4). */
const XSAVE_SIZE = 576;

function xsaveLeaf(subleaf: number): CpuidResult {
  if (subleaf === 0) return [3, XSAVE_SIZE, XSAVE_SIZE, 0];
  // XSAVEOPT, XSAVEC, XGETBV with ECX = 1.
  return subleaf === 1 ? [7, XSAVE_SIZE, 0, 0] : [0, 0, 0, 0];
}

function basic(leaf: number, subleaf: number, input: CpuidInput): CpuidResult {
  // oxfmt-ignore
  switch (leaf) {
    case 0: return [MAX_BASIC, text32(VENDOR, 0), text32(VENDOR, 8), text32(VENDOR, 4)];
    case 1: {
      const osxsave = input.cr4 & CR4.OSXSAVE ? 1 << 27 : 0;
      return [SIGNATURE, (input.apicId << 24) | (input.cpus << 16) | (8 << 8), features(1, "ecx") | osxsave, features(1, "edx") | (input.cpus > 1 ? 1 << 28 : 0)];
    }
    case 2: return [0x00ff_ff01, 0, 0, 0]; // "see leaf 4"
    case 4: return cacheLeaf(subleaf);
    case 5: return [64, 64, 3, 0x10]; // MONITOR: one 64-byte line; MWAIT extensions; one C1 sub-state
    case 6: return [4, 0, 0, 0]; // ARAT: the APIC timer runs in every C-state
    case 7: return subleaf === 0 ? [0, features(7, "ebx"), features(7, "ecx"), features(7, "edx")] : [0, 0, 0, 0];
    case 0xb: return topologyLeaf(subleaf, input);
    case 0xd: return xsaveLeaf(subleaf);
    case 0x15: return [1, TSC_RATIO, CRYSTAL_HZ, 0];
    case 0x16: return [TSC_HZ / 1e6, TSC_HZ / 1e6, CRYSTAL_HZ / 1e6, 0];
    default: return [0, 0, 0, 0];
  }
}

function topologyLeaf(subleaf: number, input: CpuidInput): CpuidResult {
  const shift = Math.ceil(Math.log2(input.cpus));
  if (subleaf === 0) return [0, 1, 0x100, input.apicId];
  if (subleaf === 1) return [shift, input.cpus, 0x201, input.apicId];
  return [0, 0, subleaf & 0xff, input.apicId];
}

function extended(leaf: number): CpuidResult {
  // oxfmt-ignore
  switch (leaf) {
    case 0x8000_0000: return [MAX_EXTENDED | 0, 0, 0, 0];
    case 0x8000_0001: return [0, 0, features(leaf, "ecx"), features(leaf, "edx")];
    case 0x8000_0002: case 0x8000_0003: case 0x8000_0004: {
      const at = (leaf - 0x8000_0002) * 16;
      return [text32(BRAND, at), text32(BRAND, at + 4), text32(BRAND, at + 8), text32(BRAND, at + 12)];
    }
    case 0x8000_0006: return [0, 0, (1024 << 16) | (8 << 12) | 64, 0];
    case 0x8000_0007: return [0, 0, 0, features(leaf, "edx")];
    case 0x8000_0008: return [PHYSICAL_BITS | (48 << 8), 0, 0, 0];
    default: return [0, 0, 0, 0];
  }
}

/** CPUID for EAX = leaf, ECX = subleaf. Leaves beyond the last basic one answer as the last (SDM 2A, CPUID). */
export function cpuid(leaf: number, subleaf: number, input: CpuidInput): CpuidResult {
  const l = leaf >>> 0;
  if (l >= 0x8000_0000 && l <= MAX_EXTENDED) return extended(l);
  return basic(l <= MAX_BASIC ? l : MAX_BASIC, subleaf >>> 0, input);
}
