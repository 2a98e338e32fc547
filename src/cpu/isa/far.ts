// Far control transfers (SDM 1 §5.1.7, SDM 3A §5.8): JMP, CALL, RET, IRET.
import { FAR_ARGUMENT, HELPER } from "../assist/numbers.ts";
import { enter } from "../engine/lookup.ts";
import { returnLong } from "../engine/long-transfer.ts";
import { returnProtected } from "../engine/protected-transfer.ts";
import type { Expr } from "../ir/types.ts";
import { type Form, type Instruction, instruction, type Operand } from "./instruction.ts";
import { readFarPointer } from "./segment.ts";
import type { Sem } from "./sem.ts";

/** Operand size in bytes, as helpers' arguments carry it. */
const sizeArgument = (form: Form): number => (form.opsize >> 3) << FAR_ARGUMENT.sizeShift;

/** The pointer, immediate or in memory. */
function destination(o: Sem, target: Operand): { readonly offset: Expr; readonly selector: Expr } {
  if (target.kind === "mem") return readFarPointer(o, target);
  return { offset: o.read(target), selector: o.imm2() };
}

function transfer(name: string, direct: string, digit: number, helper: number): Instruction {
  return instruction(name, {
    forms: [
      `${direct} iw:iw | ptr16:16 | i64 end`,
      `${direct} id:iw | ptr16:32 | i64 end`,
      `FF /${digit} | m16:16 | o16 end`,
      `FF /${digit} | m16:32 | o32 end`,
      `REX.W + FF /${digit} | m16:64 | end`,
    ],
    access: "r",
    sem: (o, [target], form) => {
      const { offset, selector } = destination(o, target);
      o.setState64("scratchValue", offset);
      o.setState64("rip", o.nextIp());
      o.helper(helper, o.or(o.and(selector, FAR_ARGUMENT.mask), sizeArgument(form)));
      o.leave();
    },
  });
}

/** Rows of an opcode without ModRM in all three operand sizes; 32 bits is the default in 64-bit mode too. */
const sizes = (opcode: string, operands = ""): string[] => [
  `${opcode} | ${operands} | o16 end`,
  `${opcode} | ${operands} | o32 end`,
  `REX.W + ${opcode} | ${operands} | end`,
];

/** Far control transfers. */
export const far: readonly Instruction[] = [
  transfer("JMP", "EA", 5, HELPER.farJump),
  transfer("CALL", "9A", 3, HELPER.farCall),
  instruction("RETF", {
    forms: [...sizes("CB"), ...sizes("CA iw", "imm16")],
    access: "r",
    sem: (o, [extra], form) => {
      const released = extra ? o.and(o.wrap(o.imm()), 0xffff) : o.i32(0);
      o.helper(HELPER.farReturn, o.or(released, sizeArgument(form)));
      o.leave();
    },
  }),
  instruction("IRET", {
    forms: sizes("CF"),
    flags: "CF PF AF ZF SF OF",
    sem: (o, _, form) => {
      // A kernel's way back, most often: see there what counts as usual.
      const short = o.long ? returnLong : returnProtected;
      if (form.opsize === (o.long ? 64 : 32)) {
        o.if(o.call(short, o.base()), () => o.return(o.callUnchecked(enter, o.base(), o.state64("rip"))));
      }
      // Out of a nested task: where it goes on when it is called again.
      o.setState64("rip", o.nextIp());
      o.helper(HELPER.iret, o.i32(form.opsize >> 3));
      o.leave();
    },
  }),
];
