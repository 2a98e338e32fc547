// Everything a device may touch, recorded: a unit test is `create(config, fakeWiring())`.
import type { Line, Log, Wiring } from "../devices/device.ts";
import { GuestMemory } from "../memory/guest-memory.ts";
import { FakeClock } from "./fake-clock.ts";

/** A change of level on a recorded line. */
export interface LevelChange {
  readonly level: boolean;
  /** When it happened on the fake clock, in ns. */
  readonly atNs: number;
}

/** A line that remembers every change of its level. */
export class RecordedLine implements Line {
  readonly changes: LevelChange[] = [];
  level = false;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  /** How many times the line went from low to high. */
  get rises(): number {
    return this.changes.filter((change) => change.level).length;
  }

  set(level: boolean): void {
    if (level === this.level) return;
    this.level = level;
    this.changes.push({ level, atNs: this.#clock.now() });
  }
}

/** A log that keeps the first message of each key. */
export class RecordedLog implements Log {
  readonly messages: Map<string, string> = new Map();

  warnOnce(key: string, message: string): void {
    if (!this.messages.has(key)) this.messages.set(key, message);
  }
}

/** Wiring for tests: 1 MiB of real guest memory, a clock that is told, recorded lines and log. */
export class FakeWiring implements Wiring {
  readonly clock: FakeClock;
  readonly log: RecordedLog = new RecordedLog();
  readonly lines: Map<string, RecordedLine> = new Map();
  #memory: GuestMemory | undefined;

  constructor(clock: FakeClock = new FakeClock()) {
    this.clock = clock;
  }

  // Made on first use: a process may hold only so many WebAssembly memories, and most devices never look.
  get memory(): GuestMemory {
    this.#memory ??= new GuestMemory(0x10_0000, 0);
    return this.#memory;
  }

  line(name: string): RecordedLine {
    let line = this.lines.get(name);
    if (line === undefined) {
      line = new RecordedLine(this.clock);
      this.lines.set(name, line);
    }
    return line;
  }
}

/** Fresh wiring with its own clock, or with the clock given. */
export function fakeWiring(clock?: FakeClock): FakeWiring {
  return new FakeWiring(clock);
}
