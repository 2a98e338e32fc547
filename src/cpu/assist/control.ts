// Control and debug registers (SDM 2B, MOV—Move to/from Control Registers; SDM 3A §2.5, §17.2).
import { ROUTINE } from "../engine-calls.ts";
import { CR0, CR4, EFER, PHYSICAL_BITS, VECTOR } from "../mmu/control.ts";
import { MODE } from "../state.ts";
import type { CpuContext } from "./context.ts";

const CR0_DEFINED =
  BigInt(CR0.PE | CR0.MP | CR0.EM | CR0.TS | CR0.ET | CR0.NE | CR0.WP | CR0.AM) | BigInt(CR0.NW) | BigInt(CR0.CD) | BigInt(CR0.PG);
const CR4_DEFINED = Object.values(CR4).reduce((all, b) => all | BigInt(b), 0n);
/** Changes of these flush all translations (SDM 3A §4.10.4.1). */
const CR0_PAGING = BigInt(CR0.PG) | BigInt(CR0.WP) | BigInt(CR0.PE);
const PHYSICAL = (1n << BigInt(PHYSICAL_BITS)) - 1n;
/** Bits that a PAE page-directory-pointer entry must have clear (SDM 3A table 4-8). */
const PDPTE_RESERVED = 0x1e6n | (((1n << 64n) - 1n) & ~PHYSICAL);

/** The four PDPTEs of PAE paging at `cr3`; #GP(0) when one has reserved bits set. */
function loadPdptes(cpu: CpuContext, cr3: bigint): void {
  const entries = [0, 1, 2, 3].map((i) => {
    const host = cpu.call(ROUTINE.physicalToHost, (cr3 & 0xffff_ffe0n) + BigInt(i * 8)) as number;
    return host === 0 ? 0n : cpu.view.getBigUint64(host >>> 0, true);
  });
  if (entries.some((e) => (e & 1n) !== 0n && (e & PDPTE_RESERVED) !== 0n)) cpu.raise(VECTOR.GP, 0);
  entries.forEach((e, i) => cpu.set64(`pdpte${i as 0 | 1 | 2 | 3}`, e));
}

/** PAE paging, the mode with PDPTE registers: paging and CR4.PAE on, not IA-32e. */
function isPae(cr0: bigint, cr4: bigint, efer: bigint): boolean {
  return (cr0 & BigInt(CR0.PG)) !== 0n && (cr4 & BigInt(CR4.PAE)) !== 0n && (efer & BigInt(EFER.LMA)) === 0n;
}

/** Writes CR0 after all its checks; also LMSW's and task switch's way in. */
export function writeCr0(cpu: CpuContext, raw: bigint): void {
  // Undefined low bits are ignored; the upper half must be zero.
  if (raw >> 32n) cpu.raise(VECTOR.GP, 0);
  const value = (raw & CR0_DEFINED) | BigInt(CR0.ET);
  const old = cpu.get64("cr0");
  const has = (v: bigint, mask: number): boolean => (v & BigInt(mask)) !== 0n;
  if (has(value, CR0.PG) && !has(value, CR0.PE)) cpu.raise(VECTOR.GP, 0);
  if (has(value, CR0.NW) && !has(value, CR0.CD)) cpu.raise(VECTOR.GP, 0);
  const cr4 = cpu.get64("cr4");
  let efer = cpu.get64("efer");
  if (has(value, CR0.PG) && !has(old, CR0.PG) && has(efer, EFER.LME)) {
    // Activating IA-32e mode: PAE on, and CS not a 64-bit segment (SDM 3A §10.8.5).
    if (!has(cr4, CR4.PAE) || cpu.get32("csAccess") & 0x2000) cpu.raise(VECTOR.GP, 0);
    efer |= BigInt(EFER.LMA);
  }
  if (!has(value, CR0.PG) && has(old, CR0.PG)) {
    if (cpu.get32("mode") & MODE.long || has(cr4, CR4.PCIDE)) cpu.raise(VECTOR.GP, 0);
    efer &= ~BigInt(EFER.LMA);
  }
  if (isPae(value, cr4, efer) && ((value ^ old) & (BigInt(CR0.PG) | BigInt(CR0.CD) | BigInt(CR0.NW))) !== 0n)
    loadPdptes(cpu, cpu.get64("cr3"));
  cpu.set64("efer", efer);
  cpu.set64("cr0", value);
  if ((value ^ old) & CR0_PAGING) cpu.call(ROUTINE.flushTlb);
  cpu.refresh();
}

/** Writes CR3; bit 63 (keep the PCID's translations) is taken off, and all translations but the global ones go: they are not tagged. */
export function writeCr3(cpu: CpuContext, raw: bigint): void {
  const lma = (cpu.get64("efer") & BigInt(EFER.LMA)) !== 0n;
  const pcide = (cpu.get64("cr4") & BigInt(CR4.PCIDE)) !== 0n;
  const value = pcide ? raw & ((1n << 63n) - 1n) : raw;
  if (lma && value & ~PHYSICAL) cpu.raise(VECTOR.GP, 0);
  if (isPae(cpu.get64("cr0"), cpu.get64("cr4"), cpu.get64("efer"))) loadPdptes(cpu, value);
  cpu.set64("cr3", value);
  cpu.call(ROUTINE.flushLocal);
}

function writeCr4(cpu: CpuContext, value: bigint): void {
  const old = cpu.get64("cr4");
  const lma = (cpu.get64("efer") & BigInt(EFER.LMA)) !== 0n;
  const has = (v: bigint, mask: number): boolean => (v & BigInt(mask)) !== 0n;
  if (value & ~CR4_DEFINED) cpu.raise(VECTOR.GP, 0);
  if (lma && !has(value, CR4.PAE)) cpu.raise(VECTOR.GP, 0);
  if (has(value, CR4.PCIDE) && !has(old, CR4.PCIDE) && (!lma || cpu.get64("cr3") & 0xfffn)) cpu.raise(VECTOR.GP, 0);
  const cr0 = cpu.get64("cr0");
  const reload = BigInt(CR4.PAE | CR4.PGE | CR4.PSE | CR4.SMEP);
  if (isPae(cr0, value, cpu.get64("efer")) && (value ^ old) & reload) loadPdptes(cpu, cpu.get64("cr3"));
  cpu.set64("cr4", value);
  cpu.call(ROUTINE.flushTlb);
}

/** MOV CRn: the argument is n; the value is in `scratchValue`. */
export function writeCr(cpu: CpuContext, n: number): number {
  const value = cpu.get64("scratchValue");
  switch (n) {
    case 0:
      writeCr0(cpu, value);
      break;
    case 2:
      cpu.set64("cr2", value);
      break;
    case 3:
      writeCr3(cpu, value);
      break;
    case 4:
      writeCr4(cpu, value);
      break;
    case 8:
      if (value > 15n) cpu.raise(VECTOR.GP, 0);
      cpu.host.writeCr8(Number(value));
      break;
    default:
      cpu.raise(VECTOR.UD);
  }
  return 0;
}

/** MOV from CRn into `scratchValue`. */
export function readCr(cpu: CpuContext, n: number): number {
  if (n === 8) cpu.set64("scratchValue", BigInt(cpu.host.readCr8()));
  else if (n === 0 || n === 2 || n === 3 || n === 4) cpu.set64("scratchValue", cpu.get64(`cr${n}`));
  else cpu.raise(VECTOR.UD);
  return 0;
}

/** LMSW: PE, MP, EM, TS; PE cannot be cleared (SDM 2A, LMSW). */
export function lmsw(cpu: CpuContext, value: number): number {
  const old = cpu.get64("cr0");
  writeCr0(cpu, (old & ~0xen) | BigInt(value & 0xf) | (old & 1n));
  return 0;
}

const DR7_GD = 0x2000n;
const DR6_BD = 0x2000n;

/** DR4 and DR5 are DR6 and DR7 unless CR4.DE makes them undefined. General detect raises #DB first (SDM 3A §17.2). */
function debugRegister(cpu: CpuContext, n: number): number {
  if ((n === 4 || n === 5) && cpu.get32("cr4") & CR4.DE) cpu.raise(VECTOR.UD);
  if (n > 7) cpu.raise(VECTOR.UD);
  if (cpu.get64("dr7") & DR7_GD) {
    cpu.set64("dr6", cpu.get64("dr6") | DR6_BD);
    cpu.set64("dr7", cpu.get64("dr7") & ~DR7_GD);
    cpu.raise(VECTOR.DB);
  }
  return n === 4 ? 6 : n === 5 ? 7 : n;
}

/** MOV DRn from `scratchValue`. */
export function writeDr(cpu: CpuContext, n: number): number {
  const r = debugRegister(cpu, n);
  const value = cpu.get64("scratchValue");
  const wide = cpu.get32("mode") & MODE.long;
  if (r >= 6 && wide && value >> 32n) cpu.raise(VECTOR.GP, 0);
  if (r === 6) cpu.set64("dr6", (value & 0xe00fn) | 0xffff_0ff0n);
  else if (r === 7) cpu.set64("dr7", (value & 0xffff_2bffn) | 0x400n);
  else cpu.set64(`dr${r as 0 | 1 | 2 | 3}`, value);
  cpu.refresh();
  return 0;
}

/** MOV from DRn into `scratchValue`. */
export function readDr(cpu: CpuContext, n: number): number {
  cpu.set64("scratchValue", cpu.get64(`dr${debugRegister(cpu, n) as 0 | 1 | 2 | 3 | 6 | 7}`));
  return 0;
}
