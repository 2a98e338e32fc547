// Smaller expressions have the values of those that they stand for.
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Builder } from "../ir/builder.ts";
import { evaluate } from "../ir/evaluate.ts";
import type { Expr } from "../ir/types.ts";
import { Sem } from "../isa/sem.ts";
import { SmallSem } from "./small-sem.ts";

class Small extends SmallSem {}

const OPERATORS = ["add", "sub", "mul", "and", "or", "xor", "eq", "ne", "ltU", "ltS", "leU", "leS", "gtU", "gtS", "geU", "geS"] as const;
const SHIFTS = ["shl", "shrU"] as const;

type Recipe =
  | { readonly op: "const"; readonly value: bigint }
  | { readonly op: "load"; readonly width: 8 | 16 | 32 | 64; readonly at: number }
  | { readonly op: "zext" | "sext"; readonly width: 8 | 16 | 32; readonly a: Recipe }
  | { readonly op: "not"; readonly a: Recipe }
  | { readonly op: (typeof SHIFTS)[number]; readonly a: Recipe; readonly count: number }
  | { readonly op: (typeof OPERATORS)[number] | "select"; readonly a: Recipe; readonly b: Recipe };

/** Numbers around which operators of 32 and of 64 bits differ. */
const value = fc.oneof(
  fc.constantFrom(0n, 1n, 31n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 1n << 32n, 1n << 63n),
  fc.bigInt(0n, (1n << 64n) - 1n),
);

const recipes: fc.Arbitrary<Recipe> = fc.letrec<{ recipe: Recipe }>((tie) => {
  const [a, b] = [tie("recipe"), tie("recipe")];
  return {
    recipe: fc.oneof(
      { maxDepth: 6 },
      fc.record({ op: fc.constant("const" as const), value }),
      fc.record({
        op: fc.constant("load" as const),
        width: fc.constantFrom(8 as const, 16 as const, 32 as const, 64 as const),
        at: fc.nat(8),
      }),
      fc.record({ op: fc.constantFrom("zext" as const, "sext" as const), width: fc.constantFrom(8 as const, 16 as const, 32 as const), a }),
      fc.record({ op: fc.constant("not" as const), a }),
      fc.record({ op: fc.constantFrom(...SHIFTS), a, count: fc.nat(63) }),
      fc.record({ op: fc.constantFrom(...OPERATORS, "select" as const), a, b }),
    ),
  };
}).recipe;

const wide = (b: Builder, e: Expr): Expr => (e.type === "i32" ? b.extU(e) : e);

function build(b: Builder, r: Recipe): Expr {
  switch (r.op) {
    case "const":
      return b.i64(r.value);
    case "load":
      return b.load(r.width === 64 ? "i64.load" : `i64.load${r.width}_u`, b.i32(64 + r.at));
    case "zext":
    case "sext":
      return b[r.op](build(b, r.a), r.width);
    case "not":
      return wide(b, b.not(build(b, r.a)));
    case "shl":
    case "shrU":
      return b[r.op](build(b, r.a), r.count);
    case "select":
      return b.select(b.load("i32.load", b.i32(72)), build(b, r.a), build(b, r.b));
    default:
      return wide(b, b[r.op](build(b, r.a), build(b, r.b)));
  }
}

function valueOf(b: Builder, recipe: Recipe, u8: Uint8Array): bigint {
  const result = b.declare("i64");
  b.set(result, build(b, recipe));
  b.store("i64.store", b.i32(0), b.get(result));
  const view = new DataView(u8.buffer);
  evaluate(b.finish(), [0, 0], { view, u8, body: () => expect.fail("no routine is called"), host: () => undefined });
  return view.getBigUint64(0, true);
}

it("have the same values", () => {
  fc.assert(
    fc.property(recipes, fc.uint8Array({ minLength: 24, maxLength: 24 }), (recipe, memory) => {
      const u8 = new Uint8Array(128);
      u8.set(memory, 64);
      expect(valueOf(new Small("small", "long"), recipe, u8)).toBe(valueOf(new Sem("plain", "long"), recipe, u8));
    }),
    { numRuns: 2000 },
  );
});
