// What IRET and far RET have in common: the segments they return to (SDM 3A §5.8.6, §6.12.1.2).
import { CR0, EFLAGS, VECTOR } from "../mmu/control.ts";
import { MODE } from "../state.ts";
import type { CpuContext } from "./context.ts";
import {
  ACCESS_BITS,
  DATA_SEGMENTS,
  type Descriptor,
  dplOf,
  getSegment,
  isCode,
  isConforming,
  isIa32e,
  isLongCode,
  isNull,
  isPresent,
  isWritableData,
  markAccessed,
  readDescriptor,
  setCodeSegment,
  setNullSegment,
  setStackSegment,
} from "./descriptor.ts";

/** True in real-address mode and in virtual-8086 mode, where selectors are paragraphs. */
export function usesParagraphs(cpu: CpuContext): boolean {
  return (cpu.get32("cr0") & CR0.PE) === 0 || (cpu.get32("eflags") & EFLAGS.VM) !== 0;
}

/** True in 64-bit mode. */
export const inLongMode = (cpu: CpuContext): boolean => (cpu.get32("mode") & MODE.long) !== 0;

/** True when code of this segment runs in 64-bit mode. */
export const isLongTarget = (cpu: CpuContext, d: Descriptor): boolean => isIa32e(cpu) && isLongCode(d);

/** #GP for a code segment with both L and D set, which IA-32e mode reserves (SDM 3A §3.4.5). */
export function refuseReservedSize(cpu: CpuContext, d: Descriptor): void {
  if (isLongTarget(cpu, d) && d.access & ACCESS_BITS.big) cpu.raise(VECTOR.GP, d.selector & 0xfffc);
}

/** The code segment to return to: its RPL is the level returned to, not inner. */
export function returnCodeSegment(cpu: CpuContext, selector: number): Descriptor {
  const code = selector & 0xfffc;
  if (isNull(selector)) cpu.raise(VECTOR.GP, 0);
  const d = readDescriptor(cpu, selector, VECTOR.GP);
  const rpl = selector & 3;
  if (rpl < cpu.get32("cpl") || !isCode(d)) cpu.raise(VECTOR.GP, code);
  if (isConforming(d) ? dplOf(d) > rpl : dplOf(d) !== rpl) cpu.raise(VECTOR.GP, code);
  refuseReservedSize(cpu, d);
  if (!isPresent(d)) cpu.raise(VECTOR.NP, code);
  return d;
}

/** The stack segment of level `rpl` to return to; undefined for a null selector, which 64-bit code below level 3 may have. */
export function returnStackSegment(cpu: CpuContext, selector: number, rpl: number, toLong: boolean): Descriptor | undefined {
  const code = selector & 0xfffc;
  if (isNull(selector)) {
    if (!toLong || rpl === 3) cpu.raise(VECTOR.GP, 0);
    return undefined;
  }
  const d = readDescriptor(cpu, selector, VECTOR.GP);
  if ((selector & 3) !== rpl || !isWritableData(d) || dplOf(d) !== rpl) cpu.raise(VECTOR.GP, code);
  if (!isPresent(d)) cpu.raise(VECTOR.SS, code);
  return d;
}

const isCanonical = (a: bigint): boolean => BigInt.asUintN(64, BigInt.asIntN(48, a)) === a;

/** #GP(0) unless `ip` can be the instruction pointer in code segment `d`. */
export function checkTarget(cpu: CpuContext, d: Descriptor, ip: bigint): void {
  const good = isLongTarget(cpu, d) ? isCanonical(ip) : ip <= BigInt(d.limit);
  if (!good) cpu.raise(VECTOR.GP, 0);
}

/** CS and instruction pointer for privilege level `cpl`; all checks are done. */
export function enterCode(cpu: CpuContext, d: Descriptor, ip: bigint, cpl: number): void {
  setCodeSegment(cpu, d, cpl);
  cpu.set32("cpl", cpl);
  cpu.set64("rip", ip);
}

/** SS and stack pointer of a return. A 16-bit stack takes 16 bits: the others stay as the inner level left them. */
export function enterStack(cpu: CpuContext, d: Descriptor | undefined, selector: number, pointer: bigint, toLong: boolean): void {
  if (d) setStackSegment(cpu, d);
  else setNullSegment(cpu, "ss", selector);
  if (toLong) cpu.set64("rsp", pointer);
  else if (d && d.access & ACCESS_BITS.big) cpu.set64("rsp", pointer & 0xffff_ffffn);
  else cpu.set64("rsp", (cpu.get64("rsp") & 0xffff_0000n) | (pointer & 0xffffn));
}

/** Sets the accessed bits of the segments that a return is about to load. */
export function touchReturnSegments(cpu: CpuContext, cs: Descriptor, ss: Descriptor | undefined): void {
  markAccessed(cpu, cs);
  if (ss) markAccessed(cpu, ss);
}

/** After a return to a less privileged level: segments it could not have loaded itself become null (SDM 3A §5.8.6). */
export function dropPrivilegedSegments(cpu: CpuContext, cpl: number): void {
  for (const name of DATA_SEGMENTS) {
    const s = getSegment(cpu, name);
    if (!isPresent(s) || isConforming(s) || dplOf(s) >= cpl) continue;
    cpu.set32(`${name}Selector`, 0);
    cpu.set32(`${name}Access`, 0);
  }
}
