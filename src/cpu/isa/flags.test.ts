// Lazy flags of every class and width against what the manual says of each flag, computed with bigints.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Builder } from "../ir/builder.ts";
import { evaluate, type Value } from "../ir/evaluate.ts";
import type { Body, Callee, Expr } from "../ir/types.ts";
import { AF, CF, getCondition, OF, PF, SF, ZF } from "./flags.ts";
import { ARITHMETIC } from "../mmu/control.ts";
import { Sem } from "./sem.ts";

const WIDTHS = [8, 16, 32, 64] as const;
type Width = (typeof WIDTHS)[number];

const u8 = new Uint8Array(0x1000);
const view = new DataView(u8.buffer);
const bodies = new Map<string, Body>();

function bodyOf(callee: Callee & { kind: "routine" }): Body {
  const known = bodies.get(callee.name) ?? Builder.build(callee);
  bodies.set(callee.name, known);
  return known;
}

/** A routine of two i64 and two i32 that runs `write` and returns all six flags. */
function flagsAfter(
  name: string,
  write: (o: Sem, a: Expr, b: Expr, n: Expr, m: Expr) => void,
): (a: bigint, b: bigint, n?: number, m?: number) => number {
  const o = new Sem(name, "long", { name, params: ["i32", "i32", "i64", "i64", "i32", "i32"], result: "i32", faults: true });
  const [, , a, b, n, m] = o.params() as [Expr, Expr, Expr, Expr, Expr, Expr];
  write(o, a, b, n, m);
  o.return(o.arithmetic());
  const body = o.finish();
  const context = { view, u8, body: bodyOf, host: (): Value => expect.unreachable() };
  return (x, y, i = 0, j = 0) => Number(evaluate(body, [0, 0, x, y, i, j], context));
}

const bit = (value: bigint, n: number): boolean => ((value >> BigInt(n)) & 1n) === 1n;

/** ZF, SF and PF of a result (SDM 1 §3.4.3.1). */
function ofResult(result: bigint, width: Width): number {
  const ones = [0, 1, 2, 3, 4, 5, 6, 7].filter((n) => bit(result, n)).length;
  return (result === 0n ? ZF : 0) | (bit(result, width - 1) ? SF : 0) | (ones % 2 === 0 ? PF : 0);
}

/** CF: the true result does not fit unsigned; OF: nor signed; AF: nor do the low four bits. */
function ofSum(a: bigint, b: bigint, minus: boolean, width: Width): number {
  const signed = (x: bigint): bigint => BigInt.asIntN(width, x);
  const sum = (x: bigint, y: bigint): bigint => (minus ? x - y : x + y);
  const result = BigInt.asUintN(width, sum(a, b));
  const carry = sum(a, b) !== result ? CF : 0;
  const overflow = sum(signed(a), signed(b)) !== signed(result) ? OF : 0;
  const nibble = sum(a & 15n, b & 15n);
  return carry | overflow | (nibble < 0n || nibble > 15n ? AF : 0) | ofResult(result, width);
}

/** Operands of a width, often at its edges. */
function operand(width: Width): fc.Arbitrary<bigint> {
  const top = 1n << BigInt(width - 1);
  return fc.oneof(fc.constantFrom(0n, 1n, 0xfn, 0x10n, top - 1n, top, top + 1n, 2n * top - 1n), fc.bigInt({ min: 0n, max: 2n * top - 1n }));
}

describe.each(WIDTHS)("flags of %d bits", (width) => {
  it("of sums and differences", () => {
    const add = flagsAfter("add", (o, a, b) => o.flagsAdd(width, a, b, o.zext(o.add(a, b), width)));
    const subtract = flagsAfter("subtract", (o, a, b) => o.flagsSub(width, a, b, o.zext(o.sub(a, b), width)));
    fc.assert(
      fc.property(operand(width), operand(width), (a, b) => {
        expect([add(a, b), subtract(a, b)]).toEqual([ofSum(a, b, false, width), ofSum(a, b, true, width)]);
      }),
    );
  });

  it("of logic", () => {
    const logic = flagsAfter("logic", (o, a, b) => o.flagsLogic(width, o.and(a, b)));
    fc.assert(
      fc.property(operand(width), operand(width), (a, b) => {
        expect(logic(a, b)).toBe(ofResult(a & b, width));
      }),
    );
  });

  it("given one by one, and CF, OF and AF changed behind any result", () => {
    const given = (o: Sem, n: Expr): { cf: Expr; of: Expr; af: Expr } => ({
      cf: o.and(n, 1),
      of: o.and(o.shrU(n, 1), 1),
      af: o.and(o.shrU(n, 2), 1),
    });
    const explicit = flagsAfter("explicit", (o, a, _b, n) => o.flagsExplicit(width, a, given(o, n)));
    const carry = flagsAfter("carry", (o, a, b, n) => {
      o.flagsSub(width, a, b, o.zext(o.sub(a, b), width));
      o.flagsCarry(given(o, n));
    });
    fc.assert(
      fc.property(operand(width), operand(width), fc.nat(7), (a, b, n) => {
        const three = (n & 1 ? CF : 0) | (n & 2 ? OF : 0) | (n & 4 ? AF : 0);
        expect(explicit(a, b, n)).toBe(three | ofResult(a, width));
        expect(carry(a, b, n)).toBe(three | ofResult(BigInt.asUintN(width, a - b), width));
      }),
    );
  });
});

/** All 64 combinations, those that no result has among them. */
const combinations = Array.from({ length: 64 }, (_, n) =>
  [CF, PF, AF, ZF, SF, OF].reduce((all, flag, i) => all | (n & (1 << i) ? flag : 0), 0),
);

describe("flags in EFLAGS positions", () => {
  it("are read as they were set, whatever surrounds them", () => {
    const set = flagsAfter("set", (o, _a, _b, n) => o.setArithmetic(n));
    for (const flags of combinations) expect([set(0n, 0n, flags), set(0n, 0n, flags | (~ARITHMETIC & 0xffff))]).toEqual([flags, flags]);
  });

  it("change where the mask says", () => {
    const change = flagsAfter("change", (o, _a, _b, n, m) => {
      o.setArithmetic(n);
      o.changeArithmetic(CF | ZF, m);
    });
    for (const from of combinations)
      for (const to of combinations) expect(change(0n, 0n, from, to)).toBe((from & ~(CF | ZF)) | (to & (CF | ZF)));
  });

  it("decide conditions (SDM 1 appendix B)", () => {
    const holds = (cc: number, flags: number): boolean => {
      const has = (flag: number): boolean => (flags & flag) !== 0;
      const less = has(SF) !== has(OF);
      const even = [has(OF), has(CF), has(ZF), has(CF) || has(ZF), has(SF), has(PF), less, less || has(ZF)][cc >> 1]!;
      return even !== ((cc & 1) === 1);
    };
    const condition = flagsAfter("condition", (o, _a, _b, n, m) => {
      o.setArithmetic(n);
      o.return(o.call(getCondition, o.base(), m));
    });
    for (const flags of combinations) {
      for (let cc = 0; cc < 16; cc++) expect(condition(0n, 0n, flags, cc)).toBe(holds(cc, flags) ? 1 : 0);
    }
  });
});
