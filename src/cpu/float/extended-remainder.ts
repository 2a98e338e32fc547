// FPREM, FPREM1, FSCALE and FXTRACT: what works on exponents (SDM 1 §5.2.2).
import { type Builder, routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { at } from "../state.ts";
import {
  alsoRaise,
  deliver,
  deliverInvalid,
  exponentOf,
  type Extended,
  isDenormal,
  isInfinite,
  isNotANumber,
  isZero,
  normalize,
  propagate,
  signOf,
} from "./extended.ts";
import { BIAS, EXPONENT_MAX, INTEGER_BIT, SIGN } from "./extended-format.ts";
import { round } from "./extended-round.ts";
import { FCW, FSW } from "./status.ts";
import { divideWide, shiftLeftWide, wideHigh } from "./wide.ts";

/** A control word that rounds to 64 bits: these instructions do not look at the precision field. */
export function fullPrecision(b: Builder, control: Expr): Expr {
  return b.or(control, FCW.precision);
}

const denormals = (b: Builder, x: Extended, y: Extended): Expr => b.shl(b.or(isDenormal(b, x), isDenormal(b, y)), 1);

/** Set beside the exceptions when the condition codes tell of a quotient; without it C0 and C3 stay. */
export const QUOTIENT = 0x1_0000;

/** A number that comes back as it is, tiny or not, without an underflow; only a pseudo-denormal is written properly. */
function unscaled(b: Builder, x: Extended): Extended {
  const pseudo = b.and(b.not(exponentOf(b, x.head)), b.ltS(x.significand, 0n));
  return { head: b.add(x.head, pseudo), significand: x.significand };
}

/** Where FPREM tells the low bits of the quotient: bit 0 in C1, bit 1 in C3, bit 2 in C0. */
function quotientCodes(b: Builder, quotient: Expr): Expr {
  const q = b.wrap(quotient);
  const bit = (n: number, code: number): Expr => b.select(b.and(q, 1 << n), b.i32(code), b.i32(0));
  return b.or(b.or(bit(0, FSW.C1), bit(1, FSW.C3)), b.or(bit(2, FSW.C0), QUOTIENT));
}

/**
 * Remainder of x / y: (base, control, head, significand, head, significand, 1 for a quotient rounded to nearest) → significand.
 * Exponents more than 63 apart are brought nearer by 32 to 63, and C2 says that it is not over.
 */
export const remainder: Routine = routine(
  "extended.remainder",
  ["i32", "i32", "i32", "i64", "i32", "i64", "i32"],
  "i64",
  (b, base, control, aHead, a, bHead, c, nearest) => {
    const [x, y] = [
      { head: aHead, significand: a },
      { head: bHead, significand: c },
    ];
    b.if(b.or(isNotANumber(b, x), isNotANumber(b, y)), () =>
      b.return(b.call(propagate, base, x.head, x.significand, y.head, y.significand)),
    );
    b.if(b.or(isInfinite(b, x), isZero(b, y)), () => deliverInvalid(b, base));
    const denormal = denormals(b, x, y);
    b.if(isZero(b, x), () => deliver(b, base, x, b.or(denormal, QUOTIENT)));
    const [n, m] = [normalize(b, x), normalize(b, y)];
    const leave = (sign: Expr, exponent: Expr, significand: Expr, codes: Expr): void => {
      b.if(b.not(significand), () => deliver(b, base, { head: signOf(b, x.head), significand }, b.or(denormal, codes)));
      const zeros = b.clz(significand);
      const result = b.call(
        round,
        base,
        fullPrecision(b, control),
        sign,
        b.sub(exponent, b.wrap(zeros)),
        b.shl(significand, zeros),
        b.i64(0),
      );
      alsoRaise(b, base, b.or(denormal, codes));
      b.return(result);
    };
    const sign = signOf(b, x.head);
    const apart = b.sub(n.exponent, m.exponent);
    b.if(isInfinite(b, y), () => deliver(b, base, unscaled(b, x), b.or(denormal, QUOTIENT)));
    b.if(b.ltS(apart, -1), () => leave(sign, n.exponent, n.significand, b.i32(QUOTIENT)));
    b.if(b.ltS(apart, 0), () => {
      b.if(b.and(nearest, b.gtU(n.significand, m.significand)), () => {
        const rest = b.sub(b.shl(m.significand, 1), n.significand);
        leave(b.xor(sign, SIGN), n.exponent, rest, quotientCodes(b, b.i64(1)));
      });
      leave(sign, n.exponent, n.significand, b.i32(QUOTIENT));
    });
    const partial = b.geS(apart, 64);
    const step = b.select(partial, b.or(b.and(apart, 31), 32), apart);
    const dividend = shiftLeftWide(b, { high: b.i64(0), low: n.significand }, b.extU(step));
    const quotient = b.call(divideWide, base, dividend.high, dividend.low, m.significand);
    const rest = wideHigh(b, base);
    b.if(partial, () => leave(sign, b.add(m.exponent, b.sub(apart, step)), rest, b.i32(FSW.C2 | QUOTIENT)));
    const other = b.sub(m.significand, rest);
    const up = b.and(nearest, b.or(b.gtU(rest, other), b.and(b.eq(rest, other), b.wrap(b.and(quotient, 1n)))));
    b.if(up, () => leave(b.xor(sign, SIGN), m.exponent, other, quotientCodes(b, b.add(quotient, 1n))));
    leave(sign, m.exponent, rest, quotientCodes(b, quotient));
  },
);

/** The integer part of a normalized number, clipped to ±FFFFh: (exponent, significand, sign) → i32. */
function clippedInteger(b: Builder, x: Extended): Expr {
  const exponent = exponentOf(b, x.head);
  const shift = b.extU(b.sub(b.i32(BIAS + 63), exponent));
  const whole = b.wrap(b.shrU(x.significand, shift));
  const clipped = b.select(b.gtS(exponent, BIAS + 15), b.i32(0xffff), whole);
  const magnitude = b.select(b.ltS(exponent, BIAS), b.i32(0), clipped);
  return b.select(signOf(b, x.head), b.sub(b.i32(0), magnitude), magnitude);
}

/** x · 2^trunc(y): (base, control, head, significand, head, significand). */
export const scale: Routine = routine(
  "extended.scale",
  ["i32", "i32", "i32", "i64", "i32", "i64"],
  "i64",
  (b, base, control, aHead, a, bHead, c) => {
    const [x, y] = [
      { head: aHead, significand: a },
      { head: bHead, significand: c },
    ];
    b.if(b.or(isNotANumber(b, x), isNotANumber(b, y)), () =>
      b.return(b.call(propagate, base, x.head, x.significand, y.head, y.significand)),
    );
    const denormal = denormals(b, x, y);
    b.if(isInfinite(b, y), () => {
      b.if(signOf(b, y.head), () => {
        b.if(isInfinite(b, x), () => deliverInvalid(b, base));
        deliver(b, base, { head: signOf(b, x.head), significand: b.i64(0) }, denormal);
      });
      b.if(isZero(b, x), () => deliverInvalid(b, base));
      deliver(b, base, { head: b.or(signOf(b, x.head), EXPONENT_MAX), significand: b.i64(INTEGER_BIT) }, denormal);
    });
    b.if(b.or(b.or(isInfinite(b, x), isZero(b, x)), isZero(b, y)), () => deliver(b, base, unscaled(b, x), denormal));
    const n = normalize(b, x);
    const exponent = b.add(n.exponent, clippedInteger(b, y));
    const result = b.call(round, base, fullPrecision(b, control), signOf(b, x.head), exponent, n.significand, b.i64(0));
    alsoRaise(b, base, denormal);
    b.return(result);
  },
);

/**
 * Significand and exponent of x: (base, head, significand) → the significand's significand (its head in `floatHead`); the exponent as a
 * number is left in the state's `wideHigh` (significand) and `scratchValue` (head).
 */
export const extract: Routine = routine("extended.extract", ["i32", "i32", "i64"], "i64", (b, base, head, significand) => {
  const x = { head: head, significand: significand };
  const exponentIs = (n: Extended): void => {
    b.store("i64.store", base, n.significand, at("wideHigh"));
    b.store("i32.store", base, n.head, at("scratchValue"));
  };
  b.if(isNotANumber(b, x), () => {
    const quiet = b.call(propagate, base, x.head, x.significand, x.head, x.significand);
    exponentIs({ head: b.load("i32.load", base, at("floatHead")), significand: quiet });
    b.return(quiet);
  });
  b.if(isInfinite(b, x), () => {
    exponentIs({ head: b.i32(EXPONENT_MAX), significand: b.i64(INTEGER_BIT) });
    deliver(b, base, x, b.i32(0));
  });
  b.if(isZero(b, x), () => {
    exponentIs({ head: b.i32(EXPONENT_MAX | SIGN), significand: b.i64(INTEGER_BIT) });
    deliver(b, base, x, b.i32(FSW.ZE));
  });
  const n = normalize(b, x);
  const value = b.sub(n.exponent, BIAS);
  const negative = b.ltS(value, 0);
  const magnitude = b.select(negative, b.sub(b.i32(0), value), value);
  const zeros = b.clz(magnitude);
  const numberHead = b.or(b.shl(negative, 15), b.sub(b.i32(BIAS + 31), zeros));
  exponentIs({ head: b.select(value, numberHead, b.i32(0)), significand: b.shl(b.extU(magnitude), b.extU(b.add(zeros, 32))) });
  deliver(b, base, { head: b.or(signOf(b, head), BIAS), significand: n.significand }, b.shl(isDenormal(b, x), 1));
});
