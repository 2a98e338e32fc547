// Machines without a processor: a platform whose guests are functions, for tests of whatever drives machines. Everything above
// the processor is real: protocol, flow control, lifecycle. Time stands still until `elapse`.
import type { DiskConfig } from "../machine/attachments.ts";
import type { FileSource, ResolvedMachineConfig } from "../machine/config.ts";
import type { MachineHost, RunningMachine, ScheduledTask } from "../machine/machine.ts";
import type { FromMachine, ToMachine } from "../machine/protocol.ts";
import type { CpuProfile } from "../machine/profile/cpu-profile.ts";
import { MachineThread, type LogFile, type RunningProfiler, type ThreadPlatform } from "../machine/thread.ts";
import { MemoryByteStore, type ByteStore } from "../disk/byte-store.ts";
import type { MachineChannel, Platform } from "../sdk/platform.ts";
import { VmError } from "../support/errors.ts";

/** What a scripted guest sees and does. */
export interface ScriptedGuest {
  readonly config: ResolvedMachineConfig;
  readonly host: MachineHost;
  /** What came in so far, as text. */
  readonly received: {
    console: string;
    command: string;
    commandEnded: boolean;
    size: readonly [rows: number, columns: number] | undefined;
  };
  /** Resolves once `condition` holds; it is tried after every input. */
  until(condition: () => boolean): Promise<void>;
  /** Sends text over the serial line. */
  print(text: string): void;
}

/** The guest's program. It says `host.ended` when it is done; what it throws is a failure to create the machine. */
export type GuestScript = (guest: ScriptedGuest) => void | Promise<void>;

interface PendingTask {
  readonly at: number;
  readonly task: () => void;
}

/** A platform on which every machine runs `script`. Files exist when they are in `files`. */
export class ScriptedPlatform implements Platform {
  readonly files: Map<string, Uint8Array>;
  /** What its profiler finds; without it there is no profiler. */
  hostProfile: CpuProfile | undefined;
  /** How many threads are alive. */
  threads = 0;
  readonly #script: GuestScript;
  #now = 0;
  #tasks: PendingTask[] = [];

  constructor(script: GuestScript, files: Readonly<Record<string, Uint8Array>> = {}) {
    this.#script = script;
    this.files = new Map(Object.entries(files));
  }

  openThread(): MachineChannel {
    this.threads++;
    let alive = true;
    let receive: (message: FromMachine) => void = () => {};
    const thread = new MachineThread(
      (message) => later(() => alive && receive(message)),
      this.#threadPlatform(),
      (config, host) => scripted(config, host, this.#script),
    );
    return {
      post: (message: ToMachine) => later(() => alive && thread.receive(message)),
      listen: (listener) => {
        receive = listener;
      },
      terminate: async () => {
        if (alive) this.threads--;
        alive = false;
      },
    };
  }

  after(ms: number, task: () => void): ScheduledTask {
    const pending = { at: this.#now + ms, task };
    this.#tasks.push(pending);
    return {
      cancel: () => {
        this.#tasks = this.#tasks.filter((each) => each !== pending);
      },
    };
  }

  /** Lets `ms` milliseconds pass. */
  elapse(ms: number): void {
    this.#now += ms;
    const due = this.#tasks.filter((each) => each.at <= this.#now);
    this.#tasks = this.#tasks.filter((each) => each.at > this.#now);
    for (const { task } of due) task();
  }

  #threadPlatform(): ThreadPlatform {
    return {
      clock: { nowNs: () => this.#now * 1e6, wallClockMs: () => this.#now },
      checkMemory: () => {},
      readFile: async (role, source) => this.#read(role, source),
      embeddedGuest: { kernel: new Uint8Array(1), initrd: new Uint8Array(2) },
      loadInterpreter: async () => undefined,
      release: () => Promise.resolve(),
      openDisk: async (disk: DiskConfig): Promise<ByteStore> =>
        new MemoryByteStore(this.#read("disk", disk.path), { writable: !disk.readOnly }),
      openLog: (_role, path) => this.#openLog(path),
      ...(this.hostProfile === undefined ? {} : { startProfiler: async () => profilerOf(this.hostProfile) }),
      fillRandom: (into) => void into.fill(4),
      scheduleSoon: later,
      scheduleAfter: (delayNs, task) => this.after(delayNs / 1e6, task),
    };
  }

  #read(role: string, source: FileSource): Uint8Array {
    const bytes = typeof source === "string" ? this.files.get(source) : source;
    if (bytes === undefined) throw new VmError("FILE_NOT_FOUND", `Cannot read ${role} ${JSON.stringify(source)}: no such file`);
    return bytes;
  }

  #openLog(path: string): LogFile {
    this.files.set(path, new Uint8Array(0));
    return { write: (bytes) => void this.files.set(path, new Uint8Array([...(this.files.get(path) ?? []), ...bytes])), close: () => {} };
  }
}

function profilerOf(profile: CpuProfile | undefined): RunningProfiler {
  if (profile === undefined) throw new Error("the profile was taken away");
  return { next: async () => profile, stop: async () => profile };
}

function later(task: () => void): void {
  void Promise.resolve().then(task);
}

function scripted(config: ResolvedMachineConfig, host: MachineHost, script: GuestScript): RunningMachine {
  const received: ScriptedGuest["received"] = { console: "", command: "", commandEnded: false, size: undefined };
  let waiters: { readonly condition: () => boolean; readonly resolve: () => void }[] = [];
  const changed = (): void => {
    for (const waiter of waiters) if (waiter.condition()) waiter.resolve();
    waiters = waiters.filter((waiter) => !waiter.condition());
  };
  const until = (condition: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      waiters.push({ condition, resolve });
      changed();
    });
  const take = (stream: "console" | "command", bytes: Uint8Array): Promise<void> => {
    received[stream] += new TextDecoder().decode(bytes);
    changed();
    return Promise.resolve();
  };
  const print = (text: string): void => host.serialOut(new TextEncoder().encode(text));
  return {
    statistics: { instructions: 2_500_000, busyMs: 10, processor: undefined, translation: undefined, firstAtMs: 1_000 },
    systemCallEntry: 0n,
    start: () => void script({ config, host, received, until, print }),
    serialInput: (bytes) => take("console", bytes),
    execInput: (bytes) => take("command", bytes),
    execInputEnd: () => {
      received.commandEnded = true;
      changed();
    },
    resize: (rows, columns) => {
      received.size = [rows, columns];
      changed();
    },
    stop: () => host.ended({ kind: "stopped" }),
  };
}
