// Comparison of extended-precision numbers.
import { routine } from "../ir/builder.ts";
import type { Routine } from "../ir/types.ts";
import { at } from "../state.ts";
import { exponentOf, isDenormal, isNotANumber, isZero, propagate, raisedLeft, signOf } from "./extended.ts";
import { FSW } from "./status.ts";

/** Condition codes of a comparison (SDM 1 table 8-6); 0 is "greater". */
export const ORDER: Readonly<Record<"less" | "equal" | "unordered", number>> = {
  less: FSW.C0,
  equal: FSW.C3,
  unordered: FSW.C0 | FSW.C2 | FSW.C3,
};

/**
 * Compares x with y: (base, head, significand, head, significand, 1 when quiet NaNs are valid) → condition codes. Leaves IE and DE in
 * `floatRaised`.
 */
export const compare: Routine = routine(
  "extended.compare",
  ["i32", "i32", "i64", "i32", "i64", "i32"],
  "i32",
  (b, base, aHead, a, bHead, c, quiet) => {
    const [x, y] = [
      { head: aHead, significand: a },
      { head: bHead, significand: c },
    ];
    const leave = (raised: ReturnType<typeof b.i32>, order: ReturnType<typeof b.i32>): void => {
      b.store("i32.store", base, raised, at("floatRaised"));
      b.return(order);
    };
    b.if(b.or(isNotANumber(b, x), isNotANumber(b, y)), () => {
      b.call(propagate, base, x.head, x.significand, y.head, y.significand);
      leave(b.or(raisedLeft(b, base), b.not(quiet)), b.i32(ORDER.unordered));
    });
    const denormal = b.shl(b.or(isDenormal(b, x), isDenormal(b, y)), 1);
    const [negative, other] = [signOf(b, x.head), signOf(b, y.head)];
    const zeros = b.and(isZero(b, x), isZero(b, y));
    b.if(b.or(zeros, b.and(b.eq(x.head, y.head), b.eq(x.significand, y.significand))), () => leave(denormal, b.i32(ORDER.equal)));
    b.if(b.ne(negative, other), () => leave(denormal, b.select(negative, b.i32(ORDER.less), b.i32(0))));
    // A pseudo-denormal has exponent 0 and the value of exponent 1.
    const real = (n: typeof x): typeof x.head => b.add(n.head, b.and(b.not(exponentOf(b, n.head)), b.ltS(n.significand, 0n)));
    const [p, q] = [real(x), real(y)];
    const below = b.or(b.ltU(p, q), b.and(b.eq(p, q), b.ltU(x.significand, y.significand)));
    const same = b.and(b.eq(p, q), b.eq(x.significand, y.significand));
    const order = b.select(b.eq(b.ne(negative, 0), below), b.i32(0), b.i32(ORDER.less));
    leave(denormal, b.select(same, b.i32(ORDER.equal), order));
  },
);
