// Single-precision routines against exact integers, their exceptions by the clause, and double precision against the host's.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Builder } from "../ir/builder.ts";
import { evaluate } from "../ir/evaluate.ts";
import type { Body, Routine } from "../ir/types.ts";
import { at, FAULT } from "../state.ts";
import { arithmetic } from "./ieee-arithmetic.ts";
import { comparison, RELATION } from "./ieee-compare.ts";
import { conversion } from "./ieee-convert.ts";
import { reciprocal, reciprocalRoot } from "./ieee-estimate.ts";
import { DOUBLE, MXCSR, ROUND, settleFlags, SINGLE } from "./ieee.ts";

const MASKED = 0x1f80;
const memory = new Uint8Array(0x1000);
const view = new DataView(memory.buffer);
const bodies = new Map<string, Body>();

function body(r: Routine): Body {
  const known = bodies.get(r.name) ?? Builder.build(r);
  bodies.set(r.name, known);
  return known;
}

const get = (name: "mxcsr" | "sseFlags" | "fault"): number => view.getUint32(at(name), true);
const set = (name: "mxcsr" | "sseFlags" | "fault" | "cr4", value: number): void => view.setUint32(at(name), value, true);

/** Runs a routine under an MXCSR → result and exceptions. */
function call(r: Routine, mxcsr: number, ...args: (number | bigint)[]): { result: bigint; flags: number } {
  set("mxcsr", mxcsr);
  set("sseFlags", 0);
  const all = r.params[0] === "i32" ? [0, ...args] : args;
  const result = BigInt(evaluate(body(r), all, { view, u8: memory, body, host: () => undefined }) ?? 0n);
  return { result, flags: get("sseFlags") };
}

const scratch = new DataView(new ArrayBuffer(8));
const single = (n: number): bigint => (scratch.setFloat32(0, n), BigInt(scratch.getUint32(0)));
const double = (n: number): bigint => (scratch.setFloat64(0, n), scratch.getBigUint64(0));
const numberOf = (bits: bigint): number => (scratch.setUint32(0, Number(bits)), scratch.getFloat32(0));
const doubleOf = (bits: bigint): number => (scratch.setBigUint64(0, bits), scratch.getFloat64(0));

/** A finite single as an integer multiple of 2^-149. */
function scaled(bits: bigint): bigint {
  const exponent = (bits >> 23n) & 0xffn;
  const fraction = bits & 0x7f_ffffn;
  const size = exponent === 0n ? fraction : (fraction | 0x80_0000n) << (exponent - 1n);
  return bits >> 31n ? -size : size;
}

const UNIT = 1n << 149n;
const finite = fc
  .oneof(fc.integer({ min: 0, max: 0xffff_ffff }), fc.constantFrom(0, 1, 0x7f_ffff, 0x80_0000, 0x3f80_0000, 0x7f7f_ffff, 0x8000_0000))
  .map((n) => BigInt((n & 0x7f80_0000) === 0x7f80_0000 ? n & ~0x0080_0000 : n) & 0xffff_ffffn);
const directions = fc.constantFrom(ROUND.nearest, ROUND.down, ROUND.up, ROUND.zero);

/** Neighbour of a finite single, away from or toward minus infinity; as scaled integers so that overflow has a neighbour too. */
function neighbours(bits: bigint): { below: bigint; above: bigint } {
  const ordinal = bits >> 31n ? -(bits & 0x7fff_ffffn) : bits;
  const back = (n: bigint): bigint => (n < 0n ? scaled(-n | 0x8000_0000n) : scaled(n));
  return { below: back(ordinal - 1n), above: back(ordinal + 1n) };
}

/** Checks one rounded result: `exact` is numerator / denominator in units of 2^-149, the denominator positive. */
function checkRounded(result: bigint, flags: number, rc: number, numerator: bigint, denominator: bigint): void {
  if ((result & 0x7f80_0000n) === 0x7f80_0000n) return expect(flags & MXCSR.OE).toBe(MXCSR.OE);
  const error = scaled(result) * denominator - numerator;
  expect((flags & MXCSR.PE) !== 0).toBe(error !== 0n);
  if (flags & MXCSR.OE) return;
  const { below, above } = neighbours(result);
  if (rc === ROUND.down) expect(error <= 0n && above * denominator > numerator).toBe(true);
  else if (rc === ROUND.up) expect(error >= 0n && below * denominator < numerator).toBe(true);
  else if (rc === ROUND.zero)
    expect(numerator >= 0n ? error <= 0n && above * denominator > numerator : error >= 0n && below * denominator < numerator).toBe(true);
  else {
    const size = error < 0n ? -error : error;
    const room = (error < 0n ? above - scaled(result) : scaled(result) - below) * denominator;
    expect(2n * size < room || (2n * size === room && (result & 1n) === 0n)).toBe(true);
  }
}

describe("arithmetic", () => {
  it("gives single-precision sums, products and quotients in every direction as exact integers have them", () => {
    fc.assert(
      fc.property(finite, finite, directions, (x, y, rc) => {
        const mode = MASKED | (rc << MXCSR.rcShift);
        const sum = call(arithmetic(SINGLE).add, mode, x, y);
        checkRounded(sum.result, sum.flags, rc, scaled(x) + scaled(y), 1n);
        const product = call(arithmetic(SINGLE).mul, mode, x, y);
        checkRounded(product.result, product.flags, rc, scaled(x) * scaled(y), UNIT);
        if (scaled(y) === 0n) return;
        const quotient = call(arithmetic(SINGLE).div, mode, x, y);
        const sign = scaled(y) < 0n ? -1n : 1n;
        checkRounded(quotient.result, quotient.flags, rc, scaled(x) * UNIT * sign, scaled(y) * sign);
      }),
      { numRuns: 200 },
    );
  });

  it("gives double precision to nearest as the host does", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), fc.double({ noNaN: true }), (x, y) => {
        const [a, b] = [double(x), double(y)];
        const { add, sub, mul, div, sqrt } = arithmetic(DOUBLE);
        const wanted = [x + y, x - y, x * y, x / y, Math.sqrt(x)];
        const got = [
          call(add, MASKED, a, b),
          call(sub, MASKED, a, b),
          call(mul, MASKED, a, b),
          call(div, MASKED, a, b),
          call(sqrt, MASKED, a),
        ];
        expect(got.map(({ result }) => doubleOf(result))).toEqual(wanted);
      }),
      { numRuns: 200 },
    );
  });

  it("flushes tiny results under FTZ and denormal operands under DAZ (SDM 1 §10.2.3.3, §10.2.3.4)", () => {
    const { mul, add } = arithmetic(SINGLE);
    const tiny = call(mul, MASKED, 0x0080_0000n, single(0.75));
    expect(tiny).toEqual({ result: 0x0060_0000n, flags: 0 });
    expect(call(mul, MASKED | MXCSR.FTZ, 0x8080_0000n, single(0.75))).toEqual({ result: 0x8000_0000n, flags: MXCSR.UE | MXCSR.PE });
    expect(call(add, MASKED, 1n, 0n)).toEqual({ result: 1n, flags: MXCSR.DE });
    expect(call(add, MASKED | MXCSR.DAZ, 1n, 0n)).toEqual({ result: 0n, flags: 0 });
  });

  it("answers with the first NaN, quieted, and with the indefinite where there is none (SDM 1 table 4-7)", () => {
    const { add, div } = arithmetic(SINGLE);
    expect(call(add, MASKED, 0x7f80_0001n, 0x7fc0_0002n)).toEqual({ result: 0x7fc0_0001n, flags: MXCSR.IE });
    expect(call(add, MASKED, 1n, 0xffc0_0002n)).toEqual({ result: 0xffc0_0002n, flags: 0 });
    expect(call(add, MASKED, single(Infinity), single(-Infinity))).toEqual({ result: 0xffc0_0000n, flags: MXCSR.IE });
    expect(call(div, MASKED, single(-1), 0n)).toEqual({ result: 0xff80_0000n, flags: MXCSR.ZE });
  });
});

describe("exceptions", () => {
  const settle = (mxcsr: number, flags: number, cr4: number): { mxcsr: number; vector: number } => {
    set("mxcsr", mxcsr);
    set("sseFlags", flags);
    set("cr4", cr4);
    set("fault", 0);
    evaluate(body(settleFlags), [0], { view, u8: memory, body, host: () => undefined });
    return { mxcsr: get("mxcsr"), vector: get("fault") & FAULT.pending ? get("fault") & 0xff : -1 };
  };

  it("become sticky flags while they are masked", () => {
    expect(settle(MASKED | MXCSR.UE, MXCSR.IE | MXCSR.PE, 0x400)).toEqual({ mxcsr: MASKED | MXCSR.UE | MXCSR.IE | MXCSR.PE, vector: -1 });
  });

  it("are #XM when unmasked, #UD without CR4.OSXMMEXCPT, and hide later ones when found before the computation (SDM 1 §11.5.3)", () => {
    const withoutDe = MASKED & ~(MXCSR.DE << MXCSR.maskShift);
    expect(settle(withoutDe, MXCSR.DE | MXCSR.PE, 0x400)).toEqual({ mxcsr: withoutDe | MXCSR.DE, vector: 19 });
    const withoutPe = MASKED & ~(MXCSR.PE << MXCSR.maskShift);
    expect(settle(withoutPe, MXCSR.DE | MXCSR.PE, 0)).toEqual({ mxcsr: withoutPe | MXCSR.DE | MXCSR.PE, vector: 6 });
  });
});

describe("conversions and comparisons", () => {
  it("round to integers in every direction, and give the indefinite beyond their range", () => {
    const { toInt32, toIntegral } = conversion(DOUBLE);
    const at25 = [ROUND.nearest, ROUND.down, ROUND.up, ROUND.zero].map((rc) => Number(call(toInt32, MASKED, double(2.5), rc).result));
    expect(at25).toEqual([2, 2, 3, 2]);
    expect(call(toInt32, MASKED, double(2 ** 31), ROUND.nearest)).toEqual({ result: 0x8000_0000n, flags: MXCSR.IE });
    expect(doubleOf(call(toIntegral, MASKED, double(-0.5), ROUND.up, 1).result)).toBe(-0);
    expect(call(toIntegral, MASKED, double(1.5), ROUND.nearest, 0)).toEqual({ result: double(2), flags: 0 });
  });

  it("change format as the host does", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), fc.float({ noNaN: true }), (wide, narrow) => {
        expect(numberOf(call(conversion(DOUBLE).toOther, MASKED, double(wide)).result)).toBe(Math.fround(wide));
        expect(doubleOf(call(conversion(SINGLE).toOther, MASKED, single(narrow)).result)).toBe(narrow);
      }),
    );
  });

  it("order numbers, and call a quiet NaN invalid only when asked", () => {
    const compare = (x: number, y: number, signalling: number): unknown =>
      call(comparison(SINGLE).compare, MASKED, single(x), single(y), signalling);
    expect(compare(-0, 0, 1)).toEqual({ result: BigInt(RELATION.equal), flags: 0 });
    expect(compare(-1, -2, 0)).toEqual({ result: BigInt(RELATION.greater), flags: 0 });
    expect(compare(NaN, 1, 0)).toEqual({ result: BigInt(RELATION.unordered), flags: 0 });
    expect(compare(NaN, 1, 1)).toEqual({ result: BigInt(RELATION.unordered), flags: MXCSR.IE });
  });

  it("estimate reciprocals within 1.5 · 2^-12 (SDM 2B RCPPS, RSQRTPS)", () => {
    fc.assert(
      fc.property(fc.float({ min: Math.fround(2 ** -125), max: Math.fround(2 ** 125), noNaN: true }), (x) => {
        expect(Math.abs(numberOf(call(reciprocal, MASKED, single(x)).result) * x - 1)).toBeLessThanOrEqual(1.5 * 2 ** -12);
        expect(Math.abs(numberOf(call(reciprocalRoot, MASKED, single(x)).result) * Math.sqrt(x) - 1)).toBeLessThanOrEqual(1.5 * 2 ** -12);
      }),
    );
  });
});
