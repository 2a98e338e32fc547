// PCLMULQDQ: carry-less multiplication, that is multiplication of polynomials over GF(2) (SDM 2B "PCLMULQDQ").
//
// An integer product of numbers that have bits only at every fourth place has, at those places, sums of at most 16 single
// products, of which the lowest bit is the carry-less one. The sixteenth needs a fifth bit at place 60 only, where it falls off.
import type { Builder } from "../ir/builder.ts";
import { routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { pair } from "../mmu/access.ts";
import { type Instruction, instruction } from "./instruction.ts";
import { every, half, immediate, shuffle, vectorBy, vectorOf } from "./packed.ts";

const FOURTH = 0x1111_1111_1111_1111n;

/** Low 64 bits of the carry-less product. */
const lowProduct: Routine = routine("carryless.low", ["i64", "i64"], "i64", (b, x, y) => {
  const parts = (e: Expr): Expr[] => [0n, 1n, 2n, 3n].map((i) => b.and(e, FOURTH << i));
  const [xs, ys] = [parts(x), parts(y)];
  const places = [0, 1, 2, 3].map((place) => {
    const products = xs.map((part, i) => b.mul(part, ys[(place - i) & 3]!));
    const sum = products.reduce((all, p) => b.xor(all, p));
    return b.and(sum, FOURTH << BigInt(place));
  });
  b.return(places.reduce((sum, p) => b.or(sum, p)));
});

/** Reverses the bits of both halves. */
function reverse(b: Builder, v: Expr): Expr {
  const nibble = (i: number): number => ((i & 1) << 3) | ((i & 2) << 1) | ((i & 4) >> 1) | (i >> 3);
  const low = b.op("v128.and", "v128", v, every(b, 1, 0xf));
  const high = b.op("i8x16.shr_u", "v128", v, b.i32(4));
  const upper = b.op(
    "i8x16.swizzle",
    "v128",
    vectorBy(b, 1, (i) => nibble(i) << 4),
    low,
  );
  const swapped = b.op("v128.or", "v128", upper, b.op("i8x16.swizzle", "v128", vectorBy(b, 1, nibble), high));
  return shuffle(b, [7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8], swapped, swapped);
}

/** All 127 bits: the upper ones are the lower ones of the reversed factors' product, reversed. */
const product: Routine = routine("carryless.product", ["i64", "i64"], "v128", (b, x, y) => {
  const factors = reverse(b, pair(b, x, y));
  const mirrored = b.call(lowProduct, half(b, factors, 0), half(b, factors, 1));
  const high = b.shrU(half(b, reverse(b, b.op("i64x2.splat", "v128", mirrored)), 0), 1);
  b.return(pair(b, b.call(lowProduct, x, y), high));
});

/** PCLMULQDQ; imm8 bit 0 chooses the half of the destination, bit 4 that of the source. */
export const carryless: readonly Instruction[] = [
  instruction("PCLMULQDQ", {
    forms: ["66 0F 3A 44 /r ib | xmm, xmm/m128, imm8 | sse"],
    access: "rw r r",
    feature: "pclmulqdq",
    sem: (o, [dst, src]) => {
      const chosen = (v: Expr, bit: number): Expr => o.select(o.and(immediate(o), bit), half(o, v, 1), half(o, v, 0));
      const y = chosen(vectorOf(o, src), 0x10);
      o.write(dst, o.call(product, chosen(o.read(dst), 1), y));
    },
  }),
];
