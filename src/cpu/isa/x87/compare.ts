// x87 comparison (SDM 1 §5.2.3) and FXAM.
import { compare, ORDER } from "../../float/extended-compare.ts";
import { exponentOf, isUnsupported, raisedLeft } from "../../float/extended.ts";
import { EXPONENT_MAX } from "../../float/extended-format.ts";
import { areOrdered, orderPlain } from "../../float/extended-plain.ts";
import { FSW } from "../../float/status.ts";
import { routine } from "../../ir/builder.ts";
import type { Expr, Routine } from "../../ir/types.ts";
import { at } from "../../state.ts";
import { KIND, KIND_BIT } from "../flags.ts";
import { type Instruction, instruction, type Operand } from "../instruction.ts";
import type { Sem } from "../sem.ts";
import { loadNumber } from "./move.ts";
import {
  begin,
  completes,
  finish,
  fpu,
  headOf,
  isEmpty,
  isMissing,
  noteInstruction,
  physical,
  pop,
  raise,
  setStatusWord,
  significandOf,
  statusWord,
  top,
  UNDERFLOW,
} from "./stack.ts";

/** Condition codes C0, C2 and C3. */
const CODES: number = ORDER.unordered;

/**
 * ST(0) against a source: (base, head, significand, raised, 1 when the source is an empty register, 1 when quiet NaNs are valid) →
 * condition codes; `floatRaised` has the exceptions. `raised` is what reading the source found: DE.
 */
const compareTop: Routine = routine(
  "x87.compare",
  ["i32", "i32", "i64", "i32", "i32", "i32"],
  "i32",
  (b, base, head, significand, raised, missing, quiet) => {
    const n = top(b, base);
    b.if(b.or(isMissing(b, base, n), missing), () => {
      b.store("i32.store", base, b.i32(UNDERFLOW), at("floatRaised"));
      b.return(b.i32(ORDER.unordered));
    });
    const x = { head: headOf(b, base, n), significand: significandOf(b, base, n) };
    const y = { head, significand };
    b.if(b.and(b.not(raised), areOrdered(b, x, y)), () => {
      b.store("i32.store", base, b.i32(0), at("floatRaised"));
      b.return(orderPlain(b, x, y, ORDER.less, ORDER.equal));
    });
    const order = b.call(compare, base, x.head, x.significand, y.head, y.significand, quiet);
    const found = raisedLeft(b, base);
    const all = b.select(b.and(found, FSW.IE), b.i32(FSW.IE), b.or(found, raised));
    b.store("i32.store", base, all, at("floatRaised"));
    b.return(order);
  },
  { inlined: "translated" },
);

/** Where the order goes: condition codes of the status word, or ZF, PF and CF. */
type Target = "codes" | "flags";

/** The order is noted whatever is unmasked; only the stack then stays. */
function settle(o: Sem, order: Expr, target: Target, pops: number, memory?: Operand): void {
  noteInstruction(o);
  const base = o.base();
  const raised = raisedLeft(o, base);
  // FCOMI and its like leave C1 alone unless a register was empty.
  const kept = o.select(o.and(raised, FSW.SF), o.i32(0), o.and(statusWord(o, base), FSW.C1));
  const unmasked = o.call(raise, base, raised);
  if (target === "codes") setStatusWord(o, base, o.or(o.and(statusWord(o, base), ~CODES), order));
  else {
    setStatusWord(o, base, o.or(statusWord(o, base), kept));
    setFlags(o, order);
  }
  if (pops > 0) {
    o.if(completes(o, unmasked), () => {
      for (let i = 0; i < pops; i++) pop(o, base);
    });
  }
  finish(o, unmasked, memory);
}

/** CF, PF and ZF from C0, C2 and C3 (SDM 1 figure 8-5); OF, SF and AF become 0. */
function setFlags(o: Sem, order: Expr): void {
  // A result of 0 means ZF and PF, one of 1 neither; PF is not wanted for equal numbers.
  const flip = o.shl(o.eq(order, ORDER.equal), KIND_BIT.pfFlip);
  o.setState64("flagResult", o.extU(o.not(o.and(order, FSW.C3))));
  o.setState("flagKind", o.or(o.or(flip, o.shl(o.ne(o.and(order, FSW.C0), 0), KIND_BIT.cf)), KIND.explicit));
}

function withRegister(o: Sem, src: Operand | number, quiet: boolean, target: Target, pops: number): void {
  begin(o);
  const n = physical(o, src);
  const missing = isMissing(o, o.base(), n);
  const x = { head: headOf(o, o.base(), n), significand: significandOf(o, o.base(), n) };
  settle(o, o.call(compareTop, o.base(), x.head, x.significand, o.i32(0), missing, o.i32(quiet ? 1 : 0)), target, pops);
}

function withMemory(o: Sem, src: Operand, integer: boolean, pops: number): void {
  begin(o);
  const x = loadNumber(o, src, integer);
  settle(o, o.call(compareTop, o.base(), x.head, x.significand, x.raised, o.i32(0), o.i32(0)), "codes", pops, src);
}

function ordered(name: string, forms: readonly string[], pops: number, integer = false): Instruction {
  return instruction(name, {
    forms: fpu(...forms),
    access: "r",
    sem: (o, [src]) => (src.kind === "mem" ? withMemory(o, src, integer, pops) : withRegister(o, src, false, "codes", pops)),
  });
}

function intoFlags(name: string, row: string, quiet: boolean, pops: number): Instruction {
  return instruction(name, {
    forms: fpu(`${row} | ST, ST(i)`),
    access: "r r",
    feature: "cmov",
    flags: "CF PF ZF OF SF AF",
    sem: (o, [, src]) => withRegister(o, src, quiet, "flags", pops),
  });
}

/** Class of ST(0) in C3, C2 and C0 (SDM 2A table 3-42), its sign in C1. */
function examine(o: Sem): void {
  begin(o);
  noteInstruction(o);
  const base = o.base();
  const n = physical(o, 0);
  const x = { head: headOf(o, base, n), significand: significandOf(o, base, n) };
  const exponent = exponentOf(o, x.head);
  const [nan, normal, infinite, zero, denormal] = [FSW.C0, FSW.C2, FSW.C2 | FSW.C0, FSW.C3, FSW.C3 | FSW.C2].map((codes) =>
    o.i32(codes),
  ) as [Expr, Expr, Expr, Expr, Expr];
  const small = o.select(o.ne(x.significand, 0n), denormal, zero);
  const large = o.select(o.ne(o.shl(x.significand, 1), 0n), nan, infinite);
  const numeric = o.select(exponent, o.select(o.eq(exponent, EXPONENT_MAX), large, normal), small);
  const supported = o.select(isUnsupported(o, x), o.i32(0), numeric);
  const codes = o.select(isEmpty(o, base, n), o.i32(FSW.C3 | FSW.C0), supported);
  const sign = o.and(o.shrU(x.head, 15 - 9), FSW.C1);
  setStatusWord(o, base, o.or(o.and(statusWord(o, base), ~(CODES | FSW.C1)), o.or(codes, sign)));
}

/** Comparisons, FTST and FXAM. */
export const x87Compare: readonly Instruction[] = [
  // DC D0 is an undocumented alias of D8 D0; DC D8 and DE D0 of D8 D8.
  ordered("FCOM", ["D8 /2 | m32fp", "DC /2 | m64fp", "D8 D0+i | ST(i)", "DC D0+i | ST(i)"], 0),
  ordered("FCOMP", ["D8 /3 | m32fp", "DC /3 | m64fp", "D8 D8+i | ST(i)", "DC D8+i | ST(i)", "DE D0+i | ST(i)"], 1),
  ordered("FICOM", ["DA /2 | m32int", "DE /2 | m16int"], 0, true),
  ordered("FICOMP", ["DA /3 | m32int", "DE /3 | m16int"], 1, true),
  instruction("FCOMPP", { forms: fpu("DE D9"), sem: (o) => withRegister(o, 1, false, "codes", 2) }),
  instruction("FUCOM", { forms: fpu("DD E0+i | ST(i)"), access: "r", sem: (o, [src]) => withRegister(o, src, true, "codes", 0) }),
  instruction("FUCOMP", { forms: fpu("DD E8+i | ST(i)"), access: "r", sem: (o, [src]) => withRegister(o, src, true, "codes", 1) }),
  instruction("FUCOMPP", { forms: fpu("DA E9"), sem: (o) => withRegister(o, 1, true, "codes", 2) }),
  intoFlags("FCOMI", "DB F0+i", false, 0),
  intoFlags("FCOMIP", "DF F0+i", false, 1),
  intoFlags("FUCOMI", "DB E8+i", true, 0),
  intoFlags("FUCOMIP", "DF E8+i", true, 1),
  instruction("FTST", {
    forms: fpu("D9 E4"),
    sem: (o) => {
      begin(o);
      settle(o, o.call(compareTop, o.base(), o.i32(0), o.i64(0), o.i32(0), o.i32(0), o.i32(0)), "codes", 0);
    },
  }),
  instruction("FXAM", { forms: fpu("D9 E5"), sem: examine }),
];
