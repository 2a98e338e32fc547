import { EXIT } from "../state.ts";
import type { CpuContext } from "./context.ts";

/** Delivers the pending exception → 1, or 0 when the processor shut down. */
export function deliverPending(cpu: CpuContext): number {
  cpu.set32("exit", EXIT.shutdown);
  return 0;
}
