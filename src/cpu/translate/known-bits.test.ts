import fc from "fast-check";
import { expect, it } from "vitest";
import { Builder } from "../ir/builder.ts";
import { evaluate } from "../ir/evaluate.ts";
import type { Expr } from "../ir/types.ts";
import { bitsOf } from "./known-bits.ts";

type Recipe =
  | { readonly op: "const"; readonly value: bigint }
  | { readonly op: "load"; readonly width: 8 | 16 | 32 | 64 }
  | { readonly op: "and" | "or" | "xor" | "shrU" | "select" | "add"; readonly a: Recipe; readonly b: Recipe };

const recipes: fc.Arbitrary<Recipe> = fc.letrec<{ recipe: Recipe }>((tie) => ({
  recipe: fc.oneof(
    { maxDepth: 5 },
    fc.record({ op: fc.constant("const" as const), value: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }) }),
    fc.record({ op: fc.constant("load" as const), width: fc.constantFrom(8 as const, 16 as const, 32 as const, 64 as const) }),
    fc.record({
      op: fc.constantFrom("and" as const, "or" as const, "xor" as const, "shrU" as const, "select" as const, "add" as const),
      a: tie("recipe"),
      b: tie("recipe"),
    }),
  ),
})).recipe;

function build(b: Builder, r: Recipe): Expr {
  if (r.op === "const") return b.i64(r.value);
  if (r.op === "load") return b.load(r.width === 64 ? "i64.load" : `i64.load${r.width}_u`, b.i32(64));
  const [x, y] = [build(b, r.a), build(b, r.b)];
  return r.op === "select" ? b.select(b.load("i32.load", b.i32(72)), x, y) : b[r.op](x, y);
}

it("no expression has more bits set than bitsOf says", () => {
  const u8 = new Uint8Array(128);
  fc.assert(
    fc.property(recipes, fc.uint8Array({ minLength: 16, maxLength: 16 }), (recipe, memory) => {
      u8.set(memory, 64);
      const b = new Builder({ name: "bits", params: [], result: "i64", faults: false });
      const e = build(b, recipe);
      b.return(e);
      const value = evaluate(b.finish(), [], {
        view: new DataView(u8.buffer),
        u8,
        body: () => expect.fail("no routine is called"),
        host: () => undefined,
      }) as bigint;
      expect(BigInt.asUintN(64, value).toString(2).replace(/^0$/, "").length).toBeLessThanOrEqual(bitsOf(e));
    }),
  );
});
