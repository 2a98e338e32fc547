// How many low bits of an expression can be other than zero, as far as its operators tell.
import type { Expr } from "../ir/types.ts";

const LOADS: Readonly<Record<string, number>> = { "i64.load8_u": 8, "i64.load16_u": 16, "i64.load32_u": 32 };
const NARROW_LOADS: Readonly<Record<string, number>> = { "i32.load8_u": 8, "i32.load16_u": 16 };
const DEPTH = 6;

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
    case "i64.extend_i32_u":
      return bitsOfNarrow(a, depth - 1);
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

/** The same of an i32 expression: 32 when nothing is known. */
function bitsOfNarrow(e: Expr, depth: number): number {
  if (e.op === "const") return lengthOf(BigInt((e.imm as number) >>> 0));
  const load = NARROW_LOADS[e.op];
  if (load !== undefined) return load;
  if (depth <= 0) return 32;
  const [a, b] = e.args as readonly [Expr, Expr];
  switch (e.op) {
    case "i32.wrap_i64":
      return Math.min(32, bitsOf(a, depth - 1));
    case "i32.and":
      return Math.min(bitsOfNarrow(a, depth - 1), bitsOfNarrow(b, depth - 1));
    case "i32.or":
    case "i32.xor":
    case "select":
      return Math.max(bitsOfNarrow(a, depth - 1), bitsOfNarrow(b, depth - 1));
    case "i32.shr_u":
      return b.op === "const" ? Math.max(0, bitsOfNarrow(a, depth - 1) - (Number(b.imm) & 31)) : bitsOfNarrow(a, depth - 1);
    default:
      return 32;
  }
}
