// A few rows of every kind for the tests of this folder, which must not depend on how complete the instruction set is.
import { parseForm, type Form } from "../../src/cpu/isa/instruction.ts";

const ROWS: readonly (readonly [name: string, row: string])[] = [
  ["ADD", "80 /0 ib | r/m8, imm8 | lock"],
  ["ADD", "01 /r | r/m16, r16 | lock"],
  ["ADD", "REX.W + 03 /r | r64, r/m64"],
  ["SHL", "C1 /4 ib | r/m32, imm8"],
  ["SHLD", "0F A5 /r | r/m32, r32, CL"],
  ["DIV", "F7 /6 | r/m32"],
  ["PUSH", "50 +ro | r64 | d64"],
  ["PUSH", "50 +rd | r32 | i64"],
  ["POP", "8F /0 | r/m16"],
  ["ENTER", "C8 iw ib | imm16, imm8 | d64"],
  ["CALL", "E8 cd | rel32 | f64"],
  ["RET", "C3 | | f64"],
  ["LOOP", "E2 cb | rel8 | f64"],
  ["MOVS", "A5 | | rep o32"],
  ["MOV", "A1 | EAX, moffs32"],
  ["MOV", "8E /r | Sreg, r/m16"],
  ["LEA", "8D /r | r32, m"],
  ["BTS", "0F AB /r | r/m32, r32 | lock"],
  ["CMPXCHG", "0F B1 /r | r/m32, r32 | lock"],
  ["HLT", "F4 | | cpl0"],
  ["ADDPS", "NP 0F 58 /r | xmm, xmm/m128"],
  ["CVTTSD2SI", "F2 REX.W 0F 2C /r | r64, xmm/m64"],
  ["PSHUFB", "NP 0F 38 00 /r | mm, mm/m64"],
  ["PCMPESTRM", "66 0F 3A 60 /r ib | xmm, xmm/m128, imm8"],
  ["FXSAVE", "NP 0F AE /0 | m512byte"],
  ["FADD", "DC /0 | m64fp"],
  ["FADD", "D8 C0+i | ST, ST(i)"],
  ["FBSTP", "DF /6 | m80bcd"],
  ["FSIN", "D9 FE"],
  ["FNSAVE", "DD /6 | m108byte | o32"],
];

/** Parsed rows of integer, control, string, SSE, MMX and x87 instructions. */
export const SAMPLE_ROWS: readonly Form[] = ROWS.map(([name, row]) => parseForm(name, row));
