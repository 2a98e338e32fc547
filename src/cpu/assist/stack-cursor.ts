// A stack while an event or a far transfer works on it: pushes and pops before any register changes (SDM 3A §6.12, §7.2).
import { ROUTINE } from "../engine-calls.ts";
import type { SegmentState } from "../engine/engine.ts";
import { VIEW } from "../engine/layout.ts";
import { VECTOR } from "../mmu/control.ts";
import { MODE } from "../state.ts";
import type { CpuContext } from "./context.ts";
import { ACCESS_BITS, getSegment } from "./descriptor.ts";

/** Operand sizes of pushes. */
export type Size = 2 | 4 | 8;

const isCanonical = (a: bigint): boolean => BigInt.asUintN(64, BigInt.asIntN(48, a)) === a;

/** Where a stack lies and with which rights it is used. */
export interface StackPlace {
  readonly segment: SegmentState;
  readonly pointer: bigint;
  /** 64-bit stack: no segment limits, canonical addresses. */
  readonly long: boolean;
  /** Host address of the TLB view to access it with. */
  readonly view: number;
  /** Error code of #SS. */
  readonly errorCode: number;
}

/** Moves over a stack; `pointer` is the new stack pointer so far. */
export class StackCursor {
  readonly #cpu: CpuContext;
  readonly #place: StackPlace;
  readonly #mask: bigint;
  pointer: bigint;

  constructor(cpu: CpuContext, place: StackPlace) {
    this.#cpu = cpu;
    this.#place = place;
    this.#mask = place.long ? (1n << 64n) - 1n : place.segment.access & ACCESS_BITS.big ? 0xffff_ffffn : 0xffffn;
    this.pointer = place.pointer;
  }

  /** The running stack with the program's own rights. */
  static current(cpu: CpuContext): StackCursor {
    const long = (cpu.get32("mode") & MODE.long) !== 0;
    return new StackCursor(cpu, {
      segment: getSegment(cpu, "ss"),
      pointer: cpu.get64("rsp"),
      long,
      view: cpu.get32("tlbView"),
      errorCode: 0,
    });
  }

  /** A stack of a more privileged level, before CPL changes: accesses are supervisor's. */
  static inner(cpu: CpuContext, segment: SegmentState, pointer: bigint, long: boolean): StackCursor {
    const errorCode = segment.selector & 0xfffc;
    return new StackCursor(cpu, { segment, pointer, long, view: cpu.base + VIEW.supervisor, errorCode });
  }

  push(size: Size, value: bigint | number): void {
    const offset = (this.pointer - BigInt(size)) & this.#mask;
    this.#cpu.call(ROUTINE.store[size], this.#place.view, this.#linear(offset, size), BigInt.asUintN(size * 8, BigInt(value)));
    this.#move(offset);
  }

  pop(size: Size): bigint {
    const offset = this.pointer & this.#mask;
    const value = BigInt.asUintN(64, this.#cpu.call(ROUTINE.load[size], this.#place.view, this.#linear(offset, size)) as bigint);
    this.release(size);
    return value;
  }

  /** Reads the slot `distance` bytes up, for the fault that it may raise. */
  touch(distance: number, size: Size): void {
    const offset = (this.pointer + BigInt(distance)) & this.#mask;
    this.#cpu.call(ROUTINE.load[size], this.#place.view, this.#linear(offset, size));
  }

  /** Pops a selector: the upper bits of its slot are ignored. */
  popSelector(size: Size): number {
    return Number(this.pop(size) & 0xffffn);
  }

  /** Moves the pointer up by `bytes`. */
  release(bytes: number): void {
    this.#move((this.pointer + BigInt(bytes)) & this.#mask);
  }

  /** Writes the pointer to RSP. */
  commit(): void {
    this.#cpu.set64("rsp", this.pointer);
  }

  /** A 16-bit stack keeps the upper half of ESP. */
  #move(offset: bigint): void {
    this.pointer = this.#place.long ? offset : (this.pointer & 0xffff_ffffn & ~this.#mask) | offset;
  }

  #linear(offset: bigint, size: number): bigint {
    const { segment, long, errorCode } = this.#place;
    if (long) {
      if (!isCanonical(offset)) this.#cpu.raise(VECTOR.SS, errorCode);
      return offset;
    }
    if (!inLimit(segment, offset, size)) this.#cpu.raise(VECTOR.SS, errorCode);
    return (segment.base + offset) & 0xffff_ffffn;
  }
}

/** Limit check with expand-down segments (SDM 3A §5.3). */
function inLimit(s: SegmentState, offset: bigint, size: number): boolean {
  const first = Number(offset);
  const last = first + size - 1;
  const expandDown = (s.access & (ACCESS_BITS.code | ACCESS_BITS.conforming)) === ACCESS_BITS.conforming;
  if (!expandDown) return last <= s.limit || s.limit === 0xffff_ffff;
  return first > s.limit && last <= (s.access & ACCESS_BITS.big ? 0xffff_ffff : 0xffff);
}
