// Addition, subtraction, multiplication, division and square root in single and double precision (SDM 1 §11.5, appendix E).
//
// All are (base, first, second) → result; the first operand is the instruction's destination, whose NaN wins.
import type { Builder } from "../ir/builder.ts";
import { routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import {
  DOUBLE,
  exponentOf,
  flushOperand,
  type Format,
  fractionOf,
  infinity,
  isInfinite,
  isZero,
  magnitude,
  MXCSR,
  raiseDenormal,
  raiseFlags,
  ROUND,
  roundingControl,
  roundTo,
  shiftSticky,
  signBit,
  SINGLE,
  signOf,
  returnInvalid,
  returnNan,
  unpack,
} from "./ieee.ts";
import { divideWide, multiplyWide, squareRootWide, wideHigh } from "./wide.ts";

/** Runs `body` on two operands that are not NaNs, denormals flushed as MXCSR.DAZ says. */
function binary(name: string, f: Format, body: (b: Builder, base: Expr, x: Expr, y: Expr) => void): Routine {
  return routine(`${f.name}.${name}`, ["i32", "i64", "i64"], "i64", (b, base, first, second) => {
    returnNan(b, base, f, first, second);
    body(b, base, flushOperand(b, base, f, first), flushOperand(b, base, f, second));
  });
}

/** Exponent (1 for denormals) and significand with its unit at bit 62, for sums. */
function summand(b: Builder, f: Format, x: Expr): { exponent: Expr; significand: Expr } {
  const exponent = exponentOf(b, f, x);
  const normal = b.ne(exponent, 0n);
  const fraction = b.or(fractionOf(b, f, x), b.shl(b.extU(normal), f.fraction));
  return { exponent: b.select(normal, exponent, b.i64(1)), significand: b.shl(fraction, 62 - f.fraction) };
}

function defineSum(name: string, f: Format, subtract: boolean): Routine {
  return binary(name, f, (b, base, x, second) => {
    const y = subtract ? b.xor(second, signBit(f)) : second;
    const differ = b.wrap(signOf(b, f, b.xor(x, y)));
    b.if(b.and(b.and(isInfinite(b, f, x), isInfinite(b, f, y)), differ), () => returnInvalid(b, base, f));
    raiseDenormal(b, base, f, x, y);
    b.if(isInfinite(b, f, x), () => b.return(x));
    b.if(isInfinite(b, f, y), () => b.return(y));
    const swap = b.ltU(magnitude(b, f, x), magnitude(b, f, y));
    const large = b.select(swap, y, x);
    const [p, q] = [summand(b, f, large), summand(b, f, b.select(swap, x, y))];
    const aligned = shiftSticky(b, q.significand, b.sub(p.exponent, q.exponent));
    const sum = b.select(differ, b.sub(p.significand, aligned), b.add(p.significand, aligned));
    b.if(b.not(sum), () => {
      // x - x is -0 when rounding down (SDM 1 §4.8.3.1); zeros of one sign keep it.
      const negative = b.select(differ, b.eq(roundingControl(b, base), ROUND.down), b.wrap(signOf(b, f, x)));
      b.return(b.shl(b.extU(negative), f.bits - 1));
    });
    const zeros = b.clz(sum);
    b.return(b.call(roundTo(f), base, signOf(b, f, large), b.sub(b.add(p.exponent, 1n), zeros), b.shl(sum, zeros)));
  });
}

/** Product of two normalised significands: its upper 64 bits, sticky, between 1/4 and 1. */
function product(b: Builder, f: Format, x: Expr, y: Expr): Expr {
  if (f.bits === 32) return b.shl(b.mul(b.shrU(x, 40), b.shrU(y, 40)), 16);
  const { high, low } = multiplyWide(b, x, y);
  return b.or(high, b.extU(b.ne(low, 0n)));
}

/** Rounds a significand whose leading one is at bit 63 or 62; `exponent` is that of bit 63. */
function roundNearlyNormal(b: Builder, base: Expr, f: Format, sign: Expr, exponent: Expr, significand: Expr): void {
  const zeros = b.clz(significand);
  b.return(b.call(roundTo(f), base, sign, b.sub(exponent, zeros), b.shl(significand, zeros)));
}

function defineMultiply(f: Format): Routine {
  return binary("mul", f, (b, base, x, y) => {
    const sign = signOf(b, f, b.xor(x, y));
    const signed = b.shl(sign, f.bits - 1);
    const infinite = b.or(isInfinite(b, f, x), isInfinite(b, f, y));
    const zero = b.or(isZero(b, f, x), isZero(b, f, y));
    b.if(b.and(infinite, zero), () => returnInvalid(b, base, f));
    raiseDenormal(b, base, f, x, y);
    b.if(infinite, () => b.return(b.or(signed, infinity(f))));
    b.if(zero, () => b.return(signed));
    const [p, q] = [unpack(b, f, x), unpack(b, f, y)];
    const exponent = b.sub(b.add(p.exponent, q.exponent), BigInt(f.bias - 1));
    roundNearlyNormal(b, base, f, sign, exponent, product(b, f, p.significand, q.significand));
  });
}

/** Quotient of two normalised significands, between 1/2 and 2, with its unit at bit 63 (one bit lost to sticky where it is there). */
function quotient(b: Builder, base: Expr, f: Format, x: Expr, y: Expr): Expr {
  if (f.bits === 32) {
    const [numerator, denominator] = [b.shl(b.shrU(x, 40), 40), b.shrU(y, 40)];
    const sticky = b.extU(b.ne(b.remU(numerator, denominator), 0n));
    return b.or(b.shl(b.divU(numerator, denominator), 23), sticky);
  }
  const q = b.call(divideWide, base, b.shrU(x, 1), b.shl(x, 63), y);
  return b.or(q, b.extU(b.ne(wideHigh(b, base), 0n)));
}

function defineDivide(f: Format): Routine {
  return binary("div", f, (b, base, x, y) => {
    const sign = signOf(b, f, b.xor(x, y));
    const signed = b.shl(sign, f.bits - 1);
    const [infiniteX, infiniteY] = [isInfinite(b, f, x), isInfinite(b, f, y)];
    const [zeroX, zeroY] = [isZero(b, f, x), isZero(b, f, y)];
    b.if(b.or(b.and(infiniteX, infiniteY), b.and(zeroX, zeroY)), () => returnInvalid(b, base, f));
    b.if(b.and(zeroY, b.not(infiniteX)), () => {
      raiseFlags(b, base, MXCSR.ZE);
      b.return(b.or(signed, infinity(f)));
    });
    raiseDenormal(b, base, f, x, y);
    b.if(infiniteX, () => b.return(b.or(signed, infinity(f))));
    b.if(b.or(zeroX, infiniteY), () => b.return(signed));
    const [p, q] = [unpack(b, f, x), unpack(b, f, y)];
    const exponent = b.add(b.sub(p.exponent, q.exponent), BigInt(f.bias));
    roundNearlyNormal(b, base, f, sign, exponent, quotient(b, base, f, p.significand, q.significand));
  });
}

function defineSquareRoot(f: Format): Routine {
  return routine(`${f.name}.sqrt`, ["i32", "i64"], "i64", (b, base, operand) => {
    returnNan(b, base, f, operand, operand);
    const x = flushOperand(b, base, f, operand);
    b.if(isZero(b, f, x), () => b.return(x));
    b.if(b.wrap(signOf(b, f, x)), () => returnInvalid(b, base, f));
    raiseDenormal(b, base, f, x);
    b.if(isInfinite(b, f, x), () => b.return(x));
    const { exponent, significand } = unpack(b, f, x);
    const power = b.sub(exponent, BigInt(f.bias));
    // An odd power of two leaves a factor 2 under the root.
    const odd = b.wrap(b.and(power, 1n));
    const high = b.select(odd, significand, b.shrU(significand, 1));
    const root = b.call(squareRootWide, base, high, b.select(odd, b.i64(0), b.shl(significand, 63)));
    const sticky = b.extU(b.ne(wideHigh(b, base), 0n));
    b.return(b.call(roundTo(f), base, b.i64(0), b.add(b.shrS(power, 1), BigInt(f.bias)), b.or(root, sticky)));
  });
}

/** The operations of one format. */
export interface Arithmetic {
  readonly add: Routine;
  readonly sub: Routine;
  readonly mul: Routine;
  readonly div: Routine;
  /** (base, operand) → result. */
  readonly sqrt: Routine;
}

const define = (f: Format): Arithmetic => ({
  add: defineSum("add", f, false),
  sub: defineSum("sub", f, true),
  mul: defineMultiply(f),
  div: defineDivide(f),
  sqrt: defineSquareRoot(f),
});

const single = define(SINGLE);
const double = define(DOUBLE);
/** The operations of a format. */
export const arithmetic = (f: Format): Arithmetic => (f === DOUBLE ? double : single);
