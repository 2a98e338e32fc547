// Extended precision against the host's doubles (53-bit precision control), exact integers, and the clauses of the manual.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Builder } from "../ir/builder.ts";
import { evaluate } from "../ir/evaluate.ts";
import type { Body, Routine } from "../ir/types.ts";
import { at } from "../state.ts";
import { add, divide, multiply, squareRoot, subtract } from "./extended-arith.ts";
import { compare, ORDER } from "./extended-compare.ts";
import { FROM_FLOAT, fromInteger, roundToInteger, TO_FLOAT, toInteger } from "./extended-convert.ts";
import { fromDecimal, toDecimal } from "./extended-decimal.ts";
import { extract, remainder, scale } from "./extended-remainder.ts";
import { BIAS, INDEFINITE, INTEGER_BIT } from "./extended-format.ts";
import { FCW, FSW, ROUNDING } from "./status.ts";

const memory = new Uint8Array(0x1000);
const view = new DataView(memory.buffer);
const bodies = new Map<string, Body>();

function body(r: Routine): Body {
  const known = bodies.get(r.name) ?? Builder.build(r);
  bodies.set(r.name, known);
  return known;
}

function call(r: Routine, ...args: (number | bigint)[]): bigint {
  return BigInt.asUintN(64, BigInt(evaluate(body(r), [0, ...args], { view, u8: memory, body, host: () => undefined }) ?? 0));
}

const raised = (): number => view.getInt32(at("floatRaised"), true);
const head = (): number => view.getInt32(at("floatHead"), true);

/** A number, as routines take it. */
type Pair = readonly [head: number, significand: bigint];
const result = (r: Routine, ...args: (number | bigint)[]): Pair => {
  const significand = call(r, ...args);
  return [head(), significand];
};

const scratch = new DataView(new ArrayBuffer(8));
const bitsOf = (n: number): bigint => (scratch.setFloat64(0, n), scratch.getBigUint64(0));
const numberOf = (bits: bigint): number => (scratch.setBigUint64(0, bits), scratch.getFloat64(0));
const extended = (n: number): Pair => result(FROM_FLOAT[64], bitsOf(n));
const double = (x: Pair, control = FCW.initial): number => numberOf(call(TO_FLOAT[64], control, ...x));

const DOUBLES = 0x27f;
const control = (rounding: number, precision = 3): number => 0x7f | (precision << FCW.precisionShift) | (rounding << FCW.roundingShift);
/** Doubles whose sums, products and quotients are in a double's normal range. */
const moderate = fc
  .record({ sign: fc.boolean(), exponent: fc.integer({ min: 1023 - 60, max: 1023 + 60 }), fraction: fc.bigInt(0n, (1n << 52n) - 1n) })
  .map(({ sign, exponent, fraction }) => numberOf((BigInt(sign) << 63n) | (BigInt(exponent) << 52n) | fraction));
const significands = fc
  .oneof(fc.bigInt(0n, (1n << 63n) - 1n), fc.constantFrom(0n, 1n, (1n << 63n) - 1n, 1n << 62n))
  .map((fraction) => fraction | INTEGER_BIT);

describe("extended arithmetic", () => {
  it("gives the host's doubles when the precision field says 53 bits", () => {
    const operations: readonly (readonly [Routine, (x: number, y: number) => number])[] = [
      [add, (x, y) => x + y],
      [subtract, (x, y) => x - y],
      [multiply, (x, y) => x * y],
      [divide, (x, y) => x / y],
    ];
    fc.assert(
      fc.property(moderate, moderate, (x, y) => {
        for (const [routine, host] of operations) {
          const r = result(routine, DOUBLES, ...extended(x), ...extended(y), 0);
          expect(double(r)).toBe(host(x, y));
        }
        const root = result(squareRoot, DOUBLES, ...extended(Math.abs(x)));
        expect(double(root)).toBe(Math.sqrt(Math.abs(x)));
      }),
    );
  });

  it("rounds products and quotients of 64 bits to the neighbour that the mode asks for", () => {
    const modes = fc.constantFrom(...Object.values(ROUNDING));
    fc.assert(
      fc.property(significands, significands, modes, (x, y, mode) => {
        const [h, s] = result(multiply, control(mode), BIAS, x, BIAS, y, 0);
        // 2^-126 units: the result lies between its neighbours, nearer than half a unit or on the right side.
        const exact = x * y;
        const got = s << BigInt(63 + h - BIAS);
        const unit = 1n << BigInt(63 + h - BIAS);
        const error = got - exact;
        expect(raised() & FSW.PE).toBe(error === 0n ? 0 : FSW.PE);
        expect(raised() & FSW.C1).toBe(error > 0n ? FSW.C1 : 0);
        if (mode === ROUNDING.nearest) expect(2n * (error < 0n ? -error : error) <= unit).toBe(true);
        else if (mode === ROUNDING.up) expect(error >= 0n && error < unit).toBe(true);
        else expect(error <= 0n && error > -unit).toBe(true);
      }),
    );
  });

  it("takes the larger of two NaNs, quiet before signalling, and makes it quiet (SDM 1 table 4-7)", () => {
    const quiet: Pair = [0x7fff, 0xc000_0000_0000_0001n];
    const signalling: Pair = [0x7fff, 0xa000_0000_0000_0000n];
    expect(result(add, FCW.initial, ...quiet, ...signalling, 0)).toEqual(quiet);
    expect(raised()).toBe(FSW.IE);
    expect(result(add, FCW.initial, ...signalling, BIAS, INTEGER_BIT, 0)).toEqual([0x7fff, 0xe000_0000_0000_0000n]);
    expect(result(add, FCW.initial, 0x3fff, 1n, ...quiet, 0)).toEqual([INDEFINITE.head, INDEFINITE.significand]);
  });

  it("wraps the exponent of an unmasked overflow, and gives infinity for a masked one (SDM 1 §8.5.4)", () => {
    const largest: Pair = [0x7ffe, 0xffff_ffff_ffff_ffffn];
    expect(result(multiply, control(ROUNDING.nearest), ...largest, 0x4000, INTEGER_BIT, 0)).toEqual([0x7fff, INTEGER_BIT]);
    expect(raised()).toBe(FSW.OE | FSW.PE | FSW.C1);
    expect(result(multiply, control(ROUNDING.zero), ...largest, 0x4000, INTEGER_BIT, 0)).toEqual(largest);
    expect(result(multiply, control(ROUNDING.nearest) & ~FSW.OE, ...largest, 0x4000, INTEGER_BIT, 0)).toEqual([0x7fff - 24576, largest[1]]);
    expect(raised()).toBe(FSW.OE);
  });

  it("underflows without an exception when the denormal is exact (SDM 1 §8.5.5)", () => {
    const smallest: Pair = [1, INTEGER_BIT];
    expect(result(divide, FCW.initial, ...smallest, 0x4000, INTEGER_BIT, 0)).toEqual([0, INTEGER_BIT >> 1n]);
    expect(raised()).toBe(0);
    expect(result(divide, FCW.initial, 1, INTEGER_BIT | 1n, 0x4000, INTEGER_BIT, 0)).toEqual([0, INTEGER_BIT >> 1n]);
    expect(raised()).toBe(FSW.UE | FSW.PE);
  });
});

describe("conversions and comparison", () => {
  it("doubles survive the way there and back", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (x) => {
        expect(double(extended(x))).toBe(x);
      }),
    );
  });

  it("integers survive, in binary and in decimal", () => {
    const limit = 999_999_999_999_999_999n;
    fc.assert(
      fc.property(fc.bigInt(-limit, limit), (n) => {
        const x = result(fromInteger, BigInt.asUintN(64, n));
        expect(BigInt.asIntN(64, call(toInteger, FCW.initial, ...x, 64n))).toBe(n);
        const low = call(toDecimal, FCW.initial, ...x);
        const high = head();
        expect(low.toString(16)).toBe(((n < 0n ? -n : n) % 10n ** 16n).toString());
        expect(result(fromDecimal, low, high)).toEqual(x);
      }),
    );
  });

  it("integers that do not fit are indefinite", () => {
    const two15: Pair = [BIAS + 15, INTEGER_BIT];
    expect(call(toInteger, FCW.initial, ...two15, 16n)).toBe(0x8000n);
    expect(raised()).toBe(FSW.IE);
    expect(call(toInteger, FCW.initial, two15[0] | 0x8000, two15[1], 16n) & 0xffffn).toBe(0x8000n);
    expect(raised()).toBe(0);
  });

  it("rounds to integers as Math does", () => {
    fc.assert(
      fc.property(moderate, (x) => {
        expect(double(result(roundToInteger, control(ROUNDING.down), ...extended(x)))).toBe(Math.floor(x));
        expect(double(result(roundToInteger, control(ROUNDING.up), ...extended(x)))).toBe(Math.ceil(x));
        expect(double(result(roundToInteger, control(ROUNDING.zero), ...extended(x)))).toBe(Math.trunc(x));
      }),
    );
  });

  it("orders as numbers do, and nothing with a NaN", () => {
    const order = (x: number, y: number): number => (x < y ? ORDER.less : x === y ? ORDER.equal : x > y ? 0 : ORDER.unordered);
    fc.assert(
      fc.property(fc.double(), fc.double(), (x, y) => {
        expect(Number(call(compare, ...extended(x), ...extended(y), 0))).toBe(order(x, y));
        expect(Number(call(compare, ...extended(x), ...extended(x), 1))).toBe(order(x, x));
      }),
    );
  });
});

describe("exponents", () => {
  it("remainders are the host's, with the quotient's low bits in the codes", () => {
    const positive = moderate.map(Math.abs);
    fc.assert(
      fc.property(positive, positive, (x, y) => {
        fc.pre(x / y < 2 ** 52);
        const r = result(remainder, FCW.initial, ...extended(x), ...extended(y), 0);
        const codes = raised() & (FSW.C0 | FSW.C1 | FSW.C3);
        expect(double(r)).toBe(x % y);
        const quotient = (BigInt(Math.round(x * 2 ** 113)) / BigInt(Math.round(y * 2 ** 113))) & 7n;
        const bit = (n: bigint, code: number): number => ((quotient >> n) & 1n ? code : 0);
        expect(codes).toBe(bit(2n, FSW.C0) | bit(1n, FSW.C3) | bit(0n, FSW.C1));
      }),
    );
  });

  it("a remainder of distant numbers takes several steps", () => {
    const [x, y] = [extended(2 ** 60 * 3), extended(7 / 2 ** 60)];
    let r = result(remainder, FCW.initial, ...x, ...y, 0);
    expect(raised() & FSW.C2).toBe(FSW.C2);
    while (raised() & FSW.C2) r = result(remainder, FCW.initial, ...r, ...y, 0);
    expect(double(r)).toBe((2 ** 60 * 3) % (7 / 2 ** 60));
  });

  it("scaling and taking apart are each other's inverse", () => {
    fc.assert(
      fc.property(moderate, (x) => {
        const significand = result(extract, ...extended(x));
        const exponent: Pair = [view.getInt32(at("scratchValue"), true), view.getBigUint64(at("wideHigh"), true)];
        expect(Math.abs(double(significand))).toBeGreaterThanOrEqual(1);
        expect(Math.abs(double(significand))).toBeLessThan(2);
        expect(double(result(scale, FCW.initial, ...significand, ...exponent))).toBe(x);
      }),
    );
  });
});
