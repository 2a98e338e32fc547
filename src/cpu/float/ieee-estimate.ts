// Reciprocals and reciprocal square roots to 12 bits (SDM 2B RCPPS, RSQRTPS). The manual bounds the error; the results here are
// Intel silicon's: the true value in the middle of the operand's interval of 2^-11 (2^-10), rounded to 12 fraction bits. Neither
// looks at MXCSR, and denormals count as zeros on both sides.
import type { Builder } from "../ir/builder.ts";
import { routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { exponentOf, fractionOf, indefinite, infinity, isNan, quiet, signBit, signOf, SINGLE as F } from "./ieee.ts";

/** Bits of a table entry, its leading one included. */
const ENTRY = 13;
const one = 1n << BigInt(ENTRY);

/** Returns for NaNs, infinities and zeros. */
function returnSpecial(b: Builder, x: Expr): void {
  const sign = b.and(x, signBit(F));
  b.if(isNan(b, F, x), () => b.return(quiet(b, F, x)));
  b.if(b.not(exponentOf(b, F, x)), () => b.return(b.or(sign, infinity(F))));
}

/** 2^(exponent - bias) times entry / 2^12. */
const assemble = (b: Builder, sign: Expr, exponent: Expr, entry: Expr): Expr =>
  b.or(sign, b.or(b.shl(exponent, F.fraction), b.shl(b.and(entry, one / 2n - 1n), F.fraction - ENTRY + 1)));

/** (operand) → about 1 / operand. */
export const reciprocal: Routine = routine("f32.reciprocal", ["i64"], "i64", (b, x) => {
  returnSpecial(b, x);
  const sign = b.and(x, signBit(F));
  const exponent = exponentOf(b, F, x);
  // The result of a larger operand would be denormal; an infinity's is 0 as well.
  b.if(b.geU(exponent, BigInt(2 * F.bias - 1)), () => b.return(sign));
  // Twice the interval's middle, in units of its length.
  const middle = b.or(b.shl(b.shrU(fractionOf(b, F, x), 12), 1), 0x1001n);
  const entry = b.divU(b.add(b.i64(one << 13n), middle), b.shl(middle, 1));
  b.return(assemble(b, sign, b.sub(b.i64(2 * F.bias - 1), exponent), entry));
});

/** (operand) → about 1 / √operand. */
export const reciprocalRoot: Routine = routine("f32.reciprocalRoot", ["i64"], "i64", (b, x) => {
  returnSpecial(b, x);
  b.if(b.wrap(signOf(b, F, x)), () => b.return(b.i64(indefinite(F))));
  const exponent = exponentOf(b, F, x);
  b.if(b.eq(exponent, BigInt(F.special)), () => b.return(b.i64(0)));
  // An even biased exponent is an odd power of two, whose factor 2 belongs under the root.
  const odd = b.xor(b.and(exponent, 1n), 1n);
  const middle = b.shl(b.or(b.shl(b.shrU(fractionOf(b, F, x), 13), 1), 0x801n), odd);
  const exact = b.op("f64.div", "f64", b.f64(Number(one * one * 0x800n)), b.op("f64.convert_i64_u", "f64", middle));
  // No interval's middle has a root near a tie, so double precision is exact enough.
  const rounded = b.op("f64.nearest", "f64", b.op("f64.sqrt", "f64", exact));
  const entry = b.op("i64.trunc_f64_u", "i64", rounded);
  const power = b.shrU(b.sub(b.i64(3 * F.bias - 1), exponent), 1);
  b.return(assemble(b, b.i64(0), power, entry));
});
