// Transcendental x87 instructions (SDM 1 §5.2.4): the stack, NaNs and denormals here, the functions in assist/x87-functions.ts, and
// their rounding here again. The precision field of the control word does not matter to them.
import { FUNCTION, FUNCTION_RESULT, HELPER, ROUNDS } from "../../assist/numbers.ts";
import { alsoRaise, deliver, headLeft, isDenormal, isNotANumber, propagate, raisedLeft } from "../../float/extended.ts";
import { fullPrecision } from "../../float/extended-remainder.ts";
import { round } from "../../float/extended-round.ts";
import { FCW, FSW } from "../../float/status.ts";
import { helper } from "../../host-calls.ts";
import { type Builder, routine } from "../../ir/builder.ts";
import type { Expr, Routine } from "../../ir/types.ts";
import { SCRATCH } from "../../state.ts";
import { type Instruction, instruction } from "../instruction.ts";
import type { Sem } from "../sem.ts";
import {
  begin,
  controlWord,
  finish,
  fpu,
  headOf,
  isEmpty,
  leaveWithPair,
  needPair,
  noteInstruction,
  physical,
  popUnless,
  raise,
  setStatusWord,
  significandOf,
  statusWord,
  writeAbsent,
  writeResult,
} from "./stack.ts";

/** Rounds a result that the helper left at SCRATCH + offset: (base, offset) → significand. */
const takeResult: Routine = routine("x87.takeResult", ["i32", "i32"], "i64", (b, base, offset) => {
  const from = b.add(base, offset);
  const load = (op: string, field: number): Expr => b.load(op, from, SCRATCH + field);
  const [head, raised, high] = [
    load("i32.load", FUNCTION_RESULT.head),
    load("i32.load", FUNCTION_RESULT.raised),
    load("i64.load", FUNCTION_RESULT.high),
  ];
  const rounds = load("i32.load", FUNCTION_RESULT.rounds);
  b.if(b.not(rounds), () => deliver(b, base, { head, significand: high }, raised));
  const exponent = load("i32.load", FUNCTION_RESULT.exponent);
  const mode = b.select(b.eq(rounds, ROUNDS.nearest), b.i32(~FCW.rounding), b.i32(-1));
  const control = b.and(fullPrecision(b, controlWord(b, base)), mode);
  const significand = b.call(round, base, control, head, exponent, high, load("i64.load", FUNCTION_RESULT.low));
  alsoRaise(b, base, raised);
  b.return(significand);
});

/** DE when one of the registers holds a denormal. */
function denormals(b: Builder, base: Expr, registers: readonly Expr[]): Expr {
  return registers
    .map((n) => b.shl(isDenormal(b, { head: headOf(b, base, n), significand: significandOf(b, base, n) }), 1))
    .reduce((x, y) => b.or(x, y));
}

/** 1 when a NaN or unsupported encoding is among the registers. */
function anyNan(b: Builder, base: Expr, registers: readonly Expr[]): Expr {
  return registers
    .map((n) => isNotANumber(b, { head: headOf(b, base, n), significand: significandOf(b, base, n) }))
    .reduce((x, y) => b.or(x, y));
}

/**
 * Calls the helper → DE when an operand is denormal. Leaves the routine with C2 when the argument is out of range. What is invalid or
 * divides by zero does not look at denormals.
 */
function compute(b: Builder, base: Expr, registers: readonly Expr[], which: Expr): Expr {
  const count = b.callUnchecked(helper, base, b.i32(HELPER.transcendental), which);
  b.if(b.not(count), () => {
    setStatusWord(b, base, b.or(statusWord(b, base), FSW.C2));
    b.return(b.call(raise, base, b.i32(0)));
  });
  const found = b.load("i32.load", base, SCRATCH + FUNCTION_RESULT.raised);
  return b.select(b.and(found, FSW.IE | FSW.ZE), b.i32(0), denormals(b, base, registers));
}

/** A function of `sources` into one register: (base, destination, ST(0), ST(1) or ST(0) again, function) → unmasked. */
const intoOne: Routine = routine("x87.functionIntoOne", ["i32", "i32", "i32", "i32", "i32"], "i32", (b, base, to, n, m, which) => {
  b.if(b.or(isEmpty(b, base, n), isEmpty(b, base, m)), () => {
    b.return(b.call(writeAbsent, base, to));
  });
  const write = (significand: Expr): void => b.return(b.call(writeResult, base, to, headLeft(b, base), significand, raisedLeft(b, base)));
  b.if(anyNan(b, base, [n, m]), () => {
    write(b.call(propagate, base, headOf(b, base, n), significandOf(b, base, n), headOf(b, base, m), significandOf(b, base, m)));
  });
  const denormal = compute(b, base, [n, m], which);
  const significand = b.call(takeResult, base, b.i32(0));
  alsoRaise(b, base, denormal);
  write(significand);
});

/** A function of ST(0) with two results, the second pushed: (base, ST(0), the register above, function) → unmasked. */
const intoTwo: Routine = routine("x87.functionIntoTwo", ["i32", "i32", "i32", "i32"], "i32", (b, base, n, above, which) => {
  needPair(b, base, n, above);
  b.if(anyNan(b, base, [n]), () => {
    const [head, significand] = [headOf(b, base, n), significandOf(b, base, n)];
    const quiet = b.call(propagate, base, head, significand, head, significand);
    const result = [headLeft(b, base), quiet] as const;
    leaveWithPair(b, base, n, above, result, result, raisedLeft(b, base));
  });
  const denormal = compute(b, base, [n], which);
  const first = b.call(takeResult, base, b.i32(0));
  const [firstHead, firstRaised] = [headLeft(b, base), raisedLeft(b, base)];
  const second = b.call(takeResult, base, b.i32(FUNCTION_RESULT.size));
  leaveWithPair(b, base, n, above, [firstHead, first], [headLeft(b, base), second], b.or(b.or(firstRaised, raisedLeft(b, base)), denormal));
});

function prologue(o: Sem): void {
  begin(o);
  noteInstruction(o);
}

/** C2 tells whether an argument was in range (SDM 1 §8.1.3.4). */
function clearC2(o: Sem): void {
  setStatusWord(o, o.base(), o.and(statusWord(o, o.base()), ~FSW.C2));
}

function unary(name: string, row: string, which: number, ranged: boolean): Instruction {
  return instruction(name, {
    forms: fpu(row),
    sem: (o) => {
      prologue(o);
      if (ranged) clearC2(o);
      const n = physical(o, 0);
      finish(o, o.call(intoOne, o.base(), n, n, n, o.i32(which)));
    },
  });
}

function popping(name: string, row: string, which: number): Instruction {
  return instruction(name, {
    forms: fpu(row),
    sem: (o) => {
      prologue(o);
      const unmasked = o.call(intoOne, o.base(), physical(o, 1), physical(o, 0), physical(o, 1), o.i32(which));
      popUnless(o, unmasked);
      finish(o, unmasked);
    },
  });
}

function pushing(name: string, row: string, which: number): Instruction {
  return instruction(name, {
    forms: fpu(row),
    sem: (o) => {
      prologue(o);
      clearC2(o);
      finish(o, o.call(intoTwo, o.base(), physical(o, 0), physical(o, 7), o.i32(which)));
    },
  });
}

/** Trigonometric, logarithmic and exponential instructions. */
export const x87Transcendental: readonly Instruction[] = [
  unary("F2XM1", "D9 F0", FUNCTION.powerMinusOne, false),
  popping("FYL2X", "D9 F1", FUNCTION.logarithm),
  pushing("FPTAN", "D9 F2", FUNCTION.tangent),
  popping("FPATAN", "D9 F3", FUNCTION.arcTangent),
  popping("FYL2XP1", "D9 F9", FUNCTION.logarithmPlusOne),
  pushing("FSINCOS", "D9 FB", FUNCTION.sineCosine),
  unary("FSIN", "D9 FE", FUNCTION.sine, true),
  unary("FCOS", "D9 FF", FUNCTION.cosine, true),
];
