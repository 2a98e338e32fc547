// The host's clocks.
import { performance } from "node:perf_hooks";
import type { HostClock } from "../../machine/machine.ts";

/**
 * The host's clocks; nanoseconds since this thread began, exact to below a microsecond. The module's object, since the global of that name is
 * an accessor: a guest reads its time-stamp counter at every system call.
 */
export const nodeClock: HostClock = { nowNs: () => performance.now() * 1e6, wallClockMs: () => Date.now() };
