// Conversions between single, double and integers, and rounding to integral values (SDM 1 §11.5.1, table 4-7; SDM 2B ROUNDPS).
import type { Builder } from "../ir/builder.ts";
import { routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import {
  DOUBLE,
  exponentOf,
  flagIf,
  flushOperand,
  type Format,
  fractionOf,
  infinity,
  isInfinite,
  isNan,
  isSignalling,
  isZero,
  MXCSR,
  nanOf,
  quiet,
  raiseDenormal,
  raiseFlags,
  ROUND,
  roundTo,
  shiftSticky,
  signBit,
  signOf,
  SINGLE,
  unpack,
} from "./ieee.ts";

/** 1 when the integer below the fraction (a 64-bit binary fraction) has to be increased. */
function roundsAway(b: Builder, rc: Expr, sign: Expr, integer: Expr, fraction: Expr): Expr {
  const half = 1n << 63n;
  const nearest = b.or(b.gtU(fraction, half), b.and(b.eq(fraction, half), b.wrap(b.and(integer, 1n))));
  const direction = b.select(b.wrap(sign), b.i32(ROUND.down), b.i32(ROUND.up));
  const directed = b.and(b.eq(rc, direction), b.ne(fraction, 0n));
  return b.select(rc, directed, nearest);
}

/** Magnitude below 2^64 as integer and 64-bit fraction (sticky). */
function split(b: Builder, f: Format, x: Expr): { integer: Expr; fraction: Expr } {
  const { exponent, significand } = unpack(b, f, x);
  const shift = b.sub(b.i64(f.bias + 63), exponent);
  const far = b.geU(shift, 64n);
  const near = b.shl(b.shl(significand, 1), b.xor(shift, 63n));
  return {
    integer: b.select(far, b.i64(0), b.shrU(significand, shift)),
    fraction: b.select(far, shiftSticky(b, significand, b.sub(shift, 64n)), near),
  };
}

function defineToInteger(f: Format, width: 32 | 64): Routine {
  const most = 1n << BigInt(width - 1);
  return routine(`${f.name}.toI${width}`, ["i32", "i64", "i32"], "i64", (b, base, operand, rc) => {
    const x = flushOperand(b, base, f, operand);
    const invalid = (): void => {
      raiseFlags(b, base, MXCSR.IE);
      b.return(b.i64(most));
    };
    b.if(b.geU(exponentOf(b, f, x), BigInt(f.bias + 64)), invalid);
    b.if(isZero(b, f, x), () => b.return(b.i64(0)));
    const sign = signOf(b, f, x);
    const { integer, fraction } = split(b, f, x);
    const size = b.add(integer, b.extU(roundsAway(b, rc, sign, integer, fraction)));
    b.if(b.gtU(size, b.add(sign, most - 1n)), invalid);
    b.if(b.ne(fraction, 0n), () => raiseFlags(b, base, MXCSR.PE));
    b.return(b.zext(b.select(b.wrap(sign), b.sub(b.i64(0), size), size), width));
  });
}

function defineFromInteger(f: Format): Routine {
  return routine(`${f.name}.fromInteger`, ["i32", "i64"], "i64", (b, base, value) => {
    b.if(b.not(value), () => b.return(b.i64(0)));
    const sign = b.shrU(value, 63);
    const size = b.select(b.wrap(sign), b.sub(b.i64(0), value), value);
    const zeros = b.clz(size);
    b.return(b.call(roundTo(f), base, sign, b.sub(b.i64(f.bias + 63), zeros), b.shl(size, zeros)));
  });
}

/** One of the four directions, PE raised only when `report`: (base, operand, rc, report). */
function defineToIntegral(f: Format): Routine {
  return routine(`${f.name}.toIntegral`, ["i32", "i64", "i32", "i32"], "i64", (b, base, operand, rc, report) => {
    b.if(isNan(b, f, operand), () => b.return(b.call(nanOf(f), base, operand, operand)));
    const x = flushOperand(b, base, f, operand);
    const unchanged = b.or(isZero(b, f, x), b.geU(exponentOf(b, f, x), BigInt(f.bias + f.fraction)));
    b.if(unchanged, () => b.return(x));
    const sign = signOf(b, f, x);
    const { integer, fraction } = split(b, f, x);
    b.if(b.and(b.ne(fraction, 0n), report), () => raiseFlags(b, base, MXCSR.PE));
    const size = b.add(integer, b.extU(roundsAway(b, rc, sign, integer, fraction)));
    const signed = b.and(x, signBit(f));
    b.if(b.not(size), () => b.return(signed));
    const zeros = b.clz(size);
    const exponent = b.sub(b.i64(f.bias + 63 - 1), zeros);
    b.return(b.add(b.or(signed, b.shl(exponent, f.fraction)), b.shrU(b.shl(size, zeros), 63 - f.fraction)));
  });
}

/** The NaN of the other format: its fraction keeps its upper end (SDM 1 §4.8.3.6). */
function convertNan(b: Builder, base: Expr, from: Format, to: Format, x: Expr): Expr {
  raiseFlags(b, base, flagIf(b, isSignalling(b, from, x), MXCSR.IE));
  const fraction = fractionOf(b, from, x);
  const moved = to === DOUBLE ? b.shl(fraction, 29) : b.shrU(fraction, 29);
  return quiet(b, to, b.or(b.or(b.shl(signOf(b, from, x), to.bits - 1), infinity(to)), moved));
}

function defineChange(from: Format, to: Format): Routine {
  return routine(`${from.name}.to.${to.name}`, ["i32", "i64"], "i64", (b, base, operand) => {
    b.if(isNan(b, from, operand), () => b.return(convertNan(b, base, from, to, operand)));
    const x = flushOperand(b, base, from, operand);
    const sign = signOf(b, from, x);
    const signed = b.shl(sign, to.bits - 1);
    b.if(isZero(b, from, x), () => b.return(signed));
    b.if(isInfinite(b, from, x), () => b.return(b.or(signed, infinity(to))));
    raiseDenormal(b, base, from, x);
    const { exponent, significand } = unpack(b, from, x);
    b.return(b.call(roundTo(to), base, sign, b.add(exponent, BigInt(to.bias - from.bias)), significand));
  });
}

/** Conversions of one format. */
export interface Conversion {
  /** (base, operand, rounding control) → 32-bit integer, zero-extended. */
  readonly toInt32: Routine;
  readonly toInt64: Routine;
  /** (base, signed 64-bit integer) → number. */
  readonly fromInteger: Routine;
  /** (base, operand, rounding control, 1 to raise PE) → integral number. */
  readonly toIntegral: Routine;
  /** (base, operand) → the other format. */
  readonly toOther: Routine;
}

const define = (f: Format, other: Format): Conversion => ({
  toInt32: defineToInteger(f, 32),
  toInt64: defineToInteger(f, 64),
  fromInteger: defineFromInteger(f),
  toIntegral: defineToIntegral(f),
  toOther: defineChange(f, other),
});
const single = define(SINGLE, DOUBLE);
const double = define(DOUBLE, SINGLE);
/** The conversions of a format. */
export const conversion = (f: Format): Conversion => (f === DOUBLE ? double : single);
