// Far JMP, CALL and RET (SDM 2A CALL, JMP; SDM 2B RET). The next instruction's address is in `rip` when they begin.
import { VIEW } from "../engine/layout.ts";
import { VECTOR } from "../mmu/control.ts";
import type { CpuContext } from "./context.ts";
import { dplOf, getSegment, isConforming, isIa32e, markAccessed, setNullSegment, setStackSegment } from "./descriptor.ts";
import { type FarTarget, farTarget } from "./far-target.ts";
import { FAR_ARGUMENT } from "./numbers.ts";
import { readInnerStack, readLongStack } from "./inner-stack.ts";
import {
  checkTarget,
  dropPrivilegedSegments,
  enterCode,
  enterStack,
  isLongTarget,
  returnCodeSegment,
  returnStackSegment,
  touchReturnSegments,
  usesParagraphs,
} from "./return-segments.ts";
import { type Size, StackCursor } from "./stack-cursor.ts";
import { switchTask } from "./task-switch.ts";

const sizeOf = (argument: number): Size => ((argument >>> FAR_ARGUMENT.sizeShift) & 0xf) as Size;

/** HELPER.farJump: selector and operand size in the argument, the offset in `scratchValue`. */
export function farJump(cpu: CpuContext, argument: number): number {
  const selector = argument & FAR_ARGUMENT.mask;
  const offset = cpu.get64("scratchValue");
  if (usesParagraphs(cpu)) enterParagraph(cpu, selector, offset);
  else jumpProtected(cpu, farTarget(cpu, selector, false), offset);
  cpu.refresh();
  return 0;
}

function jumpProtected(cpu: CpuContext, target: FarTarget, offset: bigint): void {
  if (target.kind === "task") return switchTask(cpu, target.task, "jump", cpu.get64("rip"), 0);
  const ip = target.kind === "gate" ? target.offset : offset;
  checkTarget(cpu, target.segment, ip);
  markAccessed(cpu, target.segment);
  enterCode(cpu, target.segment, ip, cpu.get32("cpl"));
}

/** CS:IP as 8086 code sets it; the limit and the rights of CS stay (SDM 3A §20.1.1). */
function enterParagraph(cpu: CpuContext, selector: number, ip: bigint): void {
  if (ip > BigInt(cpu.get32("csLimit"))) cpu.raise(VECTOR.GP, 0);
  cpu.set32("csSelector", selector);
  cpu.set64("csBase", BigInt(selector) << 4n);
  cpu.set64("rip", ip);
}

/** HELPER.farCall: as farJump. */
export function farCall(cpu: CpuContext, argument: number): number {
  const selector = argument & FAR_ARGUMENT.mask;
  const size = sizeOf(argument);
  const offset = cpu.get64("scratchValue");
  if (usesParagraphs(cpu)) {
    const stack = StackCursor.current(cpu);
    pushReturn(cpu, stack, size);
    enterParagraph(cpu, selector, offset);
    stack.commit();
  } else callProtected(cpu, farTarget(cpu, selector, true), offset, size);
  cpu.refresh();
  return 0;
}

function pushReturn(cpu: CpuContext, stack: StackCursor, size: Size): void {
  stack.push(size, cpu.get32("csSelector"));
  stack.push(size, cpu.get64("rip"));
}

function callProtected(cpu: CpuContext, target: FarTarget, offset: bigint, size: Size): void {
  if (target.kind === "task") return switchTask(cpu, target.task, "call", cpu.get64("rip"), 0);
  const cpl = cpu.get32("cpl");
  if (target.kind === "gate" && !isConforming(target.segment) && dplOf(target.segment) < cpl) return callInner(cpu, target);
  const ip = target.kind === "gate" ? target.offset : offset;
  const stack = StackCursor.current(cpu);
  pushReturn(cpu, stack, target.kind === "gate" ? target.size : size);
  checkTarget(cpu, target.segment, ip);
  markAccessed(cpu, target.segment);
  enterCode(cpu, target.segment, ip, cpl);
  stack.commit();
}

/** Through a call gate to a more privileged level: new stack, old stack pointer and parameters on it (SDM 3A §5.8.5). */
function callInner(cpu: CpuContext, target: FarTarget & { kind: "gate" }): void {
  const { segment, size } = target;
  const level = dplOf(segment);
  const inner = isIa32e(cpu) ? undefined : readInnerStack(cpu, level);
  const stack = inner
    ? StackCursor.inner(cpu, inner.segment, inner.pointer, false)
    : new StackCursor(cpu, {
        segment: getSegment(cpu, "ss"),
        pointer: readLongStack(cpu, level),
        long: true,
        view: cpu.base + VIEW.supervisor,
        errorCode: 0,
      });
  stack.push(size, cpu.get32("ssSelector"));
  stack.push(size, cpu.get64("rsp"));
  if (inner) copyParameters(cpu, stack, target);
  pushReturn(cpu, stack, size);
  checkTarget(cpu, segment, target.offset);
  markAccessed(cpu, segment);
  if (inner) setStackSegment(cpu, inner.segment);
  else setNullSegment(cpu, "ss", level);
  stack.commit();
  enterCode(cpu, segment, target.offset, level);
}

function copyParameters(cpu: CpuContext, stack: StackCursor, { parameters, size }: FarTarget & { kind: "gate" }): void {
  const old = StackCursor.current(cpu);
  const values = Array.from({ length: parameters }, () => old.pop(size));
  for (const value of values.toReversed()) stack.push(size, value);
}

/** HELPER.farReturn: bytes to release and operand size in the argument. */
export function farReturn(cpu: CpuContext, argument: number): number {
  const released = argument & FAR_ARGUMENT.mask;
  const size = sizeOf(argument);
  const stack = StackCursor.current(cpu);
  // The selector is read first: where the stack is unmapped, silicon reports its address.
  stack.touch(size, size);
  const ip = stack.pop(size);
  const selector = stack.popSelector(size);
  stack.release(released);
  if (usesParagraphs(cpu)) {
    enterParagraph(cpu, selector, ip);
    stack.commit();
  } else returnProtected(cpu, stack, { ip, selector, size, released });
  cpu.refresh();
  return 0;
}

interface Return {
  readonly ip: bigint;
  readonly selector: number;
  readonly size: Size;
  readonly released: number;
}

function returnProtected(cpu: CpuContext, stack: StackCursor, { ip, selector, size, released }: Return): void {
  const cs = returnCodeSegment(cpu, selector);
  const rpl = selector & 3;
  const outer = rpl > cpu.get32("cpl");
  if (outer) {
    const toLong = isLongTarget(cpu, cs);
    const pointer = stack.pop(size);
    const ssSelector = stack.popSelector(size);
    const ss = returnStackSegment(cpu, ssSelector, rpl, toLong);
    checkTarget(cpu, cs, ip);
    touchReturnSegments(cpu, cs, ss);
    enterStack(cpu, ss, ssSelector, BigInt.asUintN(64, pointer + BigInt(released)), toLong);
  } else {
    checkTarget(cpu, cs, ip);
    touchReturnSegments(cpu, cs, undefined);
    stack.commit();
  }
  enterCode(cpu, cs, ip, rpl);
  if (outer) dropPrivilegedSegments(cpu, rpl);
}
