// The machine that sequences run on: one processor, the slots' memory, a device, and a translator that does what it is told.
import type { CpuHost } from "../../../src/cpu/engine/engine.ts";
import type { ProgramGenerator } from "../../../src/cpu/engine/generator.ts";
import { memoryLayout, Processor } from "../../../src/cpu/engine/processor.ts";
import type { TranslatorClient } from "../../../src/cpu/engine/translation.ts";
import { GuestMemory } from "../../../src/memory/guest-memory.ts";
import { NO_DEVICES } from "../../../src/testing/no-devices.ts";
import { DEVICE_PHYSICAL, RAM_BYTES, SLOT_BYTES, slotOffset, SLOTS, Space } from "./space.ts";

/** Bytes of memory in which nothing is: how often they are read, as code is by each engine in its own way, is not to be seen. */
function nothingAt(address: number, bytes: number): number {
  let value = 0;
  for (let i = 0; i < bytes; i++) value |= (Math.imul(address + i, 0x9e37_79b1) >>> 24) << (i * 8);
  return value >>> 0;
}

const isDevice = (address: number): boolean => address >= DEVICE_PHYSICAL && address < DEVICE_PHYSICAL + 0x1000;

/** Vectors of interrupts begin here. */
const FIRST_VECTOR = 0x30;
/** One in so many accesses to a device raises an interrupt, where they may. */
const RARITY = 4;

/** Ports and a page of registers, whose answers depend on what was asked before only. */
class Devices {
  /** What they were asked and told, as a number. */
  hash = 0;
  /** Accesses may raise an interrupt, whose acceptance is part of what is seen. */
  isInterrupting = false;
  processor: Processor | undefined;

  note(kind: number, where: number, width: number, value = 0): number {
    const answer = this.#mix(kind, where, width, value);
    if (this.isInterrupting && (answer >>> 7) % RARITY === 0) this.processor?.setInterruptLine(true);
    return answer;
  }

  #mix(...values: readonly number[]): number {
    for (const value of values) this.hash = (Math.imul(this.hash ^ value, 0x0100_0193) + 0x9e37) | 0;
    return this.hash >>> 0;
  }

  /** The interrupt is accepted, in front of the instruction at `rip`. */
  acknowledge(rip: number): number {
    this.processor?.setInterruptLine(false);
    if (this.isInterrupting) this.#mix(5, rip);
    return FIRST_VECTOR + (this.hash & 7);
  }

  host(): CpuHost {
    return {
      ...NO_DEVICES,
      portRead: (port, width) => this.note(1, port, width),
      portWrite: (port, width, value) => void this.note(2, port, width, value),
      mmioRead: (address, width) => (isDevice(address) ? this.note(3, address, width) : nothingAt(address, width)),
      mmioWrite: (address, width, value) => void this.note(4, address, width, value),
      acknowledgeInterrupt: () => this.acknowledge(this.processor?.context.get32("rip") ?? 0),
    };
  }
}

/** One processor with the slots of a space. */
export class Board {
  readonly processor: Processor;
  readonly memory: GuestMemory;
  readonly space: Space;
  readonly devices: Devices = new Devices();
  /** Whoever translates for the processor gives it what came of it. */
  readonly client: TranslatorClient | undefined;
  /** Pages of the slots in their physical order: live views. */
  readonly #pages: readonly (readonly Uint8Array[])[];

  constructor(kind: "evaluator" | "translator", program: ProgramGenerator) {
    this.memory = new GuestMemory(RAM_BYTES, memoryLayout(1, RAM_BYTES).ramBase);
    this.space = new Space(this.memory);
    let given: TranslatorClient | undefined;
    this.processor = new Processor({
      program: kind === "evaluator" ? program.evaluator() : program.interpreter(),
      memory: this.memory,
      host: this.devices.host(),
      translator:
        kind === "translator"
          ? (client) => {
              given = client;
              return { request: (requests) => client.done(requests) };
            }
          : undefined,
    });
    this.client = given;
    this.devices.processor = this.processor;
    this.#pages = Array.from({ length: SLOTS }, (_, slot) => {
      const whole = this.memory.bytes(this.space.slot(slot), SLOT_BYTES);
      return Array.from({ length: SLOT_BYTES >> 12 }, (_unused, n) => whole.subarray(n << 12, (n + 1) << 12));
    });
  }

  pages(slot: number): readonly Uint8Array[] {
    return this.#pages[slot]!;
  }

  /** Writes a page of a slot, and tells the engine. */
  writePage(slot: number, page: number, bytes: Uint8Array): void {
    this.memory.write(this.space.slot(slot) + (page << 12), bytes);
  }

  /** Host address of an offset in a slot's code. */
  hostOf(slot: number, offset: number): number {
    return this.memory.hostOffset(this.space.slot(slot) + slotOffset("code", offset), 1);
  }
}
