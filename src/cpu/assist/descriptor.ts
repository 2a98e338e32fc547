// Segment descriptors: reading them from GDT and LDT, and what their bits say (SDM 3A §3.4.5, §3.5, §5.8.3.1).
//
//   63      56 55 54 53 52 51    48 47 46 45 44 43  40 39            16 15          0
//   ┌─────────┬──┬───┬──┬───┬──────┬──┬─────┬──┬──────┬────────────────┬─────────────┐
//   │ base hi │G │D/B│L │AVL│limit │P │ DPL │S │ type │    base low    │ limit low   │
//   └─────────┴──┴───┴──┴───┴──────┴──┴─────┴──┴──────┴────────────────┴─────────────┘
import type { SegmentState } from "../engine/engine.ts";
import { EFER } from "../mmu/control.ts";
import type { SegmentName } from "../state.ts";
import type { CpuContext } from "./context.ts";

/** Bits of access rights (descriptor bits 40–55 without the limit). */
export const ACCESS_BITS = {
  accessed: 1,
  writable: 2,
  readable: 2,
  conforming: 4,
  code: 8,
  segment: 0x10,
  present: 0x80,
  long: 0x2000,
  big: 0x4000,
} as const;

/** Types of system descriptors (SDM 3A table 3-2). IA-32e mode has the 32-bit ones, as 64-bit ones, only. */
export const SYSTEM_TYPE = {
  tss16: 1,
  ldt: 2,
  busyTss16: 3,
  callGate16: 4,
  taskGate: 5,
  interruptGate16: 6,
  trapGate16: 7,
  tss32: 9,
  busyTss32: 11,
  callGate32: 12,
  interruptGate32: 14,
  trapGate32: 15,
} as const;

/** A descriptor and where it was found. */
export interface Descriptor extends SegmentState {
  /** Linear address in its table. */
  readonly address: bigint;
  /** The descriptor's own eight bytes. */
  readonly raw: bigint;
}

/** True in IA-32e mode, 64-bit and compatibility. */
export function isIa32e(cpu: CpuContext): boolean {
  return (cpu.get32("efer") & EFER.LMA) !== 0;
}

/** Descriptor privilege level, 0..3. */
export const dplOf = (s: SegmentState): number => (s.access >> 5) & 3;
/** The P bit; clear in registers that hold a null selector. */
export const isPresent = (s: SegmentState): boolean => (s.access & ACCESS_BITS.present) !== 0;
/** A code segment. */
export const isCode = (s: SegmentState): boolean => (s.access & 0x18) === 0x18;
/** A code segment that runs at its caller's level. */
export const isConforming = (s: SegmentState): boolean => (s.access & 0x1c) === 0x1c;
/** A data segment that can be written, as stacks must be. */
export const isWritableData = (s: SegmentState): boolean => (s.access & 0x1a) === 0x12;
/** The L bit: 64-bit code, in IA-32e mode. */
export const isLongCode = (s: SegmentState): boolean => (s.access & ACCESS_BITS.long) !== 0;
/** A selector of the first GDT entry, whatever its RPL. */
export const isNull = (selector: number): boolean => (selector & 0xfffc) === 0;
/** Type of a system descriptor, or -1 for code and data. */
export const systemType = (s: SegmentState): number => (s.access & ACCESS_BITS.segment ? -1 : s.access & 0xf);

/** Limit in bytes, inclusive: 20 bits, in pages when G is set. */
function limitOf(raw: bigint): number {
  const limit = Number((raw & 0xffffn) | ((raw >> 32n) & 0xf_0000n));
  return raw & (1n << 55n) ? limit * 4096 + 4095 : limit;
}

/** What eight bytes at `address` describe. */
export function parseDescriptor(raw: bigint, selector: number, address: bigint): Descriptor {
  const base = ((raw >> 16n) & 0xff_ffffn) | ((raw >> 32n) & 0xff00_0000n);
  return { selector, base, limit: limitOf(raw), access: Number((raw >> 40n) & 0xf0ffn), address, raw };
}

/** Linear address of `offset` in a table at `base`: tables wrap at 4 GiB outside IA-32e mode. */
export function tableAddress(cpu: CpuContext, base: bigint, offset: number): bigint {
  return BigInt.asUintN(isIa32e(cpu) ? 64 : 32, base + BigInt(offset));
}

/** Address of the descriptor that `selector` names, undefined when it lies outside its table. */
function descriptorAddress(cpu: CpuContext, selector: number, bytes: number): bigint | undefined {
  const offset = selector & 0xfff8;
  const inLdt = (selector & 4) !== 0;
  if (inLdt && !(cpu.get32("ldtrAccess") & ACCESS_BITS.present)) return undefined;
  if (offset + bytes - 1 > cpu.get32(inLdt ? "ldtrLimit" : "gdtrLimit")) return undefined;
  return tableAddress(cpu, cpu.get64(inLdt ? "ldtrBase" : "gdtrBase"), offset);
}

/** The descriptor of `selector`, undefined when it lies outside its table. The null selector must be excluded before. */
export function findDescriptor(cpu: CpuContext, selector: number): Descriptor | undefined {
  const address = descriptorAddress(cpu, selector, 8);
  return address === undefined ? undefined : parseDescriptor(cpu.systemLoad(address, 8), selector, address);
}

/** The descriptor of `selector`; raises `vector` with the selector when it lies outside its table. */
export function readDescriptor(cpu: CpuContext, selector: number, vector: number): Descriptor {
  return findDescriptor(cpu, selector) ?? cpu.raise(vector, selector & 0xfffc);
}

/**
 * The upper eight bytes of a system descriptor of IA-32e mode; raises `vector` with the selector when they lie outside the table
 * or their type field is not zero (SDM 3A §5.8.3.1).
 */
export function readUpperHalf(cpu: CpuContext, d: Descriptor, vector: number): bigint {
  if (descriptorAddress(cpu, d.selector, 16) === undefined) cpu.raise(vector, d.selector & 0xfffc);
  const upper = cpu.systemLoad(BigInt.asUintN(64, d.address + 8n), 8);
  if ((upper >> 40n) & 0x1fn) cpu.raise(vector, d.selector & 0xfffc);
  return upper;
}

/** Sets the accessed bit of a code or data descriptor in memory, as loading it into a segment register does. */
export function markAccessed(cpu: CpuContext, d: Descriptor): void {
  if (!(d.access & ACCESS_BITS.accessed)) cpu.systemStore(d.address + 5n, 1, BigInt((d.access & 0xff) | ACCESS_BITS.accessed));
}

/** Puts a segment into a segment register, hidden part and all. Call `refresh` when all is set. */
export function setSegment(cpu: CpuContext, name: SegmentName, s: SegmentState): void {
  cpu.set32(`${name}Selector`, s.selector);
  cpu.set64(`${name}Base`, s.base);
  cpu.set32(`${name}Limit`, s.limit);
  cpu.set32(`${name}Access`, s.access);
}

/** A segment register with its hidden part. */
export function getSegment(cpu: CpuContext, name: SegmentName): SegmentState {
  return {
    selector: cpu.get32(`${name}Selector`),
    base: cpu.get64(`${name}Base`),
    limit: cpu.get32(`${name}Limit`),
    access: cpu.get32(`${name}Access`),
  };
}

/** Loads CS with a checked descriptor for privilege level `cpl`. 64-bit code has base 0 whatever the descriptor says. */
export function setCodeSegment(cpu: CpuContext, d: SegmentState, cpl: number): void {
  const base = isIa32e(cpu) && isLongCode(d) ? 0n : d.base;
  setSegment(cpu, "cs", { selector: (d.selector & 0xfffc) | cpl, base, limit: d.limit, access: d.access | ACCESS_BITS.accessed });
}

/** Loads SS with a checked writable data segment. */
export function setStackSegment(cpu: CpuContext, d: SegmentState): void {
  setSegment(cpu, "ss", { ...d, access: d.access | ACCESS_BITS.accessed });
}

/** A null selector in a segment register: unusable. For SS in 64-bit mode the privilege level stays in DPL and RPL. */
export function setNullSegment(cpu: CpuContext, name: SegmentName, selector = 0): void {
  setSegment(cpu, name, { selector, base: 0n, limit: cpu.get32(`${name}Limit`), access: (selector & 3) << 5 });
}

/** What a segment register holds in virtual-8086 mode (SDM 3A §20.1.1). */
export function virtual8086Segment(selector: number): SegmentState {
  return { selector, base: BigInt(selector) << 4n, limit: 0xffff, access: 0xf3 };
}

/** Segment registers that hold data segments only. */
export const DATA_SEGMENTS: readonly ["es", "ds", "fs", "gs"] = ["es", "ds", "fs", "gs"];
