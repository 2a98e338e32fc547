// The ordinary case of extended precision, short enough to be part of an instruction: the fast side of extended-arith.ts and its like,
// which remain the meaning.
//
// Ordinary are normal operands, a normal result, rounding to nearest and 64 bits. Whoever finds that a case is another branches to
// `instead`, having changed nothing; a condition may be stricter than need be.
import type { Builder } from "../ir/builder.ts";
import type { Expr, Label } from "../ir/types.ts";
import { exponentOf, type Extended, isNormal, isZero, raisedLeft, signOf } from "./extended.ts";
import { BIAS, EXPONENT_MAX, INTEGER_BIT, SIGN } from "./extended-format.ts";
import { FCW, ROUNDING } from "./status.ts";
import { multiplyWide, type Wide } from "./wide.ts";

/** A number, and the exceptions (and C1) that were found on the way to it. */
export interface Outcome extends Extended {
  readonly raised: Expr;
}

/** An operation in the ordinary case. */
export type Plain = (b: Builder, control: Expr, x: Extended, y: Extended, instead: Label) => Outcome;

/** What `plain` gives, and where it branches to `instead`, what `exact` gives. */
export function outcomeOf(b: Builder, exact: () => Outcome, plain: (instead: Label) => Outcome): Outcome {
  const [head, significand, raised] = [b.declare("i32"), b.declare("i64"), b.declare("i32")];
  const settle = (x: Outcome): void => {
    b.set(head, x.head);
    b.set(significand, x.significand);
    b.set(raised, x.raised);
  };
  b.block((done) => {
    b.block((instead) => {
      settle(plain(instead));
      b.br(done);
    });
    settle(exact());
  });
  return { head: b.get(head), significand: b.get(significand), raised: b.get(raised) };
}

const PLAIN_CONTROL = (3 << FCW.precisionShift) | (ROUNDING.nearest << FCW.roundingShift);

function requirePlain(b: Builder, control: Expr, x: Extended, y: Extended, instead: Label): void {
  b.br(instead, b.ne(b.and(control, FCW.precision | FCW.rounding), PLAIN_CONTROL));
  b.br(instead, b.not(b.and(isNormal(b, x), isNormal(b, y))));
}

const HALF = INTEGER_BIT;

/** 1 when a magnitude is rounded up to nearest or even: `rest` is what lies behind the last bit kept, `odd` (i64) that bit. */
const upToNearest = (b: Builder, rest: Expr, odd: Expr): Expr => b.geU(rest, b.sub(b.i64(HALF + 1n), odd));

const exceptions = (b: Builder, rest: Expr, up: Expr): Expr => b.or(b.shl(b.ne(rest, 0n), 5), b.shl(up, 9));

/** Rounds 128 bits of which the top one is set. */
function rounded(b: Builder, sign: Expr, exponent: Expr, { high, low }: Wide, instead: Label): Outcome {
  const up = upToNearest(b, low, b.and(high, 1n));
  const significand = b.add(high, b.extU(up));
  const carried = b.geS(significand, 0n);
  b.br(instead, b.or(carried, b.geU(b.sub(exponent, 1), EXPONENT_MAX - 1)));
  return { head: b.or(sign, exponent), significand, raised: exceptions(b, low, up) };
}

/** x · y */
export const multiplyPlain: Plain = (b, control, x, y, instead) => {
  requirePlain(b, control, x, y, instead);
  const product = multiplyWide(b, x.significand, y.significand);
  const shift = b.xor(b.shrU(product.high, 63), 1n);
  const high = b.or(b.shl(product.high, shift), b.and(b.shrU(product.low, 63), shift));
  const sum = b.add(exponentOf(b, x.head), exponentOf(b, y.head));
  const exponent = b.sub(b.sub(sum, BIAS - 1), b.wrap(shift));
  return rounded(b, signOf(b, b.xor(x.head, y.head)), exponent, { high, low: b.shl(product.low, shift) }, instead);
};

/** The larger magnitude first. */
function ordered(b: Builder, x: Extended, y: Extended): readonly [Extended, Extended] {
  const [p, q] = [exponentOf(b, x.head), exponentOf(b, y.head)];
  const less = b.or(b.ltU(p, q), b.and(b.eq(p, q), b.ltU(x.significand, y.significand)));
  const either = (a: Extended, c: Extended): Extended => ({
    head: b.select(less, a.head, c.head),
    significand: b.select(less, a.significand, c.significand),
  });
  return [either(y, x), either(x, y)];
}

/** x + y */
export const addPlain: Plain = (b, control, first, second, instead) => {
  requirePlain(b, control, first, second, instead);
  const [x, y] = ordered(b, first, second);
  const distance = b.sub(exponentOf(b, x.head), exponentOf(b, y.head));
  b.br(instead, b.gtU(distance, 63));
  const n = b.extU(distance);
  const aligned = { high: b.shrU(y.significand, n), low: b.shl(b.shl(y.significand, 1), b.xor(n, 63n)) };
  const [high, low, exponent] = [b.declare("i64"), b.declare("i64"), b.declare("i32")];
  const settle = (wide: Wide, e: Expr): void => {
    b.set(high, wide.high);
    b.set(low, wide.low);
    b.set(exponent, e);
  };
  b.if(
    signOf(b, b.xor(x.head, y.head)),
    () => settleDifference(b, x, aligned, instead, settle),
    () => settleSum(b, x, aligned, settle),
  );
  return rounded(b, signOf(b, x.head), b.get(exponent), { high: b.get(high), low: b.get(low) }, instead);
};

type Settle = (wide: Wide, exponent: Expr) => void;

function settleSum(b: Builder, x: Extended, aligned: Wide, settle: Settle): void {
  const sum = b.add(x.significand, aligned.high);
  // A carry makes it one bit longer.
  const carry = b.ltU(sum, x.significand);
  const n = b.extU(carry);
  const high = b.or(b.shrU(sum, n), b.shl(n, 63));
  const sticky = b.or(b.shrU(aligned.low, 1), b.and(aligned.low, 1n));
  const low = b.select(carry, b.or(b.shl(sum, 63), sticky), aligned.low);
  settle({ high, low }, b.add(exponentOf(b, x.head), carry));
}

function settleDifference(b: Builder, x: Extended, aligned: Wide, instead: Label, settle: Settle): void {
  const low = b.sub(b.i64(0), aligned.low);
  const high = b.sub(b.sub(x.significand, aligned.high), b.extU(b.ne(aligned.low, 0n)));
  b.br(instead, b.not(high));
  const zeros = b.clz(high);
  const crossing = b.shrU(b.shrU(low, 1), b.xor(zeros, 63n));
  settle({ high: b.or(b.shl(high, zeros), crossing), low: b.shl(low, zeros) }, b.sub(exponentOf(b, x.head), b.wrap(zeros)));
}

/** x - y */
export const subtractPlain: Plain = (b, control, x, y, instead) =>
  addPlain(b, control, x, { head: b.xor(y.head, SIGN), significand: y.significand }, instead);

/** A bit pattern in memory's formats, and the exceptions (and C1) that were found on the way to it. */
export interface Narrowed {
  readonly value: Expr;
  readonly raised: Expr;
}

/** A number to single or double format; where it is not ordinary, what a routine gives that leaves exceptions behind. */
export function narrowed(b: Builder, base: Expr, control: Expr, x: Extended, width: 32 | 64, exact: () => Expr): Narrowed {
  const [value, raised] = [b.declare("i64"), b.declare("i32")];
  const settle = (n: Narrowed): void => {
    b.set(value, n.value);
    b.set(raised, n.raised);
  };
  b.block((done) => {
    b.block((instead) => {
      settle(narrowPlain(b, control, x, width, instead));
      b.br(done);
    });
    settle({ value: exact(), raised: raisedLeft(b, base) });
  });
  return { value: b.get(value), raised: b.get(raised) };
}

function narrowPlain(b: Builder, control: Expr, x: Extended, width: 32 | 64, instead: Label): Narrowed {
  const { bits, top } = FORMATS[width];
  const exponent = b.sub(exponentOf(b, x.head), BIAS - (top >> 1));
  // Rounding may make it one larger.
  const inRange = b.ltU(b.sub(exponent, 1), top - 2);
  const isNearest = b.not(b.and(control, FCW.rounding));
  b.br(instead, b.not(b.and(b.and(inRange, isNearest), b.ltS(x.significand, 0n))));
  const kept = b.shrU(x.significand, 64 - bits);
  const rest = b.shl(x.significand, bits);
  const up = upToNearest(b, rest, b.and(kept, 1n));
  const placed = b.shl(b.extU(b.sub(exponent, 1)), bits - 1);
  const value = b.or(b.add(b.add(placed, kept), b.extU(up)), b.shl(b.extU(signOf(b, x.head)), width - 16));
  return { value, raised: exceptions(b, rest, up) };
}

const FORMATS = { 32: { bits: 24, top: 0xff }, 64: { bits: 53, top: 0x7ff } } as const;

/** A single or double that is a normal number. */
export function widenPlain(b: Builder, value: Expr, width: 32 | 64, instead: Label): Outcome {
  const { bits, top } = FORMATS[width];
  const exponent = b.and(b.wrap(b.shrU(value, bits - 1)), top);
  b.br(instead, b.geU(b.sub(exponent, 1), top - 1));
  const sign = b.and(b.wrap(b.shrU(value, width - 16)), SIGN);
  const significand = b.or(b.shl(value, 64 - bits), INTEGER_BIT);
  return { head: b.or(sign, b.add(exponent, BIAS - (top >> 1))), significand, raised: b.i32(0) };
}

/** A signed integer other than 0, sign-extended to 64 bits. */
export function integerPlain(b: Builder, value: Expr, instead: Label): Outcome {
  b.br(instead, b.not(value));
  const sign = b.shrS(value, 63);
  const magnitude = b.sub(b.xor(value, sign), sign);
  const zeros = b.clz(magnitude);
  const head = b.or(b.and(b.wrap(sign), SIGN), b.sub(b.i32(BIAS + 63), b.wrap(zeros)));
  return { head, significand: b.shl(magnitude, zeros), raised: b.i32(0) };
}

const isOrdinary = (b: Builder, x: Extended): Expr => b.or(isNormal(b, x), isZero(b, x));

/** 1 when both are normal or zero, so that `orderPlain` can tell. */
export const areOrdered = (b: Builder, x: Extended, y: Extended): Expr => b.and(isOrdinary(b, x), isOrdinary(b, y));

/** How x stands to y, as condition codes: `less`, `equal` or 0. */
export function orderPlain(b: Builder, x: Extended, y: Extended, less: number, equal: number): Expr {
  const zeros = b.not(b.or(x.significand, y.significand));
  const same = b.or(zeros, b.and(b.eq(x.head, y.head), b.eq(x.significand, y.significand)));
  const smaller = b.or(b.ltU(x.head, y.head), b.and(b.eq(x.head, y.head), b.ltU(x.significand, y.significand)));
  // With signs in front a negative number has the larger head; of two negative ones the larger magnitude is less.
  const isNegative = b.shrU(b.or(x.head, y.head), 15);
  return b.select(same, b.i32(equal), b.select(b.ne(smaller, isNegative), b.i32(less), b.i32(0)));
}
