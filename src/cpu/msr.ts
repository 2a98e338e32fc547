// Model-specific registers of the processor itself (SDM 4 chapter 2). Those of the local APIC belong to the machine.
import { EFER, PHYSICAL_BITS } from "./mmu/control.ts";
import type { StateName } from "./state.ts";

/** How a write is checked and stored. */
export interface Msr {
  readonly name: string;
  /** Where it is kept, or a constant. */
  readonly slot?: StateName;
  /** Offset in the state for registers without a slot (MTRRs). */
  readonly offset?: number;
  readonly constant?: bigint;
  /** Bits that may be written; others raise #GP(0). Absent: read-only. */
  readonly writable?: bigint;
  /** So many of its low bytes hold memory types; reserved types raise #GP(0). */
  readonly types?: 1 | 8;
  /** The value is an address and must be canonical. */
  readonly address?: boolean;
  /** Writes are accepted and do nothing; reads raise #GP(0) (commands). */
  readonly command?: boolean;
}

const ALL = (1n << 64n) - 1n;
const LOW32 = 0xffff_ffffn;
const PHYSICAL = (1n << BigInt(PHYSICAL_BITS)) - 1n;

/** Offset of the MTRR file in the state: 16 variable, 11 fixed, the default type. */
export const MTRR_FILE = 0x700;
/** Offset of MSR_POWER_CTL, behind it. Linux's idle driver for some models of processors writes it. */
const POWER_CTL: number = MTRR_FILE + 28 * 8;

/**
 * IA32_ARCH_CAPABILITIES: RDCL_NO, IBRS_ALL, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, IF_PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO,
 * PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO, ITS_NO. Nothing here speculates, so nothing leaks that way, and a kernel that knows it
 * leaves its countermeasures out: thunks around every return and a loop at every system call.
 */
const ARCH_CAPABILITIES = [0, 1, 3, 4, 5, 6, 8, 13, 14, 15, 20, 24, 26, 27, 62].reduce((all, bit) => all | (1n << BigInt(bit)), 0n);

const TABLE: [number, Msr][] = [
  [0x10, { name: "IA32_TIME_STAMP_COUNTER" }],
  [0x17, { name: "IA32_PLATFORM_ID", constant: 0n }],
  [0x3a, { name: "IA32_FEATURE_CONTROL", constant: 1n }],
  [0x48, { name: "IA32_SPEC_CTRL", slot: "specCtrl", writable: 7n }],
  [0x49, { name: "IA32_PRED_CMD", command: true }],
  [0x8b, { name: "IA32_BIOS_SIGN_ID", constant: 0x1_0000_0000n, writable: ALL }],
  [0xfe, { name: "IA32_MTRRCAP", constant: 0x508n }],
  [0x10a, { name: "IA32_ARCH_CAPABILITIES", constant: ARCH_CAPABILITIES }],
  [0x10b, { name: "IA32_FLUSH_CMD", command: true }],
  [0x174, { name: "IA32_SYSENTER_CS", slot: "sysenterCs", writable: LOW32 }],
  [0x175, { name: "IA32_SYSENTER_ESP", slot: "sysenterEsp", writable: ALL, address: true }],
  [0x176, { name: "IA32_SYSENTER_EIP", slot: "sysenterEip", writable: ALL, address: true }],
  [0x179, { name: "IA32_MCG_CAP", constant: 0n }],
  [0x17a, { name: "IA32_MCG_STATUS", slot: "mcgStatus", writable: 7n }],
  [0x1a0, { name: "IA32_MISC_ENABLE", slot: "miscEnable", writable: ALL }],
  [0x1d9, { name: "IA32_DEBUGCTL", slot: "debugCtl", writable: 0n }],
  [0x1fc, { name: "MSR_POWER_CTL", offset: POWER_CTL, writable: ALL }],
  [0x277, { name: "IA32_PAT", slot: "pat", writable: 0x0707_0707_0707_0707n, types: 8 }],
  [0x2ff, { name: "IA32_MTRR_DEF_TYPE", offset: MTRR_FILE + 27 * 8, writable: 0xcffn, types: 1 }],
  [0xc000_0080, { name: "IA32_EFER", slot: "efer", writable: BigInt(EFER.SCE | EFER.LME | EFER.LMA | EFER.NXE) }],
  [0xc000_0081, { name: "IA32_STAR", slot: "star", writable: ALL }],
  [0xc000_0082, { name: "IA32_LSTAR", slot: "lstar", writable: ALL, address: true }],
  [0xc000_0083, { name: "IA32_CSTAR", slot: "cstar", writable: ALL, address: true }],
  [0xc000_0084, { name: "IA32_FMASK", slot: "sfmask", writable: LOW32 }],
  [0xc000_0100, { name: "IA32_FS_BASE", slot: "fsBase", writable: ALL, address: true }],
  [0xc000_0101, { name: "IA32_GS_BASE", slot: "gsBase", writable: ALL, address: true }],
  [0xc000_0102, { name: "IA32_KERNEL_GS_BASE", slot: "kernelGsBase", writable: ALL, address: true }],
  [0xc000_0103, { name: "IA32_TSC_AUX", slot: "tscAux", writable: LOW32 }],
];

/** Fixed-range MTRRs (SDM 3A §12.11.2.2). */
const FIXED_MTRRS = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f];
for (let i = 0; i < 8; i++) {
  TABLE.push([0x200 + i * 2, { name: `IA32_MTRR_PHYSBASE${i}`, offset: MTRR_FILE + i * 16, writable: PHYSICAL & ~0xf00n, types: 1 }]);
  TABLE.push([0x201 + i * 2, { name: `IA32_MTRR_PHYSMASK${i}`, offset: MTRR_FILE + i * 16 + 8, writable: PHYSICAL & ~0x7ffn }]);
}
FIXED_MTRRS.forEach((index, i) =>
  TABLE.push([index, { name: `IA32_MTRR_FIX_${index.toString(16)}h`, offset: MTRR_FILE + (16 + i) * 8, writable: ALL, types: 8 }]),
);

/** Every register by its number. */
export const MSRS: ReadonlyMap<number, Msr> = new Map(TABLE);
