// Task switches by JMP, CALL, IRET, and events through task gates (SDM 3A §7.3). IA-32e mode has none.
import { ROUTINE } from "../engine-calls.ts";
import { VIEW } from "../engine/layout.ts";
import { CR0, EFLAGS, VECTOR } from "../mmu/control.ts";
import { FAULT, GPR64 } from "../state.ts";
import { type CpuContext, GuestFault } from "./context.ts";
import { writeCr3 } from "./control.ts";
import { DR6 } from "./debug.ts";
import type { CpuEvent } from "./deliver.ts";
import {
  type Descriptor,
  getSegment,
  isNull,
  isPresent,
  readDescriptor,
  setSegment,
  SYSTEM_TYPE,
  systemType,
  tableAddress,
} from "./descriptor.ts";
import { readEflags, writeEflags } from "./eflags.ts";
import { StackCursor } from "./stack-cursor.ts";
import { loadTaskSegments } from "./task-segments.ts";
import { probeTask, readTask, saveTask, TASK16, TASK32, type TaskLayout, type TaskState } from "./task-state.ts";

/** How the new task is reached. */
export type SwitchReason = "jump" | "call" | "iret" | "event";

const T = SYSTEM_TYPE;
const BUSY = 2;
/** DR7.L0–L3 and LE: a task switch clears them (SDM 3A §17.2.4). */
const DR7_LOCAL = 0x155n;

const layoutOf = (type: number): TaskLayout => (type & 8 ? TASK32 : TASK16);

/** The descriptor of an available task; raises `vector` with its selector when it is something else, #NP when absent. */
export function availableTask(cpu: CpuContext, selector: number, vector: number): Descriptor {
  const code = selector & 0xfffc;
  if (isNull(selector) || selector & 4) cpu.raise(vector, code);
  const d = readDescriptor(cpu, selector, vector);
  const type = systemType(d);
  if (type !== T.tss16 && type !== T.tss32) cpu.raise(vector, code);
  if (!isPresent(d)) cpu.raise(VECTOR.NP, code);
  return d;
}

/** An event through a task gate: switches and pushes the error code on the new task's stack. */
export function switchThroughGate(cpu: CpuContext, selector: number, event: CpuEvent, extraFlags: number): void {
  const d = availableTask(cpu, selector, VECTOR.GP);
  switchTask(cpu, d, "event", event.returnIp, extraFlags);
  if (event.code === undefined) return;
  const { code } = event;
  inNewTask(cpu, () => {
    cpu.refresh();
    const stack = StackCursor.current(cpu);
    stack.push(layoutOf(systemType(d)).unit, code);
    stack.commit();
  });
}

/** IRET with NT set: back to the task that the link field names (SDM 3A §7.4). */
export function returnToLinkedTask(cpu: CpuContext): void {
  const selector = Number(cpu.systemLoad(cpu.get64("trBase"), 2));
  const code = selector & 0xfffc;
  if (isNull(selector) || selector & 4) cpu.raise(VECTOR.TS, code);
  const d = readDescriptor(cpu, selector, VECTOR.TS);
  const type = systemType(d);
  if (type !== T.busyTss16 && type !== T.busyTss32) cpu.raise(VECTOR.TS, code);
  if (!isPresent(d)) cpu.raise(VECTOR.NP, code);
  switchTask(cpu, d, "iret", cpu.get64("rip"), 0);
}

/**
 * Switches to the task of a checked descriptor. `ip` is where the old task goes on, `extraFlags` are set in its EFLAGS image.
 * Faults before the switch leave everything as it was; later ones happen in the new task (SDM 3A §7.3, table 7-1).
 */
export function switchTask(cpu: CpuContext, d: Descriptor, reason: SwitchReason, ip: bigint, extraFlags: number): void {
  const t = layoutOf(systemType(d));
  if (d.limit < t.minimum) cpu.raise(VECTOR.TS, d.selector & 0xfffc);
  const task = readTask(cpu, d.base, t);
  leaveOld(cpu, d, reason, ip, extraFlags);
  const nested = reason === "call" || reason === "event";
  if (nested) cpu.systemStore(d.base, 2, BigInt(cpu.get32("trSelector")));
  if (reason !== "iret") setBusy(cpu, d.address, true);
  setSegment(cpu, "tr", { selector: d.selector, base: d.base, limit: d.limit, access: d.access | BUSY });
  cpu.set64("cr0", cpu.get64("cr0") | BigInt(CR0.TS));
  cpu.set64("dr7", cpu.get64("dr7") & ~DR7_LOCAL);
  enterNew(cpu, task, t, nested);
}

/** Checks all that must be written, then saves the old task. */
function leaveOld(cpu: CpuContext, d: Descriptor, reason: SwitchReason, ip: bigint, extraFlags: number): void {
  const old = getSegment(cpu, "tr");
  const t = layoutOf(systemType(old));
  if (old.limit < t.minimum) cpu.raise(VECTOR.TS, old.selector & 0xfffc);
  const probe = (linear: bigint, bytes: number): void => void cpu.call(ROUTINE.probeWrite, cpu.base + VIEW.supervisor, linear, bytes);
  const oldDescriptor = tableAddress(cpu, cpu.get64("gdtrBase"), old.selector & 0xfff8);
  const releases = reason === "jump" || reason === "iret";
  probeTask(cpu, old.base, t);
  if (releases) probe(oldDescriptor, 8);
  else probe(d.base, 2);
  if (reason !== "iret") probe(d.address, 8);
  const flags = readEflags(cpu) | extraFlags;
  saveTask(cpu, old.base, t, ip, reason === "iret" ? flags & ~EFLAGS.NT : flags);
  if (releases) setBusy(cpu, oldDescriptor, false);
}

/** Sets or clears the busy flag of the descriptor at `address` in memory. */
export function setBusy(cpu: CpuContext, address: bigint, busy: boolean): void {
  const at = BigInt.asUintN(64, address + 5n);
  const rights = Number(cpu.systemLoad(at, 1));
  cpu.systemStore(at, 1, BigInt(busy ? rights | BUSY : rights & ~BUSY));
}

function enterNew(cpu: CpuContext, task: TaskState, t: TaskLayout, nested: boolean): void {
  task.registers.forEach((value, i) => cpu.set64(GPR64[i]!, value));
  cpu.set64("rip", task.ip);
  writeEflags(cpu, nested ? task.flags | EFLAGS.NT : task.flags);
  cpu.set32("resumeFresh", task.flags & EFLAGS.RF ? 1 : 0);
  inNewTask(cpu, () => {
    if (t.unit === 4 && cpu.get32("cr0") & CR0.PG) writeCr3(cpu, task.cr3);
    loadTaskSegments(cpu, task);
    if (task.ip > BigInt(cpu.get32("csLimit"))) cpu.raise(VECTOR.GP, 0);
    if (task.trap) cpu.set32("debugHits", cpu.get32("debugHits") | DR6.BT);
  });
  cpu.refresh();
}

/** Faults of `work` are the new task's: its instruction pointer stands in `rip` already. */
function inNewTask(cpu: CpuContext, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof GuestFault)) throw error;
    cpu.note(error);
    cpu.set32("fault", cpu.get32("fault") | FAULT.ripValid);
    cpu.refresh();
    cpu.stop();
  }
}
