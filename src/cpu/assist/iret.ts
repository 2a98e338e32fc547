// IRET in all its forms (SDM 2A, IRET/IRETD/IRETQ).
import { ARITHMETIC, CR0, CR4, EFLAGS, VECTOR } from "../mmu/control.ts";
import type { CpuContext } from "./context.ts";
import { isIa32e, setSegment, virtual8086Segment } from "./descriptor.ts";
import { readEflags, writeEflags } from "./eflags.ts";
import {
  checkTarget,
  dropPrivilegedSegments,
  enterCode,
  enterStack,
  inLongMode,
  isLongTarget,
  returnCodeSegment,
  returnStackSegment,
  touchReturnSegments,
} from "./return-segments.ts";
import { type Size, StackCursor } from "./stack-cursor.ts";
import { returnToLinkedTask } from "./task-switch.ts";

/** Flags that every IRET takes from the stack; IF, IOPL and the upper half depend. */
const ALWAYS = ARITHMETIC | EFLAGS.TF | EFLAGS.DF | EFLAGS.NT;
const UPPER = EFLAGS.RF | EFLAGS.AC | EFLAGS.ID;

/** What comes off the stack first. */
interface Frame {
  readonly ip: bigint;
  readonly cs: number;
  readonly flags: number;
}

/** HELPER.iret: the argument is the operand size in bytes. */
export function iret(cpu: CpuContext, bytes: number): number {
  const size = bytes as Size;
  // NMIs are taken again even when IRET itself faults (SDM 3A §6.7.1, SDM 3C §25.3).
  cpu.set32("nmiBlocked", 0);
  if (!(cpu.get32("cr0") & CR0.PE)) returnReal(cpu, size);
  else if (cpu.get32("eflags") & EFLAGS.VM) returnVirtual8086(cpu, size);
  else if (cpu.get32("eflags") & EFLAGS.NT) returnNested(cpu);
  else returnProtected(cpu, size);
  cpu.refresh();
  return 0;
}

/** The frame's top is read first: where it lies over unmapped pages, silicon reports that address. */
function popFrame(stack: StackCursor, size: Size): Frame {
  stack.touch(size * 2, size);
  const ip = stack.pop(size);
  const cs = stack.popSelector(size);
  return { ip, cs, flags: Number(stack.pop(size) & 0xffff_ffffn) };
}

/** Takes the flags in `mask` from `value`. RF is kept only where an instruction breakpoint could look at it. */
function setFlags(cpu: CpuContext, value: number, mask: number): void {
  const armed = (cpu.get64("dr7") & 0xffn) !== 0n;
  const next = (readEflags(cpu) & ~mask) | (value & mask);
  writeEflags(cpu, armed ? next : next & ~EFLAGS.RF);
  cpu.set32("resumeFresh", next & EFLAGS.RF ? 1 : 0);
}

function returnReal(cpu: CpuContext, size: Size): void {
  const frame = popParagraphs(cpu, size);
  setFlags(cpu, frame.flags, ALWAYS | EFLAGS.IF | EFLAGS.IOPL | (size === 4 ? UPPER : 0));
}

/** CS:IP as 8086 code has them: the limit and the rights of CS stay. */
function popParagraphs(cpu: CpuContext, size: Size): Frame {
  const stack = StackCursor.current(cpu);
  const frame = popFrame(stack, size);
  if (frame.ip > BigInt(cpu.get32("csLimit"))) cpu.raise(VECTOR.GP, 0);
  stack.commit();
  cpu.set32("csSelector", frame.cs);
  cpu.set64("csBase", BigInt(frame.cs) << 4n);
  cpu.set64("rip", frame.ip);
  return frame;
}

/** In virtual-8086 mode IRET needs IOPL 3, or VME and 16-bit operands: then IF becomes VIF (SDM 3A §20.3.2). */
function returnVirtual8086(cpu: CpuContext, size: Size): void {
  const eflags = cpu.get32("eflags");
  if ((eflags & EFLAGS.IOPL) === EFLAGS.IOPL) {
    const frame = popParagraphs(cpu, size);
    setFlags(cpu, frame.flags, ALWAYS | EFLAGS.IF | (size === 4 ? UPPER : 0));
    return;
  }
  if (size !== 2 || !(cpu.get32("cr4") & CR4.VME)) cpu.raise(VECTOR.GP, 0);
  const { flags } = popFrame(StackCursor.current(cpu), size);
  if (flags & EFLAGS.TF || (flags & EFLAGS.IF && eflags & EFLAGS.VIP)) cpu.raise(VECTOR.GP, 0);
  popParagraphs(cpu, size);
  setFlags(cpu, flags | (flags & EFLAGS.IF ? EFLAGS.VIF : 0), ALWAYS | EFLAGS.VIF);
}

function returnNested(cpu: CpuContext): void {
  if (isIa32e(cpu)) cpu.raise(VECTOR.GP, 0);
  returnToLinkedTask(cpu);
}

function returnProtected(cpu: CpuContext, size: Size): void {
  const stack = StackCursor.current(cpu);
  const frame = popFrame(stack, size);
  const cpl = cpu.get32("cpl");
  if (frame.flags & EFLAGS.VM && cpl === 0 && size === 4 && !isIa32e(cpu)) return enterVirtual8086(cpu, stack, frame);
  const cs = returnCodeSegment(cpu, frame.cs);
  const rpl = frame.cs & 3;
  const toLong = isLongTarget(cpu, cs);
  const mask = flagMask(cpu, size);
  // 64-bit code always has the stack pointer in its frame (SDM 3A §6.14.3).
  if (rpl > cpl || inLongMode(cpu)) {
    const pointer = stack.pop(size);
    const selector = stack.popSelector(size);
    const ss = returnStackSegment(cpu, selector, rpl, toLong);
    checkTarget(cpu, cs, frame.ip);
    touchReturnSegments(cpu, cs, ss);
    enterStack(cpu, ss, selector, pointer, toLong);
  } else {
    checkTarget(cpu, cs, frame.ip);
    touchReturnSegments(cpu, cs, undefined);
    stack.commit();
  }
  enterCode(cpu, cs, frame.ip, rpl);
  setFlags(cpu, frame.flags, mask);
  if (rpl > cpl) dropPrivilegedSegments(cpu, rpl);
}

/** Which flags the old privilege level lets through. */
function flagMask(cpu: CpuContext, size: Size): number {
  const cpl = cpu.get32("cpl");
  const iopl = (cpu.get32("eflags") & EFLAGS.IOPL) >> 12;
  const wide = size === 2 ? 0 : UPPER;
  const virtual = size === 2 || cpl !== 0 ? 0 : EFLAGS.VIF | EFLAGS.VIP;
  return ALWAYS | wide | virtual | (cpl <= iopl ? EFLAGS.IF : 0) | (cpl === 0 ? EFLAGS.IOPL : 0);
}

/** Return to virtual-8086 mode: ESP, SS, ES, DS, FS, GS follow on the stack. */
function enterVirtual8086(cpu: CpuContext, stack: StackCursor, frame: Frame): void {
  const pointer = stack.pop(4);
  const selectors = (["ss", "es", "ds", "fs", "gs"] as const).map((name) => [name, stack.popSelector(4)] as const);
  setFlags(cpu, frame.flags, 0x3f_ffff);
  for (const [name, selector] of [["cs", frame.cs] as const, ...selectors]) setSegment(cpu, name, virtual8086Segment(selector));
  cpu.set32("cpl", 3);
  cpu.set64("rsp", pointer);
  cpu.set64("rip", frame.ip & 0xffffn);
}
