// Every instruction there is.
import { arith } from "./arith.ts";
import { branch } from "./branch.ts";
import { syscall } from "./syscall.ts";
import { system } from "./system.ts";
import { sseState } from "./sse-state.ts";
import { mmx } from "./mmx.ts";
import { sseInteger } from "./sse-integer.ts";
import { sseLane } from "./sse-lane.ts";
import { sseMove } from "./sse-move.ts";
import { sseShift } from "./sse-shift.ts";
import { sseShuffle } from "./sse-shuffle.ts";
import { sseString } from "./sse-string.ts";
import { aes } from "./aes.ts";
import { carryless } from "./carryless.ts";
import { bcd } from "./bcd.ts";
import { bit } from "./bit.ts";
import { far } from "./far.ts";
import { flagControl } from "./flag-control.ts";
import { hint } from "./hint.ts";
import { interrupt } from "./interrupt.ts";
import { io } from "./io.ts";
import { moves } from "./move.ts";
import { muldiv } from "./muldiv.ts";
import { segment } from "./segment.ts";
import { shift } from "./shift.ts";
import { stack } from "./stack.ts";
import { string } from "./string.ts";
import { sseFloat } from "./sse-float.ts";
import { sseFloatConvert } from "./sse-float-convert.ts";
import { sseFloatDot } from "./sse-float-dot.ts";
import { sseFloatRound } from "./sse-float-round.ts";
import { x87 } from "./x87/index.ts";
import type { Instruction } from "./instruction.ts";

/** All instructions by family. */
export const FAMILIES: Readonly<Record<string, readonly Instruction[]>> = {
  arith,
  branch,
  moves,
  stack,
  bit,
  shift,
  muldiv,
  string,
  io,
  interrupt,
  segment,
  far,
  flagControl,
  bcd,
  hint,
  system,
  syscall,
  sseState,
  sseMove,
  sseInteger,
  sseShift,
  sseShuffle,
  sseLane,
  sseString,
  aes,
  carryless,
  mmx,
  x87,
  sseFloat,
  sseFloatConvert,
  sseFloatDot,
  sseFloatRound,
};

/** All instructions, family by family. */
export const INSTRUCTIONS: readonly Instruction[] = Object.values(FAMILIES).flat();
