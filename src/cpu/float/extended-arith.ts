// Addition, subtraction, multiplication, division and square root in extended precision (SDM 1 §5.2.2, §8.3.5).
//
// Each operation has two parts: `normal` works on nonzero numbers in normalized form, and in front of it stands what the special
// operands ask for. Order of the exceptions as SDM 1 §4.9.2 has it: invalid, NaN, division by zero, denormal, then rounding.
import { type Builder, routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import {
  alsoRaise,
  deliver,
  deliverInvalid,
  exponentOf,
  type Extended,
  isDenormal,
  isInfinite,
  isNormal,
  isNotANumber,
  isZero,
  normalize,
  propagate,
  signOf,
} from "./extended.ts";
import { BIAS, EXPONENT_MAX, INTEGER_BIT, SIGN } from "./extended-format.ts";
import { round, roundingOf } from "./extended-round.ts";
import { FSW, ROUNDING } from "./status.ts";
import { clzWide, divideWide, multiplyWide, shiftLeftWide, shiftRightSticky, squareRootWide, subtractWide, wideHigh } from "./wide.ts";

/** A nonzero finite number, normalized. */
interface Normal {
  readonly sign: Expr;
  readonly exponent: Expr;
  readonly significand: Expr;
}

const NORMAL_PARAMS = ["i32", "i32", "i32", "i32", "i64", "i32", "i32", "i64"] as const;

/** A binary operation on normalized numbers: (base, control, sign, exponent, significand, sign, exponent, significand) → rounded result. */
function onNormals(name: string, build: (b: Builder, base: Expr, control: Expr, x: Normal, y: Normal) => void): Routine {
  return routine(`extended.${name}.normal`, NORMAL_PARAMS, "i64", (b, base, control, ...p) => {
    build(b, base, control, { sign: p[0]!, exponent: p[1]!, significand: p[2]! }, { sign: p[3]!, exponent: p[4]!, significand: p[5]! });
  });
}

const addNormal = onNormals("add", (b, base, control, x, y) => {
  b.if(b.ltS(x.exponent, y.exponent), () =>
    b.return(b.call(addOrdered, base, control, y.sign, y.exponent, y.significand, x.sign, x.exponent, x.significand)),
  );
  b.return(b.call(addOrdered, base, control, x.sign, x.exponent, x.significand, y.sign, y.exponent, y.significand));
});

/** The first operand's exponent is not below the second's. */
const addOrdered = onNormals("addOrdered", (b, base, control, x, y) => {
  const aligned = shiftRightSticky(b, { high: y.significand, low: b.i64(0) }, b.extU(b.sub(x.exponent, y.exponent)));
  b.if(b.eq(x.sign, y.sign), () => {
    const sum = b.add(x.significand, aligned.high);
    b.if(b.geU(sum, x.significand), () => b.return(b.call(round, base, control, x.sign, x.exponent, sum, aligned.low)));
    const low = b.or(b.shl(sum, 63), b.or(b.shrU(aligned.low, 1), b.and(aligned.low, 1n)));
    b.return(b.call(round, base, control, x.sign, b.add(x.exponent, 1), b.or(b.shrU(sum, 1), INTEGER_BIT), low));
  });
  // With equal exponents the second operand may be the larger one.
  const swapped = b.ltU(x.significand, aligned.high);
  const larger = { high: b.select(swapped, aligned.high, x.significand), low: b.i64(0) };
  const smaller = { high: b.select(swapped, x.significand, aligned.high), low: aligned.low };
  const difference = subtractWide(b, larger, smaller);
  b.if(b.not(b.or(difference.high, difference.low)), () =>
    deliver(b, base, { head: exactZero(b, control), significand: b.i64(0) }, b.i32(0)),
  );
  const zeros = clzWide(b, difference);
  const { high, low } = shiftLeftWide(b, difference, zeros);
  b.return(b.call(round, base, control, b.xor(x.sign, b.shl(swapped, 15)), b.sub(x.exponent, b.wrap(zeros)), high, low));
});

/** Head of the zero that a sum of opposite numbers is: negative when rounding down (SDM 1 §4.8.3.1). */
function exactZero(b: Builder, control: Expr): Expr {
  return b.shl(b.eq(roundingOf(b, control), ROUNDING.down), 15);
}

const multiplyNormal = onNormals("multiply", (b, base, control, x, y) => {
  const product = multiplyWide(b, x.significand, y.significand);
  const sign = b.xor(x.sign, y.sign);
  const exponent = b.sub(b.add(x.exponent, y.exponent), BIAS - 1);
  b.if(b.ltS(product.high, 0n), () => b.return(b.call(round, base, control, sign, exponent, product.high, product.low)));
  const high = b.or(b.shl(product.high, 1), b.shrU(product.low, 63));
  b.return(b.call(round, base, control, sign, b.sub(exponent, 1), high, b.shl(product.low, 1)));
});

/** What a remainder counts behind the quotient's last bit: nothing, below, exactly or above half a unit. */
function remainderBits(b: Builder, remainder: Expr, divisor: Expr): Expr {
  const other = b.sub(divisor, remainder);
  const side = b.sub(b.extU(b.gtU(remainder, other)), b.extU(b.ltU(remainder, other)));
  return b.select(b.ne(remainder, 0n), b.shl(b.add(side, 2n), 62), b.i64(0));
}

const divideNormal = onNormals("divide", (b, base, control, x, y) => {
  const below = b.extU(b.ltU(x.significand, y.significand));
  const up = b.xor(below, 1n);
  // The dividend is halved when it is not below the divisor, so that the quotient has 64 bits.
  const quotient = b.call(
    divideWide,
    base,
    b.shrU(x.significand, up),
    b.select(b.wrap(up), b.shl(x.significand, 63), b.i64(0)),
    y.significand,
  );
  const low = remainderBits(b, wideHigh(b, base), y.significand);
  const exponent = b.add(b.sub(x.exponent, y.exponent), b.sub(b.i32(BIAS), b.wrap(below)));
  b.return(b.call(round, base, control, b.xor(x.sign, y.sign), exponent, quotient, low));
});

// ── special operands ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What is common to the rules of the four operations. */
interface Special {
  readonly base: Expr;
  readonly control: Expr;
  readonly x: Extended;
  readonly y: Extended;
  /** DE when an operand is denormal, or was before it was converted. */
  readonly denormal: Expr;
}

type Rules = (b: Builder, s: Special) => void;

/** Leaves with a number of no fraction to round. */
function exact(b: Builder, s: Special, head: Expr, significand: Expr): void {
  deliver(b, s.base, { head, significand }, s.denormal);
}

const infinity = (b: Builder, s: Special, sign: Expr): void => exact(b, s, b.or(sign, EXPONENT_MAX), b.i64(INTEGER_BIT));
const zero = (b: Builder, s: Special, sign: Expr): void => exact(b, s, sign, b.i64(0));

/** Leaves with one operand, rounded (it may have more bits than the precision asked for). */
function alone(b: Builder, s: Special, x: Extended): void {
  const n = normalize(b, x);
  const significand = b.call(round, s.base, s.control, signOf(b, x.head), n.exponent, n.significand, b.i64(0));
  alsoRaise(b, s.base, s.denormal);
  b.return(significand);
}

const sumRules: Rules = (b, s) => {
  const { x, y } = s;
  const opposite = b.xor(signOf(b, x.head), signOf(b, y.head));
  b.if(isInfinite(b, x), () => {
    b.if(b.and(isInfinite(b, y), b.ne(opposite, 0)), () => deliverInvalid(b, s.base));
    exact(b, s, x.head, x.significand);
  });
  b.if(isInfinite(b, y), () => exact(b, s, y.head, y.significand));
  b.if(isZero(b, x), () => {
    b.if(isZero(b, y), () => zero(b, s, b.select(opposite, exactZero(b, s.control), signOf(b, x.head))));
    alone(b, s, y);
  });
  b.if(isZero(b, y), () => alone(b, s, x));
};

const productRules: Rules = (b, s) => {
  const { x, y } = s;
  const sign = b.xor(signOf(b, x.head), signOf(b, y.head));
  const zeroes = b.or(isZero(b, x), isZero(b, y));
  b.if(b.or(isInfinite(b, x), isInfinite(b, y)), () => {
    b.if(zeroes, () => deliverInvalid(b, s.base));
    infinity(b, s, sign);
  });
  b.if(zeroes, () => zero(b, s, sign));
};

const quotientRules: Rules = (b, s) => {
  const { x, y } = s;
  const sign = b.xor(signOf(b, x.head), signOf(b, y.head));
  b.if(isInfinite(b, x), () => {
    b.if(isInfinite(b, y), () => deliverInvalid(b, s.base));
    infinity(b, s, sign);
  });
  b.if(isInfinite(b, y), () => zero(b, s, sign));
  b.if(isZero(b, y), () => {
    b.if(isZero(b, x), () => deliverInvalid(b, s.base));
    deliver(b, s.base, { head: b.or(sign, EXPONENT_MAX), significand: b.i64(INTEGER_BIT) }, b.i32(FSW.ZE));
  });
  b.if(isZero(b, x), () => zero(b, s, sign));
};

const PARAMS = ["i32", "i32", "i32", "i64", "i32", "i64", "i32"] as const;

/**
 * A binary operation: (base, control, head, significand, head, significand, raised) → significand. `raised` is DE when the second
 * operand was a denormal of a narrower format.
 */
function binary(name: string, normal: Routine, rules: Rules, negate = false): Routine {
  const second = (b: Builder, head: Expr): Expr => (negate ? b.xor(head, SIGN) : head);
  const special = routine(`extended.${name}.special`, PARAMS, "i64", (b, base, control, aHead, a, bHead, c, raised) => {
    const x = { head: aHead, significand: a };
    const operand = { head: bHead, significand: c };
    b.if(b.or(isNotANumber(b, x), isNotANumber(b, operand)), () =>
      b.return(b.call(propagate, base, x.head, x.significand, operand.head, operand.significand)),
    );
    const y = { head: second(b, bHead), significand: c };
    const denormal = b.or(raised, b.shl(b.or(isDenormal(b, x), isDenormal(b, y)), 1));
    rules(b, { base: base, control: control, x, y, denormal });
    const [n, m] = [normalize(b, x), normalize(b, y)];
    const result = b.call(
      normal,
      base,
      control,
      signOf(b, x.head),
      n.exponent,
      n.significand,
      signOf(b, y.head),
      m.exponent,
      m.significand,
    );
    alsoRaise(b, base, denormal);
    b.return(result);
  });
  return routine(`extended.${name}`, PARAMS, "i64", (b, base, control, aHead, a, bHead, c, raised) => {
    const [x, y] = [
      { head: aHead, significand: a },
      { head: bHead, significand: c },
    ];
    b.if(b.and(b.and(isNormal(b, x), isNormal(b, y)), b.not(raised)), () => {
      const head = second(b, bHead);
      b.return(b.call(normal, base, control, signOf(b, aHead), exponentOf(b, aHead), a, signOf(b, head), exponentOf(b, head), c));
    });
    b.return(b.call(special, base, control, aHead, a, bHead, c, raised));
  });
}

/** x + y, see `binary`. */
export const add: Routine = binary("add", addNormal, sumRules);
/** x - y, see `binary`. */
export const subtract: Routine = binary("subtract", addNormal, sumRules, true);
/** x · y, see `binary`. */
export const multiply: Routine = binary("multiply", multiplyNormal, productRules);
/** x / y, see `binary`. */
export const divide: Routine = binary("divide", divideNormal, quotientRules);

/** FSQRT: (base, control, head, significand) → significand. */
export const squareRoot: Routine = routine(
  "extended.squareRoot",
  ["i32", "i32", "i32", "i64"],
  "i64",
  (b, base, control, head, significand) => {
    const x = { head: head, significand: significand };
    b.if(isNotANumber(b, x), () => b.return(b.call(propagate, base, x.head, x.significand, x.head, x.significand)));
    b.if(isZero(b, x), () => deliver(b, base, x, b.i32(0)));
    b.if(signOf(b, head), () => deliverInvalid(b, base));
    b.if(isInfinite(b, x), () => deliver(b, base, x, b.i32(0)));
    const n = normalize(b, x);
    // The radicand is the significand times 2^63 or 2^64, whichever leaves an even exponent.
    const doubled = b.and(b.sub(n.exponent, BIAS), 1);
    const high = b.select(doubled, n.significand, b.shrU(n.significand, 1));
    const low = b.select(doubled, b.i64(0), b.shl(n.significand, 63));
    const root = b.call(squareRootWide, base, high, low);
    const side = wideHigh(b, base);
    const rest = b.shl(b.or(b.shl(b.extU(b.eq(side, 2n)), 1), b.extU(b.ne(side, 0n))), 62);
    const exponent = b.add(b.shrS(b.sub(n.exponent, BIAS), 1), BIAS);
    const result = b.call(round, base, control, b.i32(0), exponent, root, rest);
    alsoRaise(b, base, b.shl(isDenormal(b, x), 1));
    b.return(result);
  },
);
