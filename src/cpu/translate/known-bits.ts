// How many low bits of an expression can be other than zero, as far as its operators tell.
import type { Expr } from "../ir/types.ts";

const LOADS: Readonly<Record<string, number>> = { "i64.load8_u": 8, "i64.load16_u": 16, "i64.load32_u": 32, "i64.extend_i32_u": 32 };
const DEPTH = 4;

/** Bits of a number from its highest one on, at least 1. */
function lengthOf(n: bigint): number {
  if (n < 0n) return 64;
  const high = Number(n >> 32n);
  return high === 0 ? Math.max(1, 32 - Math.clz32(Number(n))) : 64 - Math.clz32(high);
}

/** Bits of an i64 expression that may be set, from below: 64 when nothing is known. */
export function bitsOf(e: Expr, depth: number = DEPTH): number {
  if (e.op === "const") return typeof e.imm === "bigint" ? lengthOf(e.imm) : 64;
  const load = LOADS[e.op];
  if (load !== undefined) return load;
  if (depth === 0) return 64;
  const [a, b] = e.args as readonly [Expr, Expr];
  switch (e.op) {
    case "i64.and":
      return Math.min(bitsOf(a, depth - 1), bitsOf(b, depth - 1));
    case "i64.or":
    case "i64.xor":
      return Math.max(bitsOf(a, depth - 1), bitsOf(b, depth - 1));
    case "select":
      return Math.max(bitsOf(a, depth - 1), bitsOf(b, depth - 1));
    case "i64.shr_u":
      return b.op === "const" ? Math.max(0, bitsOf(a, depth - 1) - Number((b.imm as bigint) & 63n)) : bitsOf(a, depth - 1);
    default:
      return 64;
  }
}
