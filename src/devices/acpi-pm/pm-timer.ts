// The power-management timer: 3.579545 MHz, free-running, never set (ACPI 6.5 §4.8.2.1). Both directions are exact: seconds and the rest are
// taken apart so that no product leaves the 53 bits that a number holds.

/** Its rate, in Hz. */
export const PM_TIMER_HZ = 3_579_545;

const NS_PER_SECOND = 1e9;

/** Whole ticks since time 0. */
export function ticksAt(ns: number): number {
  const seconds = Math.floor(ns / NS_PER_SECOND);
  const rest = ns - seconds * NS_PER_SECOND;
  return seconds * PM_TIMER_HZ + Math.floor((rest * PM_TIMER_HZ) / NS_PER_SECOND);
}

/** The first nanosecond at which `ticks` have passed. */
export function nsOfTick(ticks: number): number {
  const seconds = Math.floor(ticks / PM_TIMER_HZ);
  const rest = ticks - seconds * PM_TIMER_HZ;
  return seconds * NS_PER_SECOND + Math.ceil((rest * NS_PER_SECOND) / PM_TIMER_HZ);
}

/** When the timer's highest bit changes next after `ns`. */
export function nextToggleNs(ns: number, bits: 24 | 32): number {
  const half = 2 ** (bits - 1);
  return nsOfTick((Math.floor(ticksAt(ns) / half) + 1) * half);
}
