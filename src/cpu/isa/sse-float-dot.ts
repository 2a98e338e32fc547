// Dot products (SDM 1 §5.10.2; SDM 2A DPPS, DPPD): products, then sums in pairs, then their sum, each step
// rounded and checked by itself. Every lane adds for itself, in an order that shows only in which of several NaNs it gives: silicon's.
import { arithmetic } from "../float/ieee-arithmetic.ts";
import type { Expr } from "../ir/types.ts";
import { type Instruction, instruction } from "./instruction.ts";
import { immediate } from "./packed.ts";
import type { Sem } from "./sem.ts";
import { lanesOf, settled, SHAPES, type Shape, writeLanes } from "./sse-float-lane.ts";

/** `e` where bit `n` of the mask is set, else +0. */
const masked = (o: Sem, mask: Expr, n: number, e: () => Expr): Expr => o.choose(o.and(mask, 1 << n), e, () => o.i64(0));

function dot(shape: Shape, opcode: string): Instruction {
  const f = shape.format;
  const { add, mul } = arithmetic(f);
  return instruction(`DP${shape.suffix}`, {
    forms: [`66 0F 3A ${opcode} /r ib | xmm, xmm/m128, imm8 | sse`],
    access: "rw r r",
    feature: "sse4_1",
    sem: (o, [dst, src]) => {
      const mask = immediate(o);
      const y = lanesOf(o, f, src, shape.lanes);
      const x = lanesOf(o, f, dst, shape.lanes);
      const products = settled(o, () => x.map((e, n) => masked(o, mask, 4 + n, () => o.call(mul, o.base(), e, y[n]!))));
      const plus = (a: Expr, b: Expr): Expr => o.call(add, o.base(), a, b);
      const pairs = x.length === 2 ? products : settled(o, () => products.map((e, n) => plus(products[n ^ 1]!, e)));
      const sums = settled(o, () => pairs.map((e, n) => plus(e, pairs[n ^ (x.length >> 1)]!)));
      writeLanes(
        o,
        f.bits,
        dst,
        sums.map((e, n) => o.select(o.and(mask, 1 << n), e, o.i64(0))),
      );
    },
  });
}

/** Dot products. */
export const sseFloatDot: readonly Instruction[] = [dot(SHAPES.PS, "40"), dot(SHAPES.PD, "41")];
