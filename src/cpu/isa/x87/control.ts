// x87 control instructions (SDM 1 §5.2.6): those that wait and those that do not.
import { HELPER, X87_HELPER } from "../../assist/numbers.ts";
import { EXCEPTIONS, FCW, FSW } from "../../float/status.ts";
import type { Expr } from "../../ir/types.ts";
import { CR0, VECTOR } from "../../mmu/control.ts";
import { at } from "../../state.ts";
import { type Instruction, instruction } from "../instruction.ts";
import { REG, type Sem } from "../sem.ts";
import {
  begin,
  clearC1,
  controlWord,
  empty,
  fpu,
  noteInstruction,
  physical,
  pop,
  setStatusWord,
  setTags,
  setTop,
  statusWord,
  top,
} from "./stack.ts";

/** The status word as FNSTSW stores it, with TOP. */
export function wholeStatusWord(o: Sem): Expr {
  return o.or(statusWord(o, o.base()), o.shl(top(o, o.base()), 11));
}

/** Stores a new status word; an exception that is no longer pending takes FERR# back. */
export function replaceStatusWord(o: Sem, e: Expr): void {
  const before = statusWord(o, o.base());
  setStatusWord(o, o.base(), e);
  o.if(o.and(o.and(before, FSW.ES), o.xor(e, -1)), () => o.helper(HELPER.x87, o.i32(X87_HELPER.ferrGone)));
}

/** Sets ES and B by what the control word leaves unmasked. */
export function summarize(o: Sem, status: Expr, control: Expr): Expr {
  const unmasked = o.and(o.and(status, EXCEPTIONS), o.xor(control, -1));
  return o.or(o.and(status, ~(FSW.ES | FSW.B)), o.select(unmasked, o.i32(FSW.ES | FSW.B), o.i32(0)));
}

/** A control word as it is loaded: bit 6 is always 1, bits 7 and 13–15 are 0 on silicon. */
const controlOf = (o: Sem, e: Expr): Expr => o.or(o.and(e, 0x1f3f), 0x40);

/** Loads a control word. */
export function loadControl(o: Sem, e: Expr): void {
  const control = controlOf(o, e);
  o.store("i32.store16", o.base(), control, at("fcw"));
  replaceStatusWord(o, summarize(o, statusWord(o, o.base()), control));
}

/** FLDCW: the status word changes only where something is unmasked, or was. */
function changeControl(o: Sem, e: Expr): void {
  const control = controlOf(o, e);
  const status = statusWord(o, o.base());
  const open = o.and(o.xor(control, -1), EXCEPTIONS);
  o.if(o.unlikely(o.or(open, o.and(status, FSW.ES))), () => replaceStatusWord(o, summarize(o, status, control)));
  o.store("i32.store16", o.base(), control, at("fcw"));
}

/** Clears the pointers to the last instruction and operand. */
export function clearPointers(o: Sem): void {
  o.setState64("fip", o.i64(0));
  o.setState64("fdp", o.i64(0));
  for (const slot of ["fop", "fcs", "fds"] as const) o.store("i32.store16", o.base(), o.i32(0), at(slot));
}

/** FNINIT, also after FNSAVE (SDM 2A, FINIT). */
export function initialize(o: Sem): void {
  o.store("i32.store16", o.base(), o.i32(FCW.initial), at("fcw"));
  replaceStatusWord(o, o.i32(0));
  setTop(o, o.base(), o.i32(0));
  setTags(o, o.base(), o.i32(0));
  clearPointers(o);
}

/** FINCSTP and FDECSTP turn the stack without touching its contents. */
function rotate(name: string, row: string, by: number): Instruction {
  return instruction(name, {
    forms: fpu(row),
    sem: (o) => {
      begin(o);
      noteInstruction(o);
      setTop(o, o.base(), o.add(top(o, o.base()), by));
      clearC1(o, o.base());
    },
  });
}

/** Control instructions. */
export const x87Control: readonly Instruction[] = [
  instruction("FNINIT", { forms: fpu("DB E3"), sem: (o) => initialize(o) }),
  instruction("FNCLEX", {
    forms: fpu("DB E2"),
    sem: (o) => replaceStatusWord(o, o.and(statusWord(o, o.base()), ~(FSW.B | FSW.ES | FSW.SF | EXCEPTIONS))),
  }),
  instruction("FNSTCW", { forms: fpu("D9 /7 | m16"), access: "w", sem: (o, [m]) => o.write(m, o.extU(controlWord(o, o.base()))) }),
  instruction("FLDCW", {
    forms: fpu("D9 /5 | m16"),
    access: "r",
    sem: (o, [m]) => {
      begin(o);
      changeControl(o, o.wrap(o.read(m)));
    },
  }),
  instruction("FNSTSW", {
    forms: fpu("DD /7 | m16", "DF E0 | AX | any"),
    access: "w",
    sem: (o, [dst]) => {
      const status = o.extU(wholeStatusWord(o));
      if (dst.kind === "mem") o.write(dst, status);
      else o.setReg(REG.rax, 16, status);
    },
  }),
  // FWAIT looks at CR0.TS only when CR0.MP is set, and never at EM (SDM 3A §2.5).
  instruction("FWAIT", {
    forms: ["9B"],
    sem: (o) => {
      o.if(o.eq(o.and(o.state("cr0"), CR0.MP | CR0.TS), CR0.MP | CR0.TS), () => o.fault(VECTOR.NM));
      begin(o);
    },
  }),
  rotate("FINCSTP", "D9 F7", 1),
  rotate("FDECSTP", "D9 F6", -1),
  instruction("FFREE", {
    forms: fpu("DD C0+i | ST(i)"),
    sem: (o, [st]) => {
      begin(o);
      noteInstruction(o);
      empty(o, o.base(), physical(o, st));
      clearC1(o, o.base());
    },
  }),
  // Undocumented, in every processor: FFREE and a pop.
  instruction("FFREEP", {
    forms: fpu("DF C0+i | ST(i)"),
    sem: (o, [st]) => {
      begin(o);
      noteInstruction(o);
      empty(o, o.base(), physical(o, st));
      clearC1(o, o.base());
      pop(o, o.base());
    },
  }),
  instruction("FNOP", {
    forms: fpu("D9 D0"),
    sem: (o) => {
      begin(o);
      noteInstruction(o);
    },
  }),
  // 8087 and 287 instructions that later processors ignore (SDM 2A, appendix A: reserved, executed as no-operations).
  ...["FNENI DB E0", "FNDISI DB E1", "FNSETPM DB E4"].map((row) =>
    instruction(row.split(" ")[0]!, { forms: fpu(row.slice(row.indexOf(" ") + 1)), sem: () => {} }),
  ),
];
