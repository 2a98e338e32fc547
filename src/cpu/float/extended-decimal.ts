// Packed decimal (SDM 1 §4.7): 18 digits in 9 bytes, the sign in the top bit of the tenth.
import { type Builder, routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { at } from "../state.ts";
import { deliver } from "./extended.ts";
import { SIGN } from "./extended-format.ts";
import { fromInteger, toInteger } from "./extended-convert.ts";
import { FSW } from "./status.ts";

/** What FBSTP stores for what has no decimal: FFFFh and C000 0000 0000 0000h. */
export const DECIMAL_INDEFINITE = { head: 0xffff, low: 0xc000_0000_0000_0000n } as const;
const LIMIT = 1_000_000_000_000_000_000n;

/** Digits → value, most significant first: `digits` of them from the top of `packed`. */
function gather(b: Builder, value: Expr, packed: Expr, digits: number): Expr {
  const v = b.variable(value);
  const rest = b.variable(packed);
  const i = b.variable(b.i32(digits));
  b.while(
    () => b.get(i),
    () => {
      b.set(v, b.add(b.mul(b.get(v), 10n), b.shrU(b.get(rest), 60)));
      b.set(rest, b.shl(b.get(rest), 4));
      b.set(i, b.sub(b.get(i), 1));
    },
  );
  return b.get(v);
}

/** FBLD: (base, low 8 bytes, high 2 bytes) → significand. Exact; digits above 9 count as what they are. */
export const fromDecimal: Routine = routine("extended.fromDecimal", ["i32", "i64", "i32"], "i64", (b, base, low, high) => {
  const upper = gather(b, b.i64(0), b.shl(b.extU(b.and(high, 0xff)), 56), 2);
  const significand = b.call(fromInteger, base, gather(b, upper, low, 16));
  deliver(b, base, { head: b.or(b.load("i32.load", base, at("floatHead")), b.and(high, SIGN)), significand }, b.i32(0));
});

/** Value → `digits` digits, least significant lowest; what is left over goes to `rest`. */
function scatter(b: Builder, value: Expr, digits: number): { packed: Expr; rest: Expr } {
  const rest = b.variable(value);
  const packed = b.variable(b.i64(0));
  const i = b.variable(b.i64(0));
  b.while(
    () => b.ltU(b.get(i), BigInt(digits * 4)),
    () => {
      b.set(packed, b.or(b.get(packed), b.shl(b.remU(b.get(rest), 10n), b.get(i))));
      b.set(rest, b.divU(b.get(rest), 10n));
      b.set(i, b.add(b.get(i), 4n));
    },
  );
  return { packed: b.get(packed), rest: b.get(rest) };
}

/** FBSTP: (base, control, head, significand) → low 8 bytes; the high 2 are left in `floatHead`. */
export const toDecimal: Routine = routine(
  "extended.toDecimal",
  ["i32", "i32", "i32", "i64"],
  "i64",
  (b, base, control, head, significand) => {
    const value = b.call(toInteger, base, control, head, significand, b.i64(64));
    const magnitude = b.select(b.ltS(value, 0n), b.sub(b.i64(0), value), value);
    const raised = b.load("i32.load", base, at("floatRaised"));
    b.if(b.or(b.and(raised, FSW.IE), b.geU(magnitude, LIMIT)), () => {
      deliver(b, base, { head: b.i32(DECIMAL_INDEFINITE.head), significand: b.i64(DECIMAL_INDEFINITE.low) }, b.i32(FSW.IE));
    });
    const { packed, rest } = scatter(b, magnitude, 16);
    const upper = scatter(b, rest, 2).packed;
    deliver(b, base, { head: b.or(b.wrap(upper), b.and(head, SIGN)), significand: packed }, raised);
  },
);
