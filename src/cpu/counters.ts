// What a processor counts off its fast paths: slots of the state that nothing reads while a guest runs.
import type { Builder } from "./ir/builder.ts";
import type { Expr } from "./ir/types.ts";
import { at, type StateName } from "./state.ts";

/** Slots that routines count in. */
export type Counter = Extract<
  StateName,
  "tlbMisses" | "pageWalks" | "tlbFlushes" | "localFlushes" | "pageFlushes" | "jumpMisses" | "exceptions" | "pageFaults"
>;

/** Adds 1 to a counter of the processor at `base`. */
export function countUp(b: Builder, base: Expr, name: Counter): void {
  b.store("i64.store", base, b.add(b.load("i64.load", base, at(name)), 1n), at(name));
}
