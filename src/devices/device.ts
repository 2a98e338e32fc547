// What a device is and what it may touch. A device drives no bus, no processor and no host API: everything is handed in.
import type { Line } from "../bus/line.ts";
import type { MmioRegion, PortRegion } from "../bus/region.ts";
import type { GuestMemory } from "../memory/guest-memory.ts";
import type { Log } from "../support/log.ts";
import type { Codec } from "../support/schema.ts";

export { FLOAT } from "../bus/region.ts";
export type { IoHandler, MmioRegion, PortRegion, Width } from "../bus/region.ts";
export type { Line } from "../bus/line.ts";
export type { Log } from "../support/log.ts";
export type { Codec } from "../support/schema.ts";

/** A pending timer. */
export interface Timer {
  cancel(): void;
}

/** Time as the guest's hardware sees it. */
export interface Clock {
  /** Nanoseconds since the machine was powered on; does not run while the machine is paused. */
  now(): number;
  /** Milliseconds since 1970 (UTC), for real-time clocks. */
  wallClockMs(): number;
  /** Calls `fire` once, at or soon after `atNs` on this clock. */
  arm(atNs: number, fire: () => void): Timer;
}

/** Everything a device may touch. */
export interface Wiring {
  readonly memory: GuestMemory;
  readonly clock: Clock;
  readonly log: Log;
  line(name: string): Line;
}

/** One device of a machine: its state, its registers, and what a machine does with every device. */
export interface Device<S extends object = object> {
  /** All guest-visible mutable state, as plain data (numbers, bigints, booleans, null, Uint8Array, arrays and records of these). */
  readonly state: S;
  readonly ports?: readonly PortRegion[];
  readonly mmio?: readonly MmioRegion[];
  /** Return to power-on state. Idempotent. */
  reset(): void;
  /** Re-drive outputs (lines, timers) from `state` after a restore; throw VmError STATE_INVALID if `state` is impossible. */
  resync?(): void;
  /** Stop producing work for others; keep accepting it. Resolves when quiet. */
  pause?(): Promise<void>;
  resume?(): void;
}

/** A kind of device: the word that configuration, command line, snapshots and docs use, and how to make one. */
export interface DeviceType<C, S extends object, D extends Device<S> = Device<S>> {
  readonly kind: string;
  readonly state: Codec<S>;
  create(config: C, wiring: Wiring): D;
}
