// The evaluator's floating-point operators (WebAssembly Core §4.3.3), on numbers. A NaN's payload is not kept where WebAssembly
// leaves it open; single precision is a number that `Math.fround` leaves as it is.

type Value = number | bigint;

const scratch = new DataView(new ArrayBuffer(8));

/** The number whose double-precision (single-precision) pattern is `bits`. */
export function fromBits(bits: bigint, width: number): number {
  scratch.setBigUint64(0, width === 64 ? bits : bits << 32n);
  return width === 64 ? scratch.getFloat64(0) : scratch.getFloat32(0);
}

/** The pattern of a number, unsigned. */
export function toBits(value: number, width: number): bigint {
  if (width === 64) scratch.setFloat64(0, value);
  else scratch.setFloat32(0, value);
  return width === 64 ? scratch.getBigUint64(0) : BigInt(scratch.getUint32(0));
}

/** Rounds to an integral value, ties to even. */
function nearest(x: number): number {
  if (!Number.isFinite(x) || Math.abs(x) >= 2 ** 52) return x;
  const low = Math.floor(x);
  const rest = x - low;
  const up = rest > 0.5 || (rest === 0.5 && low % 2 !== 0);
  const result = up ? low + 1 : low;
  return result === 0 && (x < 0 || Object.is(x, -0)) ? -0 : result;
}

const ONE: Readonly<Record<string, (a: number) => number>> = {
  abs: Math.abs,
  neg: (a) => -a,
  sqrt: Math.sqrt,
  ceil: Math.ceil,
  floor: Math.floor,
  trunc: Math.trunc,
  nearest,
};
const TWO: Readonly<Record<string, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  min: Math.min,
  max: Math.max,
};
const COMPARE: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  gt: (a, b) => a > b,
  le: (a, b) => a <= b,
  ge: (a, b) => a >= b,
};

/** An operator of two numbers (or one) of `width` bits, or undefined when it is none: a number, or 0 and 1 for a comparison. */
export function floatOperator(
  name: string,
  width: number,
  a: number,
  b: number,
): { readonly value: number; readonly compared: boolean } | undefined {
  const compare = COMPARE[name];
  if (compare) return { value: compare(a, b) ? 1 : 0, compared: true };
  const value = ONE[name]?.(a) ?? TWO[name]?.(a, b);
  // Double precision has more than twice single precision's bits: rounding twice is rounding once.
  return value === undefined ? undefined : { value: width === 32 ? Math.fround(value) : value, compared: false };
}

/** An integer that rounds to single precision as `v` does but has 53 bits at most: what is below them becomes one sticky bit. */
function shorten(v: bigint): number {
  const size = v < 0n ? -v : v;
  const excess = BigInt(Math.max(0, size.toString(2).length - 52));
  const kept = (size >> excess) << excess;
  const sticky = kept === size ? 0n : 1n << excess;
  return Number(v < 0n ? -(kept | sticky) : kept | sticky);
}

function fromInteger(name: string, width: number, v: Value): number {
  const from = name.startsWith("convert_i64") ? 64 : 32;
  const bits = BigInt.asUintN(from, BigInt(v));
  const value = name.endsWith("_s") ? BigInt.asIntN(from, bits) : bits;
  return width === 64 ? Number(value) : Math.fround(shorten(value));
}

/** f32 and f64 operators by name. */
export function evaluateFloat(op: string, args: readonly Value[]): Value {
  const width = op.startsWith("f32") ? 32 : 64;
  const name = op.slice(4);
  const known = name.startsWith("convert") ? fromInteger(name, width, args[0]!) : other(name, width, args);
  if (known === undefined) throw new Error(`Bug in Nido: the evaluator has no ${op}`);
  return known;
}

function other(name: string, width: number, args: readonly Value[]): number | undefined {
  if (name === "reinterpret_i64") return fromBits(args[0] as bigint, 64);
  if (name === "reinterpret_i32") return fromBits(BigInt.asUintN(32, BigInt(args[0]!)), 32);
  if (name === "promote_f32") return Number(args[0]);
  if (name === "demote_f64") return Math.fround(Number(args[0]));
  return floatOperator(name, width, Number(args[0]), Number(args[1] ?? 0))?.value;
}

/** Integer operators on numbers: reinterpretation and truncation; undefined for others. The value must fit, as in WebAssembly. */
export function fromFloat(op: string, a: Value): Value | undefined {
  if (op === "i64.reinterpret_f64") return toBits(Number(a), 64);
  if (op === "i32.reinterpret_f32") return Number(BigInt.asIntN(32, toBits(Number(a), 32)));
  const m = op.match(/^i(32|64)\.trunc_f(?:32|64)_[su]$/);
  if (!m) return undefined;
  const whole = BigInt(Math.trunc(Number(a)));
  return m[1] === "64" ? BigInt.asUintN(64, whole) : Number(BigInt.asIntN(32, whole));
}
