// Runs bare-metal programs on Nido's engines.
import type { CpuHost } from "../../src/cpu/engine/engine.ts";
import { memoryLayout, Processor } from "../../src/cpu/engine/processor.ts";
import type { ProgramGenerator } from "../../src/cpu/engine/generator.ts";
import { GuestMemory } from "../../src/memory/guest-memory.ts";
import { type Check, type Ending, ORIGIN, PORT, type ProgramResult, type ProgramRunner } from "./program.ts";

const RAM_BYTES = 4 << 20;
const MAX_INSTRUCTIONS = 20_000;
/** Instructions between looks at whether the program has ended, and how many looks there are at most. */
const SLICE = 500;
const MAX_SLICES = 50;
/** Slices in a row without a completed instruction: exceptions without end. */
const MAX_IDLE_SLICES = 3;

/** The devices of the test machine: ports for checks, and the interrupt pins. */
class Devices implements CpuHost {
  readonly checks: Check[] = [];
  finished = false;
  processor: Processor | undefined;
  #actual = 0;
  #expected = 0;
  #vector = -1;
  #vectorWhenHalted = -1;
  #nmiWhenHalted = false;

  portWrite(port: number, _width: number, value: number): void {
    switch (port) {
      case PORT.actual:
        this.#actual = value;
        break;
      case PORT.expected:
        this.#expected = value;
        break;
      case PORT.line:
        this.checks.push({ line: value, actual: this.#actual, expected: this.#expected });
        break;
      case PORT.intr:
        this.#raise(value);
        break;
      case PORT.nmi:
        this.processor?.nmi();
        break;
      case PORT.haltIntr:
        this.#vectorWhenHalted = value;
        break;
      case PORT.haltNmi:
        this.#nmiWhenHalted = true;
        break;
      case PORT.finish:
        this.finished = true;
        break;
    }
  }

  /** Acts on what was scheduled for the next halt → false when nothing was. */
  wake(): boolean {
    if (this.#nmiWhenHalted) {
      this.#nmiWhenHalted = false;
      this.processor?.nmi();
      return true;
    }
    if (this.#vectorWhenHalted < 0) return false;
    this.#raise(this.#vectorWhenHalted);
    this.#vectorWhenHalted = -1;
    return true;
  }

  #raise(vector: number): void {
    this.#vector = vector & 0xff;
    this.processor?.setInterruptLine(true);
  }

  acknowledgeInterrupt(): number {
    const vector = this.#vector;
    this.#vector = -1;
    this.processor?.setInterruptLine(false);
    return vector;
  }

  portRead(): number {
    return 0xffff_ffff;
  }
  mmioRead(): number {
    return 0xffff_ffff;
  }
  mmioWrite(): void {}
  readTsc(): number {
    return 0;
  }
  readMsr(): undefined {}
  writeMsr(): undefined {}
  readCr8(): number {
    return 0;
  }
  writeCr8(): void {}
  random(): bigint {
    return 0n;
  }
  ferr(): void {}
}

/** How a program is watched. */
export interface Watch {
  /** Instructions between two looks: this many, and up to the next branch or what the fast loop has no case for. */
  readonly every: number;
  readonly look: (processor: Processor) => void;
}

/** One of Nido's engines; every program gets a processor of its own. */
export class ProcessorRunner implements ProgramRunner {
  readonly name: "interpreter" | "evaluator";
  readonly #program: ProgramGenerator;

  constructor(kind: "interpreter" | "evaluator", program: ProgramGenerator) {
    this.name = kind;
    this.#program = program;
  }

  run(bytes: Uint8Array, watch: Watch = { every: SLICE, look: () => {} }): ProgramResult {
    const memory = new GuestMemory(RAM_BYTES, memoryLayout(1, RAM_BYTES).ramBase);
    const devices = new Devices();
    const processor = new Processor({ program: this.#program[this.name](), memory, host: devices });
    devices.processor = processor;
    memory.write(ORIGIN, bytes);
    const { registers } = processor;
    registers.setSegment("cs", { selector: 0, base: 0n, limit: 0xffff, access: 0x9b });
    registers.set("rip", BigInt(ORIGIN));
    registers.commit();
    return { ending: this.#runToEnd(processor, devices, watch), checks: devices.checks };
  }

  #runToEnd(processor: Processor, devices: Devices, { every, look }: Watch): Ending {
    let idle = 0;
    for (let i = 0; i < (MAX_SLICES * SLICE) / every && idle < MAX_IDLE_SLICES && processor.instructions < MAX_INSTRUCTIONS; i++) {
      const before = processor.instructions;
      const exit = processor.run(every);
      look(processor);
      idle = exit === "budget" && processor.instructions === before ? idle + 1 : 0;
      if (devices.finished) return "finished";
      if (exit === "shutdown") return "shutdown";
      if (exit === "halt" && !devices.wake()) return "halted";
    }
    return "timeout";
  }
}
