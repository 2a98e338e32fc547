// The machine's one source of time. The time-stamp counter, the APIC timer, the interval timer and the PM timer all read `now`, hence they agree
// with one another by construction, and with the host because of the debt.
//
// A host that is busy takes the processor away from us for many milliseconds. If the guest's time ran on meanwhile, its ticks would be lost and it
// would find its clocks in disagreement (Linux: "Marking clocksource 'tsc' as unstable"). So time passes only as far as it was granted; all but a
// trace of what the host took beyond that is a debt to the guest, which is paid back with each slice, and with half of
// every wait: a guest that sleeps for a second then wakes after half of one.
//
//   host   ───────────────────────|  stall  |────────────────────────────────>
//   guest  ───────────────────────|---------------------------───────────────>
//                                    debt     runs faster by a quarter
import type { Clock, Timer } from "../devices/device.ts";
import type { HostClock } from "./machine.ts";
import { TimerQueue } from "./timer-queue.ts";

/** Which part of a grant may go to the debt. */
const REPAYMENT = 1 / 4;
/** A timer that close is waited for between slices rather than cut exactly. */
const SHORTEST_GRANT_NS = 20_000;
/** How late a sleeping machine may wake without owing anything. */
const OVERSLEEP_NS = 1e6;
/** How fast time creeps beyond what was granted, and how far at most: clocks that stand still are a fault that guests look for. */
const CREEP = 1 / 64;
const CREEP_MOST_NS = 1e6;
/**
 * Nothing hides a single gap as long as this: a stopped process, a suspended host. It is passed on as soon as the guest is idle. A sum of short
 * stalls is not: a guest whose time leapt by seconds finds its clocks in disagreement, for the PM timer wraps around every 4.7 s.
 */
const LONGEST_STALL_NS = 10e9;

/** Guest time. Starts paused, at 0 ns. */
export class MachineClock implements Clock {
  /** Told of every timer that becomes the next one to fire. */
  onEarlier: (atNs: number) => void = () => {};
  /** Told when somebody looks and finds that what was granted has passed. */
  onLimit: () => void = () => {};
  readonly #host: HostClock;
  readonly #timers = new TimerQueue();
  /** Host time at guest time 0. */
  #origin = 0;
  /** What was granted; beyond it guest time only creeps. */
  #limit = 0;
  #debt = 0;
  /** What of the host's time was too long to hide and has not been passed on. */
  #gap = 0;
  #paused = true;

  constructor(host: HostClock) {
    this.#host = host;
  }

  now(): number {
    if (this.#paused) return this.#limit;
    const time = this.#hostTime();
    if (time <= this.#limit) return time;
    this.onLimit();
    return this.#limit + creep(time - this.#limit);
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

  /** By how much the guest is behind the host, in ns. */
  get debtNs(): number {
    return this.#debt + this.#gap;
  }

  /** Fires the timers that are due. */
  fireDue(): void {
    this.#timers.fireDue(this.now());
  }

  /** Lets time stand still. */
  pause(): void {
    this.#limit = this.#settle();
    this.#paused = true;
  }

  /** Lets time go on from where it stood, as far as it is granted. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#origin = Math.floor(this.#host.nowNs()) - this.#limit;
  }

  /**
   * The guest runs: lets time pass until the next timer, but at most `ns` until the next grant, and gives how many ns that is. No repayment goes
   * past a timer, so that a guest that counts from one tick to the next finds them evenly spaced.
   */
  grant(ns: number): number {
    const until = this.#timers.nextAt;
    if (this.#paused) return Math.min(ns, until - this.#limit);
    const now = this.#settle();
    const reached = this.#repay(now, Math.min(ns * REPAYMENT, Math.max(until - now, 0)));
    const granted = Math.floor(Math.min(ns, Math.max(until - reached, SHORTEST_GRANT_NS)));
    this.#limit = reached + granted;
    return granted;
  }

  /** The guest waits for the next timer: lets time pass until then, and gives how many ns that is. Infinity when there is no timer. */
  await(): number {
    const until = this.#timers.nextAt;
    if (this.#paused) return until - this.#limit;
    const now = this.#leap(this.#settle());
    const reached = this.#repay(now, Math.max(until - now, 0) / 2);
    this.#limit = Math.ceil(Math.max(until, reached)) + OVERSLEEP_NS;
    return until - reached;
  }

  /** Whole nanoseconds, so that no rounding ever takes time back. */
  #hostTime(): number {
    return Math.floor(this.#host.nowNs()) - this.#origin;
  }

  /** Turns what the host took beyond the limit into debt; gives the time. */
  #settle(): number {
    if (this.#paused) return this.#limit;
    const time = this.#hostTime();
    if (time <= this.#limit) return time;
    const reached = this.#limit + creep(time - this.#limit);
    const hidden = time - reached;
    this.#origin += hidden;
    if (hidden > LONGEST_STALL_NS) this.#gap += hidden;
    else this.#debt += hidden;
    return reached;
  }

  /** Passes the gap on; gives the time after that. */
  #leap(now: number): number {
    const gap = this.#gap;
    this.#gap = 0;
    this.#origin -= gap;
    return now + gap;
  }

  /** Pays back at most `most`; gives the time after that. */
  #repay(now: number, most: number): number {
    const paid = Math.floor(Math.min(this.#debt, most));
    this.#debt -= paid;
    this.#origin -= paid;
    return now + paid;
  }
}

function creep(beyondNs: number): number {
  const creeping = beyondNs * CREEP;
  return Math.floor(creeping / (1 + creeping / CREEP_MOST_NS));
}
