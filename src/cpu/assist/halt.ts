// HLT and MWAIT: the loop returns to the host, which sleeps until something can wake the processor.
import { EXIT } from "../state.ts";
import type { CpuContext } from "./context.ts";

/** Value of `halted` while an interrupt wakes the processor whatever EFLAGS.IF says. */
export const HALTED_ANY_INTERRUPT = 2;

/** HLT. An interrupt that is already pending and allowed ends it at once: it is delivered before the loop returns. */
export function halt(cpu: CpuContext): number {
  cpu.set32("halted", 1);
  cpu.set32("exit", EXIT.halt);
  return 0;
}

/** MWAIT. With `extensions` bit 0 an interrupt ends it even when EFLAGS.IF is clear (SDM 2B, MWAIT): the
 * handler then runs only once IF is set. */
export function mwait(cpu: CpuContext, extensions: number): number {
  if (!(extensions & 1)) return halt(cpu);
  if (cpu.get32("intr")) return 0;
  halt(cpu);
  cpu.set32("halted", HALTED_ANY_INTERRUPT);
  return 0;
}
