// Rare instructions in TypeScript, by number.
import type { CpuContext } from "./context.ts";
import { HELPER } from "./numbers.ts";

/** One helper: the processor and an i32 → i32. Throws GuestFault (or CpuContext.raise) for a guest exception. */
export type Assist = (cpu: CpuContext, argument: number) => number;

/** All helpers by their number. */
export const ASSISTS: ReadonlyMap<number, Assist> = new Map<number, Assist>([
]);

export { HELPER };
