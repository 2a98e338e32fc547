// Every instruction there is.
import { arith } from "./arith.ts";
import { branch } from "./branch.ts";
import { syscall } from "./syscall.ts";
import { system } from "./system.ts";
import { sseState } from "./sse-state.ts";
import type { Instruction } from "./instruction.ts";

/** All instructions, family by family. */
export const INSTRUCTIONS: readonly Instruction[] = [...arith, ...branch, ...system, ...syscall, ...sseState];
