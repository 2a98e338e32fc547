// The functions that generated code asks of TypeScript, under the names of imports. engine/processor.ts provides all of them.
import { hostFunction } from "./ir/builder.ts";
import type { HostFunction } from "./ir/types.ts";

/** Physical address as low and high halves, width 1, 2 or 4 → value. */
export const mmioRead: HostFunction = hostFunction("mmioRead", ["i32", "i32", "i32"], "i32");
/** Physical address as low and high halves, width 1, 2 or 4, value. */
export const mmioWrite: HostFunction = hostFunction("mmioWrite", ["i32", "i32", "i32", "i32"]);
/** Port, width 1, 2 or 4 → value. */
export const portRead: HostFunction = hostFunction("portRead", ["i32", "i32"], "i32");
/** Port, width, value. */
export const portWrite: HostFunction = hostFunction("portWrite", ["i32", "i32", "i32"]);
/** A write reached a 64-byte granule that holds decoded code: host address, length. */
export const codeWritten: HostFunction = hostFunction("codeWritten", ["i32", "i32"]);
/** Decodes the block at linear address (in state.rip + CS base, host address given) → record, or 0 with a fault pending. */
export const decodeBlock: HostFunction = hostFunction("decodeBlock", ["i32", "i32"], "i32");
/** A rare instruction's TypeScript helper: base, helper number, argument → value. May set a fault. */
export const helper: HostFunction = hostFunction("helper", ["i32", "i32", "i32"], "i32", { faults: true });

/** Delivers the pending exception (rip is right) → 1, or 0 when the processor shut down: (base). */
export const deliverFault: HostFunction = hostFunction("deliverFault", ["i32"], "i32");
/**
 * Between instructions: shadows, single-step, breakpoints, NMI and interrupts. (base, 1 when an instruction was just completed)
 * → 1 to go on, 0 when `exit` says why not.
 */
export const betweenInstructions: HostFunction = hostFunction("betweenInstructions", ["i32", "i32"], "i32");

/** All of them, in the order in which a module imports them. */
export const HOST_FUNCTIONS: readonly HostFunction[] = [
  mmioRead,
  mmioWrite,
  portRead,
  portWrite,
  codeWritten,
  decodeBlock,
  helper,
  deliverFault,
  betweenInstructions,
];
