// The ordinary case against the exact routines: the same bits and exceptions wherever it does not decline.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Builder, routine } from "../ir/builder.ts";
import { evaluate } from "../ir/evaluate.ts";
import type { Body, Routine } from "../ir/types.ts";
import { at } from "../state.ts";
import { add, multiply, subtract } from "./extended-arith.ts";
import { compare, ORDER } from "./extended-compare.ts";
import { FROM_FLOAT, fromInteger, TO_FLOAT } from "./extended-convert.ts";
import { BIAS, INTEGER_BIT } from "./extended-format.ts";
import {
  addPlain,
  areOrdered,
  integerPlain,
  multiplyPlain,
  narrowed,
  orderPlain,
  type Outcome,
  outcomeOf,
  type Plain,
  subtractPlain,
  widenPlain,
} from "./extended-plain.ts";
import { deliver } from "./extended.ts";
import { FCW, ROUNDING } from "./status.ts";

/** What routines leave as exceptions where the case is not ordinary. */
const DECLINED = -1;

const memory = new Uint8Array(0x1000);
const view = new DataView(memory.buffer);
const bodies = new Map<Routine, Body>();
const body = (r: Routine): Body => bodies.get(r) ?? (bodies.set(r, Builder.build(r)), bodies.get(r)!);

type Args = readonly (number | bigint)[];

/** A result and all that was left beside it. */
function left(r: Routine, args: Args): readonly [value: bigint, head: number, raised: number] {
  const value = evaluate(body(r), [0, ...args], { view, u8: memory, body, host: () => undefined });
  return [BigInt.asUintN(64, BigInt(value ?? 0)), view.getInt32(at("floatHead"), true), view.getInt32(at("floatRaised"), true)];
}

const declined = (b: Builder): Outcome => ({ head: b.i32(0), significand: b.i64(0), raised: b.i32(DECLINED) });

const binary = (name: string, plain: Plain): Routine =>
  routine(name, ["i32", "i32", "i32", "i64", "i32", "i64"], "i64", (b, base, control, head, significand, other, another) => {
    const x = { head, significand };
    const y = { head: other, significand: another };
    const result = outcomeOf(
      b,
      () => declined(b),
      (instead) => plain(b, control, x, y, instead),
    );
    deliver(b, base, result, result.raised);
  });

const unary = (
  name: string,
  plain: (b: Builder, value: Parameters<typeof integerPlain>[1], instead: { kind: "block" | "loop" }) => Outcome,
): Routine =>
  routine(name, ["i32", "i64"], "i64", (b, base, value) => {
    const result = outcomeOf(
      b,
      () => declined(b),
      (instead) => plain(b, value, instead),
    );
    deliver(b, base, result, result.raised);
  });

const toFloat = (width: 32 | 64): Routine =>
  routine(`plain.to${width}`, ["i32", "i32", "i32", "i64"], "i64", (b, base, control, head, significand) => {
    b.store("i32.store", base, b.i32(DECLINED), at("floatRaised"));
    const { value, raised } = narrowed(b, base, control, { head, significand }, width, () => b.i64(0));
    b.store("i32.store", base, raised, at("floatRaised"));
    b.return(value);
  });

const order = routine("plain.order", ["i32", "i32", "i64", "i32", "i64"], "i32", (b, _base, head, significand, other, another) => {
  const x = { head, significand };
  const y = { head: other, significand: another };
  b.if(areOrdered(b, x, y), () => b.return(orderPlain(b, x, y, ORDER.less, ORDER.equal)));
  b.return(b.i32(DECLINED));
});

const OPERATIONS = [
  ["x + y", binary("plain.add", addPlain), add],
  ["x - y", binary("plain.subtract", subtractPlain), subtract],
  ["x * y", binary("plain.multiply", multiplyPlain), multiply],
] as const;

const ONES = (1n << 64n) - 1n;
const significands = fc.oneof(
  fc.bigInt(0n, ONES),
  fc.constantFrom(INTEGER_BIT, ONES, INTEGER_BIT | 1n, ONES - 1n, INTEGER_BIT | (1n << 32n), ONES << 11n, (ONES << 11n) | 0x400n),
);
const near = fc.integer({ min: BIAS - 70, max: BIAS + 70 });
const exponents = fc.oneof(near, near, fc.constantFrom(0, 1, 2, 64, 0x7ffd, 0x7ffe, 0x7fff), fc.integer({ min: 0, max: 0x7fff }));
/** All there is, mostly normal. */
const numbers = fc
  .record({ sign: fc.boolean(), exponent: exponents, significand: significands, isNormal: fc.integer({ min: 0, max: 9 }) })
  .map(({ sign, exponent, significand, isNormal }) => {
    const bits = isNormal > 0 ? BigInt.asUintN(64, significand | INTEGER_BIT) : BigInt.asUintN(64, significand);
    return [exponent | (sign ? 0x8000 : 0), bits] as const;
  });
/** Normal numbers whose sums and products are normal. */
const moderate = fc
  .record({ sign: fc.boolean(), exponent: fc.integer({ min: BIAS - 20, max: BIAS + 20 }), significand: significands })
  .map(({ sign, exponent, significand }) => [exponent | (sign ? 0x8000 : 0), BigInt.asUintN(64, significand | INTEGER_BIT)] as const);
const controls = fc.oneof(fc.constant(FCW.initial), fc.integer({ min: 0, max: 0xfff }));

describe("the ordinary case", () => {
  it.each(OPERATIONS)("gives the bits, C1 and exceptions of the exact routine: %s", (_name, plain, exact) => {
    fc.assert(
      fc.property(controls, numbers, numbers, (control, x, y) => {
        const got = left(plain, [control, ...x, ...y]);
        if (got[2] !== DECLINED) expect(got).toEqual(left(exact, [control, ...x, ...y, 0]));
      }),
      { numRuns: 2000 },
    );
  });

  it.each(OPERATIONS)("declines a normal result only where rounding or a difference carries far: %s", (_name, plain) => {
    let declines = 0;
    let runs = 0;
    fc.assert(
      fc.property(moderate, moderate, (x, y) => {
        runs++;
        if (left(plain, [FCW.initial, ...x, ...y])[2] === DECLINED) declines++;
      }),
    );
    expect(declines).toBeLessThan(runs / 4);
  });

  it("declines every other rounding and precision", () => {
    const one = [BIAS, INTEGER_BIT] as const;
    const others = [ROUNDING.down, ROUNDING.up, ROUNDING.zero].map((mode) => FCW.initial | (mode << FCW.roundingShift));
    for (const control of [...others, 0x27f, 0x7f, 0x17f])
      for (const [, plain] of OPERATIONS) expect(left(plain, [control, ...one, ...one])[2]).toBe(DECLINED);
  });

  it.each([32, 64] as const)("narrows to %i bits as the exact routine does", (width) => {
    const plain = toFloat(width);
    fc.assert(
      fc.property(controls, fc.oneof(numbers, moderate), (control, x) => {
        const [value, , raised] = left(plain, [control, ...x]);
        const [bits, , found] = left(TO_FLOAT[width], [control, ...x]);
        // Where it declines, the value is 0 and the exceptions are what was there.
        if (raised !== DECLINED) expect([value, raised]).toEqual([bits, found]);
      }),
      { numRuns: 2000 },
    );
    expect(left(plain, [FCW.initial, BIAS, INTEGER_BIT])[2]).toBe(0);
  });

  it.each([32, 64] as const)("widens from %i bits as the exact routine does", (width) => {
    const plain = unary(`plain.from${width}`, (b, value, instead) => widenPlain(b, value, width, instead));
    fc.assert(
      fc.property(fc.bigInt(0n, (1n << BigInt(width)) - 1n), (bits) => {
        const got = left(plain, [bits]);
        if (got[2] !== DECLINED) expect(got).toEqual(left(FROM_FLOAT[width], [bits]));
      }),
    );
    const one = width === 32 ? 0x3f80_0000n : 0x3ff0_0000_0000_0000n;
    expect(left(plain, [one])).toEqual([INTEGER_BIT, BIAS, 0]);
  });

  it("takes integers as the exact routine does", () => {
    const plain = unary("plain.fromInteger", integerPlain);
    fc.assert(
      fc.property(fc.oneof(fc.bigInt(-(1n << 63n), (1n << 63n) - 1n), fc.bigInt(-9n, 9n)), (n) => {
        const bits = BigInt.asUintN(64, n);
        const got = left(plain, [bits]);
        if (n === 0n) expect(got[2]).toBe(DECLINED);
        else expect(got).toEqual(left(fromInteger, [bits]));
      }),
    );
  });

  it("orders numbers as the exact routine does, zeros of both signs too", () => {
    const zeros = fc.constantFrom([0, 0n] as const, [0x8000, 0n] as const);
    const some = fc.oneof(numbers, moderate, zeros);
    const pairs = fc.oneof(
      fc.tuple(some, some),
      some.map((x) => [x, x] as const),
      moderate.map((x) => [x, [x[0] ^ 0x8000, x[1]]] as const),
    );
    fc.assert(
      fc.property(pairs, ([x, y]) => {
        const got = Number(BigInt.asIntN(32, left(order, [...x, ...y])[0]));
        if (got !== DECLINED) expect(got).toBe(Number(left(compare, [...x, ...y, 0])[0]));
      }),
      { numRuns: 2000 },
    );
    expect(left(order, [0, 0n, 0x8000, 0n])[0]).toBe(BigInt(ORDER.equal));
  });
});
