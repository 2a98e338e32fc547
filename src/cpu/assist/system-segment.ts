// LLDT and LTR (SDM 2A LLDT, LTR).
import { VECTOR } from "../mmu/control.ts";
import type { CpuContext } from "./context.ts";
import {
  type Descriptor,
  isIa32e,
  isNull,
  isPresent,
  readDescriptor,
  readUpperHalf,
  setNullSegment,
  setSegment,
  SYSTEM_TYPE,
  systemType,
} from "./descriptor.ts";
import { setBusy } from "./task-switch.ts";

const isCanonical = (a: bigint): boolean => BigInt.asUintN(64, BigInt.asIntN(48, a)) === a;

/** A system descriptor of the GDT with one of `types`; its base has 64 bits in IA-32e mode. */
function systemDescriptor(cpu: CpuContext, selector: number, types: readonly number[]): Descriptor {
  const code = selector & 0xfffc;
  if (selector & 4) cpu.raise(VECTOR.GP, code);
  const d = readDescriptor(cpu, selector, VECTOR.GP);
  if (!types.includes(systemType(d))) cpu.raise(VECTOR.GP, code);
  if (!isPresent(d)) cpu.raise(VECTOR.NP, code);
  if (!isIa32e(cpu)) return d;
  const base = d.base | ((readUpperHalf(cpu, d, VECTOR.GP) & 0xffff_ffffn) << 32n);
  if (!isCanonical(base)) cpu.raise(VECTOR.GP, code);
  return { ...d, base };
}

/** HELPER.loadLdt: the argument is the selector. */
export function loadLdt(cpu: CpuContext, selector: number): number {
  if (isNull(selector)) setNullSegment(cpu, "ldtr", selector);
  else setSegment(cpu, "ldtr", systemDescriptor(cpu, selector, [SYSTEM_TYPE.ldt]));
  return 0;
}

/** HELPER.loadTask: marks the task busy. The argument is the selector. */
export function loadTask(cpu: CpuContext, selector: number): number {
  if (isNull(selector)) cpu.raise(VECTOR.GP, 0);
  const types = isIa32e(cpu) ? [SYSTEM_TYPE.tss32] : [SYSTEM_TYPE.tss16, SYSTEM_TYPE.tss32];
  const d = systemDescriptor(cpu, selector, types);
  setBusy(cpu, d.address, true);
  setSegment(cpu, "tr", { ...d, access: d.access | 2 });
  return 0;
}
