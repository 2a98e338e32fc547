// The evaluator's 128-bit operators: lanes are taken apart, computed as bigints and put together (WebAssembly Core §4.3.4).
import { floatOperator, fromBits, toBits } from "./evaluate-float.ts";
import type { Expr } from "./types.ts";

type Value = number | bigint;

const SHAPES: Readonly<Record<string, number>> = { i8x16: 8, i16x8: 16, i32x4: 32, i64x2: 64, f32x4: 32, f64x2: 64 };
const MASK128 = (1n << 128n) - 1n;

/** Lanes of `width` bits, lowest first, unsigned. */
export function lanes(v: bigint, width: number): bigint[] {
  const mask = (1n << BigInt(width)) - 1n;
  return Array.from({ length: 128 / width }, (_, i) => (v >> BigInt(i * width)) & mask);
}

/** A vector from lanes; each is cut to `width` bits. */
export function join(list: readonly bigint[], width: number): bigint {
  return list.reduceRight((acc, lane) => (acc << BigInt(width)) | BigInt.asUintN(width, lane), 0n);
}

const clamp = (n: bigint, low: bigint, high: bigint): bigint => (n < low ? low : n > high ? high : n);
const clampS = (n: bigint, w: number): bigint => clamp(n, -(1n << BigInt(w - 1)), (1n << BigInt(w - 1)) - 1n);
const clampU = (n: bigint, w: number): bigint => clamp(n, 0n, (1n << BigInt(w)) - 1n);

type LaneFunction = (a: bigint, b: bigint, width: number) => bigint;
const all = (c: boolean): bigint => (c ? -1n : 0n);

/** Lane by lane over unsigned lanes. */
const UNSIGNED: Readonly<Record<string, LaneFunction>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  neg: (a) => -a,
  add_sat_u: (a, b, w) => clampU(a + b, w),
  sub_sat_u: (a, b, w) => clampU(a - b, w),
  min_u: (a, b) => (a < b ? a : b),
  max_u: (a, b) => (a > b ? a : b),
  avgr_u: (a, b) => (a + b + 1n) >> 1n,
  eq: (a, b) => all(a === b),
  ne: (a, b) => all(a !== b),
  lt_u: (a, b) => all(a < b),
  gt_u: (a, b) => all(a > b),
  le_u: (a, b) => all(a <= b),
  ge_u: (a, b) => all(a >= b),
  popcnt: (a) => BigInt(a.toString(2).replaceAll("0", "").length),
};

/** Lane by lane over signed lanes. */
const SIGNED: Readonly<Record<string, LaneFunction>> = {
  add_sat_s: (a, b, w) => clampS(a + b, w),
  sub_sat_s: (a, b, w) => clampS(a - b, w),
  min_s: (a, b) => (a < b ? a : b),
  max_s: (a, b) => (a > b ? a : b),
  abs: (a) => (a < 0n ? -a : a),
  lt_s: (a, b) => all(a < b),
  gt_s: (a, b) => all(a > b),
  le_s: (a, b) => all(a <= b),
  ge_s: (a, b) => all(a >= b),
  q15mulr_sat_s: (a, b) => clampS((a * b + 0x4000n) >> 15n, 16),
};

/** Evaluates a v128, f32x4… operator by name. */
export function evaluateSimd(op: string, args: readonly Value[], imm: Expr["imm"]): Value {
  const dot = op.indexOf(".");
  const shape = op.slice(0, dot);
  const name = op.slice(dot + 1);
  if (shape === "v128") return bitwise(name, args as bigint[]);
  const width = SHAPES[shape];
  if (width === undefined) throw new Error(`Bug in Nido: the evaluator has no ${op}`);
  const float = conversion(op, args[0]!) ?? (shape.startsWith("f") ? floatLanes(name, width, args, imm) : undefined);
  return float ?? laneOp(name, width, args) ?? wholeOp(op, name, width, args, imm);
}

function bitwise(name: string, [a = 0n, b = 0n, c = 0n]: readonly bigint[]): Value {
  switch (name) {
    case "not":
      return a ^ MASK128;
    case "and":
      return a & b;
    case "andnot":
      return a & (b ^ MASK128);
    case "or":
      return a | b;
    case "xor":
      return a ^ b;
    case "bitselect":
      return (a & c) | (b & (c ^ MASK128));
    case "any_true":
      return a === 0n ? 0 : 1;
    default:
      throw new Error(`Bug in Nido: the evaluator has no v128.${name}`);
  }
}

/** Conversions between integer and floating-point lanes. */
function conversion(op: string, v: Value): bigint | undefined {
  switch (op) {
    case "f32x4.convert_i32x4_s":
      return join(
        lanes(v as bigint, 32).map((x) => toBits(Math.fround(Number(BigInt.asIntN(32, x))), 32)),
        32,
      );
    case "f64x2.convert_low_i32x4_s":
      return join(
        lanes(v as bigint, 32)
          .slice(0, 2)
          .map((x) => toBits(Number(BigInt.asIntN(32, x)), 64)),
        64,
      );
    case "f64x2.promote_low_f32x4":
      return join(
        lanes(v as bigint, 32)
          .slice(0, 2)
          .map((x) => toBits(fromBits(x, 32), 64)),
        64,
      );
    case "i32x4.trunc_sat_f32x4_s":
      return join(
        lanes(v as bigint, 32).map((x) => truncateSaturated(fromBits(x, 32))),
        32,
      );
    default:
      return undefined;
  }
}

function truncateSaturated(x: number): bigint {
  return Number.isNaN(x) ? 0n : clampS(BigInt(Math.trunc(Math.max(-(2 ** 40), Math.min(2 ** 40, x)))), 32);
}

/** Floating-point lanes; splat, extract_lane and replace_lane pass numbers. */
function floatLanes(name: string, width: number, args: readonly Value[], imm: Expr["imm"]): Value | undefined {
  if (name === "splat")
    return join(
      Array.from({ length: 128 / width }, () => toBits(Number(args[0]), width)),
      width,
    );
  const a = lanes(BigInt(args[0]!), width);
  if (name === "extract_lane") return fromBits(a[Number(imm)]!, width);
  if (name === "replace_lane")
    return join(
      a.map((x, i) => (i === Number(imm) ? toBits(Number(args[1]), width) : x)),
      width,
    );
  const b = lanes(BigInt(args[1] ?? 0), width);
  const results: bigint[] = [];
  for (const [i, x] of a.entries()) {
    const r = floatOperator(name, width, fromBits(x, width), fromBits(b[i]!, width));
    if (r === undefined) return undefined;
    results.push(r.compared ? -BigInt(r.value) : toBits(r.value, width));
  }
  return join(results, width);
}

function laneOp(name: string, width: number, args: readonly Value[]): bigint | undefined {
  const f = UNSIGNED[name];
  const g = SIGNED[name];
  if (!f && !g) return undefined;
  const a = lanes(BigInt(args[0]!), width);
  const b = lanes(BigInt(args[1] ?? 0), width);
  const signed = (n: bigint): bigint => BigInt.asIntN(width, n);
  return join(
    a.map((x, i) => (f ? f(x, b[i]!, width) : g!(signed(x), signed(b[i]!), width))),
    width,
  );
}

function wholeOp(op: string, name: string, width: number, args: readonly Value[], imm: Expr["imm"]): Value {
  const a = lanes(BigInt(args[0]!), width);
  const lane = Number(imm instanceof Uint8Array ? 0 : imm);
  const narrowWidth = width;
  switch (name) {
    case "splat":
      return join(
        Array.from({ length: 128 / width }, () => BigInt(args[0]!)),
        width,
      );
    case "extract_lane":
      return width === 64 ? a[lane]! : Number(BigInt.asIntN(32, a[lane]!));
    case "extract_lane_u":
      return Number(a[lane]!);
    case "extract_lane_s":
      return Number(BigInt.asIntN(width, a[lane]!));
    case "replace_lane":
      return join(
        a.map((x, i) => (i === lane ? BigInt(args[1]!) : x)),
        width,
      );
    case "shuffle": {
      const bytes = [...a, ...lanes(args[1] as bigint, 8)];
      return join(
        [...(imm as Uint8Array)].map((i) => bytes[i]!),
        8,
      );
    }
    case "swizzle":
      return join(
        lanes(args[1] as bigint, 8).map((i) => (i < 16n ? a[Number(i)]! : 0n)),
        8,
      );
    case "shl":
      return join(
        a.map((x) => x << BigInt(Number(args[1]) & (width - 1))),
        width,
      );
    case "shr_u":
      return join(
        a.map((x) => x >> BigInt(Number(args[1]) & (width - 1))),
        width,
      );
    case "shr_s":
      return join(
        a.map((x) => BigInt.asIntN(width, x) >> BigInt(Number(args[1]) & (width - 1))),
        width,
      );
    case "bitmask":
      return a.reduce((acc, x, i) => acc | (Number(x >> BigInt(width - 1)) << i), 0);
    case "all_true":
      return a.every((x) => x !== 0n) ? 1 : 0;
    default:
      return widthChanging(op, name, narrowWidth, args as bigint[]);
  }
}

/** narrow, extend, extmul, extadd and dot: source and result lanes differ in width. */
function widthChanging(op: string, name: string, width: number, [a = 0n, b = 0n]: readonly bigint[]): bigint {
  const signed = name.endsWith("_s");
  const source = SHAPES[name.match(/i(8x16|16x8|32x4)/)?.[0] ?? ""] ?? 0;
  const take = (v: bigint): bigint[] => lanes(v, source).map((x) => (signed ? BigInt.asIntN(source, x) : x));
  const half = name.includes("_high_") ? 128 / width : 0;
  const part = (v: bigint): bigint[] => take(v).slice(half, half + 128 / width);
  if (name.startsWith("narrow")) {
    const clampTo = signed ? clampS : clampU;
    return join(
      [...lanes(a, source), ...lanes(b, source)].map((x) => clampTo(BigInt.asIntN(source, x), width)),
      width,
    );
  }
  if (name.startsWith("extend")) return join(part(a), width);
  if (name.startsWith("extmul"))
    return join(
      part(a).map((x, i) => x * part(b)[i]!),
      width,
    );
  const x = take(a);
  if (name.startsWith("extadd"))
    return join(
      Array.from({ length: 128 / width }, (_, i) => x[2 * i]! + x[2 * i + 1]!),
      width,
    );
  if (name.startsWith("dot")) {
    const y = take(b);
    return join(
      Array.from({ length: 4 }, (_, i) => x[2 * i]! * y[2 * i]! + x[2 * i + 1]! * y[2 * i + 1]!),
      32,
    );
  }
  throw new Error(`Bug in Nido: the evaluator has no ${op}`);
}
