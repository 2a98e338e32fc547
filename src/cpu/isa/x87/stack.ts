// The x87 register stack as meanings see it: registers, tags, pushing, popping, and how exceptions end an instruction.
//
// Every instruction goes: `begin` (pending exceptions), operands from memory, the operation in a routine, `raise` with what it
// found, results unless an unmasked exception forbids them, `finish`.
import { INDEFINITE } from "../../float/extended-format.ts";
import { BEFORE, EXCEPTIONS, FSW } from "../../float/status.ts";
import { HELPER, X87_HELPER } from "../../assist/numbers.ts";
import { helper } from "../../host-calls.ts";
import type { Builder } from "../../ir/builder.ts";
import { routine } from "../../ir/builder.ts";
import type { Expr, Routine } from "../../ir/types.ts";
import { CR0, VECTOR } from "../../mmu/control.ts";
import { at, ATTENTION, FAULT, X87 } from "../../state.ts";
import type { Operand } from "../instruction.ts";
import type { Sem } from "../sem.ts";

/** Exceptions of an operand that is missing: invalid operation with SF (SDM 1 §8.5.1.1). */
export const UNDERFLOW: number = FSW.IE | FSW.SF;
/** … of a push onto a register that is not empty. */
export const OVERFLOW: number = FSW.IE | FSW.SF | FSW.C1;

// ── state ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The status word without TOP. */
export function statusWord(b: Builder, base: Expr): Expr {
  return b.load("i32.load16_u", base, at("fsw"));
}
/** The control word. */
export function controlWord(b: Builder, base: Expr): Expr {
  return b.load("i32.load16_u", base, at("fcw"));
}
/** Replaces the status word; bits 11–13 must be 0. */
export function setStatusWord(b: Builder, base: Expr, e: Expr): void {
  b.store("i32.store16", base, e, at("fsw"));
}
/** TOP, 0..7. */
export function top(b: Builder, base: Expr): Expr {
  return b.load("i32.load8_u", base, at("ftop"));
}
/** Replaces TOP by the low three bits of `e`. */
export function setTop(b: Builder, base: Expr, e: Expr): void {
  b.store("i32.store8", base, b.and(e, 7), at("ftop"));
}
/** The abridged tags: bit n is 1 when physical register n holds something. */
export function tags(b: Builder, base: Expr): Expr {
  return b.load("i32.load8_u", base, at("ftw"));
}
/** Replaces the abridged tags. */
export function setTags(b: Builder, base: Expr, e: Expr): void {
  b.store("i32.store8", base, e, at("ftw"));
}

/** Physical register of ST(i), for a number or an operand. */
export function physical(o: Sem, i: number | Operand): Expr {
  const t = top(o, o.base());
  if (typeof i === "number") return i === 0 ? t : o.and(o.add(t, i), 7);
  return o.and(o.add(t, o.shrU(o.field(i), 4)), 7);
}

/** Host address of physical register `n`, to be used with the offset X87. */
function slot(b: Builder, base: Expr, n: Expr): Expr {
  return b.add(base, b.shl(n, 4));
}
/** Sign and exponent of physical register `n`. */
export function headOf(b: Builder, base: Expr, n: Expr): Expr {
  return b.load("i32.load16_u", slot(b, base, n), X87 + 8);
}
/** Significand of physical register `n`. */
export function significandOf(b: Builder, base: Expr, n: Expr): Expr {
  return b.load("i64.load", slot(b, base, n), X87);
}

/** Writes a register; its tag is the caller's business. */
export function setRegister(b: Builder, base: Expr, n: Expr, head: Expr, significand: Expr): void {
  b.store("i64.store", slot(b, base, n), significand, X87);
  b.store("i32.store16", slot(b, base, n), head, X87 + 8);
}

/** Writes the indefinite; the tag is the caller's business. */
export function setIndefinite(b: Builder, base: Expr, n: Expr): void {
  setRegister(b, base, n, b.i32(INDEFINITE.head), b.i64(INDEFINITE.significand));
}

/** 1 when physical register `n` holds something. */
export function isFull(b: Builder, base: Expr, n: Expr): Expr {
  return b.and(b.shrU(tags(b, base), n), 1);
}

/** 1 when physical register `n` is empty. */
export function isEmpty(b: Builder, base: Expr, n: Expr): Expr {
  return b.not(isFull(b, base, n));
}

/** The same for an operand, before anything has been changed: programs do not let that happen. */
export function isMissing(b: Builder, base: Expr, n: Expr): Expr {
  return b.unlikely(isEmpty(b, base, n));
}

/** Marks physical register `n` as holding something. */
export function fill(b: Builder, base: Expr, n: Expr): void {
  setTags(b, base, b.or(tags(b, base), b.shl(b.i32(1), n)));
}

/** Marks physical register `n` as empty. */
export function empty(b: Builder, base: Expr, n: Expr): void {
  setTags(b, base, b.and(tags(b, base), b.xor(b.shl(b.i32(1), n), -1)));
}

/** Forgets the direction of the last rounding. */
export function clearC1(b: Builder, base: Expr): void {
  setStatusWord(b, base, b.and(statusWord(b, base), ~FSW.C1));
}

/** Pops: the register becomes empty and TOP moves on. */
export function pop(b: Builder, base: Expr): void {
  const t = top(b, base);
  empty(b, base, t);
  setTop(b, base, b.add(t, 1));
}

// ── exceptions ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The exceptions that are unmasked: (base). Behind `begin`, translated code knows that there are none. */
export const openExceptions: Routine = routine(
  "x87.open",
  ["i32"],
  "i32",
  (b, base) => {
    b.return(b.and(b.xor(controlWord(b, base), -1), EXCEPTIONS));
  },
  { inlined: "always" },
);

/**
 * Notes the exceptions (and C1) an operation found in the status word: (base, raised) → the unmasked ones. Unmasked ones set ES and B.
 * C1 is cleared otherwise (SDM 1 §8.1.3.3). An unmasked DE comes before the operation: what rounding found does not count.
 */
export const raise: Routine = routine(
  "x87.raise",
  ["i32", "i32"],
  "i32",
  (b, base, raised) => {
    const open = b.call(openExceptions, base);
    const found = b.select(b.and(b.and(open, raised), FSW.DE), b.i32(FSW.DE), raised);
    const unmasked = b.and(open, found);
    const summary = b.select(unmasked, b.i32(FSW.ES | FSW.B), b.i32(0));
    setStatusWord(b, base, b.or(b.or(b.and(statusWord(b, base), ~FSW.C1), found), summary));
    b.return(unmasked);
  },
  { inlined: "always" },
);

/** 1 when these unmasked exceptions let the results be written to registers. */
export function completes(b: Builder, unmasked: Expr): Expr {
  return b.not(b.and(unmasked, BEFORE));
}

/** Writes a result and tags it, unless an exception found beforehand is unmasked: (base, register, head, significand, raised) → unmasked. */
export const writeResult: Routine = routine(
  "x87.write",
  ["i32", "i32", "i32", "i64", "i32"],
  "i32",
  (b, base, n, head, significand, raised) => {
    const unmasked = b.call(raise, base, raised);
    b.if(completes(b, unmasked), () => {
      setRegister(b, base, n, head, significand);
      fill(b, base, n);
    });
    b.return(unmasked);
  },
  { inlined: "always" },
);

/** Writes the indefinite for an operand that is missing, unless that exception is unmasked: (base, register) → unmasked. */
export const writeAbsent: Routine = routine("x87.absent", ["i32", "i32"], "i32", (b, base, n) => {
  b.return(b.call(writeResult, base, n, b.i32(INDEFINITE.head), b.i64(INDEFINITE.significand), b.i32(UNDERFLOW)));
});

/** A register's new contents. */
export type Contents = readonly [head: Expr, significand: Expr];

/** Leaves a routine with a result in ST(0)'s register `n` and another pushed onto `above`; returns the unmasked exceptions. */
export function leaveWithPair(b: Builder, base: Expr, n: Expr, above: Expr, first: Contents, second: Contents, raised: Expr): void {
  const unmasked = b.call(raise, base, raised);
  b.if(completes(b, unmasked), () => {
    setRegister(b, base, n, ...first);
    setRegister(b, base, above, ...second);
    fill(b, base, n);
    fill(b, base, above);
    setTop(b, base, above);
  });
  b.return(unmasked);
}

/** What a routine with two results does first: leaves it when ST(0) is empty or the register above is not. */
export function needPair(b: Builder, base: Expr, n: Expr, above: Expr): void {
  const missing = isEmpty(b, base, n);
  b.if(b.or(missing, b.not(isEmpty(b, base, above))), () => {
    const indefinite: Contents = [b.i32(INDEFINITE.head), b.i64(INDEFINITE.significand)];
    leaveWithPair(b, base, n, above, indefinite, indefinite, b.select(missing, b.i32(UNDERFLOW), b.i32(OVERFLOW)));
  });
}

/** Pushes onto a stack that is full: (base, raised) → unmasked. The value becomes the indefinite, unless its source was empty. */
const pushOntoFull: Routine = routine("x87.pushOntoFull", ["i32", "i32"], "i32", (b, base, raised) => {
  const unmasked = b.call(raise, base, b.select(b.and(raised, FSW.SF), raised, b.i32(OVERFLOW)));
  b.if(b.not(unmasked), () => {
    const n = b.and(b.sub(top(b, base), 1), 7);
    setTop(b, base, n);
    setIndefinite(b, base, n);
  });
  b.return(unmasked);
});

/** Pushes a value: (base, head, significand, raised) → unmasked. */
export const push: Routine = routine(
  "x87.push",
  ["i32", "i32", "i64", "i32"],
  "i32",
  (b, base, head, significand, raised) => {
    const n = b.and(b.sub(top(b, base), 1), 7);
    b.if(b.unlikely(isFull(b, base, n)), () => b.return(b.call(pushOntoFull, base, raised)));
    // A denormal goes onto the stack even when DE is unmasked.
    const unmasked = b.call(raise, base, raised);
    b.if(b.not(b.and(unmasked, FSW.IE)), () => {
      setTop(b, base, n);
      setRegister(b, base, n, head, significand);
      fill(b, base, n);
    });
    b.return(unmasked);
  },
  { inlined: "translated" },
);

/** Exchanges the contents of two registers. */
export function exchangeRegisters(b: Builder, base: Expr, n: Expr, m: Expr): void {
  const [head, significand] = [headOf(b, base, n), significandOf(b, base, n)];
  setRegister(b, base, n, headOf(b, base, m), significandOf(b, base, m));
  setRegister(b, base, m, head, significand);
}

/** FXCH when a register is empty: (base, register, register) → unmasked. */
export const exchangeAbsent: Routine = routine("x87.exchangeAbsent", ["i32", "i32", "i32"], "i32", (b, base, n, m) => {
  const unmasked = b.call(raise, base, b.i32(UNDERFLOW));
  b.if(completes(b, unmasked), () => {
    for (const r of [n, m]) b.if(isEmpty(b, base, r), () => setIndefinite(b, base, r));
    exchangeRegisters(b, base, n, m);
    fill(b, base, n);
    fill(b, base, m);
  });
  b.return(unmasked);
});

/**
 * What a waiting instruction does about an exception that is pending: (base) → 1 when it must not go on yet. With CR0.NE it is #MF;
 * otherwise FERR# tells the interrupt controller, and the interrupt it answers with comes first (SDM 3A §2.5, SDM 1 §8.7.2).
 */
const pending: Routine = routine(
  "x87.pending",
  ["i32"],
  "i32",
  (b, base) => {
    b.if(b.and(b.load("i32.load", base, at("cr0")), CR0.NE), () => {
      b.store("i32.store", base, b.i32(VECTOR.MF | FAULT.pending), at("fault"));
      b.returnZero();
    });
    b.call(helper, base, b.i32(HELPER.x87), b.i32(X87_HELPER.ferr));
    b.return(b.and(b.load("i32.load", base, at("attention")), ATTENTION.interrupt));
  },
  { faults: true },
);

/** IP (offset in CS) of this instruction. */
function thisIp(o: Sem): Expr {
  return o.long ? o.linear() : o.and(o.sub(o.linear(), o.state64("csBase")), o.state64("ipMask"));
}

/** First thing in a waiting instruction: an exception that is pending comes now. */
export function begin(o: Sem): void {
  o.ifExceptionPends(() => {
    o.if(o.call(pending, o.base()), () => {
      o.setState64("rip", thisIp(o));
      o.leave();
    });
  });
}

/** Notes this instruction as the last non-control one. After everything that can fault, and after all that is unlikely. */
export function noteInstruction(o: Sem): void {
  o.setState64("fip", thisIp(o));
}

/**
 * Last thing in an instruction that raised: with an unmasked exception, its opcode and operand address are kept for the handler. As
 * processors with CPUID.7.0:EBX[6] and [13] do, FDP and FOP change at no other time, and FCS and FDS are zero.
 */
export function finish(o: Sem, unmasked: Expr, memory?: Operand): void {
  o.if(unmasked, () => {
    if (memory) o.setState64("fdp", o.effectiveAddress());
    o.helper(HELPER.x87, o.i32(X87_HELPER.opcode));
  });
}

/** Pops when the exceptions allow it. */
export function popUnless(o: Sem, unmasked: Expr): void {
  o.if(completes(o, unmasked), () => pop(o, o.base()));
}

/** An x87 instruction's rows all check CR0.EM and CR0.TS first. */
export function fpu(...rows: readonly string[]): string[] {
  return rows.map((row) => `${row}${row.split("|").length < 2 ? " |" : ""}${row.split("|").length < 3 ? " |" : ""} fpu`);
}
