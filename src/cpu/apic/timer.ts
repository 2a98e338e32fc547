// The local APIC's timer (SDM 3A §11.5.4): a down-counter at a fixed rate, or a deadline on the time-stamp counter. Nothing ticks: counts
// follow from the clock when they are read, and one host timer is armed only while an unmasked interrupt lies ahead.
import { u32, u64, boolean, integer, number, record, type Schema } from "../../support/schema.ts";
import { TIMER_MODE } from "./registers.ts";

/** Time for the local APIC: nanoseconds, and timers on the same scale. */
export interface ApicClock {
  now(): number;
  /** Calls `fire` once, at or soon after `atNs`. */
  arm(atNs: number, fire: () => void): { cancel(): void };
}

/** What the timer is told by its processor and its machine. */
export interface ApicTimerWiring {
  readonly clock: ApicClock;
  /** The guest's time-stamp counter, offset included. */
  tscNow(): bigint;
  readonly tscHz: number;
  /** The rate that the divide configuration divides, in Hz. */
  readonly timerHz: number;
  /** The count reached zero, or the deadline passed. */
  expired(): void;
}

/** The timer's saved state. */
export interface ApicTimerState {
  initial: number;
  /** Divide configuration register. */
  divide: number;
  running: boolean;
  /** The count at time `sinceNs`. */
  count: number;
  sinceNs: number;
  /** IA32_TSC_DEADLINE; 0 is disarmed. */
  deadline: bigint;
}

/** Describes ApicTimerState. */
export const TIMER_STATE: Schema<ApicTimerState> = record<ApicTimerState>({
  initial: u32,
  divide: integer(0, 0xb),
  running: boolean,
  count: u32,
  sinceNs: number,
  deadline: u64,
});

// A guest may ask for a period of one tick. The count stays exact then, but the host is not woken more often than this.
const SHORTEST_WAKE_NS = 10_000;

/** The timer's state after power-on and INIT. */
export function idleTimer(): ApicTimerState {
  return { initial: 0, divide: 0, running: false, count: 0, sinceNs: 0, deadline: 0n };
}

/** The divisor that a divide configuration stands for: bits 3, 1 and 0 count 2, 4, … 128, and 111b is 1 (SDM 3A figure 11-10). */
export function divisor(divide: number): number {
  return 1 << ((((divide & 3) | ((divide >> 1) & 4)) + 1) & 7);
}

/** One processor's timer. */
export class ApicTimer {
  readonly #wiring: ApicTimerWiring;
  #state: ApicTimerState;
  #mode: number = TIMER_MODE.ONE_SHOT;
  #masked = true;
  #armed: { cancel(): void } | null = null;

  constructor(wiring: ApicTimerWiring, state: ApicTimerState) {
    this.#wiring = wiring;
    this.#state = state;
  }

  /** Takes over a state, as after a reset or restore, with the mode and mask that LVT_TIMER holds. */
  adopt(state: ApicTimerState, mode: number, masked: boolean): void {
    this.#state = state;
    this.#mode = mode;
    this.#masked = masked;
    this.#rearm(0);
  }

  get initialCount(): number {
    return this.#state.initial;
  }

  get divideConfiguration(): number {
    return this.#state.divide;
  }

  get currentCount(): number {
    this.catchUp();
    return this.#state.running ? this.#remaining(this.#wiring.clock.now()) : 0;
  }

  /** IA32_TSC_DEADLINE: 0 once it has passed. */
  get deadline(): bigint {
    this.catchUp();
    return this.#state.deadline;
  }

  /** Starts the count, or stops it with 0. Ignored in TSC-deadline mode (SDM 3A §11.5.4.1). */
  setInitialCount(count: number): void {
    if (this.#mode === TIMER_MODE.TSC_DEADLINE) return;
    this.#state.initial = count;
    this.#restart(count);
  }

  /** Goes on from the count reached, at the new rate. */
  setDivideConfiguration(divide: number): void {
    const reached = this.currentCount;
    this.#state.divide = divide;
    if (this.#state.running) this.#restart(reached);
  }

  /** Arms the deadline, or disarms it with 0; a deadline that has passed expires at once. Ignored in the other modes. */
  setDeadline(deadline: bigint): void {
    if (this.#mode !== TIMER_MODE.TSC_DEADLINE) return;
    this.#state.deadline = deadline;
    this.catchUp();
    this.#rearm(0);
  }

  /** Follows LVT_TIMER. Entering or leaving TSC-deadline mode disarms; one-shot and periodic share one running count. */
  configure(mode: number, masked: boolean): void {
    if ((mode === TIMER_MODE.TSC_DEADLINE) !== (this.#mode === TIMER_MODE.TSC_DEADLINE)) {
      Object.assign(this.#state, idleTimer(), { divide: this.#state.divide });
    }
    this.#mode = mode;
    this.#masked = masked;
    this.#rearm(0);
  }

  /** Acts on an expiry that has come but not been seen. Call before a change that decides what an expiry does. */
  catchUp(): void {
    if (this.#mode === TIMER_MODE.TSC_DEADLINE) this.#catchUpDeadline();
    else if (this.#state.running) this.#catchUpCount(this.#wiring.clock.now());
  }

  /** Follows a change of the time-stamp counter other than by the passing of time. */
  tscChanged(): void {
    this.catchUp();
    this.#rearm(0);
  }

  #catchUpDeadline(): void {
    const { deadline } = this.#state;
    if (deadline === 0n || this.#wiring.tscNow() < deadline) return;
    this.#state.deadline = 0n;
    this.#wiring.expired();
  }

  #catchUpCount(now: number): void {
    const state = this.#state;
    const end = this.#expiryNs;
    if (now < end) return;
    if (this.#mode === TIMER_MODE.PERIODIC && state.initial > 0) {
      const period = state.initial * this.#tickNs;
      state.sinceNs = end + Math.floor((now - end) / period) * period;
      state.count = state.initial;
    } else {
      state.running = false;
      state.count = 0;
    }
    this.#wiring.expired();
  }

  #restart(count: number): void {
    this.#state.running = count > 0;
    this.#state.count = count;
    this.#state.sinceNs = this.#wiring.clock.now();
    this.#rearm(0);
  }

  /** Nanoseconds a count. */
  get #tickNs(): number {
    return (divisor(this.#state.divide) * 1e9) / this.#wiring.timerHz;
  }

  get #expiryNs(): number {
    return this.#state.sinceNs + this.#state.count * this.#tickNs;
  }

  #remaining(now: number): number {
    return Math.max(this.#state.count - Math.floor((now - this.#state.sinceNs) / this.#tickNs), 0);
  }

  #rearm(earliestNs: number): void {
    this.#armed?.cancel();
    this.#armed = null;
    if (this.#masked) return;
    const at = this.#mode === TIMER_MODE.TSC_DEADLINE ? this.#deadlineNs() : this.#state.running ? this.#expiryNs : null;
    if (at !== null) this.#armed = this.#wiring.clock.arm(Math.max(at, earliestNs), this.#fire);
  }

  /** When the deadline passes, rounded up so that the counter has reached it then. */
  #deadlineNs(): number | null {
    if (this.#state.deadline === 0n) return null;
    const ticks = Number(this.#state.deadline - this.#wiring.tscNow());
    return this.#wiring.clock.now() + Math.max(Math.ceil((ticks * 1e9) / this.#wiring.tscHz), 1);
  }

  readonly #fire = (): void => {
    this.#armed = null;
    this.catchUp();
    this.#rearm(this.#wiring.clock.now() + (this.#mode === TIMER_MODE.PERIODIC ? SHORTEST_WAKE_NS : 0));
  };
}
