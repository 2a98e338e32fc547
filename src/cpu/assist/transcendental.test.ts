import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  arcTangent,
  cosine,
  eighthsOfCircle,
  powerMinusOne,
  type Real,
  sine,
  tangent,
  timesLogarithm,
  timesLogarithmPlusOne,
  type Unrounded,
} from "./transcendental.ts";

const scratch = new DataView(new ArrayBuffer(8));

/** A double as an operand. It must be normal. */
function real(n: number): Real {
  scratch.setFloat64(0, n);
  const bits = scratch.getBigUint64(0);
  const fraction = (bits & ((1n << 52n) - 1n)) | (1n << 52n);
  return { negative: n < 0, exponent: Number((bits >> 52n) & 0x7ffn) - 1023, significand: fraction << 11n };
}

const value = ({ negative, exponent, high }: Unrounded): number => ((negative ? -1 : 1) * Number(high) * 2 ** exponent) / 2 ** 63;
const whole = ({ high, low }: Unrounded): bigint => (high << 64n) | low;
/** Agreement to the accuracy of the host's functions, which is their last bit or two. */
const near = (got: Unrounded, expected: number): void => expect(Math.abs(value(got) / expected - 1)).toBeLessThan(2 ** -50);

const numbers = fc.oneof(fc.double({ min: 2 ** -40, max: 2 ** 6, noNaN: true }), fc.double({ min: 2 ** -3, max: 8, noNaN: true }));
const signed = fc.tuple(numbers, fc.boolean()).map(([n, negative]) => (negative ? -n : n));

describe("transcendental functions", () => {
  it("agree with the host's", () => {
    fc.assert(
      fc.property(signed, signed, numbers, (x, y, positive) => {
        near(arcTangent(real(y), real(x)), Math.atan2(y, x));
        fc.pre(positive !== 1);
        near(timesLogarithm(real(y), real(positive)), (y * Math.log(positive)) / Math.LN2);
        near(timesLogarithmPlusOne(real(y), real(positive)), (y * Math.log1p(positive)) / Math.LN2);
        const small = x / 128;
        near(powerMinusOne(real(small)), Math.expm1(small * Math.LN2));
        near(timesLogarithmPlusOne(real(y), real(small)), (y * Math.log1p(small)) / Math.LN2);
      }),
    );
  });

  it("trigonometric ones agree where 66 bits of π are as good as all of them", () => {
    fc.assert(
      fc.property(fc.double({ min: 2 ** -30, max: 1.5, noNaN: true }), fc.boolean(), (n, negative) => {
        const x = negative ? -n : n;
        near(sine(real(x)), Math.sin(x));
        near(cosine(real(x)), Math.cos(x));
        near(tangent(real(x)), Math.tan(x));
      }),
    );
  });

  it("satisfy sin² + cos² = 1 to 120 bits in every quadrant", () => {
    const square = (u: Unrounded): bigint => (whole(u) * whole(u)) >> BigInt(-2 * u.exponent);
    fc.assert(
      fc.property(fc.double({ min: 2 ** -20, max: 2 ** 60, noNaN: true }), (x) => {
        const sum = square(sine(real(x))) + square(cosine(real(x)));
        const error = sum - (1n << 254n);
        expect((error < 0n ? -error : error) >> (254n - 120n)).toBe(0n);
      }),
    );
  });

  it("know π to 128 bits, and reduce by its first 66 (SDM 1 §8.3.8)", () => {
    const pi = 0xc90f_daa2_2168_c234_c4c6_628b_80dc_1cd1n;
    expect(whole(eighthsOfCircle(false, 4)) >> 8n).toBe(pi >> 8n);
    expect(whole(arcTangent(real(1), real(1))) >> 8n).toBe(pi >> 8n);
    // π rounded to 64 bits is 2^-64 above what 66 bits make of it; the sine of that is just below.
    const rounded: Real = { negative: false, exponent: 1, significand: 0xc90f_daa2_2168_c235n };
    const u = sine(rounded);
    expect([u.negative, u.exponent, u.high]).toEqual([true, -65, (1n << 64n) - 1n]);
  });

  it("take powers of two exactly, but call them inexact", () => {
    const r = timesLogarithm(real(3), real(1024));
    expect([value(r), r.low & 1n, r.nearest]).toEqual([30, 1n, true]);
    expect(value(powerMinusOne(real(-1)))).toBe(-0.5);
  });

  it("are the argument itself, or 1, below 2^-68", () => {
    const tiny: Real = { negative: true, exponent: -16000, significand: 0xc000_0000_0000_0001n };
    expect(sine(tiny)).toMatchObject({ negative: true, exponent: -16000, high: tiny.significand, nearest: true });
    expect(tangent(tiny)).toEqual(sine(tiny));
    expect(cosine(tiny)).toMatchObject({ negative: false, exponent: 0, high: INTEGER });
    expect(timesLogarithmPlusOne(real(1), tiny).exponent).toBe(-15999);
    expect(powerMinusOne(tiny).exponent).toBe(-16000);
  });
});

const INTEGER = 1n << 63n;
