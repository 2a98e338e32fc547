// The evaluator's integer operators (WebAssembly Core §4.3.2): i32 on numbers in signed form, i64 on bigints 0..2^64-1.
import { assert } from "../../support/assert.ts";

type Value = number | bigint;

/** An operator of one or two values of the same type. */
export type Operator = (a: Value, b: Value) => Value;

const u64 = (n: bigint): bigint => BigInt.asUintN(64, n);
const s64 = (n: bigint): bigint => BigInt.asIntN(64, n);
const flag = (c: boolean): number => (c ? 1 : 0);

function divide(a: bigint, b: bigint, operation: (a: bigint, b: bigint) => bigint): bigint {
  assert(b !== 0n, "a routine divides by zero without checking");
  return u64(operation(a, b));
}

const I64: Readonly<Record<string, (a: bigint, b: bigint) => Value>> = {
  eqz: (a) => flag(a === 0n),
  eq: (a, b) => flag(a === b),
  ne: (a, b) => flag(a !== b),
  lt_u: (a, b) => flag(a < b),
  gt_u: (a, b) => flag(a > b),
  le_u: (a, b) => flag(a <= b),
  ge_u: (a, b) => flag(a >= b),
  lt_s: (a, b) => flag(s64(a) < s64(b)),
  gt_s: (a, b) => flag(s64(a) > s64(b)),
  le_s: (a, b) => flag(s64(a) <= s64(b)),
  ge_s: (a, b) => flag(s64(a) >= s64(b)),
  add: (a, b) => u64(a + b),
  sub: (a, b) => u64(a - b),
  mul: (a, b) => u64(a * b),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => u64(a << (b & 63n)),
  shr_u: (a, b) => a >> (b & 63n),
  shr_s: (a, b) => u64(s64(a) >> (b & 63n)),
  rotl: (a, b) => u64((a << (b & 63n)) | (a >> ((64n - (b & 63n)) & 63n))),
  rotr: (a, b) => u64((a >> (b & 63n)) | (a << ((64n - (b & 63n)) & 63n))),
  clz: (a) => BigInt(64 - (a === 0n ? 0 : a.toString(2).length)),
  ctz: (a) => (a === 0n ? 64n : BigInt(a.toString(2).length - a.toString(2).lastIndexOf("1") - 1)),
  popcnt: (a) => BigInt(a.toString(2).replaceAll("0", "").length),
  div_u: (a, b) => divide(a, b, (x, y) => x / y),
  rem_u: (a, b) => divide(a, b, (x, y) => x % y),
  div_s: (a, b) => divide(a, b, (x, y) => s64(x) / s64(y)),
  rem_s: (a, b) => divide(a, b, (x, y) => s64(x) % s64(y)),
  extend8_s: (a) => u64(BigInt.asIntN(8, a)),
  extend16_s: (a) => u64(BigInt.asIntN(16, a)),
  extend32_s: (a) => u64(BigInt.asIntN(32, a)),
};

/** Operators that number arithmetic gives directly. */
const I32: Readonly<Record<string, (a: number, b: number) => number>> = {
  eqz: (a) => flag(a === 0),
  eq: (a, b) => flag(a === b),
  ne: (a, b) => flag(a !== b),
  lt_s: (a, b) => flag(a < b),
  gt_s: (a, b) => flag(a > b),
  le_s: (a, b) => flag(a <= b),
  ge_s: (a, b) => flag(a >= b),
  lt_u: (a, b) => flag(a >>> 0 < b >>> 0),
  gt_u: (a, b) => flag(a >>> 0 > b >>> 0),
  le_u: (a, b) => flag(a >>> 0 <= b >>> 0),
  ge_u: (a, b) => flag(a >>> 0 >= b >>> 0),
  add: (a, b) => (a + b) | 0,
  sub: (a, b) => (a - b) | 0,
  mul: (a, b) => Math.imul(a, b),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << b,
  shr_s: (a, b) => a >> b,
  shr_u: (a, b) => (a >>> b) | 0,
  rotl: (a, b) => ((b & 31) === 0 ? a : (a << b) | (a >>> (32 - (b & 31)))),
  rotr: (a, b) => ((b & 31) === 0 ? a : (a >>> b) | (a << (32 - (b & 31)))),
  clz: (a) => Math.clz32(a),
  ctz: (a) => (a === 0 ? 32 : 31 - Math.clz32(a & -a)),
  extend8_s: (a) => (a << 24) >> 24,
  extend16_s: (a) => (a << 16) >> 16,
};

/** What is left of i32 goes by the 64-bit rules: extend, compute, cut. */
function widened(name: string): ((a: number, b: number) => number) | undefined {
  const operator = I64[name];
  if (operator === undefined) return undefined;
  const unsigned = name.endsWith("_u") || name === "popcnt";
  const wide = (n: number): bigint => (unsigned ? BigInt(n >>> 0) : u64(BigInt(n)));
  return (a, b) => Number(BigInt.asIntN(32, BigInt(operator(wide(a), wide(b)))));
}

const CONVERSIONS: Readonly<Record<string, (a: Value) => Value>> = {
  "i32.wrap_i64": (a) => Number(BigInt.asIntN(32, a as bigint)),
  "i64.extend_i32_u": (a) => BigInt((a as number) >>> 0),
  "i64.extend_i32_s": (a) => u64(BigInt(a as number)),
};

/** The integer operator of that name, undefined when there is none. */
export function integerOperator(op: string): Operator | undefined {
  const conversion = CONVERSIONS[op];
  if (conversion) return conversion;
  const name = op.slice(4);
  if (op.startsWith("i32.")) return (I32[name] ?? widened(name)) as Operator | undefined;
  return op.startsWith("i64.") ? (I64[name] as Operator | undefined) : undefined;
}
