// Single and double precision as SSE computes them (SDM 1 §4.8, §10.2.3, §11.5): formats, MXCSR, NaNs and rounding.
//
// Values travel as i64 bit patterns (single precision in the low 32 bits). A routine of these files adds the exceptions that it
// meets to the state slot `sseFlags`, in MXCSR's positions; the instruction then decides with `settleFlags` whether they become
// flags or a fault. A number between operations is a sign, an exponent and a 64-bit significand with its top bit set, of which
// bit 0 also stands for all that is below it ("sticky"): value = significand / 2^63 * 2^(exponent - bias).
import type { Builder } from "../ir/builder.ts";
import { routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { CR4, VECTOR } from "../mmu/control.ts";
import { raise } from "../mmu/fault.ts";
import { at, FAULT } from "../state.ts";

/** An interchange format (IEEE 754-2019 §3.4). */
export interface Format {
  readonly name: "f32" | "f64";
  readonly bits: 32 | 64;
  /** Fraction bits, without the implicit one. */
  readonly fraction: number;
  readonly bias: number;
  /** Biased exponent of infinities and NaNs. */
  readonly special: number;
}

/** binary32. */
export const SINGLE: Format = { name: "f32", bits: 32, fraction: 23, bias: 127, special: 0xff };
/** binary64. */
export const DOUBLE: Format = { name: "f64", bits: 64, fraction: 52, bias: 1023, special: 0x7ff };

/** MXCSR (SDM 1 §10.2.3). Masks are the flags, seven bits up. */
export const MXCSR = {
  IE: 1,
  DE: 2,
  ZE: 4,
  OE: 8,
  UE: 0x10,
  PE: 0x20,
  DAZ: 0x40,
  UM: 0x800,
  OM: 0x400,
  maskShift: 7,
  rcShift: 13,
  FTZ: 0x8000,
  flags: 0x3f,
} as const;
/** Rounding control. */
export const ROUND = { nearest: 0, down: 1, up: 2, zero: 3 } as const;
/** Exceptions that are found before a result is computed. */
const BEFORE = MXCSR.IE | MXCSR.DE | MXCSR.ZE;

/** The sign alone: negative zero. */
export const signBit = (f: Format): bigint => 1n << BigInt(f.bits - 1);
const fractionMask = (f: Format): bigint => (1n << BigInt(f.fraction)) - 1n;
/** Positive infinity. */
export const infinity = (f: Format): bigint => BigInt(f.special) << BigInt(f.fraction);
const quietBit = (f: Format): bigint => 1n << BigInt(f.fraction - 1);
/** QNaN floating-point indefinite (SDM 1 table 4-3). */
export const indefinite = (f: Format): bigint => signBit(f) | infinity(f) | quietBit(f);

/** MXCSR as i32. */
export const mxcsr = (b: Builder, base: Expr): Expr => b.load("i32.load", base, at("mxcsr"));
/** Rounding control in force. */
export const roundingControl = (b: Builder, base: Expr): Expr => b.and(b.shrU(mxcsr(b, base), MXCSR.rcShift), 3);

/** 1 for negative values, else 0 (i64). */
export const signOf = (b: Builder, f: Format, x: Expr): Expr => b.shrU(x, f.bits - 1);
/** The biased exponent (i64). */
export const exponentOf = (b: Builder, f: Format, x: Expr): Expr => b.and(b.shrU(x, f.fraction), BigInt(f.special));
/** The fraction, without the implicit bit (i64). */
export const fractionOf = (b: Builder, f: Format, x: Expr): Expr => b.and(x, fractionMask(f));
/** The value without its sign. */
export const magnitude = (b: Builder, f: Format, x: Expr): Expr => b.and(x, signBit(f) - 1n);
/** 1 for NaNs of either kind (i32, as the following). */
export const isNan = (b: Builder, f: Format, x: Expr): Expr => b.gtU(magnitude(b, f, x), infinity(f));
/** 1 for signalling NaNs. */
export const isSignalling = (b: Builder, f: Format, x: Expr): Expr => b.and(isNan(b, f, x), b.not(b.and(x, quietBit(f))));
/** 1 for infinities of either sign. */
export const isInfinite = (b: Builder, f: Format, x: Expr): Expr => b.eq(magnitude(b, f, x), infinity(f));
/** 1 for zeros of either sign. */
export const isZero = (b: Builder, f: Format, x: Expr): Expr => b.not(magnitude(b, f, x));
/** 1 for denormals, not for zeros. */
export const isDenormal = (b: Builder, f: Format, x: Expr): Expr => b.ltU(b.sub(magnitude(b, f, x), 1n), fractionMask(f));
/** A NaN made quiet. */
export const quiet = (b: Builder, f: Format, x: Expr): Expr => b.or(x, quietBit(f));

/** Adds exceptions (i32). */
export function raiseFlags(b: Builder, base: Expr, flags: Expr | number): void {
  b.store("i32.store", base, b.or(b.load("i32.load", base, at("sseFlags")), flags), at("sseFlags"));
}

/** `flag` when `c` (0 or 1), else nothing: a term for raiseFlags. */
export const flagIf = (b: Builder, c: Expr, flag: number): Expr => b.select(c, b.i32(flag), b.i32(0));

/** Raises an invalid-operation exception and returns its masked answer. */
export function returnInvalid(b: Builder, base: Expr, f: Format): void {
  raiseFlags(b, base, MXCSR.IE);
  b.return(b.i64(indefinite(f)));
}

/** Denormal operands count as zeros of their sign under MXCSR.DAZ. */
export function flushOperand(b: Builder, base: Expr, f: Format, x: Expr): Expr {
  const tiny = b.not(exponentOf(b, f, x));
  return b.select(b.and(b.ne(b.and(mxcsr(b, base), MXCSR.DAZ), 0), tiny), b.and(x, signBit(f)), x);
}

/** DE when one of the operands (already flushed) is denormal. */
export function raiseDenormal(b: Builder, base: Expr, f: Format, ...operands: Expr[]): void {
  const any = operands.map((x) => isDenormal(b, f, x)).reduce((x, y) => b.or(x, y));
  b.if(any, () => raiseFlags(b, base, MXCSR.DE));
}

function defineNan(f: Format): Routine {
  return routine(`${f.name}.nan`, ["i32", "i64", "i64"], "i64", (b, base, x, y) => {
    b.if(b.or(isSignalling(b, f, x), isSignalling(b, f, y)), () => raiseFlags(b, base, MXCSR.IE));
    b.return(quiet(b, f, b.select(isNan(b, f, x), x, y)));
  });
}

const nanSingle = defineNan(SINGLE);
const nanDouble = defineNan(DOUBLE);
/** The result of an operation of which one operand at least is a NaN (SDM 1 table 4-7): the first NaN, quieted. */
export const nanOf = (f: Format): Routine => (f === SINGLE ? nanSingle : nanDouble);

/** Returns from a routine when one of its operands is a NaN. */
export function returnNan(b: Builder, base: Expr, f: Format, x: Expr, y: Expr): void {
  b.if(b.or(isNan(b, f, x), isNan(b, f, y)), () => b.return(b.call(nanOf(f), base, x, y)));
}

/** A finite operand other than zero as exponent and normalised significand. */
export function unpack(b: Builder, f: Format, x: Expr): { exponent: Expr; significand: Expr } {
  const exponent = exponentOf(b, f, x);
  const shift = 63 - f.fraction;
  const normal = b.or(b.shl(fractionOf(b, f, x), shift), 1n << 63n);
  const zeros = b.clz(fractionOf(b, f, x));
  return {
    exponent: b.select(b.ne(exponent, 0n), exponent, b.sub(b.i64(shift + 1), zeros)),
    significand: b.select(b.ne(exponent, 0n), normal, b.shl(fractionOf(b, f, x), zeros)),
  };
}

/** x >> n for any n (i64, unsigned), with a sticky bit 0. */
export function shiftSticky(b: Builder, x: Expr, n: Expr): Expr {
  const lost = b.shl(b.shl(x, 1), b.xor(n, 63n));
  const near = b.or(b.shrU(x, n), b.extU(b.ne(lost, 0n)));
  return b.select(b.geU(n, 64n), b.extU(b.ne(x, 0n)), near);
}

/** What is added before the low bits are cut off: half a unit, almost one, or nothing. */
function increment(b: Builder, rc: Expr, sign: Expr, low: number): Expr {
  const away = b.eq(rc, b.select(b.wrap(sign), b.i32(ROUND.down), b.i32(ROUND.up)));
  const directed = b.select(away, b.i64((1n << BigInt(low)) - 1n), b.i64(0));
  return b.select(rc, directed, b.i64(1n << BigInt(low - 1)));
}

/** The significand's kept bits after rounding (a carry out of 64 bits is lost: the caller has looked at it). */
function cut(b: Builder, rc: Expr, significand: Expr, plus: Expr, low: number): Expr {
  const kept = b.shrU(b.add(significand, plus), low);
  const tie = b.and(b.not(rc), b.eq(b.and(significand, (1n << BigInt(low)) - 1n), 1n << BigInt(low - 1)));
  return b.and(kept, b.xor(b.extU(tie), -1n));
}

/** A result too large for the format: infinity or the largest number, by the direction of rounding (SDM 1 table 4-10). */
function returnOverflow(b: Builder, base: Expr, f: Format, rc: Expr, sign: Expr): void {
  raiseFlags(b, base, MXCSR.OE | MXCSR.PE);
  const inward = b.select(b.wrap(sign), b.eq(rc, ROUND.up), b.eq(rc, ROUND.down));
  const largest = b.or(b.eq(rc, ROUND.zero), inward);
  b.return(b.or(b.shl(sign, f.bits - 1), b.sub(b.i64(infinity(f)), b.extU(largest))));
}

/** A result below the normal numbers: denormal, or zero under FTZ (SDM 1 §4.9.1.5, §10.2.3.3). */
function returnTiny(b: Builder, base: Expr, f: Format, rc: Expr, sign: Expr, exponent: Expr, significand: Expr, tiny: Expr): void {
  const low = 63 - f.fraction;
  const control = mxcsr(b, base);
  const signed = b.shl(sign, f.bits - 1);
  const inexactUnbounded = b.ne(b.and(significand, (1n << BigInt(low)) - 1n), 0n);
  b.if(b.and(tiny, b.not(b.and(control, MXCSR.UM))), () => {
    raiseFlags(b, base, b.or(flagIf(b, inexactUnbounded, MXCSR.PE), MXCSR.UE));
    b.return(signed);
  });
  b.if(b.and(tiny, b.ne(b.and(control, MXCSR.FTZ), 0)), () => {
    raiseFlags(b, base, MXCSR.UE | MXCSR.PE);
    b.return(signed);
  });
  const shifted = shiftSticky(b, significand, b.sub(b.i64(1), exponent));
  const inexact = b.ne(b.and(shifted, (1n << BigInt(low)) - 1n), 0n);
  b.if(inexact, () => raiseFlags(b, base, b.or(flagIf(b, tiny, MXCSR.UE), MXCSR.PE)));
  b.return(b.or(signed, cut(b, rc, shifted, increment(b, rc, sign, low), low)));
}

function defineRound(f: Format): Routine {
  const low = 63 - f.fraction;
  return routine(`${f.name}.round`, ["i32", "i64", "i64", "i64"], "i64", (b, base, sign, exponent, significand) => {
    const rc = roundingControl(b, base);
    const plus = increment(b, rc, sign, low);
    const carry = b.ltU(b.add(significand, plus), significand);
    b.if(b.leS(exponent, 0n), () => {
      // Tininess is detected after rounding (SDM 1 §4.9.1.5).
      const tiny = b.or(b.ltS(exponent, 0n), b.not(carry));
      returnTiny(b, base, f, rc, sign, exponent, significand, tiny);
    });
    const inexact = b.ne(b.and(significand, (1n << BigInt(low)) - 1n), 0n);
    b.if(b.geS(b.add(exponent, b.extU(carry)), BigInt(f.special)), () => {
      b.if(b.not(b.and(mxcsr(b, base), MXCSR.OM)), () => {
        raiseFlags(b, base, b.or(flagIf(b, inexact, MXCSR.PE), MXCSR.OE));
        b.return(b.i64(0));
      });
      returnOverflow(b, base, f, rc, sign);
    });
    b.if(inexact, () => raiseFlags(b, base, MXCSR.PE));
    const kept = cut(b, rc, significand, plus, low);
    // The implicit bit is part of `kept` and counts as one exponent; after a carry it is gone, and two more were due.
    const biased = b.add(b.sub(exponent, 1n), b.shl(b.extU(carry), 1));
    b.return(b.add(b.add(b.shl(sign, f.bits - 1), b.shl(biased, f.fraction)), kept));
  });
}

const roundSingle = defineRound(SINGLE);
const roundDouble = defineRound(DOUBLE);
/** Rounds a number to the format: (base, sign, exponent, significand) → bits. Raises OE, UE and PE. */
export const roundTo = (f: Format): Routine => (f === SINGLE ? roundSingle : roundDouble);

/** Forgets the exceptions of the instruction before. */
export function clearFlags(b: Builder, base: Expr): void {
  b.store("i32.store", base, b.i32(0), at("sseFlags"));
}

/**
 * Ends an instruction's arithmetic: (base). Its exceptions become sticky flags; an unmasked one is a fault, #XM or without
 * CR4.OSXMMEXCPT #UD. One found before the computation keeps those of the computation from being found (SDM 1 §11.5.3).
 */
export const settleFlags: Routine = routine(
  "sse.settle",
  ["i32"],
  undefined,
  (b, base) => {
    const found = b.load("i32.load", base, at("sseFlags"));
    b.if(b.not(found), () => b.return());
    const control = mxcsr(b, base);
    const unmasked = b.and(b.and(found, b.xor(b.shrU(control, MXCSR.maskShift), -1)), MXCSR.flags);
    const counted = b.select(b.and(unmasked, BEFORE), b.and(found, BEFORE), found);
    b.store("i32.store", base, b.or(control, counted), at("mxcsr"));
    b.if(unmasked, () => {
      const reported = b.and(b.load("i32.load", base, at("cr4")), CR4.OSXMMEXCPT);
      b.call(raise, base, b.or(b.select(reported, b.i32(VECTOR.XM), b.i32(VECTOR.UD)), FAULT.pending), b.i32(0));
    });
  },
  { faults: true },
);
