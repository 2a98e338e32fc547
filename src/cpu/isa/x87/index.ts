// The x87 floating-point unit (SDM 1 chapter 8), family by family.
import type { Instruction } from "../instruction.ts";
import { x87Arith } from "./arith.ts";
import { x87Compare } from "./compare.ts";
import { x87Control } from "./control.ts";
import { x87Environment } from "./environment.ts";
import { x87Exponent } from "./exponent.ts";
import { x87Move } from "./move.ts";
import { x87Transcendental } from "./transcendental.ts";

/** Condition codes that the manual leaves undefined, by instruction; silicon leaves them alone (SDM 1 table 8-1, and the pages in SDM 2A). */
const UNDEFINED: readonly (readonly [names: RegExp, codes: readonly string[]])[] = [
  [/^(FN(INIT|SAVE)|FLDENV|FRSTOR|FU?I?COM.*|FTST|FXAM|FPREM1?)$/, []],
  [/^(FSIN|FCOS|FSINCOS|FPTAN)$/, ["C0", "C3"]],
  [/^(FN(CLEX|STCW|STSW|STENV|OP|ENI|DISI|SETPM)|FLDCW|FWAIT|FFREEP?)$/, ["C0", "C1", "C2", "C3"]],
  [/./, ["C0", "C2", "C3"]],
];

function withUndefined(i: Instruction): Instruction {
  const codes = UNDEFINED.find(([names]) => names.test(i.name))?.[1] ?? [];
  return { ...i, undefinedFlags: new Set([...i.undefinedFlags, ...codes]) };
}

/** All x87 instructions. */
export const x87: readonly Instruction[] = [
  ...x87Control,
  ...x87Move,
  ...x87Arith,
  ...x87Compare,
  ...x87Exponent,
  ...x87Environment,
  ...x87Transcendental,
].map(withUndefined);
