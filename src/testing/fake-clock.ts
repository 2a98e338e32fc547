// A clock that stands still until it is told to go, and fires its timers in order.
import type { Clock, Timer } from "../devices/device.ts";

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly fire: () => void;
}

/** A test's clock: starts at 0 ns, moves only by `advance`, `advanceTo` and `jump`. */
export class FakeClock implements Clock {
  /** Wall-clock time at now() = 0, in milliseconds since 1970 (UTC). */
  wallBaseMs: number;
  #now = 0;
  #order = 0;
  readonly #pending = new Set<Pending>();

  constructor(wallBaseMs: number = Date.UTC(2001, 1, 3, 4, 5, 6)) {
    this.wallBaseMs = wallBaseMs;
  }

  now(): number {
    return this.#now;
  }

  wallClockMs(): number {
    return this.wallBaseMs + this.#now / 1e6;
  }

  arm(atNs: number, fire: () => void): Timer {
    const pending: Pending = { at: atNs, order: this.#order++, fire };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  /** How many timers are armed. */
  get armed(): number {
    return this.#pending.size;
  }

  /** When the next timer is due, in ns; Infinity when none is armed. */
  get nextAt(): number {
    return this.#next(Number.POSITIVE_INFINITY)?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Moves on by `ns`, firing each timer exactly at its time. */
  advance(ns: number): void {
    this.advanceTo(this.#now + ns);
  }

  /** Moves on to `atNs`, firing each timer exactly at its time. */
  advanceTo(atNs: number): void {
    for (let due = this.#next(atNs); due !== undefined; due = this.#next(atNs)) {
      this.#now = Math.max(this.#now, due.at);
      this.#fire(due);
    }
    this.#now = Math.max(this.#now, atNs);
  }

  /** Moves on by `ns` first and fires the timers then: a host that was late. Timers armed meanwhile fire if they are due too. */
  jump(ns: number): void {
    this.#now += ns;
    this.advanceTo(this.#now);
  }

  #fire(due: Pending): void {
    this.#pending.delete(due);
    due.fire();
  }

  #next(limit: number): Pending | undefined {
    let best: Pending | undefined;
    for (const each of this.#pending) {
      if (each.at > limit) continue;
      if (best === undefined || each.at < best.at || (each.at === best.at && each.order < best.order)) best = each;
    }
    return best;
  }
}
