// A machine as programs see it: create, start, talk to it, wait for its end. It holds no guest state; that lives in the machine's
// own thread behind a MachineChannel.
import { resolveConfig, type MachineConfig, type ResolvedMachineConfig } from "../machine/config.ts";
import type { MachineEnd, MachineStatistics, ScheduledTask } from "../machine/machine.ts";
import { decodeEnd, type FromMachine, type OutputStreamName } from "../machine/protocol.ts";
import { VmError } from "../support/errors.ts";
import { failureOf } from "./failure.ts";
import { InputWriter } from "./input-stream.ts";
import { OutputStream } from "./output-stream.ts";
import type { MachineChannel, Platform } from "./platform.ts";

/** Milliseconds that a machine has to finish its disk operations once it was told to stop. */
export const STOP_GRACE_MS = 5000;
/** What a profile takes beyond that to be written. */
const PROFILE_GRACE_MS = 60_000;

/** Bytes of each output of a command that `exec` keeps. */
export const EXEC_OUTPUT_LIMIT: number = 64 << 20;

/** How a machine is accompanied, beside what it is made of. */
export interface MachineOptions {
  /** Told once of each oddity of the guest or the host. */
  readonly onWarning?: (message: string) => void;
  /** Told when a disk of the host's fails, once for each disk and reason. The guest sees an I/O error and runs on. */
  readonly onDiskFailure?: (error: VmError) => void;
}

/** The serial console. */
export interface MachineConsole {
  /** What the guest sends. The reader sets the pace; of what nobody reads, the last 1 MiB is kept. */
  readonly output: AsyncIterable<Uint8Array>;
  /** Types into the console; resolves when the guest's side has taken it. */
  write(data: Uint8Array | string): Promise<void>;
  /** Tells the guest the terminal's size in characters. */
  resize(rows: number, columns: number): void;
}

/** The streams of the guest's command. */
export interface MachineCommand {
  readonly stdout: AsyncIterable<Uint8Array>;
  readonly stderr: AsyncIterable<Uint8Array>;
  /** Writes to its standard input; resolves when the guest's side has taken it. */
  write(data: Uint8Array | string): Promise<void>;
  /** Ends its standard input. */
  end(): void;
}

/** What a command gave. */
export interface ExecResult {
  /** Its exit status as a shell reports it, 0..255. */
  readonly status: number;
  /** The first 64 MiB of each output. */
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

/** A machine of this program's. Disposing of it (`await using`) stops it. */
export class Machine implements AsyncDisposable {
  /** What the machine is made of, with every default. */
  readonly config: ResolvedMachineConfig;
  readonly console: MachineConsole;
  readonly command: MachineCommand;
  /** What the guest writes to the debug console port (device `debugcon`). */
  readonly debugOutput: AsyncIterable<Uint8Array>;
  readonly #platform: Platform;
  readonly #channel: MachineChannel;
  readonly #onWarning: (message: string) => void;
  readonly #onDiskFailure: (error: VmError) => void;
  readonly #outputs: Readonly<Record<OutputStreamName, OutputStream>>;
  readonly #inputs: { readonly console: InputWriter; readonly command: InputWriter };
  readonly #ended: Promise<MachineEnd>;
  #settleEnd: (end: MachineEnd) => void = () => {};
  #settleStep: ((error?: VmError) => void) | undefined;
  #state: "new" | "starting" | "running" | "ended" = "new";
  #stopReason: MachineEnd | undefined;
  #statistics: MachineStatistics | undefined;
  #timers: ScheduledTask[] = [];

  /** For `openMachine`. */
  constructor(config: ResolvedMachineConfig, platform: Platform, options: MachineOptions) {
    this.config = config;
    this.#platform = platform;
    this.#onWarning = options.onWarning ?? (() => {});
    this.#onDiskFailure = options.onDiskFailure ?? (() => {});
    this.#ended = new Promise((resolve) => {
      this.#settleEnd = resolve;
    });
    const channel = platform.openThread();
    this.#channel = channel;
    const output = (): OutputStream => new OutputStream((bytes) => channel.post({ type: "taken", bytes }));
    const outputs = { console: output(), debug: output(), stdout: output(), stderr: output() };
    const inputs = {
      console: new InputWriter((bytes) => channel.post({ type: "input", stream: "console", bytes })),
      command: new InputWriter((bytes) => channel.post({ type: "input", stream: "command", bytes })),
    };
    this.#outputs = outputs;
    this.#inputs = inputs;
    this.debugOutput = outputs.debug;
    this.console = {
      output: outputs.console,
      write: (data) => inputs.console.write(data),
      resize: (rows, columns) => channel.post({ type: "resize", rows, columns }),
    };
    this.command = {
      stdout: outputs.stdout,
      stderr: outputs.stderr,
      write: (data) => inputs.command.write(data),
      end: () => channel.post({ type: "endInput" }),
    };
    channel.listen(
      (message) => this.#receive(message),
      (error) => this.#end({ kind: "error", error }),
    );
  }

  /** For `openMachine`: opens the machine's files. */
  async open(): Promise<void> {
    await this.#step(() => this.#channel.post({ type: "open", config: this.config }));
  }

  /** Builds the machine and lets it run. Once. Rejects with VmError (KERNEL_INVALID, MEMORY_INVALID…). */
  async start(): Promise<void> {
    await this.#start(undefined);
  }

  /**
   * Starts the machine with this command in the guest, and resolves when it has ended. Once, instead of `start`.
   * Rejects with VmError when the machine ends before the command does (GUEST_PANIC, GUEST_SHUTDOWN, TIMEOUT…).
   */
  async exec(
    argv: readonly string[],
    options: { readonly stdin?: Uint8Array | string | AsyncIterable<Uint8Array> } = {},
  ): Promise<ExecResult> {
    const { command } = resolveConfig({ command: argv });
    const outputs = Promise.all([collect(this.#outputs.stdout), collect(this.#outputs.stderr)]);
    await this.#start(command);
    let unread: Error | undefined;
    void this.#feed(options.stdin).catch((error: unknown) => {
      unread = error instanceof Error ? error : new Error(String(error));
      void this.stop();
    });
    const end = await this.wait();
    const [stdout, stderr] = await outputs;
    if (unread !== undefined) throw unread;
    if (end.kind === "exit") return { status: end.status, stdout, stderr };
    throw failureOf(end) ?? new VmError("GUEST_SHUTDOWN", "The guest powered off before its command had ended");
  }

  /** What the machine did, once it has ended; undefined before, and when it never ran. */
  get statistics(): MachineStatistics | undefined {
    return this.#statistics;
  }

  /** Resolves with the machine's end; never rejects. */
  wait(): Promise<MachineEnd> {
    return this.#ended;
  }

  /** Stops the machine as a power switch does, disk operations finished. Resolves when it is gone, with how it ended. */
  stop(): Promise<MachineEnd> {
    this.#stopBecause({ kind: "stopped" });
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #start(command: readonly string[] | undefined): Promise<void> {
    if (this.#state !== "new") throw new VmError("CONFIG_INVALID", "Cannot start a machine twice; create another one");
    this.#state = "starting";
    await this.#step(() => this.#channel.post({ type: "start", command }));
    if (this.#state !== "starting") return;
    this.#state = "running";
    const limit = this.config.timeoutMs;
    if (limit !== undefined) this.#timers.push(this.#platform.after(limit, () => this.#stopBecause({ kind: "timeout" })));
  }

  async #feed(stdin: Uint8Array | string | AsyncIterable<Uint8Array> | undefined): Promise<void> {
    if (typeof stdin === "string" || stdin instanceof Uint8Array) await this.command.write(stdin);
    else if (stdin !== undefined) {
      for await (const bytes of stdin) {
        if (this.#state === "ended") return;
        await this.command.write(bytes);
      }
    }
    this.command.end();
  }

  /** Sends a request and waits for its answer. */
  #step(request: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settleStep = (error) => (error === undefined ? resolve() : reject(error));
      request();
    });
  }

  #receive(message: FromMachine): void {
    switch (message.type) {
      case "opened":
      case "started":
        return this.#answer(undefined);
      case "failed":
        return this.#end({ kind: "error", error: VmError.fromJSON(message.error) });
      case "output":
        return this.#outputs[message.stream].push(message.bytes);
      case "accepted":
        return this.#inputs[message.stream].accepted();
      case "warning":
        return this.#onWarning(message.message);
      case "diskFailed":
        return this.#onDiskFailure(VmError.fromJSON(message.error));
      case "ended":
        this.#statistics = message.statistics;
        return this.#end(decodeEnd(message.end));
    }
  }

  #answer(error: VmError | undefined): void {
    const settle = this.#settleStep;
    this.#settleStep = undefined;
    settle?.(error);
  }

  #stopBecause(reason: MachineEnd): void {
    if (this.#state === "ended" || this.#stopReason !== undefined) return;
    this.#stopReason = reason;
    this.#channel.post({ type: "stop" });
    const grace = this.config.profile === undefined ? STOP_GRACE_MS : STOP_GRACE_MS + PROFILE_GRACE_MS;
    this.#timers.push(this.#platform.after(grace, () => this.#end(reason)));
  }

  #end(reported: MachineEnd): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    const end = reported.kind === "stopped" ? (this.#stopReason ?? reported) : reported;
    for (const timer of this.#timers) timer.cancel();
    this.#answer(end.kind === "error" ? end.error : stoppedBeforeStart(this.#settleStep));
    for (const stream of Object.values(this.#outputs)) stream.end();
    for (const writer of Object.values(this.#inputs)) writer.end();
    void this.#channel.terminate().then(() => this.#settleEnd(end));
  }
}

/** Opens a machine's files on a host. Throws CONFIG_INVALID, FILE_NOT_FOUND, DISK_READ_ONLY, MEMORY_INVALID… */
export async function openMachine(config: MachineConfig, platform: Platform, options: MachineOptions = {}): Promise<Machine> {
  const machine = new Machine(resolveConfig(config), platform, options);
  await machine.open();
  return machine;
}

/** The error for a request that was still open when the machine ended, if there was one. */
function stoppedBeforeStart(pending: unknown): VmError | undefined {
  return pending === undefined ? undefined : new VmError("CONFIG_INVALID", "The machine was stopped before it had started");
}

/** All of a stream, up to the limit; what follows is read and forgotten. */
async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const bytes of stream) {
    const part = bytes.subarray(0, EXEC_OUTPUT_LIMIT - length);
    if (part.length === 0) continue;
    chunks.push(part);
    length += part.length;
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
