// A machine's host whose time passes only as it is looked at: a machine runs on it without waiting, and the same way every time.
import type { ByteStore } from "../disk/byte-store.ts";
import type { CommandOutput, HostClock, MachineEnd, MachineHost, RunningMachine, ScheduledTask } from "../machine/machine.ts";
import type { VmError } from "../support/errors.ts";
import { RecordedLog } from "./fake-wiring.ts";

/** What passes with every look at the clock, in ns. */
const LOOK_NS = 1000;
/** Promises that depend on one another settle within so many rounds of the queue. */
const SETTLE_ROUNDS = 20;
const WALL_BASE_MS: number = Date.UTC(2001, 1, 3, 4, 5, 6);

interface Task extends ScheduledTask {
  readonly at: number;
  readonly run: () => void;
}

/** What the host hands to a machine. */
export interface FakeMachineFiles {
  readonly kernel: Uint8Array;
  readonly initrd?: Uint8Array;
  readonly disks?: readonly ByteStore[];
  /** Spares a test the generation of the interpreter's module. */
  readonly interpreter?: WebAssembly.Module;
}

/** A host for one machine. */
export class FakeMachineHost implements MachineHost {
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array | undefined;
  readonly disks: readonly ByteStore[];
  readonly interpreter: WebAssembly.Module | undefined;
  readonly clock: HostClock;
  readonly log: RecordedLog = new RecordedLog();
  congestion: Promise<void> | undefined;
  /** What came out so far, as Latin-1 text. */
  readonly output: Record<"serial" | "debug" | CommandOutput, string> = { serial: "", debug: "", stdout: "", stderr: "" };
  readonly diskFailures: VmError[] = [];
  end: MachineEnd | undefined;
  /** How long the host waited for the machine's timers, in ns. */
  idleNs = 0;
  #nowNs = 1e9;
  #soon: (() => void)[] = [];
  #tasks: Task[] = [];

  constructor({ kernel, initrd, disks = [], interpreter }: FakeMachineFiles) {
    this.kernel = kernel;
    this.initrd = initrd;
    this.disks = disks;
    this.interpreter = interpreter;
    this.clock = { nowNs: () => (this.#nowNs += LOOK_NS), wallClockMs: () => WALL_BASE_MS + this.#nowNs / 1e6 };
  }

  /** Lets `ns` pass at once. */
  elapse(ns: number): void {
    this.#nowNs += ns;
  }

  fillRandom(into: Uint8Array): void {
    into.forEach((_, index) => (into[index] = (index * 37 + 11) & 0xff));
  }

  scheduleSoon(task: () => void): void {
    this.#soon.push(task);
  }

  scheduleAfter(delayNs: number, run: () => void): ScheduledTask {
    const task: Task = {
      at: this.#nowNs + delayNs,
      run,
      cancel: () => {
        this.#tasks = this.#tasks.filter((other) => other !== task);
      },
    };
    this.#tasks.push(task);
    return task;
  }

  serialOut(bytes: Uint8Array): void {
    this.#add("serial", bytes);
  }

  debugOut(bytes: Uint8Array): void {
    this.#add("debug", bytes);
  }

  execOut(stream: CommandOutput, bytes: Uint8Array): void {
    this.#add(stream, bytes);
  }

  diskFailed(error: VmError): void {
    this.diskFailures.push(error);
  }

  ended(end: MachineEnd): void {
    this.end = end;
  }

  /** Runs what is scheduled until `done` holds; fails after `limitNs` of simulated time, or when nothing is left to happen. */
  async until(done: () => boolean, limitNs = 3e9): Promise<void> {
    const limit = this.#nowNs + limitNs;
    for (;;) {
      await Promise.resolve();
      for (let round = 0; round < SETTLE_ROUNDS && this.#soon.length === 0; round++) await Promise.resolve();
      if (done()) return;
      const tasks = this.#soon;
      this.#soon = [];
      for (const task of tasks) task();
      if (tasks.length === 0) this.#sleep();
      if (this.#nowNs > limit)
        throw new Error(`not done after ${limitNs / 1e9} s; the serial line said ${JSON.stringify(this.output.serial)}`);
    }
  }

  /** Starts a machine and lets it run to its end. */
  async run(machine: RunningMachine): Promise<MachineEnd> {
    machine.start();
    await this.until(() => this.end !== undefined);
    if (this.end === undefined) throw new Error("the machine did not end");
    return this.end;
  }

  #sleep(): void {
    const next = this.#tasks.reduce<Task | undefined>(
      (first, task) => (first === undefined || task.at < first.at ? task : first),
      undefined,
    );
    if (next === undefined) throw new Error(`nothing left to happen; the serial line said ${JSON.stringify(this.output.serial)}`);
    this.idleNs += Math.max(0, next.at - this.#nowNs);
    this.#nowNs = Math.max(this.#nowNs, next.at);
    next.cancel();
    next.run();
  }

  #add(stream: keyof FakeMachineHost["output"], bytes: Uint8Array): void {
    this.output[stream] += String.fromCharCode(...bytes);
  }
}
