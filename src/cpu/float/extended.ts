// Double extended-precision numbers in routines: a `head` (i32: sign in bit 15, exponent in bits 0–14) and a significand (i64, with its
// integer bit). A routine returns a significand and leaves the head and the exceptions it found in `floatHead` and `floatRaised`.
import type { Builder } from "../ir/builder.ts";
import { routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { at } from "../state.ts";
import { EXPONENT_MAX, INDEFINITE, INTEGER_BIT, QUIET_BIT, SIGN } from "./extended-format.ts";
import { FSW } from "./status.ts";

/** A number as routines pass it. */
export interface Extended {
  readonly head: Expr;
  readonly significand: Expr;
}

/** The exponent field of a head. */
export function exponentOf(b: Builder, head: Expr): Expr {
  return b.and(head, EXPONENT_MAX);
}

/** 8000h for negative numbers, else 0. */
export function signOf(b: Builder, head: Expr): Expr {
  return b.and(head, SIGN);
}

/** 1 for encodings without a meaning: unnormals, pseudo-NaNs, pseudo-infinities (SDM 1 §8.2.2). */
export function isUnsupported(b: Builder, x: Extended): Expr {
  return b.and(b.ne(exponentOf(b, x.head), 0), b.geS(x.significand, 0n));
}

/** 1 for NaNs and unsupported encodings. */
export function isNotANumber(b: Builder, x: Extended): Expr {
  const top = b.eq(exponentOf(b, x.head), EXPONENT_MAX);
  return b.or(b.and(top, b.ne(x.significand, BigInt.asIntN(64, INTEGER_BIT))), isUnsupported(b, x));
}

/** 1 for NaNs (what is not unsupported). */
function isNan(b: Builder, x: Extended): Expr {
  return b.and(b.eq(exponentOf(b, x.head), EXPONENT_MAX), b.ne(b.shl(x.significand, 1), 0n));
}

/** 1 for infinities. The number must not be a NaN. */
export function isInfinite(b: Builder, x: Extended): Expr {
  return b.eq(exponentOf(b, x.head), EXPONENT_MAX);
}

/** 1 for zeros of either sign. */
export function isZero(b: Builder, x: Extended): Expr {
  return b.not(b.or(b.extU(exponentOf(b, x.head)), x.significand));
}

/** 1 for denormals and pseudo-denormals. */
export function isDenormal(b: Builder, x: Extended): Expr {
  return b.and(b.not(exponentOf(b, x.head)), b.ne(x.significand, 0n));
}

/** 1 for the numbers that need no special treatment: normalized, not zero. */
export function isNormal(b: Builder, x: Extended): Expr {
  return b.and(b.ltU(b.sub(exponentOf(b, x.head), 1), EXPONENT_MAX - 1), b.ltS(x.significand, 0n));
}

/** A nonzero finite number with its top bit set; the exponent may then be below 1. */
export function normalize(b: Builder, x: Extended): { readonly exponent: Expr; readonly significand: Expr } {
  const zeros = b.clz(x.significand);
  const exponent = exponentOf(b, x.head);
  const real = b.add(exponent, b.not(exponent));
  return { exponent: b.sub(real, b.wrap(zeros)), significand: b.shl(x.significand, zeros) };
}

/** Leaves a routine with a result. */
export function deliver(b: Builder, base: Expr, x: Extended, raised: Expr): void {
  b.store("i32.store", base, x.head, at("floatHead"));
  b.store("i32.store", base, raised, at("floatRaised"));
  b.return(x.significand);
}

/** Leaves a routine with the indefinite and the exceptions of an invalid operation. */
export function deliverInvalid(b: Builder, base: Expr): void {
  deliver(b, base, { head: b.i32(INDEFINITE.head), significand: b.i64(INDEFINITE.significand) }, b.i32(FSW.IE));
}

/** The head that the last routine left. */
export function headLeft(b: Builder, base: Expr): Expr {
  return b.load("i32.load", base, at("floatHead"));
}

/** The exceptions (and C1) that the last routine left. */
export function raisedLeft(b: Builder, base: Expr): Expr {
  return b.load("i32.load", base, at("floatRaised"));
}

/** Adds exceptions to those of the last routine. */
export function alsoRaise(b: Builder, base: Expr, raised: Expr): void {
  b.store("i32.store", base, b.or(raisedLeft(b, base), raised), at("floatRaised"));
}

/** 1 when `x` is the operand to propagate rather than `y`, both NaNs (SDM 1 table 4-7): quiet before signalling, then the larger significand, then positive. */
function preferred(b: Builder, x: Extended, y: Extended): Expr {
  const quiet = (n: Extended): Expr => b.and(n.significand, QUIET_BIT);
  const sameKind = b.eq(quiet(x), quiet(y));
  const larger = b.gtU(x.significand, y.significand);
  const tie = b.and(b.eq(x.significand, y.significand), b.ltU(x.head, y.head));
  return b.select(sameKind, b.or(larger, tie), b.ne(quiet(x), 0n));
}

/**
 * The result of an operation on two operands of which one at least is a NaN or unsupported: (base, head, significand, head,
 * significand). An operation on one operand passes it twice.
 */
export const propagate: Routine = routine(
  "extended.propagate",
  ["i32", "i32", "i64", "i32", "i64"],
  "i64",
  (b, base, aHead, a, bHead, c) => {
    const x = { head: aHead, significand: a };
    const y = { head: bHead, significand: c };
    b.if(b.or(isUnsupported(b, x), isUnsupported(b, y)), () => deliverInvalid(b, base));
    const signalling = (n: Extended): Expr => b.and(isNan(b, n), b.not(b.and(n.significand, QUIET_BIT)));
    const raised = b.or(signalling(x), signalling(y));
    const first = b.select(b.and(isNan(b, x), isNan(b, y)), preferred(b, x, y), isNan(b, x));
    const head = b.select(first, x.head, y.head);
    deliver(b, base, { head, significand: b.or(b.select(first, x.significand, y.significand), QUIET_BIT) }, raised);
  },
);
