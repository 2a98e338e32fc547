// What a local APIC is made with and what it touches.
import type { DeliverInterrupt } from "../../bus/interrupt-message.ts";
import { REG } from "./registers.ts";
import type { ApicClock } from "./timer.ts";

/** What is fixed when a local APIC is made. */
export interface LocalApicConfig {
  /** x2APIC ID; its low 8 bits are the xAPIC ID. */
  readonly id: number;
  /** True for the processor that starts at the reset vector. */
  readonly bootstrap: boolean;
  /** Whether CPUID announces x2APIC mode. */
  readonly x2apic: boolean;
  /** MAXPHYADDR. */
  readonly physicalBits: number;
  readonly tscHz: number;
  /** The rate that the timer's divide configuration divides, in Hz. */
  readonly timerHz: number;
}

/** Everything a local APIC touches. */
export interface LocalApicWiring {
  readonly clock: ApicClock;
  /** The guest's time-stamp counter, offset included. */
  tscNow(): bigint;
  /** The processor's INTR input: called when the level changes. */
  setInterruptLine(level: boolean): void;
  nmi(): void;
  /** INIT: the processor resets (SDM 3A §10.1). When it is not the bootstrap processor, it then waits for `startUp`. */
  init(): void;
  /** A start-up message: run from `vector` * 1000h in real mode. */
  startUp(vector: number): void;
  /** The INTA cycle of the 8259A; gives its vector. */
  acknowledgePic(): number;
  /** Sends to the APICs a message addresses, this one included. */
  readonly deliver: DeliverInterrupt;
  /** Sends to every other APIC. */
  readonly deliverToOthers: DeliverInterrupt;
  /** Tells the IO-APICs that a level-triggered interrupt is over. */
  endOfInterrupt(vector: number): void;
}

/** An event inside the processor that has an entry in the local vector table. */
export type LocalEvent = "cmci" | "thermal" | "performance";

/** The local vector table entry of each event. */
export const EVENT_REGISTER: Readonly<Record<LocalEvent, number>> = {
  cmci: REG.LVT_CMCI,
  thermal: REG.LVT_THERMAL,
  performance: REG.LVT_PERFORMANCE,
};
