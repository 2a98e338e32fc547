// Intel 8254 Programmable Interval Timer as a PC has it: counter 0 drives IRQ 0, counter 1 the memory refresh, counter 2 the speaker.
//
// Waveforms are computed from the clock when they are looked at. Only IRQ 0 needs a timer, armed for the exact time of OUT's next rise, so that
// no drift adds up. When the host is late, the ticks missed meanwhile become one.
//
// DEVNOTE: the IRQ line does not follow OUT down in modes 2 to 5. An 8259A forgets a request whose line falls before it is acknowledged, and with
// a late host rise and fall may come at one time; so the line falls just before it rises again. `out` and the status byte are exact.
import { byteWide } from "../../bus/byte-wide.ts";
import { VmError } from "../../support/errors.ts";
import { codec, record, tuple } from "../../support/schema.ts";
import type { Clock, Codec, Device, DeviceType, Line, PortRegion, Timer, Wiring } from "../device.ts";
import {
  advance,
  COUNTER,
  isPossible,
  latchCount,
  latchStatus,
  modeOf,
  nextRise,
  outOf,
  powerOnCounter,
  readByte,
  setGate,
  writeControl,
  writeCount,
  type CounterState,
} from "./counter.ts";
import {
  CONTROL_WORD,
  nsOfTick,
  PIT_BASE,
  READ_BACK_COUNT,
  READ_BACK_STATUS,
  RW_LATCH,
  RW_SHIFT,
  SC_READ_BACK,
  SC_SHIFT,
  ticksAt,
} from "./spec.ts";

/** The three counters. */
export interface PitState {
  counters: [CounterState, CounterState, CounterState];
}

const STATE: Codec<PitState> = codec(
  "pit8254",
  1,
  record<PitState>({ counters: tuple<[CounterState, CounterState, CounterState]>(COUNTER, COUNTER, COUNTER) }),
);

/** An 8254. Line: "irq" (OUT of counter 0). */
export class Pit8254 implements Device<PitState> {
  readonly ports: readonly PortRegion[];
  readonly #clock: Clock;
  readonly #irq: Line;
  readonly state: PitState;
  #timer: Timer | undefined;

  constructor(wiring: Wiring) {
    this.#clock = wiring.clock;
    this.#irq = wiring.line("irq");
    this.ports = [
      {
        name: "pit8254",
        base: PIT_BASE,
        length: 4,
        ...byteWide({ readByte: (offset) => this.#read(offset), writeByte: (offset, value) => this.#write(offset, value) }),
      },
    ];
    this.state = powerOn(this.#clock);
  }

  reset(): void {
    Object.assign(this.state, powerOn(this.#clock));
    this.#drive();
  }

  resync(): void {
    const now = ticksAt(this.#clock.now());
    this.state.counters.forEach((counter, index) => {
      if (isPossible(counter, now)) return;
      const { at, left, loaded } = counter;
      throw new VmError("STATE_INVALID", `Cannot restore pit8254: counters[${index}] cannot be ${left} of ${loaded} at tick ${at}`, {
        data: { unit: "pit8254", field: `counters[${index}]`, value: { at, left, loaded } },
      });
    });
    this.#drive();
  }

  /** The level of a counter's OUT pin now. */
  out(counter: 0 | 1 | 2): boolean {
    this.#advance();
    return outOf(this.state.counters[counter]);
  }

  /** Drives a counter's GATE pin. In a PC those of counters 0 and 1 are tied high; port 61h drives that of counter 2. */
  setGate(counter: 0 | 1 | 2, level: boolean): void {
    this.#advance();
    setGate(this.state.counters[counter], level);
    if (counter === 0) this.#drive();
  }

  #read(offset: number): number {
    this.#advance();
    const counter = this.state.counters[offset];
    // The control word register cannot be read (8254 datasheet, "Read/Write Operations Summary"): the bus floats.
    return counter === undefined ? 0xff : readByte(counter);
  }

  #write(offset: number, value: number): void {
    this.#advance();
    const counter = this.state.counters[offset];
    if (offset === CONTROL_WORD) this.#command(value);
    else if (counter !== undefined) writeCount(counter, value);
    this.#drive();
  }

  #command(value: number): void {
    const select = value >> SC_SHIFT;
    const counter = this.state.counters[select];
    if (select === SC_READ_BACK) this.#readBack(value);
    else if (counter === undefined) return;
    else if (((value >> RW_SHIFT) & 3) === RW_LATCH) latchCount(counter);
    else writeControl(counter, value);
  }

  #readBack(value: number): void {
    this.state.counters.forEach((counter, index) => {
      if ((value & (2 << index)) === 0) return;
      if ((value & READ_BACK_COUNT) === 0) latchCount(counter);
      if ((value & READ_BACK_STATUS) === 0) latchStatus(counter);
    });
  }

  /** Brings the counters up to now; OUT 0 having risen, once or more often, is one edge of the IRQ line. */
  #advance(): void {
    const tick = ticksAt(this.#clock.now());
    const [zero, one, two] = this.state.counters;
    advance(one, tick);
    advance(two, tick);
    if (!advance(zero, tick)) return;
    this.#irq.set(false);
    this.#irq.set(true);
  }

  #drive(): void {
    this.#irq.set(this.#irqLevel());
    this.#arm();
  }

  #irqLevel(): boolean {
    const [zero] = this.state.counters;
    return modeOf(zero) > 1 || outOf(zero);
  }

  #arm(): void {
    this.#timer?.cancel();
    const rise = nextRise(this.state.counters[0]);
    this.#timer = rise === null ? undefined : this.#clock.arm(nsOfTick(rise), () => this.#tick());
  }

  #tick(): void {
    this.#advance();
    this.#arm();
  }
}

function powerOn(clock: Clock): PitState {
  const at = ticksAt(clock.now());
  return { counters: [powerOnCounter(true, at), powerOnCounter(true, at), powerOnCounter(false, at)] };
}

/** The 8254 interval timer. */
export const pit8254: DeviceType<Record<never, never>, PitState, Pit8254> = {
  kind: "pit8254",
  state: STATE,
  create: (_, wiring) => new Pit8254(wiring),
};
