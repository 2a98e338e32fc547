// Rounding: a sign, an exponent and 128 significand bits become a number of a format, with the exceptions of SDM 1 §4.9.1.4–6.
import type { Builder } from "../ir/builder.ts";
import { routine } from "../ir/builder.ts";
import type { Expr, Routine, Variable } from "../ir/types.ts";
import { at } from "../state.ts";
import { deliver } from "./extended.ts";
import { EXPONENT_MAX, INTEGER_BIT } from "./extended-format.ts";
import { FCW, FSW, ROUNDING } from "./status.ts";
import { shiftRightSticky, type Wide } from "./wide.ts";

/** The rounding field of a control word: a value of ROUNDING. */
export function roundingOf(b: Builder, control: Expr): Expr {
  return b.and(b.shrU(control, FCW.roundingShift), 3);
}

/** 1 when a magnitude is rounded up: `rest` (i64) is what lies behind the last bit kept, in units of 2^-64 of it; `odd` (i64) is not 0 when that bit is 1. */
export function roundsUp(b: Builder, mode: Expr, sign: Expr, rest: Expr, odd: Expr): Expr {
  const half = BigInt.asIntN(64, INTEGER_BIT);
  const nearest = b.or(b.gtU(rest, half), b.and(b.eq(rest, half), b.ne(odd, 0n)));
  const away = b.eq(mode, b.select(sign, b.i32(ROUNDING.down), b.i32(ROUNDING.up)));
  return b.select(b.eq(mode, ROUNDING.nearest), nearest, b.and(away, b.ne(rest, 0n)));
}

/** Rounding in progress: what is kept, and what lies behind it. */
export interface Cut {
  readonly kept: Expr;
  readonly rest: Expr;
  /** Value of the last bit kept. */
  readonly unit: Expr;
}

/** Cuts a significand to its `bits` (i64: 24, 53 or 64) upper bits. */
export function cut(b: Builder, x: Wide, bits: Expr): Cut {
  // A shift by 64 is one by 0: with all 64 bits kept the low half is the rest as it is.
  const whole = b.eq(bits, 64n);
  const unit = b.shl(b.i64(1), b.sub(b.i64(0), bits));
  const behind = b.or(b.shl(x.high, bits), b.extU(b.ne(x.low, 0n)));
  return { kept: b.and(x.high, b.sub(b.i64(0), unit)), rest: b.select(whole, x.low, behind), unit };
}

/** Significand bits by the control word's precision field; the reserved value 1 works like 3. */
function precisionOf(b: Builder, control: Expr): Expr {
  const field = b.and(b.shrU(control, FCW.precisionShift), 3);
  return b.select(b.not(field), b.i64(24), b.select(b.eq(field, 2), b.i64(53), b.i64(64)));
}

/**
 * What lets the handler of an unmasked overflow or underflow tell the number: the exponent is wrapped by this (SDM 1 §8.5.4, §8.5.5).
 * FSCALE can go beyond even so; then the result is infinity or zero.
 */
const WRAP = 24576;

/** A rounding and what its parts share. */
interface Rounding {
  readonly control: Expr;
  readonly mode: Expr;
  readonly sign: Expr;
  readonly bits: Expr;
}

const inexact = (b: Builder, rest: Expr): Expr => b.shl(b.ne(rest, 0n), 5);
const c1 = (b: Builder, up: Expr): Expr => b.shl(up, 9);

/** Finishes a number whose exponent, rounded to unbounded range, is in range. */
function finish(b: Builder, base: Expr, sign: Expr, exponent: Expr, significand: Expr, raised: Expr): void {
  deliver(b, base, { head: b.or(sign, exponent), significand }, raised);
}

/**
 * Rounds sign (0 or 8000h), exponent (i32, any) and significand high:low (top bit set) by a control word: (base, control, sign,
 * exponent, high, low) → significand. C1 is among the exceptions left when the magnitude grew.
 */
export const round: Routine = routine(
  "extended.round",
  ["i32", "i32", "i32", "i32", "i64", "i64"],
  "i64",
  (b, base, control, sign, exponent, high, low) => {
    const extended = b.eq(b.and(control, FCW.precision), FCW.precision);
    b.if(b.and(b.and(extended, b.not(low)), b.ltU(b.sub(exponent, 1), EXPONENT_MAX - 1)), () =>
      finish(b, base, sign, exponent, high, b.i32(0)),
    );
    const r: Rounding = { control: control, mode: roundingOf(b, control), sign: sign, bits: precisionOf(b, control) };
    const { kept, rest, unit } = cut(b, { high: high, low: low }, r.bits);
    const up = roundsUp(b, r.mode, sign, rest, b.and(high, unit));
    const sum = b.add(kept, b.select(up, unit, b.i64(0)));
    const carried = b.and(up, b.not(sum));
    const significand = b.or(sum, b.shl(b.extU(carried), 63));
    const rounded = b.add(exponent, carried);
    const raised = b.or(inexact(b, rest), c1(b, up));
    b.if(b.ltU(b.sub(rounded, 1), EXPONENT_MAX - 1), () => finish(b, base, sign, rounded, significand, raised));
    b.if(b.gtS(rounded, 0), () => overflow(b, base, r, rounded, significand, unit, raised));
    b.if(b.not(b.and(control, FSW.UE)), () => {
      b.if(b.gtS(rounded, -WRAP), () => finish(b, base, sign, b.add(rounded, WRAP), significand, b.or(raised, FSW.UE)));
      finish(b, base, sign, b.i32(0), b.i64(0), b.i32(FSW.UE | FSW.PE));
    });
    denormalize(b, base, r, exponent, { high: high, low: low });
  },
);

/** Exponent above the format's: infinity or the largest number, or wrapped for the handler. */
function overflow(b: Builder, base: Expr, r: Rounding, exponent: Expr, significand: Expr, unit: Expr, raised: Expr): void {
  const unmasked = b.not(b.and(r.control, FSW.OE));
  b.if(b.and(unmasked, b.ltS(exponent, EXPONENT_MAX + WRAP)), () =>
    finish(b, base, r.sign, b.sub(exponent, WRAP), significand, b.or(raised, FSW.OE)),
  );
  const infinite = b.or(unmasked, toInfinity(b, r.mode, r.sign));
  const head = b.select(infinite, b.i32(EXPONENT_MAX), b.i32(EXPONENT_MAX - 1));
  const largest = b.sub(b.i64(0), unit);
  finish(b, base, r.sign, head, b.select(infinite, b.i64(INTEGER_BIT), largest), b.or(c1(b, infinite), FSW.OE | FSW.PE));
}

/** 1 when an overflow gives infinity (SDM 1 table 4-10). */
export function toInfinity(b: Builder, mode: Expr, sign: Expr): Expr {
  return b.or(b.eq(mode, ROUNDING.nearest), b.eq(mode, b.select(sign, b.i32(ROUNDING.down), b.i32(ROUNDING.up))));
}

/** A tiny number in its place: UE only when the result is inexact too. */
function denormalize(b: Builder, base: Expr, r: Rounding, exponent: Expr, x: Wide): void {
  const shifted = shiftRightSticky(b, x, b.extU(b.sub(b.i32(1), exponent)));
  const { kept, rest, unit } = cut(b, shifted, r.bits);
  const up = roundsUp(b, r.mode, r.sign, rest, b.and(shifted.high, unit));
  const significand = b.add(kept, b.select(up, unit, b.i64(0)));
  const lost = b.ne(rest, 0n);
  const normal = b.ltS(significand, 0n);
  finish(b, base, r.sign, normal, significand, b.or(b.select(lost, b.i32(FSW.PE | FSW.UE), b.i32(0)), c1(b, up)));
}

/** What FST and FSTP round to. */
interface Format {
  readonly bits: number;
  readonly exponentBits: number;
}

const FORMATS = { 32: { bits: 24, exponentBits: 8 }, 64: { bits: 53, exponentBits: 11 } } as const satisfies Record<number, Format>;

/**
 * Rounds a normalized number (its exponent may be below 1) to single or double format: (base, control, sign, exponent, significand)
 * → the format's bits. With OE or UE unmasked and raised nothing else is, and the bits mean nothing: they are not stored.
 */
function roundTo(width: 32 | 64): Routine {
  const { bits, exponentBits } = FORMATS[width];
  const top = (1 << exponentBits) - 1;
  const bias = top >> 1;
  return routine(
    `extended.roundTo${width}`,
    ["i32", "i32", "i32", "i32", "i64"],
    "i64",
    (b, base, control, sign, exponent, significand) => {
      const mode = roundingOf(b, control);
      const e = b.sub(exponent, 16383 - bias);
      const step = (x: Wide): { sum: Variable; up: Expr; rest: Expr } => {
        const { kept, rest, unit } = cut(b, x, b.i64(bits));
        const up = roundsUp(b, mode, sign, rest, b.and(x.high, unit));
        return { sum: b.variable(b.add(b.shrU(kept, 64 - bits), b.extU(up))), up, rest };
      };
      const leave = (value: Expr, raised: Expr): void => {
        b.store("i32.store", base, raised, at("floatRaised"));
        b.return(b.or(value, b.shl(b.extU(sign), width - 16)));
      };
      const x = { high: significand, low: b.i64(0) };
      const { sum, up, rest } = step(x);
      const carried = b.wrap(b.shrU(b.get(sum), bits));
      const rounded = b.add(e, carried);
      const raised = b.or(inexact(b, rest), c1(b, up));
      // The integer bit adds 1 to the exponent; a carry into the next power leaves a fraction of zero.
      const packed = (exponentField: Expr): Expr => b.add(b.shl(b.extU(exponentField), bits - 1), b.get(sum));
      b.if(b.ltU(b.sub(rounded, 1), top - 1), () => leave(packed(b.sub(e, 1)), raised));
      b.if(b.gtS(rounded, 0), () => {
        const infinite = toInfinity(b, mode, sign);
        const largest = BigInt(top) * (1n << BigInt(bits - 1));
        const masked = b.or(c1(b, infinite), FSW.OE | FSW.PE);
        leave(b.select(infinite, b.i64(largest), b.i64(largest - 1n)), b.select(b.and(control, FSW.OE), masked, b.i32(FSW.OE)));
      });
      b.if(b.not(b.and(control, FSW.UE)), () => leave(b.i64(0), b.i32(FSW.UE)));
      const tiny = step(shiftRightSticky(b, x, b.extU(b.sub(b.i32(1), e))));
      const lost = b.select(b.ne(tiny.rest, 0n), b.i32(FSW.PE | FSW.UE), b.i32(0));
      leave(b.get(tiny.sum), b.or(lost, c1(b, tiny.up)));
    },
  );
}

/** roundTo by width. */
export const ROUND_TO: Readonly<Record<32 | 64, Routine>> = { 32: roundTo(32), 64: roundTo(64) };
