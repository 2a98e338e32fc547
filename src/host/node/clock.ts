// The host's clocks.
import type { HostClock } from "../../machine/machine.ts";

/** The host's clocks; nanoseconds since this thread began, exact to below a microsecond. */
export const nodeClock: HostClock = { nowNs: () => performance.now() * 1e6, wallClockMs: () => Date.now() };
