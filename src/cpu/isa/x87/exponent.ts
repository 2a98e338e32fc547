// FPREM, FPREM1, FSCALE and FXTRACT.
import { extract, QUOTIENT, remainder, scale } from "../../float/extended-remainder.ts";
import { headLeft, raisedLeft } from "../../float/extended.ts";
import { FSW } from "../../float/status.ts";
import { type Builder, routine } from "../../ir/builder.ts";
import type { Expr, Routine } from "../../ir/types.ts";
import { at } from "../../state.ts";
import { type Instruction, instruction } from "../instruction.ts";
import {
  begin,
  controlWord,
  finish,
  fpu,
  headOf,
  isEmpty,
  leaveWithPair,
  needPair,
  noteInstruction,
  physical,
  setStatusWord,
  significandOf,
  statusWord,
  writeAbsent,
  writeResult,
} from "./stack.ts";

/** ST(0) = operation(ST(0), ST(1)): (base, ST(0), ST(1)) → unmasked. */
function topTwo(name: string, operation: (b: Builder, base: Expr, ...x: readonly [Expr, Expr, Expr, Expr]) => Expr): Routine {
  return routine(`x87.${name}`, ["i32", "i32", "i32"], "i32", (b, base, n, m) => {
    b.if(b.or(isEmpty(b, base, n), isEmpty(b, base, m)), () => {
      b.return(b.call(writeAbsent, base, n));
    });
    const result = operation(b, base, headOf(b, base, n), significandOf(b, base, n), headOf(b, base, m), significandOf(b, base, m));
    b.return(b.call(writeResult, base, n, headLeft(b, base), result, raisedLeft(b, base)));
  });
}

/**
 * FPREM and FPREM1. C2 is cleared whatever happens; C0 and C3 change only when there is a quotient.
 */
function partialRemainder(name: string, row: string, nearest: number): Instruction {
  const operation = topTwo(name, (b, base, ...x) => {
    const result = b.call(remainder, base, controlWord(b, base), ...x, b.i32(nearest));
    const found = raisedLeft(b, base);
    const stale = b.select(b.and(found, QUOTIENT), b.i32(FSW.C0 | FSW.C3), b.i32(0));
    const stopped = b.and(b.and(found, FSW.DE), b.xor(controlWord(b, base), -1));
    b.if(b.not(stopped), () => setStatusWord(b, base, b.and(statusWord(b, base), b.xor(stale, -1))));
    return result;
  });
  return instruction(name, {
    forms: fpu(row),
    sem: (o) => {
      begin(o);
      noteInstruction(o);
      setStatusWord(o, o.base(), o.and(statusWord(o, o.base()), ~FSW.C2));
      finish(o, o.call(operation, o.base(), physical(o, 0), physical(o, 1)));
    },
  });
}

const scaleTop: Routine = topTwo("FSCALE", (b, base, ...x) => b.call(scale, base, controlWord(b, base), ...x));

/** FXTRACT: (base, ST(0), the register above) → unmasked. */
const extractTop: Routine = routine("x87.FXTRACT", ["i32", "i32", "i32"], "i32", (b, base, n, above) => {
  needPair(b, base, n, above);
  const significand = b.call(extract, base, headOf(b, base, n), significandOf(b, base, n));
  const exponent = [b.load("i32.load", base, at("scratchValue")), b.load("i64.load", base, at("wideHigh"))] as const;
  leaveWithPair(b, base, n, above, exponent, [headLeft(b, base), significand], raisedLeft(b, base));
});

/** Remainders, scaling, and taking numbers apart. */
export const x87Exponent: readonly Instruction[] = [
  partialRemainder("FPREM", "D9 F8", 0),
  partialRemainder("FPREM1", "D9 F5", 1),
  instruction("FSCALE", {
    forms: fpu("D9 FD"),
    sem: (o) => {
      begin(o);
      noteInstruction(o);
      finish(o, o.call(scaleTop, o.base(), physical(o, 0), physical(o, 1)));
    },
  }),
  instruction("FXTRACT", {
    forms: fpu("D9 F4"),
    sem: (o) => {
      begin(o);
      noteInstruction(o);
      finish(o, o.call(extractTop, o.base(), physical(o, 0), physical(o, 7)));
    },
  }),
];
