// x87 data transfer (SDM 1 §5.2.1) and constants (§5.2.5).
import { FROM_FLOAT, fromInteger, TO_FLOAT, toInteger, truncating } from "../../float/extended-convert.ts";
import { DECIMAL_INDEFINITE, fromDecimal, toDecimal } from "../../float/extended-decimal.ts";
import { headLeft, raisedLeft } from "../../float/extended.ts";
import { INDEFINITE, QUIET_BIT } from "../../float/extended-format.ts";
import { integerPlain, narrowed, type Outcome, outcomeOf, widenPlain } from "../../float/extended-plain.ts";
import { FSW } from "../../float/status.ts";
import type { Expr } from "../../ir/types.ts";
import { type Instruction, instruction, type Operand } from "../instruction.ts";
import type { Sem } from "../sem.ts";
import {
  begin,
  clearC1,
  controlWord,
  exchangeAbsent,
  exchangeRegisters,
  fill,
  finish,
  fpu,
  headOf,
  isMissing,
  noteInstruction,
  openExceptions,
  physical,
  pop,
  popUnless,
  push,
  raise,
  setRegister,
  significandOf,
  UNDERFLOW,
  writeAbsent,
} from "./stack.ts";

/** A value on its way onto the stack. */
type Loaded = Outcome;

/** Linear address `offset` bytes into an operand. */
export function inside(o: Sem, linear: Expr, offset: number): Expr {
  const sum = o.add(linear, BigInt(offset));
  return o.long ? sum : o.zext(sum, 32);
}

/** Reads a single, double or integer operand, exactly; DE is left for denormals, signalling NaNs stay as they are unless `convert` says otherwise. */
export function loadNumber(o: Sem, op: Operand, integer: boolean, convert: (x: Loaded) => Loaded = (x) => x): Loaded {
  const value = o.read(op);
  const left = (significand: Expr): Loaded => ({ significand, head: headLeft(o, o.base()), raised: raisedLeft(o, o.base()) });
  if (integer) {
    const extended = o.sext(value, op.width);
    const exact = (): Loaded => left(o.call(fromInteger, o.base(), extended));
    return outcomeOf(o, exact, (instead) => integerPlain(o, extended, instead));
  }
  const width = op.width as 32 | 64;
  const exact = (): Loaded => convert(left(o.call(FROM_FLOAT[width], o.base(), value)));
  return outcomeOf(o, exact, (instead) => widenPlain(o, value, width, instead));
}

/** FLD of single and double converts, so that a signalling NaN is invalid and becomes quiet. */
function quieted(o: Sem, x: Loaded): Loaded {
  const nan = o.eq(o.and(x.head, 0x7fff), 0x7fff);
  const finite = o.not(o.shl(x.significand, 1));
  const signalling = o.and(o.and(nan, o.not(finite)), o.not(o.and(x.significand, QUIET_BIT)));
  return { head: x.head, significand: o.or(x.significand, o.shl(o.extU(signalling), 62)), raised: o.or(x.raised, signalling) };
}

function pushValue(o: Sem, x: Loaded, memory?: Operand): void {
  const unmasked = o.call(push, o.base(), x.head, x.significand, x.raised);
  noteInstruction(o);
  finish(o, unmasked, memory);
}

function load80(o: Sem, op: Operand): Loaded {
  const linear = o.address(op);
  const significand = o.loadMemory(linear, 64);
  return { significand, head: o.wrap(o.loadMemory(inside(o, linear, 8), 16)), raised: o.i32(0) };
}

function loadDecimal(o: Sem, op: Operand): Loaded {
  const { head, significand } = load80(o, op);
  const value = o.call(fromDecimal, o.base(), significand, head);
  return { significand: value, head: headLeft(o, o.base()), raised: o.i32(0) };
}

function loadRegister(o: Sem, op: Operand): Loaded {
  const n = physical(o, op);
  const absent = isMissing(o, o.base(), n);
  const head = o.select(absent, o.i32(INDEFINITE.head), headOf(o, o.base(), n));
  const significand = o.select(absent, o.i64(INDEFINITE.significand), significandOf(o, o.base(), n));
  return { head, significand, raised: o.select(absent, o.i32(UNDERFLOW), o.i32(0)) };
}

/** Stores 80 bits. On silicon too the significand is stored when only the head's page faults. */
export function store80(o: Sem, linear: Expr, head: Expr, significand: Expr): void {
  o.storeMemory(linear, 64, significand);
  o.storeMemory(inside(o, linear, 8), 16, o.extU(head));
}

/** What a store to memory gives: the bits, the upper 16 of 80, and the exceptions. */
interface Stored {
  readonly value: Expr;
  readonly head?: Expr;
  readonly raised: Expr;
}

/**
 * Stores ST(0), converted; `absent` is what an empty register stores. Numeric exceptions that are
 * unmasked keep memory and stack as they are (SDM 1 §8.5.4–5), and not even the address is looked at; an inexact result is stored all
 * the same.
 */
export function storeTop(
  o: Sem,
  op: Operand,
  pops: boolean,
  absent: Omit<Stored, "raised">,
  convert: (head: Expr, significand: Expr) => Stored,
): void {
  begin(o);
  const n = physical(o, 0);
  const value = o.variable(absent.value);
  const head = o.variable(absent.head ?? o.i32(0));
  const raised = o.variable(o.i32(UNDERFLOW));
  o.if(o.not(isMissing(o, o.base(), n)), () => {
    const r = convert(headOf(o, o.base(), n), significandOf(o, o.base(), n));
    o.set(value, r.value);
    if (r.head) o.set(head, r.head);
    o.set(raised, r.raised);
  });
  const blocking = o.and(o.call(openExceptions, o.base()), o.and(o.get(raised), ~FSW.PE));
  o.if(o.not(blocking), () => {
    const linear = o.address(op, true);
    if (absent.head) store80(o, linear, o.get(head), o.get(value));
    else o.storeMemory(linear, op.width, o.get(value));
  });
  noteInstruction(o);
  const unmasked = o.call(raise, o.base(), o.get(raised));
  if (pops) o.if(o.not(blocking), () => pop(o, o.base()));
  finish(o, unmasked, op);
}

/** The indefinite in single and double format. */
const INDEFINITE_BITS = { 32: 0xffc0_0000n, 64: 0xfff8_0000_0000_0000n } as const;

function storeFloat(o: Sem, op: Operand, pops: boolean): void {
  const width = op.width as 32 | 64;
  storeTop(o, op, pops, { value: o.i64(INDEFINITE_BITS[width]) }, (head, significand) => {
    const control = controlWord(o, o.base());
    const exact = (): Expr => o.call(TO_FLOAT[width], o.base(), control, head, significand);
    return narrowed(o, o.base(), control, { head, significand }, width, exact);
  });
}

function store80Top(o: Sem, op: Operand): void {
  storeTop(o, op, true, { value: o.i64(INDEFINITE.significand), head: o.i32(INDEFINITE.head) }, (head, value) => ({
    value,
    head,
    raised: o.i32(0),
  }));
}

function storeInteger(o: Sem, op: Operand, pops: boolean, truncates = false): void {
  const control = controlWord(o, o.base());
  storeTop(o, op, pops, { value: o.i64(1n << BigInt(op.width - 1)) }, (head, significand) => {
    const value = o.call(toInteger, o.base(), truncates ? truncating(o, control) : control, head, significand, o.i64(op.width));
    return { value, raised: raisedLeft(o, o.base()) };
  });
}

function storeDecimal(o: Sem, op: Operand): void {
  storeTop(o, op, true, { value: o.i64(DECIMAL_INDEFINITE.low), head: o.i32(DECIMAL_INDEFINITE.head) }, (head, significand) => {
    const value = o.call(toDecimal, o.base(), controlWord(o, o.base()), head, significand);
    return { value, head: headLeft(o, o.base()), raised: raisedLeft(o, o.base()) };
  });
}

/** FST and FSTP to a register copy whatever is there. */
function copyTop(o: Sem, op: Operand, pops: boolean): void {
  begin(o);
  const base = o.base();
  const [from, to] = [physical(o, 0), physical(o, op)];
  const missing = isMissing(o, base, from);
  noteInstruction(o);
  o.if(
    missing,
    () => {
      const unmasked = o.call(writeAbsent, base, to);
      if (pops) popUnless(o, unmasked);
      finish(o, unmasked);
    },
    () => {
      clearC1(o, base);
      setRegister(o, base, to, headOf(o, base, from), significandOf(o, base, from));
      fill(o, base, to);
      if (pops) pop(o, base);
    },
  );
}

/** The undocumented D9 D8: like FSTP, but an empty ST(0) is just popped. */
function copyTopSilently(o: Sem, op: Operand): void {
  begin(o);
  const base = o.base();
  const [from, to] = [physical(o, 0), physical(o, op)];
  const missing = isMissing(o, base, from);
  noteInstruction(o);
  clearC1(o, base);
  o.if(o.not(missing), () => {
    setRegister(o, base, to, headOf(o, base, from), significandOf(o, base, from));
    fill(o, base, to);
  });
  pop(o, base);
}

function store(o: Sem, op: Operand, pops: boolean): void {
  if (op.kind === "st") copyTop(o, op, pops);
  else if (op.width === 80) store80Top(o, op);
  else storeFloat(o, op, pops);
}

/** Rows of integer loads and stores: m16, m32, m64. */
const integers = (sixteen: string, thirtyTwo: string, sixtyFour?: string): string[] =>
  fpu(`${sixteen} | m16int`, `${thirtyTwo} | m32int`, ...(sixtyFour ? [`${sixtyFour} | m64int`] : []));

/** The constants as the default rounding gives them, and the bits that decide the others: SDM 2A, FLD1…. */
interface Constant {
  readonly name: string;
  readonly opcode: string;
  readonly head: number;
  /** Rounded to nearest. */
  readonly nearest: bigint;
  /** Added when rounding down, up and to zero. */
  readonly down: bigint;
  readonly up: bigint;
}

const CONSTANTS: readonly Constant[] = [
  { name: "FLD1", opcode: "D9 E8", head: 0x3fff, nearest: 0x8000_0000_0000_0000n, down: 0n, up: 0n },
  { name: "FLDL2T", opcode: "D9 E9", head: 0x4000, nearest: 0xd49a_784b_cd1b_8afen, down: 0n, up: 1n },
  { name: "FLDL2E", opcode: "D9 EA", head: 0x3fff, nearest: 0xb8aa_3b29_5c17_f0bcn, down: -1n, up: 0n },
  { name: "FLDPI", opcode: "D9 EB", head: 0x4000, nearest: 0xc90f_daa2_2168_c235n, down: -1n, up: 0n },
  { name: "FLDLG2", opcode: "D9 EC", head: 0x3ffd, nearest: 0x9a20_9a84_fbcf_f799n, down: -1n, up: 0n },
  { name: "FLDLN2", opcode: "D9 ED", head: 0x3ffe, nearest: 0xb172_17f7_d1cf_79acn, down: -1n, up: 0n },
  { name: "FLDZ", opcode: "D9 EE", head: 0, nearest: 0n, down: 0n, up: 0n },
];

function constant({ name, opcode, head, nearest, down, up }: Constant): Instruction {
  return instruction(name, {
    forms: fpu(opcode),
    sem: (o) => {
      begin(o);
      const significand = o.variable(o.i64(nearest));
      const mode = o.and(o.shrU(controlWord(o, o.base()), 10), 3);
      if (down !== 0n) o.if(o.and(mode, 1), () => o.set(significand, o.i64(nearest + down)));
      if (up !== 0n) o.if(o.eq(mode, 2), () => o.set(significand, o.i64(nearest + up)));
      pushValue(o, { head: o.i32(head), significand: o.get(significand), raised: o.i32(0) });
    },
  });
}

/** FCMOVcc: condition codes of Jcc, by the second opcode byte. */
function conditionalMove(name: string, row: string, cc: number): Instruction {
  return instruction(name, {
    forms: fpu(row),
    access: "rw r",
    feature: "cmov",
    sem: (o, [, src]) => {
      begin(o);
      const base = o.base();
      const [to, from] = [physical(o, 0), physical(o, src)];
      const absent = o.or(isMissing(o, base, to), isMissing(o, base, from));
      noteInstruction(o);
      o.if(
        absent,
        () => underflow(o, to),
        () => {
          const moves = o.condition(cc);
          const head = o.select(moves, headOf(o, base, from), headOf(o, base, to));
          setRegister(o, base, to, head, o.select(moves, significandOf(o, base, from), significandOf(o, base, to)));
        },
      );
    },
  });
}

/** An operand is missing: the destination becomes the indefinite. */
function underflow(o: Sem, to: Expr): void {
  const unmasked = o.call(writeAbsent, o.base(), to);
  finish(o, unmasked);
}

function exchange(o: Sem, op: Operand): void {
  begin(o);
  const base = o.base();
  const [n, m] = [physical(o, 0), physical(o, op)];
  const absent = o.or(isMissing(o, base, n), isMissing(o, base, m));
  noteInstruction(o);
  o.if(
    absent,
    () => finish(o, o.call(exchangeAbsent, base, n, m)),
    () => {
      clearC1(o, base);
      exchangeRegisters(o, base, n, m);
    },
  );
}

/** Loads, stores, exchanges, conditional moves and constants. */
export const x87Move: readonly Instruction[] = [
  instruction("FLD", {
    forms: fpu("D9 /0 | m32fp", "DD /0 | m64fp", "DB /5 | m80fp", "D9 C0+i | ST(i)"),
    access: "r",
    sem: (o, [src]) => {
      begin(o);
      if (src.kind === "st") pushValue(o, loadRegister(o, src));
      else if (src.width === 80) pushValue(o, load80(o, src), src);
      else
        pushValue(
          o,
          loadNumber(o, src, false, (x) => quieted(o, x)),
          src,
        );
    },
  }),
  instruction("FST", {
    forms: fpu("D9 /2 | m32fp", "DD /2 | m64fp", "DD D0+i | ST(i)"),
    access: "w",
    sem: (o, [dst]) => store(o, dst, false),
  }),
  instruction("FSTP", {
    // DF D0 and DF D8 are undocumented aliases of DD D8.
    forms: fpu("D9 /3 | m32fp", "DD /3 | m64fp", "DB /7 | m80fp", "DD D8+i | ST(i)", "DF D0+i | ST(i)", "DF D8+i | ST(i)"),
    access: "w",
    sem: (o, [dst]) => store(o, dst, true),
  }),
  instruction("FSTPNCE", {
    forms: fpu("D9 D8+i | ST(i)"),
    access: "w",
    sem: (o, [dst]) => copyTopSilently(o, dst),
  }),
  instruction("FILD", {
    forms: integers("DF /0", "DB /0", "DF /5"),
    access: "r",
    sem: (o, [src]) => {
      begin(o);
      pushValue(o, loadNumber(o, src, true), src);
    },
  }),
  instruction("FIST", { forms: integers("DF /2", "DB /2"), access: "w", sem: (o, [dst]) => storeInteger(o, dst, false) }),
  instruction("FISTP", { forms: integers("DF /3", "DB /3", "DF /7"), access: "w", sem: (o, [dst]) => storeInteger(o, dst, true) }),
  instruction("FISTTP", {
    forms: integers("DF /1", "DB /1", "DD /1"),
    access: "w",
    feature: "sse3",
    sem: (o, [dst]) => storeInteger(o, dst, true, true),
  }),
  instruction("FBLD", {
    forms: fpu("DF /4 | m80bcd"),
    access: "r",
    sem: (o, [src]) => {
      begin(o);
      pushValue(o, loadDecimal(o, src), src);
    },
  }),
  instruction("FBSTP", { forms: fpu("DF /6 | m80bcd"), access: "w", sem: (o, [dst]) => storeDecimal(o, dst) }),
  // DD C8 and DF C8 are undocumented aliases of D9 C8.
  instruction("FXCH", {
    forms: fpu("D9 C8+i | ST(i)", "DD C8+i | ST(i)", "DF C8+i | ST(i)"),
    access: "rw",
    sem: (o, [src]) => exchange(o, src),
  }),
  ...CONSTANTS.map(constant),
  conditionalMove("FCMOVB", "DA C0+i | ST, ST(i)", 2),
  conditionalMove("FCMOVE", "DA C8+i | ST, ST(i)", 4),
  conditionalMove("FCMOVBE", "DA D0+i | ST, ST(i)", 6),
  conditionalMove("FCMOVU", "DA D8+i | ST, ST(i)", 10),
  conditionalMove("FCMOVNB", "DB C0+i | ST, ST(i)", 3),
  conditionalMove("FCMOVNE", "DB C8+i | ST, ST(i)", 5),
  conditionalMove("FCMOVNBE", "DB D0+i | ST, ST(i)", 7),
  conditionalMove("FCMOVNU", "DB D8+i | ST, ST(i)", 11),
];
