// The machine's one source of time. The time-stamp counter, the APIC timer, the interval timer and the PM timer all read `now`, hence they agree
// with one another and with the host by construction.
import type { Clock, Timer } from "../devices/device.ts";
import type { HostClock } from "./machine.ts";
import { TimerQueue } from "./timer-queue.ts";

/** Guest time: the host's monotonic clock without the times when the machine stood still. Starts paused, at 0 ns. */
export class MachineClock implements Clock {
  /** Told of every timer that becomes the next one to fire. */
  onEarlier: (atNs: number) => void = () => {};
  readonly #host: HostClock;
  readonly #timers = new TimerQueue();
  /** Host time at guest time 0. */
  #origin = 0;
  #pausedAt: number | undefined = 0;

  constructor(host: HostClock) {
    this.#host = host;
  }

  now(): number {
    return this.#pausedAt ?? this.#host.nowNs() - this.#origin;
  }

  wallClockMs(): number {
    return this.#host.wallClockMs();
  }

  arm(atNs: number, fire: () => void): Timer {
    const earlier = atNs < this.#timers.nextAt;
    const timer = this.#timers.add(atNs, fire);
    if (earlier) this.onEarlier(atNs);
    return timer;
  }

  /** When the next timer is due, in ns; Infinity when none is armed. */
  get nextAt(): number {
    return this.#timers.nextAt;
  }

  /** Fires the timers that are due. */
  fireDue(): void {
    this.#timers.fireDue(this.now());
  }

  /** Lets time stand still. */
  pause(): void {
    this.#pausedAt = this.now();
  }

  /** Lets time go on from where it stood. */
  resume(): void {
    if (this.#pausedAt === undefined) return;
    this.#origin = this.#host.nowNs() - this.#pausedAt;
    this.#pausedAt = undefined;
  }
}
