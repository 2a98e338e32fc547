// EFLAGS as one value.
import { ROUTINE } from "../engine-calls.ts";
import { ARITHMETIC } from "../mmu/control.ts";
import type { CpuContext } from "./context.ts";

/** Bits of EFLAGS that exist (SDM 1 §3.4.3); bit 1 reads as 1. */
const DEFINED = 0x3f_7fd5;

/** All of EFLAGS. */
export function readEflags(cpu: CpuContext): number {
  return ((cpu.call(ROUTINE.getArithmetic) as number) | cpu.get32("eflags") | 2) >>> 0;
}

/** Replaces EFLAGS; undefined bits are dropped. Call `refresh` afterwards. */
export function writeEflags(cpu: CpuContext, value: number): void {
  cpu.call(ROUTINE.setArithmetic, value & ARITHMETIC);
  cpu.set32("eflags", value & DEFINED & ~ARITHMETIC);
}
