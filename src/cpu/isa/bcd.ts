// Decimal arithmetic (SDM 1 §5.1.3), and SALC; none of it exists in 64-bit mode.
import type { Expr } from "../ir/types.ts";
import { VECTOR } from "../mmu/control.ts";
import { type Instruction, instruction } from "./instruction.ts";
import { REG, type Sem } from "./sem.ts";

const lowNibbleTooLarge = (o: Sem, al: Expr): Expr => o.gtU(o.and(al, 0xfn), 9n);

/** DAA and DAS: AL back to two decimal digits after an addition or subtraction (SDM 2A). */
function adjustPacked(o: Sem, minus: boolean): void {
  const step = (e: Expr, n: bigint): Expr => o.zext(minus ? o.sub(e, n) : o.add(e, n), 8);
  const [al, cf] = [o.reg(REG.rax, 8), o.cf()];
  const low = o.or(lowNibbleTooLarge(o, al), o.af());
  const high = o.or(o.gtU(al, 0x99n), cf);
  const once = o.select(low, step(al, 6n), al);
  const result = o.select(high, step(once, 0x60n), once);
  // A borrow out of the low digit sets CF for DAS even when the high digit stays.
  const borrow = minus ? o.and(low, o.ltU(al, 6n)) : o.i32(0);
  o.setReg(REG.rax, 8, result);
  o.flagsExplicit(8, result, { cf: o.or(high, borrow), af: low });
}

/** AAA and AAS: AL to one digit, the carry goes to AH; AX is adjusted as a whole (SDM 2A). */
function adjustUnpacked(o: Sem, minus: boolean): void {
  const ax = o.reg(REG.rax, 16);
  const adjust = o.or(lowNibbleTooLarge(o, ax), o.af());
  const moved = minus ? o.sub(ax, 0x106n) : o.add(ax, 0x106n);
  const result = o.and(o.select(adjust, moved, ax), 0xff0fn);
  o.setReg(REG.rax, 16, result);
  o.flagsExplicit(8, o.zext(result, 8), { cf: adjust, af: adjust });
}

const legacy = (name: string, opcode: string, flags: string, undefinedFlags: string, sem: (o: Sem) => void): Instruction =>
  instruction(name, { forms: [`${opcode} | | i64`], flags, undefinedFlags, sem });

/** Decimal arithmetic. */
export const bcd: readonly Instruction[] = [
  legacy("DAA", "27", "CF PF AF ZF SF", "OF", (o) => adjustPacked(o, false)),
  legacy("DAS", "2F", "CF PF AF ZF SF", "OF", (o) => adjustPacked(o, true)),
  legacy("AAA", "37", "CF AF", "PF ZF SF OF", (o) => adjustUnpacked(o, false)),
  legacy("AAS", "3F", "CF AF", "PF ZF SF OF", (o) => adjustUnpacked(o, true)),
  instruction("AAM", {
    forms: ["D4 ib | imm8 | i64"],
    access: "r",
    flags: "PF ZF SF",
    undefinedFlags: "CF AF OF",
    sem: (o, [base]) => {
      const divisor = o.read(base);
      o.if(o.not(divisor), () => o.fault(VECTOR.DE));
      const al = o.reg(REG.rax, 8);
      const low = o.remU(al, divisor);
      o.setReg(REG.rax, 16, o.or(low, o.shl(o.divU(al, divisor), 8)));
      o.flagsLogic(8, low);
    },
  }),
  instruction("AAD", {
    forms: ["D5 ib | imm8 | i64"],
    access: "r",
    flags: "PF ZF SF",
    undefinedFlags: "CF AF OF",
    sem: (o, [base]) => {
      const sum = o.zext(o.add(o.reg(REG.rax, 8), o.mul(o.ah(), o.read(base))), 8);
      o.setReg(REG.rax, 16, sum);
      o.flagsLogic(8, sum);
    },
  }),
  legacy("SALC", "D6", "", "", (o) => o.setReg(REG.rax, 8, o.zext(o.sub(o.i64(0), o.extU(o.cf())), 8))),
];
