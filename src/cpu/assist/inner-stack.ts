// The stack of a more privileged level, from the task state segment (SDM 3A §5.8.5, §7.2.1, §7.7).
import { VECTOR } from "../mmu/control.ts";
import type { CpuContext } from "./context.ts";
import {
  type Descriptor,
  dplOf,
  isNull,
  isPresent,
  isWritableData,
  markAccessed,
  readDescriptor,
  SYSTEM_TYPE,
  systemType,
  tableAddress,
  getSegment,
} from "./descriptor.ts";

/** SS and stack pointer that the task state segment gives for a privilege level. */
export interface InnerStack {
  readonly segment: Descriptor;
  readonly pointer: bigint;
}

/** Reads 2, 4 or 8 bytes of the running task's state; #TS(TR) beyond its limit. */
function readTss(cpu: CpuContext, offset: number, bytes: 2 | 4 | 8, last: number): bigint {
  if (last > cpu.get32("trLimit")) cpu.raise(VECTOR.TS, cpu.get32("trSelector") & 0xfffc);
  return cpu.systemLoad(tableAddress(cpu, cpu.get64("trBase"), offset), bytes);
}

/** SS:ESP of privilege level `level` with all checks of SDM 3A §6.12.1 and §5.8.5; faults are #TS, and #SS when not present. */
export function readInnerStack(cpu: CpuContext, level: number): InnerStack {
  const type = systemType(getSegment(cpu, "tr"));
  const wide = type === SYSTEM_TYPE.tss32 || type === SYSTEM_TYPE.busyTss32;
  const at = wide ? 4 + level * 8 : 2 + level * 4;
  const last = wide ? at + 5 : at + 3;
  const pointer = readTss(cpu, at, wide ? 4 : 2, last);
  const selector = Number(readTss(cpu, at + (wide ? 4 : 2), 2, last));
  return { segment: checkInnerStack(cpu, selector, level), pointer };
}

function checkInnerStack(cpu: CpuContext, selector: number, level: number): Descriptor {
  if (isNull(selector)) cpu.raise(VECTOR.TS, 0);
  const d = readDescriptor(cpu, selector, VECTOR.TS);
  if ((selector & 3) !== level || dplOf(d) !== level || !isWritableData(d)) cpu.raise(VECTOR.TS, selector & 0xfffc);
  if (!isPresent(d)) cpu.raise(VECTOR.SS, selector & 0xfffc);
  markAccessed(cpu, d);
  return d;
}

/** RSP of privilege level `level` from the 64-bit task state segment. */
export function readLongStack(cpu: CpuContext, level: number): bigint {
  return readTss(cpu, 4 + level * 8, 8, 4 + level * 8 + 7);
}

/** Stack of interrupt-stack-table entry `n`, 1..7. */
export function readInterruptStack(cpu: CpuContext, n: number): bigint {
  return readTss(cpu, 0x24 + (n - 1) * 8, 8, 0x24 + (n - 1) * 8 + 7);
}
