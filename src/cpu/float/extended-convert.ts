// Conversions between extended precision and the formats that memory has: single, double, and two's-complement integers.
import type { Builder } from "../ir/builder.ts";
import { routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { at } from "../state.ts";
import { deliver, exponentOf, type Extended, isDenormal, isNotANumber, isZero, normalize, propagate, signOf } from "./extended.ts";
import { BIAS, EXPONENT_MAX, INTEGER_BIT, SIGN } from "./extended-format.ts";
import { ROUND_TO, roundingOf, roundsUp } from "./extended-round.ts";
import { FSW, ROUNDING } from "./status.ts";
import { shiftRightSticky } from "./wide.ts";

/**
 * Single or double → extended: (base, bits). Exact. NaNs keep their payload and stay signalling; DE is left for denormals, which
 * arrive normalized. Whether a signalling NaN raises IE is the instruction's business.
 */
function widen(width: 32 | 64): Routine {
  const bits = width === 32 ? 23 : 52;
  const top = width === 32 ? 0xff : 0x7ff;
  return routine(`extended.from${width}`, ["i32", "i64"], "i64", (b, base, value) => {
    const exponent = b.and(b.wrap(b.shrU(value, bits)), top);
    const sign = b.and(b.wrap(b.shrU(value, width - 16)), SIGN);
    const fraction = b.shl(value, 64 - bits);
    const significand = b.or(b.shrU(fraction, 1), INTEGER_BIT);
    const none = b.i32(0);
    b.if(b.ltU(b.sub(exponent, 1), top - 1), () =>
      deliver(b, base, { head: b.or(sign, b.add(exponent, BIAS - (top >> 1))), significand }, none),
    );
    b.if(exponent, () => deliver(b, base, { head: b.or(sign, EXPONENT_MAX), significand }, none));
    b.if(b.not(fraction), () => deliver(b, base, { head: sign, significand: b.i64(0) }, none));
    const zeros = b.clz(fraction);
    const head = b.or(sign, b.sub(b.i32(BIAS - (top >> 1)), b.wrap(zeros)));
    deliver(b, base, { head, significand: b.shl(fraction, zeros) }, b.i32(FSW.DE));
  });
}

/** widen by width. */
export const FROM_FLOAT: Readonly<Record<32 | 64, Routine>> = { 32: widen(32), 64: widen(64) };

/** Extended → single or double: (base, control, head, significand) → bits; see ROUND_TO. */
function narrow(width: 32 | 64): Routine {
  const bits = width === 32 ? 23 : 52;
  const infinity = width === 32 ? 0x7f80_0000n : 0x7ff0_0000_0000_0000n;
  return routine(`extended.to${width}`, ["i32", "i32", "i32", "i64"], "i64", (b, base, control, head, significand) => {
    const x = { head: head, significand: significand };
    const sign = signOf(b, head);
    const placed = (s: Expr): Expr => b.shl(b.extU(s), width - 16);
    const leave = (value: Expr): void => {
      b.store("i32.store", base, b.i32(0), at("floatRaised"));
      b.return(b.or(placed(sign), value));
    };
    b.if(b.eq(exponentOf(b, head), EXPONENT_MAX), () => {
      b.if(b.eq(significand, BigInt.asIntN(64, INTEGER_BIT)), () => leave(b.i64(infinity)));
    });
    b.if(isNotANumber(b, x), () => {
      const quiet = b.call(propagate, base, x.head, x.significand, x.head, x.significand);
      const fraction = b.shrU(b.shl(quiet, 1), 64 - bits);
      b.return(b.or(placed(signOf(b, b.load("i32.load", base, at("floatHead")))), b.or(fraction, infinity)));
    });
    b.if(isZero(b, x), () => leave(b.i64(0)));
    const n = normalize(b, x);
    b.return(b.call(ROUND_TO[width], base, control, sign, n.exponent, n.significand));
  });
}

/** narrow by width. */
export const TO_FLOAT: Readonly<Record<32 | 64, Routine>> = { 32: narrow(32), 64: narrow(64) };

/** A signed integer (sign-extended to 64 bits) → extended: (base, value). Exact. */
export const fromInteger: Routine = routine("extended.fromInteger", ["i32", "i64"], "i64", (b, base, value) => {
  const none = b.i32(0);
  b.if(b.not(value), () => deliver(b, base, { head: none, significand: b.i64(0) }, none));
  const negative = b.ltS(value, 0n);
  const magnitude = b.select(negative, b.sub(b.i64(0), value), value);
  const zeros = b.clz(magnitude);
  const head = b.or(b.shl(negative, 15), b.sub(b.i32(BIAS + 63), b.wrap(zeros)));
  deliver(b, base, { head, significand: b.shl(magnitude, zeros) }, none);
});

/** A finite number's integer part and what lies behind it. The exponent must be below BIAS + 64. */
function split(b: Builder, x: Extended): { readonly whole: Expr; readonly rest: Expr } {
  const shift = b.extU(b.sub(b.i32(BIAS + 63), exponentOf(b, x.head)));
  const { high, low } = shiftRightSticky(b, { high: x.significand, low: b.i64(0) }, shift);
  return { whole: high, rest: low };
}

/**
 * Extended → signed integer of `bits` (16, 32, 64) with the rounding of `control`: (base, control, head, significand, bits) → value,
 * cut to its width; the integer indefinite with IE when it does not fit.
 */
export const toInteger: Routine = routine(
  "extended.toInteger",
  ["i32", "i32", "i32", "i64", "i64"],
  "i64",
  (b, base, control, head, significand, bits) => {
    const x = { head: head, significand: significand };
    const smallest = b.shl(b.i64(1), b.sub(bits, 1n));
    const leave = (value: Expr, raised: Expr): void => {
      b.store("i32.store", base, raised, at("floatRaised"));
      b.return(value);
    };
    b.if(b.or(isNotANumber(b, x), b.geU(exponentOf(b, head), BIAS + 64)), () => leave(smallest, b.i32(FSW.IE)));
    const { whole, rest } = split(b, x);
    const sign = signOf(b, head);
    const up = roundsUp(b, roundingOf(b, control), sign, rest, b.and(whole, 1n));
    const magnitude = b.add(whole, b.extU(up));
    const wrapped = b.and(up, b.not(magnitude));
    const limit = b.sub(smallest, b.extU(b.not(sign)));
    b.if(b.or(wrapped, b.gtU(magnitude, limit)), () => leave(smallest, b.i32(FSW.IE)));
    leave(b.select(sign, b.sub(b.i64(0), magnitude), magnitude), b.or(b.shl(b.ne(rest, 0n), 5), b.shl(up, 9)));
  },
);

/** FRNDINT: (base, control, head, significand). Exponents from BIAS + 63 up are integers already. */
export const roundToInteger: Routine = routine(
  "extended.roundToInteger",
  ["i32", "i32", "i32", "i64"],
  "i64",
  (b, base, control, head, significand) => {
    const x = { head: head, significand: significand };
    b.if(isNotANumber(b, x), () => b.return(b.call(propagate, base, x.head, x.significand, x.head, x.significand)));
    const denormal = isDenormal(b, x);
    b.if(b.or(isZero(b, x), b.geU(exponentOf(b, head), BIAS + 63)), () => deliver(b, base, x, b.i32(0)));
    const { whole, rest } = split(b, x);
    const sign = signOf(b, head);
    const up = roundsUp(b, roundingOf(b, control), sign, rest, b.and(whole, 1n));
    const magnitude = b.add(whole, b.extU(up));
    const raised = b.or(b.or(b.shl(b.ne(rest, 0n), 5), b.shl(up, 9)), b.shl(denormal, 1));
    b.if(b.not(magnitude), () => deliver(b, base, { head: sign, significand: b.i64(0) }, raised));
    const zeros = b.clz(magnitude);
    const exponent = b.sub(b.i32(BIAS + 63), b.wrap(zeros));
    deliver(b, base, { head: b.or(sign, exponent), significand: b.shl(magnitude, zeros) }, raised);
  },
);

/** The control word with truncation in its rounding field, as FISTTP rounds. */
export function truncating(b: Builder, control: Expr): Expr {
  return b.or(control, ROUNDING.zero << 10);
}
