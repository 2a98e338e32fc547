// The functions behind the transcendental x87 instructions (SDM 1 §8.3.10), in integers of arbitrary length.
//
// Every function takes nonzero finite numbers and gives a result of 128 bits, some 120 of them right and the last for "more follows";
// rounding to 64 bits is thereby correct but for arguments that nobody is known to have found. Values in fixed point have F bits
// behind the point.

/** A nonzero number: significand · 2^(exponent - 63), the significand's bit 63 set. */
export interface Real {
  readonly negative: boolean;
  readonly exponent: number;
  readonly significand: bigint;
}

/** A result before rounding: high:low · 2^(exponent - 127), bit 127 set; bit 0 is 1 when the value is not exact. */
export interface Unrounded {
  readonly negative: boolean;
  readonly exponent: number;
  readonly high: bigint;
  readonly low: bigint;
  /** Rounded to nearest whatever the control word says. */
  readonly nearest?: true;
}

const F = 192;
const SHIFT = BigInt(F);
const ONE = 1n << SHIFT;
const MASK64 = (1n << 64n) - 1n;

/** Fixed-point product, towards zero, so that terms of series vanish from either side. */
function multiply(a: bigint, b: bigint): bigint {
  const product = a * b;
  return product < 0n ? -(-product >> SHIFT) : product >> SHIFT;
}

const shift = (n: bigint, by: number): bigint => (by >= 0 ? n << BigInt(by) : n >> BigInt(-by));

/** value = magnitude · 2^unit. */
function unrounded(negative: boolean, magnitude: bigint, unit: number, exact = false): Unrounded {
  const length = magnitude.toString(2).length;
  const whole = shift(magnitude, 128 - length) | (exact ? 0n : 1n);
  return { negative, exponent: unit + length - 1, high: whole >> 64n, low: whole & MASK64 };
}

/** |x| in fixed point; 0 when it is too small to show. */
function fixed(x: Real): bigint {
  return shift(x.significand, x.exponent - 63 + F);
}

/** Sum of a first term and what `next` makes of each term and its number, until one vanishes. */
function series(first: bigint, next: (term: bigint, n: bigint) => bigint): bigint {
  let sum = 0n;
  let n = 0n;
  for (let term = first; term !== 0n; term = next(term, n++)) sum += term;
  return sum;
}

/** atan(t) / t or atanh(t) / t from the square of t, signed: Σ s^n / (2n + 1). */
function oddReciprocals(square: bigint): bigint {
  let power = ONE;
  let sum = 0n;
  for (let n = 1n; power !== 0n; n += 2n) {
    sum += power / n;
    power = multiply(power, square);
  }
  return sum;
}

const overNumber = (n: bigint, d: bigint): bigint => (n << SHIFT) / d;
/** arctan(1/d), arctanh(1/d). */
const arcCotangent = (d: bigint, sign: bigint): bigint => oddReciprocals(sign * overNumber(1n, d * d)) / d;

/** π by Machin's formula; ln 2 = 2 artanh(1/3). */
const PI = 4n * (4n * arcCotangent(5n, -1n) - arcCotangent(239n, -1n));
const LN2 = 2n * arcCotangent(3n, 1n);

/** The π that trigonometric instructions reduce by: 66 bits (SDM 1 §8.3.8). */
const PI66 = 0xc90f_daa2_2168_c234cn << (SHIFT - 66n);

// ── trigonometry ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** An angle reduced to ±π/4 and the multiple of π/2 that was taken away, modulo 4. The angle is magnitude · 2^unit. */
interface Reduced {
  readonly quadrant: number;
  readonly negative: boolean;
  readonly magnitude: bigint;
  readonly unit: number;
}

function reduce(x: Real): Reduced {
  if (x.exponent < -1) return { quadrant: 0, negative: x.negative, magnitude: x.significand, unit: x.exponent - 63 };
  const half = PI66 >> 1n;
  const angle = fixed(x);
  const turns = (angle + (half >> 1n)) / half;
  const rest = angle - turns * half;
  const quadrant = Number(turns & 3n);
  return {
    quadrant: x.negative ? -quadrant & 3 : quadrant,
    negative: x.negative !== rest < 0n,
    magnitude: rest < 0n ? -rest : rest,
    unit: -F,
  };
}

/** sin(r) / r and cos(r) from the square of r. */
const sineFactor = (square: bigint): bigint => series(ONE, (t, n) => -multiply(t, square) / ((2n * n + 2n) * (2n * n + 3n)));
const cosineOf = (square: bigint): bigint => series(ONE, (t, n) => -multiply(t, square) / ((2n * n + 1n) * (2n * n + 2n)));

function squareOf({ magnitude, unit }: Reduced): bigint {
  return shift(magnitude * magnitude, 2 * unit + F);
}

const sineOfReduced = (r: Reduced): Unrounded => unrounded(r.negative, r.magnitude * sineFactor(squareOf(r)), r.unit - F);
const cosineOfReduced = (r: Reduced): Unrounded => unrounded(false, cosineOf(squareOf(r)), -F);

function sineAt(r: Reduced, quadrant: number): Unrounded {
  const value = (quadrant & 1) === 0 ? sineOfReduced(r) : cosineOfReduced(r);
  return quadrant & 2 ? { ...value, negative: !value.negative } : value;
}

/** Below 2^-68 silicon takes x for the sine and tangent of x, and 1 for its cosine, in every rounding mode. */
const isTiny = (x: Real): boolean => x.exponent < -68;
const tinySelf = ({ negative, exponent, significand }: Real): Unrounded => ({
  negative,
  exponent,
  high: significand,
  low: 1n,
  nearest: true,
});
const NEARLY_ONE: Unrounded = { negative: false, exponent: 0, high: 1n << 63n, low: 1n, nearest: true };

/** sin(x), |x| < 2^63. */
export function sine(x: Real): Unrounded {
  if (isTiny(x)) return tinySelf(x);
  const r = reduce(x);
  return sineAt(r, r.quadrant);
}

/** cos(x), |x| < 2^63. */
export function cosine(x: Real): Unrounded {
  if (isTiny(x)) return NEARLY_ONE;
  const r = reduce(x);
  return sineAt(r, r.quadrant + 1);
}

/** tan(x), |x| < 2^63. */
export function tangent(x: Real): Unrounded {
  if (isTiny(x)) return tinySelf(x);
  const r = reduce(x);
  const square = squareOf(r);
  const [s, c] = [sineFactor(square), cosineOf(square)];
  // tan(r + π/2) = -cos(r) / sin(r)
  if (r.quadrant & 1) return unrounded(!r.negative, ((c << SHIFT) << SHIFT) / (r.magnitude * s), -2 * F - r.unit);
  return unrounded(r.negative, r.magnitude * ((s << SHIFT) / c), r.unit - F);
}

/** atan(k/16), k = 0…16. */
const ARC_TANGENTS: readonly bigint[] = arcTangents();

function arcTangents(): bigint[] {
  const table = [0n];
  for (let k = 1n; k <= 16n; k++) {
    // atan(k/16) - atan((k-1)/16) = atan(d), d = (1/16) / (1 + k(k-1)/256)
    const d = overNumber(16n, 256n + k * (k - 1n));
    table.push((table.at(-1) ?? 0n) + multiply(d, oddReciprocals(-multiply(d, d))));
  }
  return table;
}

/** atan(t) for t of 0…1, both in fixed point. */
function arcTangentFixed(t: bigint): bigint {
  const k = (t * 16n + (ONE >> 1n)) >> SHIFT;
  const c = (k << SHIFT) / 16n;
  const d = ((t - c) << SHIFT) / (ONE + multiply(t, c));
  return ARC_TANGENTS[Number(k)]! + multiply(d, oddReciprocals(-multiply(d, d)));
}

/** atan(y/x) for positive x and y/x below 2^-4, as accurate as its size allows. */
function smallArcTangent(y: Real, x: Real): Unrounded {
  const unit = y.exponent - x.exponent - F;
  const ratio = (y.significand << SHIFT) / x.significand;
  const square = shift(ratio * ratio, 2 * unit + F);
  if (square === 0n) return unrounded(y.negative, (ratio << 64n) - 1n, unit - 64);
  return unrounded(y.negative, ratio * oddReciprocals(-square), unit - F);
}

/** The angle of the point (x, y), in (-π, π). */
export function arcTangent(y: Real, x: Real): Unrounded {
  if (!x.negative && y.exponent - x.exponent < -5) return smallArcTangent(y, x);
  const steep = y.exponent > x.exponent || (y.exponent === x.exponent && y.significand > x.significand);
  const [small, large] = steep ? [x, y] : [y, x];
  const t = shift((small.significand << SHIFT) / large.significand, small.exponent - large.exponent);
  const flat = arcTangentFixed(t);
  const angle = steep ? (PI >> 1n) - flat : flat;
  return unrounded(y.negative, x.negative ? PI - angle : angle, -F);
}

/** π times a number of eighths: the angles of axes and diagonals. */
export function eighthsOfCircle(negative: boolean, eighths: number): Unrounded {
  return unrounded(negative, (PI * BigInt(eighths)) >> 2n, -F);
}

// ── exponentials and logarithms ───────────────────────────────────────────────────────────────────────────────────────────────

/** 2^x - 1, |x| ≤ 1. */
export function powerMinusOne(x: Real): Unrounded {
  if (x.exponent === 0) return x.negative ? unrounded(true, 1n, -1, true) : unrounded(false, 1n, 0, true);
  const z = x.significand * LN2;
  const magnitude = shift(z, x.exponent - 63);
  const argument = x.negative ? -magnitude : magnitude;
  // (e^z - 1) / z = Σ z^n / (n + 1)!
  const factor = series(ONE, (t, n) => multiply(t, argument) / (n + 2n));
  return unrounded(x.negative, z * factor, x.exponent - 63 - 2 * F);
}

/** log2(v) of a positive fixed-point number, signed. */
function logarithm2(v: bigint): bigint {
  let whole = v.toString(2).length - 1 - F;
  let m = shift(v, -whole);
  // From 0.71 to 1.41 the series is short, and a number near 1 keeps its accuracy.
  if (m > SQUARE_ROOT_2) {
    m = shift(v, -++whole);
  }
  const t = ((m - ONE) << SHIFT) / (m + ONE);
  const natural = 2n * multiply(t, oddReciprocals(multiply(t, t)));
  return (BigInt(whole) << SHIFT) + (natural << SHIFT) / LN2;
}

const SQUARE_ROOT_2 = 0xb504_f333_f9de_6484n << (SHIFT - 63n);

/** y · value · 2^unit, for a signed value. */
function times(y: Real, value: bigint, unit: number): Unrounded {
  const negative = value < 0n;
  return unrounded(y.negative !== negative, y.significand * (negative ? -value : value), unit + y.exponent - 63);
}

/** y · log2(x), x > 0 and not 1. */
export function timesLogarithm(y: Real, x: Real): Unrounded {
  // Powers of two give products that may be exact; silicon says "inexact" all the same.
  if (x.significand === 1n << 63n) return { ...times(y, BigInt(x.exponent), 0), nearest: true };
  // The exponent is taken out, except of numbers just below 1.
  const near = x.exponent === -1;
  const mantissa = logarithm2(shift(x.significand, F - 63 - (near ? 1 : 0)));
  return times(y, mantissa + (near ? 0n : BigInt(x.exponent) << SHIFT), -F);
}

/** y · log2(1 + x), x > -1 and not 0. */
export function timesLogarithmPlusOne(y: Real, x: Real): Unrounded {
  if (x.exponent > 128) return timesLogarithm(y, x);
  const signed = x.negative ? -fixed(x) : fixed(x);
  if (x.exponent >= -16) return times(y, logarithm2(ONE + signed), -F);
  // ln(1 + x) / x = Σ (-x)^n / (n + 1)
  let power = ONE;
  let factor = 0n;
  for (let n = 1n; power !== 0n; n++) {
    factor += power / n;
    power = -multiply(power, signed);
  }
  const value = (x.significand * factor * ONE) / LN2;
  return times(y, x.negative ? -value : value, x.exponent - 63 - F);
}
