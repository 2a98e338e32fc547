import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Builder, routine } from "../ir/builder.ts";
import { evaluate } from "../ir/evaluate.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { at } from "../state.ts";
import {
  addWide,
  clzWide,
  divideWide,
  multiplyWide,
  shiftLeftWide,
  shiftRightSticky,
  squareRootWide,
  subtractWide,
  type Wide,
} from "./wide.ts";

const memory = new Uint8Array(0x1000);
const view = new DataView(memory.buffer);
const MASK = (1n << 64n) - 1n;

function call(r: Routine, ...args: bigint[]): { result: bigint; high: bigint } {
  const context = { view, u8: memory, body: Builder.build, host: () => undefined };
  const result = evaluate(Builder.build(r), [0, ...args], context) as bigint;
  return { result, high: view.getBigUint64(at("wideHigh"), true) };
}

/** A function in place as a routine: the low half returned, the high one in `wideHigh`. */
function inPlace(params: number, build: (b: Builder, x: Wide, ...rest: Expr[]) => Wide): Routine {
  return routine("test", ["i32", ...Array.from({ length: params }, () => "i64" as const)], "i64", (b, base, high, low, ...rest) => {
    const r = build(b, { high: high!, low: low! }, ...rest);
    b.store("i64.store", base!, r.high, at("wideHigh"));
    b.return(r.low);
  });
}

const whole = ({ result, high }: { result: bigint; high: bigint }): bigint => (high << 64n) | result;
const u64 = fc.oneof(fc.bigInt(0n, MASK), fc.constantFrom(0n, 1n, 1n << 63n, MASK, 0xffff_ffffn, 1n << 32n, MASK ^ 0xffff_ffffn));
const normalized = u64.map((x) => x | (1n << 63n));

describe("128-bit integers in halves", () => {
  it("multiplies, adds and subtracts like integers modulo 2^128", () => {
    const product = inPlace(2, (b, x) => multiplyWide(b, x.high, x.low));
    const sum = inPlace(4, (b, x, h, l) => addWide(b, x, { high: h!, low: l! }));
    const difference = inPlace(4, (b, x, h, l) => subtractWide(b, x, { high: h!, low: l! }));
    fc.assert(
      fc.property(u64, u64, u64, u64, (a, b, c, d) => {
        const [x, y] = [(a << 64n) | b, (c << 64n) | d];
        expect(whole(call(product, a, b))).toBe(a * b);
        expect(whole(call(sum, a, b, c, d))).toBe(BigInt.asUintN(128, x + y));
        expect(whole(call(difference, a, b, c, d))).toBe(BigInt.asUintN(128, x - y));
      }),
    );
  });

  it("shifts left, shifts right with a sticky bit, and counts leading zeros", () => {
    const left = inPlace(3, (b, x, n) => shiftLeftWide(b, x, n!));
    const right = inPlace(3, (b, x, n) => shiftRightSticky(b, x, n!));
    const zeros = inPlace(2, (b, x) => ({ high: b.i64(0), low: clzWide(b, x) }));
    fc.assert(
      fc.property(u64, u64, fc.bigInt(0n, 140n), (high, low, n) => {
        const x = (high << 64n) | low;
        expect(whole(call(left, high, low, n & 127n))).toBe(BigInt.asUintN(128, x << (n & 127n)));
        const lost = x & ((1n << n) - 1n) ? 1n : 0n;
        expect(whole(call(right, high, low, n))).toBe((x >> n) | lost);
        expect(call(zeros, high, low).result).toBe(BigInt(x === 0n ? 128 : 128 - x.toString(2).length));
      }),
    );
  });

  it("divides by normalized divisors", () => {
    fc.assert(
      fc.property(u64, u64, normalized, (h, low, divisor) => {
        const high = h % divisor;
        const { result, high: rest } = call(divideWide, high, low, divisor);
        expect(result * divisor + rest).toBe((high << 64n) | low);
        expect(rest < divisor).toBe(true);
      }),
    );
  });

  it("takes square roots and says on which side of half a unit the rest lies", () => {
    fc.assert(
      fc.property(u64, u64, fc.boolean(), (h, low, top) => {
        const high = h | (top ? 1n << 63n : 1n << 62n);
        const x = (high << 64n) | low;
        const { result: s, high: side } = call(squareRootWide, high, low);
        expect(s * s <= x && x < (s + 1n) * (s + 1n)).toBe(true);
        const rest = x - s * s;
        expect(side).toBe(rest === 0n ? 0n : rest <= s ? 1n : 2n);
      }),
    );
  });
});
