// What a device is and what it may touch. A device imports no bus, no processor and no host API: everything is handed in.
import type { GuestMemory } from "../memory/guest-memory.ts";
import type { Gpa } from "../memory/gpa.ts";

/** Width of a register access in bytes. The bus splits 8-byte accesses into two of 4, low half first. */
export type Width = 1 | 2 | 4;

/** Port or memory-mapped registers. Offsets are relative to the region. Guest mistakes are answered, never thrown. */
export interface IoHandler {
  read(offset: number, width: Width): number;
  write(offset: number, width: Width, value: number): void;
}
export interface PortRegion extends IoHandler { readonly name: string; readonly base: number; readonly length: number }
export interface MmioRegion extends IoHandler { readonly name: string; readonly base: Gpa; readonly length: number }

/** An interrupt (or reset) line. The board decides where it leads; no device knows an interrupt number. */
export interface Line { set(level: boolean): void }

/** A pending timer. */
export interface Timer { cancel(): void }

/** Time as the guest's hardware sees it. */
export interface Clock {
  /** Nanoseconds since the machine was powered on; does not run while the machine is paused. */
  now(): number;
  /** Milliseconds since 1970 (UTC), for real-time clocks. */
  wallClockMs(): number;
  /** Calls `fire` once, at or soon after `atNs` on this clock. */
  arm(atNs: number, fire: () => void): Timer;
}

export interface Log {
  /** One line a key, however often it happens. */
  warnOnce(key: string, message: string): void;
}

/** Everything a device may touch. */
export interface Wiring {
  readonly memory: GuestMemory;
  readonly clock: Clock;
  readonly log: Log;
  line(name: string): Line;
}

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

/** How a device's state is written to and read from a snapshot. `decode` treats `raw` as untrusted and migrates old versions. */
export interface Codec<S> {
  readonly kind: string;
  readonly version: number;
  encode(state: S): unknown;
  decode(raw: unknown, version: number): S;
}

/** A kind of device: the word that configuration, command line, snapshots and docs use, and how to make one. */
export interface DeviceType<C, S extends object, D extends Device<S> = Device<S>> {
  readonly kind: string;
  readonly state: Codec<S>;
  create(config: C, wiring: Wiring): D;
}

/** All-ones for the access width: what an undriven bus reads as. */
export const FLOAT: Readonly<Record<Width, number>> = { 1: 0xff, 2: 0xffff, 4: 0xffff_ffff };
