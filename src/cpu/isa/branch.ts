// Near control transfers (SDM 1 §5.1.7): JMP, CALL, RET, Jcc, LOOP, JCXZ.
import type { Expr } from "../ir/types.ts";
import { type Instruction, instruction, type Operand } from "./instruction.ts";
import { REG, type Sem } from "./sem.ts";

/** Condition names by code (SDM 1 appendix B). */
export const CONDITIONS: readonly string[] = ["O", "NO", "B", "AE", "E", "NE", "BE", "A", "S", "NS", "P", "NP", "L", "GE", "LE", "G"];

const hex = (n: number): string => n.toString(16).toUpperCase().padStart(2, "0");

/** Operand size of a near branch: always 64 in 64-bit code on this family, whatever 66h says (SDM 2A, Jcc). */
const branchWidth = (o: Sem, form: { opsize: number }): number => (o.long ? 64 : form.opsize || 32);

/** Rows of a relative branch: rel8 in every size, and relative 16- and 32-bit displacements. */
function relative(short: string, near: string, attributes = ""): string[] {
  return [
    ...(short
      ? [
          `${short} cb | rel8 | i64 o16 ${attributes}`,
          `${short} cb | rel8 | i64 o32 ${attributes}`,
          `${short} cb | rel8 | o64 any ${attributes}`,
        ]
      : []),
    ...(near
      ? [
          `${near} cw | rel16 | i64 o16 ${attributes}`,
          `${near} cd | rel32 | i64 o32 ${attributes}`,
          `${near} cd | rel32 | o64 any ${attributes}`,
        ]
      : []),
  ];
}

/** The taken way of a conditional branch. */
function branchIf(o: Sem, form: { opsize: number }): void {
  const target = o.relativeTarget(branchWidth(o, form));
  o.noteWay("taken");
  o.branch(target);
}

const jcc: readonly Instruction[] = CONDITIONS.map((name, cc) =>
  instruction(`J${name}`, {
    forms: relative(hex(0x70 + cc), `0F ${hex(0x80 + cc)}`),
    access: "r",
    sem: (o, _, form) => {
      o.if(o.condition(cc), () => branchIf(o, form));
      o.noteWay("notTaken");
    },
  }),
);

/** LOOP, LOOPE, LOOPNE: the counter is CX, ECX or RCX by the address size. */
function loop(name: string, opcode: string, also: (o: Sem) => Expr | undefined): Instruction {
  return instruction(name, {
    forms: relative(opcode, ""),
    access: "r",
    sem: (o, _, form) => {
      const mask = o.addressMask();
      const count = o.and(o.sub(o.and(o.reg(REG.rcx, 64), mask), 1n), mask);
      const condition = also(o);
      const nonzero = o.ne(count, 0n);
      const taken = condition ? o.and(nonzero, condition) : nonzero;
      // The target is checked before RCX changes: a #GP leaves the counter as it was.
      o.if(taken, () => {
        const t = o.relativeTarget(branchWidth(o, form));
        setCounter(o, count, mask);
        o.noteWay("taken");
        o.branch(t);
      });
      setCounter(o, count, mask);
      o.noteWay("notTaken");
    },
  });
}

function setCounter(o: Sem, count: Expr, mask: Expr): void {
  // A 32-bit counter clears the upper half, as any 32-bit write; a 16-bit one keeps the rest.
  const keep = o.select(o.eq(mask, 0xffffn), o.i64(~0xffffn), o.i64(0));
  o.setReg(REG.rcx, 64, o.or(o.and(o.reg(REG.rcx, 64), keep), count));
}

const indirect = (digit: number): string[] => [
  `FF /${digit} | r/m16 | i64`,
  `FF /${digit} | r/m32 | i64`,
  `FF /${digit} | r/m64 | o64 f64`,
];

function call(o: Sem, target: Expr, width: number): void {
  o.push(width, o.nextIp());
  o.branch(target);
}

/** In 64-bit mode silicon pushes before it checks the target; only memory shows it. */
function callIndirect(o: Sem, operand: Operand, width: number): void {
  const target = o.read(operand);
  if (!o.long) return call(o, o.indirectTarget(target), width);
  const top = o.sub(o.stackPointer(), 8n);
  o.storeMemory(o.stackLinear(top, 8, true), 64, o.nextIp());
  const checked = o.indirectTarget(target);
  o.setStackPointer(top);
  o.branch(checked);
}

function ret(o: Sem, width: number, extra?: Operand): void {
  const target = o.branchTarget(o.peek(width));
  const bytes = o.i64(width >> 3);
  o.release(extra ? o.add(bytes, o.zext(o.imm(), 16)) : bytes);
  o.branch(target);
}

/** Near control transfers. */
export const branch: readonly Instruction[] = [
  ...jcc,
  instruction("JMP", {
    forms: [...relative("EB", "E9", "end"), ...indirect(4).map((f) => `${f} end`)],
    access: "r",
    sem: (o, [target], form) => {
      if (target.kind === "imm") o.branch(o.relativeTarget(branchWidth(o, form)));
      else o.branch(o.indirectTarget(o.read(target)));
    },
  }),
  instruction("CALL", {
    forms: [...relative("", "E8", "end"), ...indirect(2).map((f) => `${f} end`)],
    access: "r",
    sem: (o, [target], form) => {
      const width = branchWidth(o, form);
      if (target.kind === "imm") call(o, o.relativeTarget(width), width);
      else callIndirect(o, target, width);
    },
  }),
  instruction("RET", {
    forms: [
      "C3 | | i64 o16 end",
      "C3 | | i64 o32 end",
      "C3 | | o64 any end",
      "C2 iw | imm16 | i64 o16 end",
      "C2 iw | imm16 | i64 o32 end",
      "C2 iw | imm16 | o64 any end",
    ],
    access: "r",
    sem: (o, [extra], form) => ret(o, branchWidth(o, form), form.operands.length > 0 ? extra : undefined),
  }),
  loop("LOOPNE", "E0", (o) => o.not(o.zf())),
  loop("LOOPE", "E1", (o) => o.zf()),
  loop("LOOP", "E2", () => undefined),
  instruction("JCXZ", {
    forms: relative("E3", ""),
    access: "r",
    sem: (o, _, form) => {
      const zero = o.not(o.and(o.reg(REG.rcx, 64), o.addressMask()));
      o.if(zero, () => branchIf(o, form));
      o.noteWay("notTaken");
    },
  }),
];
