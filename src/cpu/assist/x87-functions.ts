// The transcendental x87 instructions: special operands (SDM 2A, their tables), then transcendental.ts. Rounding, exceptions of the
// result and the stack are the vocabulary's (isa/x87/transcendental.ts).
import { BIAS, EXPONENT_MAX, INDEFINITE, INTEGER_BIT, SIGN } from "../float/extended-format.ts";
import { FSW } from "../float/status.ts";
import { SCRATCH, X87 } from "../state.ts";
import type { CpuContext } from "./context.ts";
import { FUNCTION, FUNCTION_RESULT, ROUNDS } from "./numbers.ts";
import {
  arcTangent,
  cosine,
  eighthsOfCircle,
  powerMinusOne,
  type Real,
  sine,
  tangent,
  timesLogarithm,
  timesLogarithmPlusOne,
  type Unrounded,
} from "./transcendental.ts";

/** An operand. NaNs and unsupported encodings do not get here. */
interface Operand {
  readonly head: number;
  readonly significand: bigint;
  readonly negative: boolean;
  readonly infinite: boolean;
  readonly zero: boolean;
}

/** A number that needs no rounding. */
interface Exact {
  readonly head: number;
  readonly significand: bigint;
}

/** What an instruction gives: exceptions found beforehand, and results; none when the operand is out of range (C2). */
interface Outcome {
  readonly raised: number;
  readonly results: readonly (Exact | Unrounded)[];
}

function operand(cpu: CpuContext, i: number): Operand {
  const at = cpu.base + X87 + (((cpu.get32("ftop") + i) & 7) << 4);
  const head = cpu.view.getUint16(at + 8, true);
  const significand = cpu.view.getBigUint64(at, true);
  const exponent = head & EXPONENT_MAX;
  return { head, significand, negative: head >= SIGN, infinite: exponent === EXPONENT_MAX, zero: significand === 0n };
}

/** A nonzero finite operand, normalized. */
function real({ head, significand, negative }: Operand): Real {
  const zeros = 64 - significand.toString(2).length;
  return { negative, exponent: Math.max(head & EXPONENT_MAX, 1) - zeros - BIAS, significand: significand << BigInt(zeros) };
}

const signed = (negative: boolean, head: number): number => (negative ? SIGN : 0) | head;
const zero = (negative: boolean): Exact => ({ head: signed(negative, 0), significand: 0n });
const infinity = (negative: boolean): Exact => ({ head: signed(negative, EXPONENT_MAX), significand: INTEGER_BIT });
const one = (negative: boolean): Exact => ({ head: signed(negative, BIAS), significand: INTEGER_BIT });
const NOTHING: Outcome = { raised: 0, results: [] };

const exact = (...results: Exact[]): Outcome => ({ raised: 0, results });
const rounded = (...results: (Unrounded | Exact)[]): Outcome => ({ raised: 0, results });
/** Invalid: the indefinite for each result. */
const invalid = (count = 1): Outcome => ({ raised: FSW.IE, results: Array.from({ length: count }, () => INDEFINITE) });

/** Arguments from 2^63 up are out of range: C2, and nothing changes (SDM 1 §8.1.3.4). */
const outOfRange = (x: Operand): boolean => (x.head & EXPONENT_MAX) >= BIAS + 63;

function trigonometric(
  x: Operand,
  count: number,
  atZero: (x: Operand) => readonly Exact[],
  otherwise: (x: Real) => readonly (Unrounded | Exact)[],
): Outcome {
  if (x.infinite) return invalid(count);
  if (outOfRange(x)) return NOTHING;
  return x.zero ? exact(...atZero(x)) : rounded(...otherwise(real(x)));
}

/** 2^x - 1. Beyond ±1 the result is undefined; silicon gives x back, and says that it is inexact. */
function f2xm1(x: Operand): Outcome {
  if (x.infinite) return exact(x.negative ? one(true) : x);
  if (x.zero) return exact(x);
  const r = real(x);
  const beyond = r.exponent > 0 || (r.exponent === 0 && r.significand !== INTEGER_BIT);
  return rounded(beyond ? { ...r, high: r.significand, low: 1n, nearest: true } : powerMinusOne(r));
}

/** y · log2(x): SDM 2A table 3-49. */
function fyl2x(y: Operand, x: Operand): Outcome {
  if (x.zero) {
    if (y.zero) return invalid();
    return { raised: y.infinite ? 0 : FSW.ZE, results: [infinity(!y.negative)] };
  }
  if (x.negative) return invalid();
  if (x.infinite) return y.zero ? invalid() : exact(infinity(y.negative));
  const r = real(x);
  if (r.exponent === 0 && r.significand === INTEGER_BIT) return y.infinite ? invalid() : exact(zero(y.negative));
  const negative = y.negative !== r.exponent < 0;
  if (y.infinite) return exact(infinity(negative));
  return y.zero ? exact(zero(negative)) : rounded(timesLogarithm(real(y), r));
}

/** y · log2(x + 1): SDM 2A table 3-50. Outside of its range the result is undefined. */
function fyl2xp1(y: Operand, x: Operand): Outcome {
  const negative = y.negative !== x.negative;
  if (x.zero) return y.infinite ? invalid() : exact(zero(negative));
  if (x.infinite) return x.negative || y.zero ? invalid() : exact(infinity(y.negative));
  const r = real(x);
  if (r.negative && r.exponent >= 0) return invalid();
  if (y.infinite) return exact(infinity(negative));
  return y.zero ? exact(zero(negative)) : rounded(timesLogarithmPlusOne(real(y), r));
}

/** The angle of (x, y): SDM 2A table 3-30. */
function fpatan(y: Operand, x: Operand): Outcome {
  const eighths = (n: number): Outcome => rounded(eighthsOfCircle(y.negative, n));
  if (y.infinite) return eighths(x.infinite ? (x.negative ? 3 : 1) : 2);
  if (x.infinite || y.zero) return x.negative ? eighths(4) : exact(zero(y.negative));
  return x.zero ? eighths(2) : rounded(arcTangent(real(y), real(x)));
}

const FUNCTIONS: Readonly<Record<number, (x: Operand, y: () => Operand) => Outcome>> = {
  [FUNCTION.sine]: (x) =>
    trigonometric(
      x,
      1,
      (z) => [z],
      (r) => [sine(r)],
    ),
  [FUNCTION.cosine]: (x) =>
    trigonometric(
      x,
      1,
      () => [one(false)],
      (r) => [cosine(r)],
    ),
  [FUNCTION.sineCosine]: (x) =>
    trigonometric(
      x,
      2,
      (z) => [z, one(false)],
      (r) => [sine(r), cosine(r)],
    ),
  [FUNCTION.tangent]: (x) =>
    trigonometric(
      x,
      2,
      (z) => [z, one(false)],
      (r) => [tangent(r), one(false)],
    ),
  [FUNCTION.powerMinusOne]: (x) => f2xm1(x),
  [FUNCTION.logarithm]: (x, y) => fyl2x(y(), x),
  [FUNCTION.logarithmPlusOne]: (x, y) => fyl2xp1(y(), x),
  [FUNCTION.arcTangent]: (x, y) => fpatan(y(), x),
};

const isUnrounded = (r: Exact | Unrounded): r is Unrounded => "exponent" in r;

/** Computes a function of ST(0), or of ST(0) and ST(1); the results go to SCRATCH (numbers.ts, FUNCTION_RESULT) → how many there are. */
export function computeFunction(cpu: CpuContext, which: number): number {
  const { raised, results } = FUNCTIONS[which]!(operand(cpu, 0), () => operand(cpu, 1));
  results.forEach((r, i) => {
    const at = cpu.base + SCRATCH + i * FUNCTION_RESULT.size;
    const inexact = isUnrounded(r);
    cpu.view.setInt32(at + FUNCTION_RESULT.rounds, inexact ? (r.nearest ? ROUNDS.nearest : ROUNDS.control) : ROUNDS.no, true);
    cpu.view.setInt32(at + FUNCTION_RESULT.head, inexact ? signed(r.negative, 0) : r.head, true);
    cpu.view.setInt32(at + FUNCTION_RESULT.exponent, inexact ? r.exponent + BIAS : 0, true);
    cpu.view.setBigUint64(at + FUNCTION_RESULT.high, inexact ? r.high : r.significand, true);
    cpu.view.setBigUint64(at + FUNCTION_RESULT.low, inexact ? r.low : 0n, true);
    cpu.view.setInt32(at + FUNCTION_RESULT.raised, raised, true);
  });
  return results.length;
}
