// Where WebAssembly's own operators give what SSE would: the fast side of float/ieee-*.ts, which remain the meaning.
//
// WebAssembly rounds to nearest, knows no flags and leaves NaNs open. So its result stands when nothing but PE could have been
// raised and PE changes nothing (`plainMode`), or when no exception is possible at all; every function says when, as a condition
// on operands and result. A condition may be stricter than need be: the exact routine then does the work.
import type { Builder } from "../ir/builder.ts";
import type { Expr } from "../ir/types.ts";
import { DOUBLE, type Format, infinity, isDenormal, isNan, magnitude, mxcsr, MXCSR, SINGLE } from "./ieee.ts";

/** All masked, to nearest, neither DAZ nor FTZ, PE set already. */
const PLAIN = 0x1f80 | MXCSR.PE;
const PLAIN_MASK = 0xffff & ~(MXCSR.flags & ~MXCSR.PE);

/** An operator of f32, f64 and their vectors. */
export type HostOperation = "add" | "sub" | "mul" | "div";

/** A result and the condition (i32) under which it is right. */
export interface Attempt {
  readonly value: Expr;
  readonly right: Expr;
}

/** 1 when inexact results change nothing in MXCSR and everything else is at its default. */
export function plainMode(b: Builder, base: Expr): Expr {
  return b.eq(b.and(mxcsr(b, base), PLAIN_MASK), PLAIN);
}

/** 1 when PE is masked and set already. */
export function inexactIsSilent(b: Builder, base: Expr): Expr {
  const silent = MXCSR.PE | (MXCSR.PE << MXCSR.maskShift);
  return b.eq(b.and(mxcsr(b, base), silent), silent);
}

/** A bit pattern as WebAssembly's number. */
export const toHost = (b: Builder, f: Format, x: Expr): Expr =>
  f === DOUBLE ? b.op("f64.reinterpret_i64", "f64", x) : b.op("f32.reinterpret_i32", "f32", b.wrap(x));

/** WebAssembly's number as bit pattern. */
export const fromHost = (b: Builder, f: Format, x: Expr): Expr =>
  f === DOUBLE ? b.op("i64.reinterpret_f64", "i64", x) : b.extU(b.op("i32.reinterpret_f32", "i32", x));

/** 1 for denormals and NaNs: operands that raise something, or answer by rules of their own. */
export const isUnusual = (b: Builder, f: Format, x: Expr): Expr => b.or(isDenormal(b, f, x), isNan(b, f, x));

/** Bit pattern of twice the smallest normal number: results from there on cannot be tiny before rounding. */
const safeNormal = (f: Format): bigint => 2n << BigInt(f.fraction);

/** 1 for a finite result that is far from denormal. */
export const isSafe = (b: Builder, f: Format, r: Expr): Expr =>
  b.ltU(b.sub(magnitude(b, f, r), safeNormal(f)), infinity(f) - safeNormal(f));

/** x op y in plain mode. Sums are never tiny and inexact at once; products and quotients of zero are exact zeros. */
export function attempt(b: Builder, f: Format, operation: HostOperation, x: Expr, y: Expr): Attempt {
  const r = fromHost(b, f, b.op(`${f.name}.${operation}`, f.name, toHost(b, f, x), toHost(b, f, y)));
  const denormal = b.or(isDenormal(b, f, x), isDenormal(b, f, y));
  const zero = (e: Expr): Expr => b.not(magnitude(b, f, e));
  if (operation === "add" || operation === "sub")
    return { value: r, right: b.and(b.ltU(magnitude(b, f, r), infinity(f)), b.not(denormal)) };
  const exactZero = b.and(zero(r), operation === "mul" ? b.or(zero(x), zero(y)) : zero(x));
  return { value: r, right: b.and(b.or(isSafe(b, f, r), exactZero), b.not(denormal)) };
}

/** √x in plain mode. */
export function attemptRoot(b: Builder, f: Format, x: Expr): Attempt {
  const r = fromHost(b, f, b.op(`${f.name}.sqrt`, f.name, toHost(b, f, x)));
  return { value: r, right: b.and(b.ltU(magnitude(b, f, r), infinity(f)), b.not(isDenormal(b, f, x))) };
}

// ── vectors ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

const shapeOf = (f: Format): string => (f === SINGLE ? "f32x4" : "f64x2");
const integersOf = (f: Format): string => (f === SINGLE ? "i32x4" : "i64x2");
const vector = (b: Builder, name: string, ...args: Expr[]): Expr => b.op(name, "v128", ...args);

/** A constant in every lane. */
function splat(b: Builder, f: Format, n: bigint): Expr {
  const bytes = new Uint8Array(16);
  for (let i = 0; i < 16; i++) bytes[i] = Number((n >> BigInt((8 * i) % f.bits)) & 0xffn);
  return b.v128(bytes);
}

const laneMagnitudes = (b: Builder, f: Format, v: Expr): Expr =>
  vector(b, "v128.and", v, splat(b, f, infinity(f) | ((1n << BigInt(f.fraction)) - 1n)));

/** All ones in lanes that hold a denormal, or the smallest normal number. */
function denormalLanes(b: Builder, f: Format, v: Expr): Expr {
  const i = integersOf(f);
  const less = vector(b, `${i}.sub`, laneMagnitudes(b, f, v), splat(b, f, 1n));
  return vector(b, `${i}.eq`, vector(b, `${i}.shr_u`, less, b.i32(f.fraction)), splat(b, f, 0n));
}

const anyLane = (b: Builder, v: Expr): Expr => b.op("v128.any_true", "i32", v);

/** 1 when a lane is denormal or a NaN. */
export function anyUnusual(b: Builder, f: Format, ...vectors: Expr[]): Expr {
  const masks = vectors.map((v) => vector(b, "v128.or", denormalLanes(b, f, v), vector(b, `${shapeOf(f)}.ne`, v, v)));
  return anyLane(
    b,
    masks.reduce((x, y) => vector(b, "v128.or", x, y)),
  );
}

/** Lanes of x op y in plain mode, as `attempt`. */
export function attemptLanes(b: Builder, f: Format, operation: HostOperation, x: Expr, y: Expr): Attempt {
  const i = integersOf(f);
  const value = vector(b, `${shapeOf(f)}.${operation}`, x, y);
  const size = laneMagnitudes(b, f, value);
  const zero = (v: Expr): Expr => vector(b, `${i}.eq`, laneMagnitudes(b, f, v), splat(b, f, 0n));
  const denormal = vector(b, "v128.or", denormalLanes(b, f, x), denormalLanes(b, f, y));
  const large = vector(b, `${i}.ge_s`, size, splat(b, f, infinity(f)));
  if (operation === "add" || operation === "sub") return { value, right: b.not(anyLane(b, vector(b, "v128.or", large, denormal))) };
  const exactZero = vector(b, "v128.and", zero(value), operation === "mul" ? vector(b, "v128.or", zero(x), zero(y)) : zero(x));
  const small = vector(b, "v128.andnot", vector(b, `${i}.lt_s`, size, splat(b, f, safeNormal(f))), exactZero);
  return { value, right: b.not(anyLane(b, vector(b, "v128.or", vector(b, "v128.or", large, small), denormal))) };
}

/** Lanes of √x in plain mode. */
export function attemptRoots(b: Builder, f: Format, x: Expr): Attempt {
  const value = vector(b, `${shapeOf(f)}.sqrt`, x);
  const large = vector(b, `${integersOf(f)}.ge_s`, laneMagnitudes(b, f, value), splat(b, f, infinity(f)));
  return { value, right: b.not(anyLane(b, vector(b, "v128.or", large, denormalLanes(b, f, x)))) };
}

/** Lanes where x is less than (equal to, greater than) y, for lanes that are not unusual. */
export const compareLanes = (b: Builder, f: Format, how: "lt" | "eq" | "gt", x: Expr, y: Expr): Expr =>
  vector(b, `${shapeOf(f)}.${how}`, x, y);
