import { ATTENTION, EXIT } from "../state.ts";
import type { CpuContext } from "./context.ts";

/** Work between instructions → 1 to go on, 0 when `exit` says why not. */
export function betweenInstructions(cpu: CpuContext, _completed: boolean): number {
  const attention = cpu.get32("attention");
  if (attention & ATTENTION.kick) {
    cpu.set32("attention", attention & ~ATTENTION.kick);
    cpu.set32("exit", EXIT.kick);
    return 0;
  }
  return 1;
}
