// Software interrupts, BOUND and the opcodes that are undefined for good (SDM 1 §5.1.7, §6.4.4).
import type { Expr } from "../ir/types.ts";
import { VECTOR } from "../mmu/control.ts";
import { raise } from "../mmu/fault.ts";
import { FAULT } from "../state.ts";
import { type Instruction, instruction, type Operand } from "./instruction.ts";
import type { Sem } from "./sem.ts";

/** A software interrupt: `rip` stays at this instruction, and delivery works out the address after it. */
function softwareInterrupt(o: Sem, vector: Expr, flags: number = FAULT.software): void {
  o.call(raise, o.base(), o.or(vector, flags), o.i32(0));
  o.return(o.i32(0));
}

/** ICEBP: a debug trap, which is not checked against the gate's privilege level (SDM 2A, INT n). */
function debugTrap(o: Sem): void {
  o.setState64("rip", o.nextIp());
  o.call(raise, o.base(), o.i32(VECTOR.DB | FAULT.ripValid), o.i32(0));
  o.return(o.i32(0));
}

/** #BR unless the signed index lies between the two bounds in memory (SDM 2A, BOUND). */
function bound(o: Sem, index: Operand, limits: Operand): void {
  const w = index.width;
  const address = o.address(limits, false);
  const upperAt = o.and(o.add(address, BigInt(w >> 3)), 0xffff_ffffn);
  const value = o.sext(o.read(index), w);
  // An index below the lower bound does without the upper one.
  o.if(o.ltS(value, o.sext(o.loadMemory(address, w), w)), () => o.fault(VECTOR.BR));
  o.if(o.gtS(value, o.sext(o.loadMemory(upperAt, w), w)), () => o.fault(VECTOR.BR));
}

/** UD0 and UD1 have a ModRM byte, and its address is never used. */
const undefinedOpcode = (name: string, form: string): Instruction =>
  instruction(name, { forms: [form], access: "- -", sem: (o) => o.fault(VECTOR.UD) });

/** Software interrupts and undefined opcodes. */
export const interrupt: readonly Instruction[] = [
  instruction("INT3", { forms: ["CC | | end"], sem: (o) => softwareInterrupt(o, o.i32(VECTOR.BP)) }),
  instruction("INT", {
    forms: ["CD ib | imm8 | end"],
    access: "r",
    sem: (o, [number]) => softwareInterrupt(o, o.wrap(o.read(number)), FAULT.software | FAULT.intN),
  }),
  instruction("INTO", { forms: ["CE | | i64"], sem: (o) => o.if(o.of(), () => softwareInterrupt(o, o.i32(VECTOR.OF))) }),
  instruction("INT1", { forms: ["F1 | | end"], sem: debugTrap }),
  instruction("BOUND", {
    forms: ["62 /r | r16, m16&16 | i64", "62 /r | r32, m32&32 | i64"],
    access: "r r",
    sem: (o, [index, limits]) => bound(o, index, limits),
  }),
  undefinedOpcode("UD0", "0F FF /r | r32, r/m32 | any end"),
  undefinedOpcode("UD1", "0F B9 /r | r32, r/m32 | any end"),
  undefinedOpcode("UD2", "0F 0B | | end"),
];
