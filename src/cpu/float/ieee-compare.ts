// Comparison, minimum and maximum in single and double precision (SDM 2A CMPPS, COMISS, MAXPS, MINPS).
import type { Builder } from "../ir/builder.ts";
import { routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import {
  DOUBLE,
  flagIf,
  flushOperand,
  type Format,
  isNan,
  isSignalling,
  magnitude,
  MXCSR,
  raiseDenormal,
  raiseFlags,
  signOf,
  SINGLE,
} from "./ieee.ts";

/** How the first operand stands to the second. */
export const RELATION = { less: 1, equal: 2, greater: 4, unordered: 8 } as const;

/** A signed integer with the order of the numbers; both zeros are 0. */
function ordinal(b: Builder, f: Format, x: Expr): Expr {
  const size = magnitude(b, f, x);
  return b.select(b.wrap(signOf(b, f, x)), b.sub(b.i64(0), size), size);
}

function defineCompare(f: Format): Routine {
  return routine(`${f.name}.compare`, ["i32", "i64", "i64", "i32"], "i32", (b, base, first, second, signalling) => {
    b.if(b.or(isNan(b, f, first), isNan(b, f, second)), () => {
      const invalid = b.or(b.or(isSignalling(b, f, first), isSignalling(b, f, second)), signalling);
      raiseFlags(b, base, flagIf(b, invalid, MXCSR.IE));
      b.return(b.i32(RELATION.unordered));
    });
    const [x, y] = [flushOperand(b, base, f, first), flushOperand(b, base, f, second)];
    raiseDenormal(b, base, f, x, y);
    const [p, q] = [ordinal(b, f, x), ordinal(b, f, y)];
    const unequal = b.select(b.ltS(p, q), b.i32(RELATION.less), b.i32(RELATION.greater));
    b.return(b.select(b.eq(p, q), b.i32(RELATION.equal), unequal));
  });
}

/** The second operand is the answer unless the first is truly smaller (larger): for NaNs, which are invalid, and for two zeros. */
function defineExtreme(f: Format, name: "min" | "max"): Routine {
  return routine(`${f.name}.${name}`, ["i32", "i64", "i64"], "i64", (b, base, first, second) => {
    const [x, y] = [flushOperand(b, base, f, first), flushOperand(b, base, f, second)];
    b.if(b.or(isNan(b, f, x), isNan(b, f, y)), () => {
      raiseFlags(b, base, MXCSR.IE);
      b.return(y);
    });
    raiseDenormal(b, base, f, x, y);
    const [p, q] = [ordinal(b, f, x), ordinal(b, f, y)];
    b.return(b.select(name === "min" ? b.ltS(p, q) : b.gtS(p, q), x, y));
  });
}

/** Comparisons of one format. */
export interface Comparison {
  /** (base, first, second, 1 when quiet NaNs are invalid) → RELATION. */
  readonly compare: Routine;
  readonly min: Routine;
  readonly max: Routine;
}

const define = (f: Format): Comparison => ({ compare: defineCompare(f), min: defineExtreme(f, "min"), max: defineExtreme(f, "max") });
const single = define(SINGLE);
const double = define(DOUBLE);
/** The comparisons of a format. */
export const comparison = (f: Format): Comparison => (f === DOUBLE ? double : single);
