// Events in real-address mode, and software interrupts that virtual-8086 mode extensions send to the 8086 program's own
// handlers (SDM 3A §20.1.4, §20.3.3).
import { CR4, EFLAGS, VECTOR } from "../mmu/control.ts";
import type { CpuContext } from "./context.ts";
import type { CpuEvent } from "./deliver.ts";
import { setSegment, virtual8086Segment } from "./descriptor.ts";
import { readEflags, writeEflags } from "./eflags.ts";
import { StackCursor } from "./stack-cursor.ts";

/** Delivers through the interrupt vector table at IDTR: FLAGS, CS and IP go on the stack, error codes do not. */
export function deliverReal(cpu: CpuContext, event: CpuEvent, extraFlags: number): void {
  const at = event.vector * 4;
  if (at + 3 > cpu.get32("idtrLimit")) cpu.raise(VECTOR.GP, 0);
  const entry = Number(cpu.systemLoad((cpu.get64("idtrBase") + BigInt(at)) & 0xffff_ffffn, 4));
  const flags = readEflags(cpu);
  enter(cpu, entry, event.returnIp, flags | extraFlags);
  const selector = entry >>> 16;
  cpu.set32("csSelector", selector);
  cpu.set64("csBase", BigInt(selector) << 4n);
  writeEflags(cpu, flags & ~(EFLAGS.IF | EFLAGS.TF | EFLAGS.AC | EFLAGS.RF));
}

/** Pushes the frame and sets the instruction pointer. */
function enter(cpu: CpuContext, entry: number, returnIp: bigint, flags: number): void {
  const stack = StackCursor.current(cpu);
  stack.push(2, flags);
  stack.push(2, cpu.get32("csSelector"));
  stack.push(2, returnIp);
  const ip = entry & 0xffff;
  if (ip > cpu.get32("csLimit")) cpu.raise(VECTOR.GP, 0);
  stack.commit();
  cpu.set64("rip", BigInt(ip));
}

/**
 * True for an INT n of virtual-8086 mode that its bit in the redirection bitmap sends to the 8086 program (SDM 3A §20.3.3, table
 * 20-2); #GP(0) for one that neither the bitmap nor IOPL lets through. INT3 and INTO are neither redirected nor sensitive to IOPL.
 */
export function redirects(cpu: CpuContext, event: CpuEvent): boolean {
  const eflags = cpu.get32("eflags");
  if (!(eflags & EFLAGS.VM) || !event.intN) return false;
  if (cpu.get32("cr4") & CR4.VME && !redirectionBit(cpu, event.vector)) return true;
  if ((eflags & EFLAGS.IOPL) !== EFLAGS.IOPL) cpu.raise(VECTOR.GP, 0);
  return false;
}

/** The vector's bit in the 32 bytes below the I/O permission bitmap (SDM 3A figure 7-2). */
function redirectionBit(cpu: CpuContext, vector: number): boolean {
  const tss = cpu.get64("trBase");
  const limit = cpu.get32("trLimit");
  if (limit < 0x67) cpu.raise(VECTOR.GP, 0);
  const at = Number(cpu.systemLoad((tss + 0x66n) & 0xffff_ffffn, 2)) - 32 + (vector >> 3);
  if (at > limit) cpu.raise(VECTOR.GP, 0);
  return ((Number(cpu.systemLoad((tss + BigInt(at)) & 0xffff_ffffn, 1)) >> (vector & 7)) & 1) !== 0;
}

/** Delivers to the 8086 program as an 8086 would. With IOPL below 3 it sees VIF as IF, and IOPL as 3. */
export function deliverRedirected(cpu: CpuContext, event: CpuEvent): void {
  const entry = Number(cpu.load(BigInt(event.vector * 4), 4));
  const flags = readEflags(cpu);
  const trusted = (flags & EFLAGS.IOPL) === EFLAGS.IOPL;
  const virtualIf = flags & EFLAGS.VIF ? EFLAGS.IF : 0;
  enter(cpu, entry, event.returnIp, trusted ? flags : (flags & ~EFLAGS.IF) | EFLAGS.IOPL | virtualIf);
  setSegment(cpu, "cs", virtual8086Segment(entry >>> 16));
  writeEflags(cpu, flags & ~(EFLAGS.TF | EFLAGS.RF | (trusted ? EFLAGS.IF : EFLAGS.VIF)));
}
