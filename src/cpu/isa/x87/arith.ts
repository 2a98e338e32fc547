// x87 basic arithmetic (SDM 1 §5.2.2).
import { add, divide, multiply, squareRoot, subtract } from "../../float/extended-arith.ts";
import { roundToInteger } from "../../float/extended-convert.ts";
import { headLeft, raisedLeft } from "../../float/extended.ts";
import { SIGN } from "../../float/extended-format.ts";
import { addPlain, multiplyPlain, type Outcome, outcomeOf, type Plain, subtractPlain } from "../../float/extended-plain.ts";
import { type Builder, routine } from "../../ir/builder.ts";
import type { Expr, Label, Routine } from "../../ir/types.ts";
import { type Instruction, instruction, type Operand } from "../instruction.ts";
import type { Sem } from "../sem.ts";
import { loadNumber } from "./move.ts";
import {
  begin,
  clearC1,
  controlWord,
  finish,
  fpu,
  headOf,
  isMissing,
  noteInstruction,
  physical,
  popUnless,
  setRegister,
  significandOf,
  writeAbsent,
  writeResult,
} from "./stack.ts";

/**
 * Destination register op source, or source op destination: (base, destination, head, significand, raised, 1 when the source is an
 * empty register) → unmasked exceptions. `raised` is what reading the source found: DE.
 */
function intoRegister(name: string, operation: Routine, reversed: boolean, plain?: Plain): Routine {
  return routine(
    `x87.${name}`,
    ["i32", "i32", "i32", "i64", "i32", "i32"],
    "i32",
    (b, base, n, head, significand, raised, missing) => {
      b.if(b.or(isMissing(b, base, n), missing), () => b.return(b.call(writeAbsent, base, n)));
      const control = controlWord(b, base);
      const own = { head: headOf(b, base, n), significand: significandOf(b, base, n) };
      const source = { head, significand };
      const [x, y] = reversed ? [source, own] : [own, source];
      const exact = (): Outcome => {
        const result = b.call(operation, base, control, x.head, x.significand, y.head, y.significand, raised);
        return { significand: result, head: headLeft(b, base), raised: raisedLeft(b, base) };
      };
      const result = plain
        ? outcomeOf(b, exact, (instead) => ordinary(b, raised, instead, () => plain(b, control, x, y, instead)))
        : exact();
      b.return(b.call(writeResult, base, n, result.head, result.significand, result.raised));
    },
    { inlined: "translated" },
  );
}

/** Nothing has been raised before. */
function ordinary(b: Builder, raised: Expr, instead: Label, plain: () => Outcome): Outcome {
  b.br(instead, raised);
  return plain();
}

/** One of the six: opcode digits of its rows, its routine, and how it is written. */
interface Operation {
  readonly name: string;
  /** Digit under D8, DA, DC (memory) and DE. */
  readonly digit: number;
  /** Second byte of the rows to ST, ST(i) and to ST(i), ST: the reversed operations change places. */
  readonly toTop: number;
  readonly toOther: number;
  readonly routine: Routine;
}

const OPERATIONS: readonly Operation[] = [
  { name: "ADD", digit: 0, toTop: 0xc0, toOther: 0xc0, routine: intoRegister("add", add, false, addPlain) },
  { name: "MUL", digit: 1, toTop: 0xc8, toOther: 0xc8, routine: intoRegister("multiply", multiply, false, multiplyPlain) },
  { name: "SUB", digit: 4, toTop: 0xe0, toOther: 0xe8, routine: intoRegister("subtract", subtract, false, subtractPlain) },
  { name: "SUBR", digit: 5, toTop: 0xe8, toOther: 0xe0, routine: intoRegister("subtractReversed", subtract, true, subtractPlain) },
  { name: "DIV", digit: 6, toTop: 0xf0, toOther: 0xf8, routine: intoRegister("divide", divide, false) },
  { name: "DIVR", digit: 7, toTop: 0xf8, toOther: 0xf0, routine: intoRegister("divideReversed", divide, true) },
];

function withMemory(o: Sem, op: Operand, operation: Routine, integer: boolean): void {
  begin(o);
  const x = loadNumber(o, op, integer);
  const unmasked = o.call(operation, o.base(), physical(o, 0), x.head, x.significand, x.raised, o.i32(0));
  noteInstruction(o);
  finish(o, unmasked, op);
}

function withRegister(o: Sem, dst: Operand | 0, src: Operand | 0, operation: Routine, pops: boolean): void {
  begin(o);
  const base = o.base();
  const from = physical(o, src);
  const missing = isMissing(o, base, from);
  const unmasked = o.call(operation, base, physical(o, dst), headOf(o, base, from), significandOf(o, base, from), o.i32(0), missing);
  noteInstruction(o);
  if (pops) popUnless(o, unmasked);
  finish(o, unmasked);
}

const hex = (n: number): string => n.toString(16).toUpperCase();

function rows({ name, digit, toTop, toOther, routine: operation }: Operation): readonly Instruction[] {
  return [
    instruction(`F${name}`, {
      forms: fpu(`D8 /${digit} | m32fp`, `DC /${digit} | m64fp`, `D8 ${hex(toTop)}+i | ST, ST(i)`, `DC ${hex(toOther)}+i | ST(i), ST`),
      access: "rw r",
      sem: (o, [dst, src]) => {
        if (dst.kind === "mem") withMemory(o, { ...dst, access: "r" }, operation, false);
        else withRegister(o, dst, src, operation, false);
      },
    }),
    instruction(`F${name}P`, {
      forms: fpu(`DE ${hex(toOther)}+i | ST(i), ST`),
      access: "rw r",
      sem: (o, [dst, src]) => withRegister(o, dst, src, operation, true),
    }),
    instruction(`FI${name}`, {
      forms: fpu(`DA /${digit} | m32int`, `DE /${digit} | m16int`),
      access: "r",
      sem: (o, [src]) => withMemory(o, src, operation, true),
    }),
  ];
}

/** ST(0) = operation(ST(0)): (base, its register) → unmasked. */
function onTop(name: string, operation: Routine): Routine {
  return routine(
    `x87.${name}`,
    ["i32", "i32"],
    "i32",
    (b, base, n) => {
      b.if(isMissing(b, base, n), () => b.return(b.call(writeAbsent, base, n)));
      const result = b.call(operation, base, controlWord(b, base), headOf(b, base, n), significandOf(b, base, n));
      b.return(b.call(writeResult, base, n, headLeft(b, base), result, raisedLeft(b, base)));
    },
    { inlined: "translated" },
  );
}

function unary(name: string, row: string, operation: Routine): Instruction {
  const whole = onTop(name, operation);
  return instruction(name, {
    forms: fpu(row),
    sem: (o) => {
      begin(o);
      const unmasked = o.call(whole, o.base(), physical(o, 0));
      noteInstruction(o);
      finish(o, unmasked);
    },
  });
}

/** FABS and FCHS change the sign of whatever is there, NaNs and unsupported encodings too. */
function signChange(name: string, row: string, change: (o: Sem, head: Expr) => Expr): Instruction {
  return instruction(name, {
    forms: fpu(row),
    sem: (o) => {
      begin(o);
      const base = o.base();
      const n = physical(o, 0);
      const missing = isMissing(o, base, n);
      noteInstruction(o);
      o.if(
        missing,
        () => finish(o, o.call(writeAbsent, base, n)),
        () => {
          clearC1(o, base);
          setRegister(o, base, n, change(o, headOf(o, base, n)), significandOf(o, base, n));
        },
      );
    },
  });
}

/** Addition to square root, and the changes of sign. */
export const x87Arith: readonly Instruction[] = [
  ...OPERATIONS.flatMap(rows),
  unary("FSQRT", "D9 FA", squareRoot),
  unary("FRNDINT", "D9 FC", roundToInteger),
  signChange("FABS", "D9 E1", (o, head) => o.and(head, SIGN - 1)),
  signChange("FCHS", "D9 E0", (o, head) => o.xor(head, SIGN)),
];
