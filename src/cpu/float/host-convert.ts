// Conversions and roundings that WebAssembly's own operators do as SSE would; see host-float.ts.
import type { Builder } from "../ir/builder.ts";
import type { Expr } from "../ir/types.ts";
import { type Attempt, anyUnusual, fromHost, inexactIsSilent, isSafe, isUnusual, plainMode, toHost } from "./host-float.ts";
import { DOUBLE, type Format, isZero, ROUND, roundingControl, SINGLE } from "./ieee.ts";

const vector = (b: Builder, name: string, ...args: Expr[]): Expr => b.op(name, "v128", ...args);

/** A signed 64-bit integer to the format: exact when it is small, otherwise in plain mode. */
export function attemptFromInteger(b: Builder, base: Expr, f: Format, x: Expr): Attempt {
  const limit = 1n << BigInt(f.fraction + 1);
  return {
    value: fromHost(b, f, b.op(`${f.name}.convert_i64_s`, f.name, x)),
    right: b.or(b.leU(b.add(x, limit), 2n * limit), plainMode(b, base)),
  };
}

/**
 * To a signed integer of `width` bits, toward zero or to nearest. `value` must not be evaluated unless `right`: WebAssembly traps.
 */
export function attemptToInteger(
  b: Builder,
  base: Expr,
  f: Format,
  width: number,
  truncate: boolean,
  x: Expr,
): { readonly right: Expr; readonly value: () => Expr } {
  const number = toHost(b, f, x);
  const whole = b.op(`${f.name}.${truncate ? "trunc" : "nearest"}`, f.name, number);
  const limit = toHost(b, f, b.i64(BigInt(f.bias + width - 1) << BigInt(f.fraction)));
  const inside = b.op(`${f.name}.lt`, "i32", b.op(`${f.name}.abs`, f.name, whole), limit);
  const silent = b.or(b.op(`${f.name}.eq`, "i32", whole, number), inexactIsSilent(b, base));
  const direction = truncate ? b.i32(1) : b.not(roundingControl(b, base));
  return {
    right: b.and(b.and(inside, silent), direction),
    value: () => b.zext(b.op(`i64.trunc_${f.name}_s`, "i64", whole), width),
  };
}

/** Single to double precision: exact. */
export function attemptWiden(b: Builder, x: Expr): Attempt {
  return { value: fromHost(b, DOUBLE, b.op("f64.promote_f32", "f64", toHost(b, SINGLE, x))), right: b.not(isUnusual(b, SINGLE, x)) };
}

/** Double to single precision. */
export function attemptNarrow(b: Builder, base: Expr, x: Expr): Attempt {
  const r = fromHost(b, SINGLE, b.op("f32.demote_f64", "f32", toHost(b, DOUBLE, x)));
  return { value: r, right: b.and(b.or(isSafe(b, SINGLE, r), isZero(b, DOUBLE, x)), plainMode(b, base)) };
}

/** The low two single-precision lanes to double precision; the others are ignored when they are 0. */
export function attemptWidenLanes(b: Builder, x: Expr): Attempt {
  return { value: vector(b, "f64x2.promote_low_f32x4", x), right: b.not(anyUnusual(b, SINGLE, x)) };
}

/** Four integers of 32 bits to single precision. */
export function attemptFromIntegers(b: Builder, base: Expr, x: Expr): Attempt {
  return { value: vector(b, "f32x4.convert_i32x4_s", x), right: plainMode(b, base) };
}

/** Four singles to integers of 32 bits. */
export function attemptToIntegers(b: Builder, base: Expr, truncate: boolean, x: Expr): Attempt {
  const whole = vector(b, truncate ? "f32x4.trunc" : "f32x4.nearest", x);
  const limit = vector(b, "f32x4.splat", b.op("f32.reinterpret_i32", "f32", b.i32((SINGLE.bias + 31) << SINGLE.fraction)));
  const inside = b.op("i32x4.all_true", "i32", vector(b, "f32x4.lt", vector(b, "f32x4.abs", whole), limit));
  const direction = truncate ? b.i32(1) : b.not(roundingControl(b, base));
  return { value: vector(b, "i32x4.trunc_sat_f32x4_s", whole), right: b.and(b.and(inside, inexactIsSilent(b, base)), direction) };
}

const DIRECTIONS = [
  [ROUND.down, "floor"],
  [ROUND.up, "ceil"],
  [ROUND.zero, "trunc"],
] as const;

/** One operator out of four by the rounding control. */
function directed(b: Builder, shape: string, rc: Expr, x: Expr): Expr {
  const type = x.type;
  return DIRECTIONS.reduce(
    (other, [n, name]) => b.select(b.eq(rc, n), b.op(`${shape}.${name}`, type, x), other),
    b.op(`${shape}.nearest`, type, x),
  );
}

/** To an integral value by `rc`; `report` says whether PE counts. */
export function attemptIntegral(b: Builder, base: Expr, f: Format, rc: Expr, report: Expr, x: Expr): Attempt {
  const value = fromHost(b, f, directed(b, f.name, rc, toHost(b, f, x)));
  return { value, right: b.and(b.not(isUnusual(b, f, x)), b.or(b.not(report), inexactIsSilent(b, base))) };
}

/** The same for every lane. */
export function attemptIntegrals(b: Builder, base: Expr, f: Format, rc: Expr, report: Expr, x: Expr): Attempt {
  const value = directed(b, f === SINGLE ? "f32x4" : "f64x2", rc, x);
  return { value, right: b.and(b.not(anyUnusual(b, f, x)), b.or(b.not(report), inexactIsSilent(b, base))) };
}
