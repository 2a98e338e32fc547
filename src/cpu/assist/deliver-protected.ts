// Events in protected and virtual-8086 mode, outside IA-32e mode (SDM 3A §6.12, SDM 2A INT n operation, PROTECTED-MODE).
import type { SegmentState } from "../engine/engine.ts";
import { EFLAGS, VECTOR } from "../mmu/control.ts";
import type { CpuContext } from "./context.ts";
import type { CpuEvent } from "./deliver.ts";
import {
  type Descriptor,
  dplOf,
  isCode,
  isConforming,
  isNull,
  isPresent,
  markAccessed,
  readDescriptor,
  setCodeSegment,
  setNullSegment,
  setStackSegment,
  SYSTEM_TYPE,
} from "./descriptor.ts";
import { readEflags, writeEflags } from "./eflags.ts";
import { readInnerStack } from "./inner-stack.ts";
import { type Size, StackCursor } from "./stack-cursor.ts";
import { switchThroughGate } from "./task-switch.ts";

/** A gate of the interrupt descriptor table. */
export interface Gate {
  readonly selector: number;
  readonly offset: bigint;
  /** Descriptor type, SYSTEM_TYPE. */
  readonly type: number;
  /** Interrupt-stack-table entry, 0 for none; IA-32e mode only. */
  readonly ist: number;
}

/** Error code of a fault that names a vector's gate: IDT flag and index (SDM 3A §6.13). */
export const gateCode = (vector: number): number => vector * 8 + 2;

/**
 * Checks what all gates have in common, in the manual's order: type, DPL for software interrupts, presence.
 * `raw` is the gate's first eight bytes, `upper` bits 63–32 of the offset.
 */
export function checkGate(cpu: CpuContext, event: CpuEvent, raw: bigint, types: ReadonlySet<number>, upper = 0n): Gate {
  const access = Number((raw >> 40n) & 0xffn);
  const code = gateCode(event.vector);
  const type = access & 0x1f;
  if (!types.has(type)) cpu.raise(VECTOR.GP, code);
  if (event.kind === "software" && ((access >> 5) & 3) < cpu.get32("cpl")) cpu.raise(VECTOR.GP, code);
  if (!(access & 0x80)) cpu.raise(VECTOR.NP, code);
  const wide = (type & 8) !== 0;
  const offset = (raw & 0xffffn) | (wide ? (raw >> 32n) & 0xffff_0000n : 0n) | (upper << 32n);
  return { selector: Number((raw >> 16n) & 0xffffn), offset, type, ist: Number((raw >> 32n) & 7n) };
}

/** Interrupt gates clear IF; trap gates, whose type is odd, leave it. */
export function handlerFlags(eflags: number, gate: Gate): number {
  const cleared = EFLAGS.TF | EFLAGS.NT | EFLAGS.RF | EFLAGS.VM;
  return eflags & ~(gate.type & 1 ? cleared : cleared | EFLAGS.IF);
}

const T = SYSTEM_TYPE;
const TYPES: ReadonlySet<number> = new Set([T.taskGate, T.interruptGate16, T.trapGate16, T.interruptGate32, T.trapGate32]);

/** Delivers through an interrupt, trap or task gate; `extraFlags` go into the EFLAGS image. */
export function deliverProtected(cpu: CpuContext, event: CpuEvent, extraFlags: number): void {
  const at = event.vector * 8;
  if (at + 7 > cpu.get32("idtrLimit")) cpu.raise(VECTOR.GP, gateCode(event.vector));
  const raw = cpu.systemLoad((cpu.get64("idtrBase") + BigInt(at)) & 0xffff_ffffn, 8);
  const gate = checkGate(cpu, event, raw, TYPES);
  if (gate.type === T.taskGate) switchThroughGate(cpu, gate.selector, event, extraFlags);
  else new Entry(cpu, event, gate, extraFlags).run();
}

/** The handler's code segment: code, not less privileged, present (SDM 3A §6.12.1.1). */
export function handlerSegment(cpu: CpuContext, selector: number): Descriptor {
  const code = selector & 0xfffc;
  if (isNull(selector)) cpu.raise(VECTOR.GP, 0);
  const d = readDescriptor(cpu, selector, VECTOR.GP);
  if (!isCode(d) || dplOf(d) > cpu.get32("cpl")) cpu.raise(VECTOR.GP, code);
  if (!isPresent(d)) cpu.raise(VECTOR.NP, code);
  return d;
}

/** One entry through an interrupt or trap gate. */
class Entry {
  readonly #cpu: CpuContext;
  readonly #event: CpuEvent;
  readonly #gate: Gate;
  readonly #size: Size;
  readonly #eflags: number;
  readonly #image: number;

  constructor(cpu: CpuContext, event: CpuEvent, gate: Gate, extraFlags: number) {
    this.#cpu = cpu;
    this.#event = event;
    this.#gate = gate;
    this.#size = gate.type & 8 ? 4 : 2;
    this.#eflags = readEflags(cpu);
    this.#image = this.#eflags | extraFlags;
  }

  run(): void {
    const cpu = this.#cpu;
    const d = handlerSegment(cpu, this.#gate.selector);
    const level = isConforming(d) ? cpu.get32("cpl") : dplOf(d);
    // Out of virtual-8086 mode there is only one way: to privilege level 0.
    if (this.#eflags & EFLAGS.VM && (isConforming(d) || level !== 0)) cpu.raise(VECTOR.GP, d.selector & 0xfffc);
    if (level < cpu.get32("cpl")) this.#inner(d, level);
    else this.#same(d, level);
  }

  #same(d: Descriptor, level: number): void {
    const stack = StackCursor.current(this.#cpu);
    this.#pushReturn(stack);
    this.#commit(d, level, stack);
  }

  #inner(d: Descriptor, level: number): void {
    const cpu = this.#cpu;
    const { segment, pointer } = readInnerStack(cpu, level);
    const stack = StackCursor.inner(cpu, segment, pointer, false);
    const fromVirtual8086 = (this.#eflags & EFLAGS.VM) !== 0;
    if (fromVirtual8086) for (const name of ["gs", "fs", "ds", "es"] as const) stack.push(this.#size, cpu.get32(`${name}Selector`));
    stack.push(this.#size, cpu.get32("ssSelector"));
    stack.push(this.#size, cpu.get64("rsp"));
    this.#pushReturn(stack);
    this.#commit(d, level, stack, segment);
    if (fromVirtual8086) for (const name of ["gs", "fs", "ds", "es"] as const) setNullSegment(cpu, name);
  }

  #pushReturn(stack: StackCursor): void {
    stack.push(this.#size, this.#image);
    stack.push(this.#size, this.#cpu.get32("csSelector"));
    stack.push(this.#size, this.#event.returnIp);
    if (this.#event.code !== undefined) stack.push(this.#size, this.#event.code);
  }

  #commit(d: Descriptor, level: number, stack: StackCursor, newSs?: SegmentState): void {
    const cpu = this.#cpu;
    if (this.#gate.offset > BigInt(d.limit)) cpu.raise(VECTOR.GP, 0);
    markAccessed(cpu, d);
    if (newSs) setStackSegment(cpu, newSs);
    stack.commit();
    setCodeSegment(cpu, d, level);
    cpu.set32("cpl", level);
    cpu.set64("rip", this.#gate.offset);
    writeEflags(cpu, handlerFlags(this.#eflags, this.#gate));
  }
}
