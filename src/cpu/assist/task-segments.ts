// Loading LDTR and the segment registers of a new task (SDM 3A §7.3 step 12, table 7-1). Faults happen in the new task.
import { EFLAGS, VECTOR } from "../mmu/control.ts";
import type { CpuContext } from "./context.ts";
import {
  DATA_SEGMENTS,
  dplOf,
  isCode,
  isConforming,
  isNull,
  isPresent,
  isWritableData,
  markAccessed,
  ACCESS_BITS,
  readDescriptor,
  setCodeSegment,
  setNullSegment,
  setSegment,
  setStackSegment,
  SYSTEM_TYPE,
  systemType,
  virtual8086Segment,
} from "./descriptor.ts";
import type { TaskState } from "./task-state.ts";

const NAMES = ["es", "cs", "ss", "ds", "fs", "gs"] as const;

/** Loads all segments of `task`. Until a register's own turn it holds its new selector and is unusable. */
export function loadTaskSegments(cpu: CpuContext, task: TaskState): void {
  NAMES.forEach((name, i) => setSegment(cpu, name, { selector: task.segments[i]!, base: 0n, limit: 0, access: 0 }));
  if (task.flags & EFLAGS.VM) cpu.set32("cpl", 3);
  else cpu.set32("cpl", task.segments[1]! & 3);
  loadLdt(cpu, task.ldt);
  if (task.flags & EFLAGS.VM) {
    NAMES.forEach((name, i) => setSegment(cpu, name, virtual8086Segment(task.segments[i]!)));
    return;
  }
  loadCode(cpu, task.segments[1]!);
  loadStack(cpu, task.segments[2]!);
  for (const name of DATA_SEGMENTS) loadData(cpu, name, task.segments[NAMES.indexOf(name)]!);
}

function loadLdt(cpu: CpuContext, selector: number): void {
  setSegment(cpu, "ldtr", { selector, base: 0n, limit: 0, access: 0 });
  if (isNull(selector)) return;
  const code = selector & 0xfffc;
  if (selector & 4) cpu.raise(VECTOR.TS, code);
  const d = readDescriptor(cpu, selector, VECTOR.TS);
  if (systemType(d) !== SYSTEM_TYPE.ldt || !isPresent(d)) cpu.raise(VECTOR.TS, code);
  setSegment(cpu, "ldtr", d);
}

function loadCode(cpu: CpuContext, selector: number): void {
  const code = selector & 0xfffc;
  if (isNull(selector)) cpu.raise(VECTOR.TS, code);
  const d = readDescriptor(cpu, selector, VECTOR.TS);
  const rpl = selector & 3;
  if (!isCode(d) || (isConforming(d) ? dplOf(d) > rpl : dplOf(d) !== rpl)) cpu.raise(VECTOR.TS, code);
  if (!isPresent(d)) cpu.raise(VECTOR.NP, code);
  markAccessed(cpu, d);
  setCodeSegment(cpu, d, rpl);
}

function loadStack(cpu: CpuContext, selector: number): void {
  const code = selector & 0xfffc;
  if (isNull(selector)) cpu.raise(VECTOR.TS, code);
  const d = readDescriptor(cpu, selector, VECTOR.TS);
  const cpl = cpu.get32("cpl");
  if (!isWritableData(d) || dplOf(d) !== cpl || (selector & 3) !== cpl) cpu.raise(VECTOR.TS, code);
  if (!isPresent(d)) cpu.raise(VECTOR.SS, code);
  markAccessed(cpu, d);
  setStackSegment(cpu, d);
}

function loadData(cpu: CpuContext, name: (typeof DATA_SEGMENTS)[number], selector: number): void {
  if (isNull(selector)) return setNullSegment(cpu, name, selector);
  const code = selector & 0xfffc;
  const d = readDescriptor(cpu, selector, VECTOR.TS);
  const readable = isCode(d) ? (d.access & ACCESS_BITS.readable) !== 0 : (d.access & ACCESS_BITS.segment) !== 0;
  const privileged = !isConforming(d) && dplOf(d) < Math.max(cpu.get32("cpl"), selector & 3);
  if (!readable || privileged) cpu.raise(VECTOR.TS, code);
  if (!isPresent(d)) cpu.raise(VECTOR.NP, code);
  markAccessed(cpu, d);
  setSegment(cpu, name, { ...d, access: d.access | ACCESS_BITS.accessed });
}
