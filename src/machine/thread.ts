// The machine's end of the protocol: opens its files, builds it, carries bytes both ways, and reports how it ended. The same on
// every host; what differs is the ThreadPlatform.
import type { ByteStore } from "../disk/byte-store.ts";
import type { TranslatorFactory } from "../cpu/engine/translation.ts";
import { VmError } from "../support/errors.ts";
import type { DiskConfig } from "./attachments.ts";
import type { FileSource, ResolvedMachineConfig } from "./config.ts";
import type { CpuProfile } from "./profile/cpu-profile.ts";
import type { Profiling } from "./profile/profiling.ts";
import type { CommandOutput, CreateMachine, HostClock, MachineEnd, MachineHost, RunningMachine, ScheduledTask } from "./machine.ts";
import { OutputBuffer } from "./output-buffer.ts";
import {
  asVmError,
  encodeEnd,
  OUTPUT_WINDOW,
  type FromMachine,
  type InputStream,
  type OutputStreamName,
  type ToMachine,
} from "./protocol.ts";

/** What a machine's thread needs from the host it runs on. */
export interface ThreadPlatform {
  readonly clock: HostClock;
  /** Throws MEMORY_INVALID when the host cannot give a guest this much. */
  checkMemory(bytes: number): void;
  /** The content of a file. `role` names it in errors; longer than `maxBytes` is an error of that role. */
  readFile(role: "kernel" | "initrd" | "symbols", source: FileSource, maxBytes: number): Promise<Uint8Array>;
  /** The files of the guest that comes with the package. */
  readonly embeddedGuest: { readonly kernel: FileSource; readonly initrd: FileSource };
  /** What translates hot code, and keeps what it makes of a kernel. `cache` as in the configuration. */
  readonly translator?: ((cache: string | undefined, kernel: Uint8Array) => TranslatorFactory) | undefined;
  /** The interpreter's module, compiled, if the build left one. */
  loadInterpreter(): Promise<WebAssembly.Module | undefined>;
  /** The thread no longer needs these bytes, which it got from `readFile`; resolves when their memory has been given back. */
  release(bytes: Uint8Array): Promise<void>;
  openDisk(disk: DiskConfig): Promise<ByteStore>;
  /** A file for output, emptied first; `role` names it in errors. */
  openLog(role: "serial console" | "profile", path: string): LogFile;
  /** Begins to profile the thread, with a sample each `intervalUs`. */
  startProfiler?: (intervalUs: number) => Promise<RunningProfiler>;
  fillRandom(into: Uint8Array): void;
  scheduleSoon(task: () => void): void;
  scheduleAfter(delayNs: number, task: () => void): ScheduledTask;
}

/** A profiler at work. */
export interface RunningProfiler {
  /** What was sampled since the last time; it goes on. Times are microseconds of the platform's clock. */
  next(): Promise<CpuProfile>;
  /** The same, and it ends. Once. */
  stop(): Promise<CpuProfile>;
}

/** A file that only grows. Writing throws VmError DISK_IO. */
export interface LogFile {
  write(bytes: Uint8Array): void;
  close(): void;
}

/** The files of a machine, open. */
interface OpenFiles {
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array | undefined;
  readonly disks: readonly ByteStore[];
  readonly interpreter: WebAssembly.Module | undefined;
  readonly serialLog: LogFile | undefined;
  readonly profiling: Profiling | undefined;
  readonly translator: TranslatorFactory | undefined;
}

/** Serves one machine over a message port. */
export class MachineThread {
  readonly #post: (message: FromMachine) => void;
  readonly #platform: ThreadPlatform;
  readonly #create: CreateMachine;
  #config: ResolvedMachineConfig | undefined;
  #files: OpenFiles | undefined;
  #machine: RunningMachine | undefined;
  #inputs: ToMachine[] = [];
  #over = false;
  #congestion: { readonly promise: Promise<void>; readonly clear: () => void } | undefined;
  #underway = 0;
  #flushPending = false;
  readonly #buffers: Readonly<Record<OutputStreamName, OutputBuffer>>;

  constructor(post: (message: FromMachine) => void, platform: ThreadPlatform, create: CreateMachine) {
    this.#post = post;
    this.#platform = platform;
    this.#create = create;
    const buffer = (stream: OutputStreamName): OutputBuffer => new OutputBuffer((bytes) => this.#sendOutput(stream, bytes));
    this.#buffers = { console: buffer("console"), debug: buffer("debug"), stdout: buffer("stdout"), stderr: buffer("stderr") };
  }

  /** Handles a message of the handle. */
  receive(message: ToMachine): void {
    switch (message.type) {
      case "open":
        return void this.#attempt(() => this.#open(message.config));
      case "start":
        return void this.#attempt(() => this.#start(message.command));
      case "taken":
        return this.#taken(message.bytes);
      case "stop":
        return this.#stop();
      default:
        if (this.#machine === undefined) this.#inputs.push(message);
        else this.#input(this.#machine, message);
    }
  }

  async #attempt(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      if (this.#over) return;
      this.#over = true;
      await this.#closeFiles();
      this.#post({ type: "failed", error: asVmError(error).toJSON() });
    }
  }

  async #open(config: ResolvedMachineConfig): Promise<void> {
    this.#config = config;
    this.#platform.checkMemory(config.memoryBytes);
    const embedded = config.kernel === undefined ? this.#platform.embeddedGuest : undefined;
    const kernel = await this.#platform.readFile("kernel", config.kernel ?? this.#platform.embeddedGuest.kernel, config.memoryBytes);
    const translator = config.engine === "interpreter" ? undefined : this.#platform.translator?.(config.cache, kernel);
    const initrdSource = config.initrd ?? embedded?.initrd;
    const initrd = initrdSource === undefined ? undefined : await this.#platform.readFile("initrd", initrdSource, config.memoryBytes);
    const disks: ByteStore[] = [];
    const interpreter = await this.#platform.loadInterpreter();
    const files = { kernel, initrd, disks, interpreter, serialLog: undefined, profiling: await this.#openProfiling(config), translator };
    this.#files = files;
    for (const disk of config.disks) disks.push(await this.#platform.openDisk(disk));
    if (config.serial.kind === "file") this.#files = { ...files, serialLog: this.#platform.openLog("serial console", config.serial.path) };
    this.#post({ type: "opened" });
  }

  async #openProfiling(config: ResolvedMachineConfig): Promise<Profiling | undefined> {
    if (config.profile === undefined) return undefined;
    const { Profiling } = await import("./profile/profiling.ts");
    return Profiling.open(config.profile, config, this.#platform, (message) => this.#post({ type: "warning", message }));
  }

  async #start(command: readonly string[] | undefined): Promise<void> {
    const config = this.#config;
    const files = this.#files;
    if (config === undefined || files === undefined) throw new Error("Bug in Nido: start before open");
    const machine = await this.#create({ ...config, command: command ?? config.command }, this.#host(files));
    // Before the guest takes memory of its own.
    for (const bytes of [files.kernel, files.initrd]) if (bytes !== undefined) await this.#platform.release(bytes);
    await files.profiling?.start(() => machine.systemCallEntry);
    if (this.#over) return machine.stop();
    this.#machine = machine;
    this.#post({ type: "started" });
    machine.start();
    const inputs = this.#inputs;
    this.#inputs = [];
    for (const message of inputs) this.#input(machine, message);
  }

  #input(machine: RunningMachine, message: ToMachine): void {
    if (message.type === "input") void this.#feed(machine, message.stream, message.bytes);
    else if (message.type === "endInput") machine.execInputEnd();
    else if (message.type === "resize") machine.resize(message.rows, message.columns);
  }

  async #feed(machine: RunningMachine, stream: InputStream, bytes: Uint8Array): Promise<void> {
    try {
      await (stream === "console" ? machine.serialInput(bytes) : machine.execInput(bytes));
      if (!this.#over) this.#post({ type: "accepted", stream });
    } catch (error) {
      this.#end({ kind: "error", error: asVmError(error) });
    }
  }

  #stop(): void {
    if (this.#machine === undefined) this.#end({ kind: "stopped" });
    else this.#machine.stop();
  }

  #host(files: OpenFiles): MachineHost {
    const platform = this.#platform;
    const thread = this;
    return {
      kernel: files.kernel,
      initrd: files.initrd,
      disks: files.disks,
      interpreter: files.interpreter,
      translator: files.translator,
      observer: files.profiling?.recorder,
      clock: platform.clock,
      log: warnings((message) => this.#post({ type: "warning", message })),
      fillRandom: (into) => platform.fillRandom(into),
      scheduleSoon: (task) => platform.scheduleSoon(task),
      scheduleAfter: (delayNs, task) => platform.scheduleAfter(delayNs, task),
      serialOut: (bytes) => this.#serialOut(files.serialLog, bytes),
      debugOut: (bytes) => this.#output("debug", bytes),
      execOut: (stream: CommandOutput, bytes) => this.#output(stream, bytes),
      diskFailed: (error) => this.#post({ type: "diskFailed", error: error.toJSON() }),
      get congestion(): Promise<void> | undefined {
        return thread.#congestion?.promise;
      },
      ended: (end) => this.#end(end),
    };
  }

  #serialOut(log: LogFile | undefined, bytes: Uint8Array): void {
    const target = this.#config?.serial.kind;
    if (target === "stdio") return this.#output("console", bytes);
    if (target !== "file" || log === undefined) return;
    try {
      log.write(bytes);
    } catch (error) {
      this.#end({ kind: "error", error: asVmError(error) });
    }
  }

  #output(stream: OutputStreamName, bytes: Uint8Array): void {
    if (this.#over || !this.#buffers[stream].add(bytes) || this.#flushPending) return;
    this.#flushPending = true;
    this.#platform.scheduleSoon(() => this.#flush());
  }

  #flush(): void {
    this.#flushPending = false;
    for (const buffer of Object.values(this.#buffers)) buffer.flush();
  }

  #sendOutput(stream: OutputStreamName, bytes: Uint8Array): void {
    this.#underway += bytes.length;
    if (this.#underway > OUTPUT_WINDOW) this.#congestion ??= waiting();
    this.#post({ type: "output", stream, bytes });
  }

  #taken(bytes: number): void {
    this.#underway -= bytes;
    if (this.#underway > OUTPUT_WINDOW / 2) return;
    this.#congestion?.clear();
    this.#congestion = undefined;
  }

  #end(end: MachineEnd): void {
    if (this.#over) return;
    this.#flush();
    this.#over = true;
    this.#congestion?.clear();
    if (end.kind === "error") this.#machine?.stop();
    void this.#finish(end);
  }

  async #finish(end: MachineEnd): Promise<void> {
    const unwritten = await this.#writeProfile();
    const failure = (await this.#closeFiles()) ?? unwritten;
    const last: MachineEnd = failure === undefined || end.kind === "error" ? end : { kind: "error", error: failure };
    this.#post({ type: "ended", end: encodeEnd(last), statistics: this.#machine?.statistics });
  }

  async #writeProfile(): Promise<VmError | undefined> {
    try {
      await this.#files?.profiling?.finish();
      return undefined;
    } catch (error) {
      return asVmError(error);
    }
  }

  /** Closes every file, whatever happens to one of them; the first error, if any. */
  async #closeFiles(): Promise<VmError | undefined> {
    const files = this.#files;
    if (files === undefined) return undefined;
    this.#files = undefined;
    files.serialLog?.close();
    files.profiling?.close();
    const results = await Promise.allSettled(files.disks.map((disk) => disk[Symbol.asyncDispose]()));
    const failed = results.find((result) => result.status === "rejected");
    return failed === undefined ? undefined : asVmError(failed.reason);
  }
}

/** A log that says each thing once. */
function warnings(say: (message: string) => void): MachineHost["log"] {
  const seen = new Set<string>();
  return {
    warnOnce: (key, message) => {
      if (seen.has(key)) return;
      seen.add(key);
      say(message);
    },
  };
}

/** A promise and what settles it. */
function waiting(): { readonly promise: Promise<void>; readonly clear: () => void } {
  let clear = (): void => {};
  const promise = new Promise<void>((resolve) => {
    clear = resolve;
  });
  return { promise, clear };
}
