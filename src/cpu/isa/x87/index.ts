// The x87 floating-point unit (SDM 1 chapter 8), family by family.
import type { Instruction } from "../instruction.ts";
import { x87Arith } from "./arith.ts";
import { x87Compare } from "./compare.ts";
import { x87Control } from "./control.ts";
import { x87Environment } from "./environment.ts";
import { x87Exponent } from "./exponent.ts";
import { x87Move } from "./move.ts";
import { x87Transcendental } from "./transcendental.ts";

/** All x87 instructions. */
export const x87: readonly Instruction[] = [
  ...x87Control,
  ...x87Move,
  ...x87Arith,
  ...x87Compare,
  ...x87Exponent,
  ...x87Environment,
  ...x87Transcendental,
];
