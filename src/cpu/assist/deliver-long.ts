// Events in IA-32e mode, from 64-bit and compatibility mode alike (SDM 3A §6.14).
import { VECTOR } from "../mmu/control.ts";
import { VIEW } from "../engine/layout.ts";
import type { CpuContext } from "./context.ts";
import type { CpuEvent } from "./deliver.ts";
import { checkGate, type Gate, gateCode, handlerFlags, handlerSegment } from "./deliver-protected.ts";
import {
  ACCESS_BITS,
  dplOf,
  getSegment,
  isConforming,
  isLongCode,
  markAccessed,
  setCodeSegment,
  setNullSegment,
  SYSTEM_TYPE,
} from "./descriptor.ts";
import { readEflags, writeEflags } from "./eflags.ts";
import { readInterruptStack, readLongStack } from "./inner-stack.ts";
import { StackCursor } from "./stack-cursor.ts";

const TYPES: ReadonlySet<number> = new Set([SYSTEM_TYPE.interruptGate32, SYSTEM_TYPE.trapGate32]);
const isCanonical = (a: bigint): boolean => BigInt.asUintN(64, BigInt.asIntN(48, a)) === a;

/** Delivers through a 64-bit interrupt or trap gate; `extraFlags` go into the RFLAGS image. */
export function deliverLong(cpu: CpuContext, event: CpuEvent, extraFlags: number): void {
  const gate = readGate(cpu, event);
  const d = handlerSegment(cpu, gate.selector);
  if (!isLongCode(d) || d.access & ACCESS_BITS.big) cpu.raise(VECTOR.GP, d.selector & 0xfffc);
  const cpl = cpu.get32("cpl");
  const level = isConforming(d) ? cpl : dplOf(d);
  const inner = level < cpl;
  const eflags = readEflags(cpu);
  const stack = openStack(cpu, gate, level, inner);
  stack.push(8, cpu.get32("ssSelector"));
  stack.push(8, cpu.get64("rsp"));
  stack.push(8, eflags | extraFlags);
  stack.push(8, cpu.get32("csSelector"));
  stack.push(8, event.returnIp);
  if (event.code !== undefined) stack.push(8, event.code);
  if (!isCanonical(gate.offset)) cpu.raise(VECTOR.GP, 0);
  markAccessed(cpu, d);
  stack.commit();
  setCodeSegment(cpu, d, level);
  cpu.set32("cpl", level);
  if (inner) setNullSegment(cpu, "ss", level);
  cpu.set64("rip", gate.offset);
  writeEflags(cpu, handlerFlags(eflags, gate));
}

/** 16-byte gates (SDM 3A figure 6-8). */
function readGate(cpu: CpuContext, event: CpuEvent): Gate {
  const at = event.vector * 16;
  if (at + 15 > cpu.get32("idtrLimit")) cpu.raise(VECTOR.GP, gateCode(event.vector));
  const address = BigInt.asUintN(64, cpu.get64("idtrBase") + BigInt(at));
  const raw = cpu.systemLoad(address, 8);
  const upper = cpu.systemLoad(BigInt.asUintN(64, address + 8n), 8) & 0xffff_ffffn;
  return checkGate(cpu, event, raw, TYPES, upper);
}

/** The handler's stack, aligned to 16 bytes whatever it was (SDM 3A §6.14.2). */
function openStack(cpu: CpuContext, gate: Gate, level: number, inner: boolean): StackCursor {
  const pointer = gate.ist ? readInterruptStack(cpu, gate.ist) : inner ? readLongStack(cpu, level) : cpu.get64("rsp");
  const view = inner ? cpu.base + VIEW.supervisor : cpu.get32("tlbView");
  return new StackCursor(cpu, { segment: getSegment(cpu, "ss"), pointer: pointer & ~0xfn, long: true, view, errorCode: 0 });
}
