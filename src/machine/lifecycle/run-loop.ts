// The heart of a machine: slices of the processor, the timers between them, and the waiting when there is nothing to do.
//
//   turn ── fire due timers ── slice of <= 1 ms ─┬─ again, for 2 ms ── yield to the event loop ──> turn
//                                                └─ halted ── nap until the next timer or interrupt ──> turn
//
// A slice is never longer than the time to the next timer, and a timer that is armed meanwhile for an earlier time cuts it short: guests see their
// timers on time. Slices return often also because V8 swaps in optimised code only when a function is entered anew.
import type { Engine } from "../../cpu/engine/engine.ts";
import type { MachineClock } from "../clock.ts";
import type { MachineEnd, MachineHost, MachineStatistics } from "../machine.ts";
import { asVmError } from "../protocol.ts";
import { Nap } from "./nap.ts";
import { SliceBudget } from "./slice-budget.ts";

const SLICE_NS = 1e6;
const TURN_NS = 2e6;
// Kernels keep interrupts off for microseconds at a time, counted on silicon; for us these are milliseconds, in which ticks would be lost. So while
// an interrupt waits to be accepted, a slice counts for a fraction of its time; but not for ever, because the guest may mean to leave it waiting.
const WAITING_GRANT_NS = 50_000;
const PATIENCE_NS = 50e6;

/** What the loop drives. */
export interface RunLoopParts {
  readonly engine: Engine;
  readonly clock: MachineClock;
  readonly host: Pick<MachineHost, "clock" | "scheduleSoon" | "scheduleAfter" | "congestion">;
  /** Says where the processor stands, for the report of a triple fault. */
  readonly describeShutdown: () => string;
  /** Called once, when the loop has stopped for good. */
  readonly ended: (end: MachineEnd) => void;
}

/** Runs one machine until something ends it. */
export class RunLoop {
  readonly #parts: RunLoopParts;
  readonly #budget = new SliceBudget();
  readonly #nap: Nap;
  #end: MachineEnd | undefined;
  #over = false;
  /** In a slice: when it is to end; otherwise -Infinity. */
  #sliceEndNs = Number.NEGATIVE_INFINITY;
  /** In a nap: when it is to end; otherwise -Infinity. */
  #napEndNs = Number.NEGATIVE_INFINITY;
  /** Since when, in the host's time, an interrupt waits to be accepted; Infinity when none does. */
  #waitingSinceNs = Number.POSITIVE_INFINITY;
  #firstAtMs: number | undefined;
  #busyNs = 0;

  constructor(parts: RunLoopParts) {
    this.#parts = parts;
    this.#nap = new Nap(parts.host, this.#turn);
    parts.clock.onEarlier = (atNs) => this.#timerArmed(atNs);
    parts.clock.onLimit = () => this.#overtime();
  }

  /** What the processor did so far. */
  get statistics(): MachineStatistics {
    const { instructions, counters, translated } = this.#parts.engine;
    return { instructions, busyMs: this.#busyNs / 1e6, firstAtMs: this.#firstAtMs, processor: counters, translation: translated };
  }

  /** Lets time and processor run. */
  start(): void {
    this.#parts.clock.resume();
    this.#soon();
  }

  /** The processor's interrupt line has a new level. A high one ends a nap. */
  interruptLine(level: boolean): void {
    this.#waitingSinceNs = level ? this.#parts.host.clock.nowNs() : Number.POSITIVE_INFINITY;
    if (level) this.#nap.wake();
  }

  /** The processor has accepted an interrupt; another may wait. */
  interruptAccepted(): void {
    if (this.#waitingSinceNs !== Number.POSITIVE_INFINITY) this.#waitingSinceNs = this.#parts.host.clock.nowNs();
  }

  /** Something else than an interrupt wants the processor's attention: ends a nap. */
  wake(): void {
    this.#nap.wake();
  }

  /** Ends the machine, at the latest after the instruction that runs now. The first reason counts. */
  end(reason: MachineEnd): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    if (this.#sliceEndNs > 0) this.#parts.engine.kick();
    else {
      this.#nap.cancel();
      this.#soon();
    }
  }

  readonly #turn = (): void => {
    if (this.#over) return;
    this.#napEndNs = Number.NEGATIVE_INFINITY;
    try {
      this.#runTurn();
    } catch (error) {
      this.#end = { kind: "error", error: asVmError(error) };
    }
    if (this.#end !== undefined) this.#finish(this.#end);
  };

  #runTurn(): void {
    const { clock, host } = this.#parts;
    const turnEnd = host.clock.nowNs() + TURN_NS;
    while (host.clock.nowNs() < turnEnd) {
      clock.fireDue();
      if (this.#end !== undefined) return;
      const exit = this.#runSlice();
      if (this.#end !== undefined) return;
      if (exit === "shutdown") return this.end({ kind: "tripleFault", detail: this.#parts.describeShutdown() });
      if (exit === "halt" && clock.nextAt > clock.now()) return this.#rest();
    }
    this.#goOn();
  }

  #runSlice(): ReturnType<Engine["run"]> {
    const { engine, clock, host } = this.#parts;
    const length = this.#grant();
    const began = host.clock.nowNs();
    const before = engine.instructions;
    this.#firstAtMs ??= host.clock.wallClockMs();
    this.#sliceEndNs = clock.now() + length;
    try {
      return engine.run(this.#budget.instructions(length));
    } finally {
      this.#sliceEndNs = Number.NEGATIVE_INFINITY;
      const took = host.clock.nowNs() - began;
      this.#busyNs += took;
      this.#budget.measured(engine.instructions - before, took);
    }
  }

  /** Gives the guest its time for a slice; gives how long the slice may take. */
  #grant(): number {
    const { clock, host } = this.#parts;
    const waitedNs = host.clock.nowNs() - this.#waitingSinceNs;
    if (waitedNs < 0 || waitedNs > PATIENCE_NS) return clock.grant(SLICE_NS);
    clock.grant(WAITING_GRANT_NS);
    return SLICE_NS;
  }

  /** The next turn, after a look at the event loop. While nobody takes the output, time stands still for the guest. */
  #goOn(): void {
    const { congestion } = this.#parts.host;
    if (congestion === undefined) return this.#soon();
    this.#parts.clock.pause();
    void congestion.then(() => {
      this.#parts.clock.resume();
      this.#soon();
    });
  }

  #rest(): void {
    const { clock } = this.#parts;
    this.#napEndNs = clock.nextAt;
    this.#nap.start(clock.await());
  }

  #timerArmed(atNs: number): void {
    if (atNs < this.#sliceEndNs) this.#parts.engine.kick();
    else if (atNs < this.#napEndNs) this.#nap.wake();
  }

  /** A slice takes longer than it should, and the guest looks at the clock: it gets more time with the next one. */
  #overtime(): void {
    if (this.#sliceEndNs > 0) this.#parts.engine.kick();
  }

  #soon(): void {
    this.#parts.host.scheduleSoon(this.#turn);
  }

  #finish(end: MachineEnd): void {
    this.#over = true;
    this.#nap.cancel();
    this.#parts.clock.pause();
    this.#parts.ended(end);
  }
}
