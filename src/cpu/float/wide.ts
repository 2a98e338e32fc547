// Integers of 128 bits in two i64 halves: what multiplication, division and square roots of floating-point significands need.
//
// Sums, products and shifts are written in place by functions over a Builder. Division and square root are routines: they return
// one value and leave the other in the state slot `wideHigh`.
import type { Builder } from "../ir/builder.ts";
import { routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { at } from "../state.ts";

/** A value of 128 bits; both halves are i64. */
export interface Wide {
  readonly high: Expr;
  readonly low: Expr;
}

const LOW32 = 0xffff_ffffn;

/** The value that a routine of this file left beside its result. */
export function wideHigh(b: Builder, base: Expr): Expr {
  return b.load("i64.load", base, at("wideHigh"));
}

/** x + y modulo 2^128. */
export function addWide(b: Builder, x: Wide, y: Wide): Wide {
  const low = b.add(x.low, y.low);
  return { low, high: b.add(b.add(x.high, y.high), b.extU(b.ltU(low, x.low))) };
}

/** x - y modulo 2^128. */
export function subtractWide(b: Builder, x: Wide, y: Wide): Wide {
  return { low: b.sub(x.low, y.low), high: b.sub(b.sub(x.high, y.high), b.extU(b.ltU(x.low, y.low))) };
}

/** The whole product of two i64, unsigned. */
export function multiplyWide(b: Builder, x: Expr, y: Expr): Wide {
  const [x0, x1, y0, y1] = [b.and(x, LOW32), b.shrU(x, 32), b.and(y, LOW32), b.shrU(y, 32)];
  const low = b.mul(x0, y0);
  const t = b.add(b.mul(x1, y0), b.shrU(low, 32));
  const w = b.add(b.mul(x0, y1), b.and(t, LOW32));
  return { low: b.or(b.shl(w, 32), b.and(low, LOW32)), high: b.add(b.add(b.mul(x1, y1), b.shrU(t, 32)), b.shrU(w, 32)) };
}

/** Number of leading zero bits, 0..128, as i64. */
export function clzWide(b: Builder, x: Wide): Expr {
  return b.select(b.ne(x.high, 0n), b.clz(x.high), b.add(b.clz(x.low), 64n));
}

/** x << n for n (i64) of 0..127. Shift counts of WebAssembly are modulo 64: `~n` is 63 - n for the bits that cross. */
export function shiftLeftWide(b: Builder, x: Wide, n: Expr): Wide {
  const far = b.geU(n, 64n);
  const crossing = b.shrU(b.shrU(x.low, 1), b.xor(n, -1));
  const moved = b.shl(x.low, n);
  return { high: b.select(far, moved, b.or(b.shl(x.high, n), crossing)), low: b.select(far, b.i64(0), moved) };
}

/** x >> n for any n (i64, unsigned); bit 0 becomes 1 when a 1 was shifted out ("sticky"). */
export function shiftRightSticky(b: Builder, x: Wide, n: Expr): Wide {
  const far = b.geU(n, 64n);
  const beyond = b.geU(n, 128n);
  const crossing = b.shl(b.shl(x.high, 1), b.xor(n, -1));
  const moved = b.shrU(x.high, n);
  const lostLow = b.shl(b.shl(x.low, 1), b.xor(n, -1));
  const low = b.select(far, moved, b.or(b.shrU(x.low, n), crossing));
  const lost = b.select(far, b.or(crossing, x.low), lostLow);
  const all = b.or(x.high, x.low);
  const kept = b.or(low, b.extU(b.ne(lost, 0n)));
  return { high: b.select(far, b.i64(0), moved), low: b.select(beyond, b.extU(b.ne(all, 0n)), kept) };
}

/** One 32-bit digit of a quotient: the divisor's top bit is set, and the dividend's three digits are high:next (Knuth's algorithm D). */
function digit(b: Builder, high: Expr, next: Expr, divisor: Expr): { quotient: Expr; rest: Expr } {
  const d1 = b.shrU(divisor, 32);
  const d0 = b.and(divisor, LOW32);
  const q = b.variable(b.divU(high, d1));
  const r = b.variable(b.remU(high, d1));
  // The estimate is at most 2 too large.
  b.loop((leave) => {
    const estimate = b.get(q);
    const fits = b.and(b.leU(estimate, LOW32), b.leU(b.mul(estimate, d0), b.or(b.shl(b.get(r), 32), next)));
    b.br(leave, fits);
    b.set(q, b.sub(estimate, 1n));
    b.set(r, b.add(b.get(r), d1));
    b.br(leave, b.gtU(b.get(r), LOW32));
  });
  const quotient = b.get(q);
  return { quotient, rest: b.sub(b.or(b.shl(high, 32), next), b.mul(quotient, divisor)) };
}

/**
 * high:low / divisor, for a divisor with its top bit set and high < divisor: (base, high, low, divisor) → quotient; the remainder is
 * left in `wideHigh`.
 */
export const divideWide: Routine = routine("wide.divide", ["i32", "i64", "i64", "i64"], "i64", (b, base, high, low, divisor) => {
  const first = digit(b, high, b.shrU(low, 32), divisor);
  const second = digit(b, first.rest, b.and(low, LOW32), divisor);
  b.store("i64.store", base, second.rest, at("wideHigh"));
  b.return(b.or(b.shl(first.quotient, 32), second.quotient));
});

interface Root {
  readonly root: Expr;
  readonly rest: Expr;
}

/** Square root of 32 bits (in an i64) with one of the top two set → 16-bit root and remainder, bit by bit. */
function root16(b: Builder, x: Expr): Root {
  const rest = b.variable(x);
  const root = b.variable(b.i64(0));
  const bit = b.variable(b.i64(1n << 30n));
  b.while(
    () => b.ne(b.get(bit), 0n),
    () => {
      const trial = b.add(b.get(root), b.get(bit));
      const taken = b.geU(b.get(rest), trial);
      b.set(rest, b.sub(b.get(rest), b.select(taken, trial, b.i64(0))));
      b.set(root, b.add(b.shrU(b.get(root), 1), b.select(taken, b.get(bit), b.i64(0))));
      b.set(bit, b.shrU(b.get(bit), 2));
    },
  );
  return { root: b.get(root), rest: b.get(rest) };
}

/** Square root of 64 bits with one of the top two set → 32-bit root and remainder, by the step that squareRootWide takes too. */
function root32(b: Builder, x: Expr): Root {
  const half = root16(b, b.shrU(x, 32));
  const dividend = b.or(b.shl(half.rest, 16), b.and(b.shrU(x, 16), 0xffffn));
  const twice = b.shl(half.root, 1);
  const q = b.divU(dividend, twice);
  const root = b.variable(b.add(b.shl(half.root, 16), q));
  const rest = b.variable(b.sub(b.or(b.shl(b.remU(dividend, twice), 16), b.and(x, 0xffffn)), b.mul(q, q)));
  b.if(b.ltS(b.get(rest), 0n), () => {
    b.set(root, b.sub(b.get(root), 1n));
    b.set(rest, b.add(b.get(rest), b.add(b.shl(b.get(root), 1), 1n)));
  });
  return { root: b.get(root), rest: b.get(rest) };
}

/**
 * Square root of high:low, where high has one of its top two bits set: (base, high, low) → the root's 64 bits; `wideHigh` is 0 when
 * the root is exact, 1 when the rest is below half a unit, 2 when above (it cannot be half). The method is Zimmermann's.
 */
export const squareRootWide: Routine = routine("wide.squareRoot", ["i32", "i64", "i64"], "i64", (b, base, high, low) => {
  const { root, rest } = root32(b, high);
  const lowHigh = b.shrU(low, 32);
  const lowLow = b.and(low, LOW32);
  // rest ≤ 2 root < 2^33: the dividend rest·2^32 + lowHigh can have 65 bits, so half of it is divided by root.
  const half = b.or(b.shl(rest, 31), b.shrU(lowHigh, 1));
  const q = b.divU(half, root);
  const u = b.or(b.shl(b.remU(half, root), 1), b.and(lowHigh, 1n));
  const s = b.variable(b.add(b.shl(root, 32), q));
  const square = multiplyWide(b, q, q);
  const dividend: Wide = { high: b.shrU(u, 32), low: b.or(b.shl(u, 32), lowLow) };
  const remainder = subtractWide(b, dividend, square);
  const r = { high: b.variable(remainder.high), low: b.variable(remainder.low) };
  const value = (): Wide => ({ high: b.get(r.high), low: b.get(r.low) });
  b.if(b.ltS(remainder.high, 0n), () => {
    // One less for the root, and 2s - 1 = 2(s - 1) + 1 more for the rest; s itself may be 2^64.
    b.set(s, b.sub(b.get(s), 1n));
    const fixed = addWide(b, value(), { high: b.shrU(b.get(s), 63), low: b.or(b.shl(b.get(s), 1), 1n) });
    b.set(r.high, fixed.high);
    b.set(r.low, fixed.low);
  });
  const exact = b.not(b.or(b.get(r.high), b.get(r.low)));
  // (s + ½)² = s² + s + ¼: the rest is above half a unit when it exceeds s.
  const above = b.or(b.ne(b.get(r.high), 0n), b.gtU(b.get(r.low), b.get(s)));
  b.store("i64.store", base, b.select(exact, b.i64(0), b.add(b.extU(above), 1n)), at("wideHigh"));
  b.return(b.get(s));
});
