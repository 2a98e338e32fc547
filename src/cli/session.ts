// A machine on the program's own streams: either the serial console, or one command's input and outputs.
import type { MachineConfig } from "../machine/config.ts";
import type { MachineEnd, MachineStatistics } from "../machine/machine.ts";
import type { EndingSignal } from "../host/node/termination.ts";
import type { Machine } from "../sdk/machine.ts";
import type { CliHost } from "./command.ts";
import { EscapeKey, ESCAPE_HINT } from "./escape-key.ts";
import { note, reportError } from "./report.ts";
import { copy, InputPump, Tail } from "./streams.ts";

/** What to run, and how to accompany it. */
export interface SessionRequest {
  readonly config: MachineConfig;
  /** Tell what Nido does; with a command, also what the guest says while it boots. */
  readonly verbose: boolean;
  readonly stats: boolean;
  /** Whether a guest that resets its board starts again. */
  readonly reboot: boolean;
}

/** How a session ended. */
export interface Outcome {
  readonly end: MachineEnd;
  /** The signal that ended it. */
  readonly signal?: EndingSignal;
  /** Why our output takes no more: nobody reads it (EPIPE), or its disk is full. */
  readonly broken?: Error;
  /** What the last machine did, if it ran. */
  readonly statistics: MachineStatistics | undefined;
  /** A disk failed while the guest used it, which has been reported. */
  readonly diskFailed: boolean;
  /** The guest's last words, for a session that did not show them. */
  readonly lastWords: readonly string[];
}

/** Runs a machine to its end. Throws VmError when it cannot be started. */
export async function runSession(request: SessionRequest, host: CliHost): Promise<Outcome> {
  const session = new Session(request, host);
  const command = request.config.command !== undefined;
  const stopListening = host.onTermination((signal) => session.interrupt(signal));
  try {
    return await (command ? session.runCommand() : session.runConsole());
  } finally {
    stopListening();
    session.release();
  }
}

class Session {
  readonly #request: SessionRequest;
  readonly #host: CliHost;
  readonly #consoleTail = new Tail(0x4000);
  readonly #releases: (() => void)[] = [];
  #machine: Machine | undefined;
  #signal: EndingSignal | undefined;
  #broken: Error | undefined;
  #left = false;
  #diskFailed = false;
  /** When the time of --timeout is over, in ms; undefined before the start, or without a limit. */
  #timeoutAt: number | undefined;

  constructor(request: SessionRequest, host: CliHost) {
    this.#request = request;
    this.#host = host;
  }

  /** The serial console on our streams, through every reset, until the guest powers off. */
  async runConsole(): Promise<Outcome> {
    let machine = await this.#create();
    const { serial } = machine.config;
    if (serial.kind === "stdio") await this.#attachKeyboard();
    for (;;) {
      await this.#start(machine);
      const unwatch = this.#host.watchSize((rows, columns) => this.#machine?.console.resize(rows, columns));
      await this.#copyOut(machine, serial.kind === "stdio" ? [[machine.console.output, this.#host.stdout]] : []);
      unwatch();
      const end = await machine.wait();
      if (end.kind !== "reset" || !this.#request.reboot || this.#over) return this.#outcome(end);
      if (this.#request.verbose) await note(this.#host.stderr, "The guest resets the machine.");
      machine = await this.#create(this.#timeLeft());
    }
  }

  /** A command's streams on ours; the console is shown on the error output if asked for. */
  async runCommand(): Promise<Outcome> {
    const machine = await this.#create();
    const { command, console } = machine;
    await this.#start(machine);
    const keys = new InputPump(
      this.#host.stdin,
      (bytes) => command.write(bytes),
      () => command.end(),
    );
    this.#releases.push(() => keys.close());
    const boot = this.#request.verbose ? copy(console.output, this.#host.stderr, () => {}) : remember(console.output, this.#consoleTail);
    await this.#copyOut(machine, [
      [command.stdout, this.#host.stdout],
      [command.stderr, this.#host.stderr],
    ]);
    await boot;
    return this.#outcome(await machine.wait());
  }

  /** Someone wants the program to end. */
  interrupt(signal: EndingSignal): void {
    this.#signal = signal;
    this.release();
    void this.#machine?.stop();
  }

  /** Gives the terminal and the input back. Idempotent. */
  release(): void {
    for (const release of this.#releases.splice(0).reverse()) release();
  }

  get #over(): boolean {
    return this.#signal !== undefined || this.#broken !== undefined || this.#left;
  }

  async #create(limit: MachineConfig = {}): Promise<Machine> {
    const { config, verbose } = this.#request;
    const machine = await this.#host.createMachine(
      { ...config, ...limit },
      {
        // A profile that is cut short, or that lacks names, has to be told of.
        onWarning: (message) => (verbose || config.profile !== undefined) && void note(this.#host.stderr, message),
        onDiskFailure: (error) => {
          this.#diskFailed = true;
          void reportError(this.#host.stderr, error, this.#request);
        },
      },
    );
    this.#machine = machine;
    return machine;
  }

  /** What the next machine has of the time that the first was given: a guest that resets again and again runs out of it too. */
  #timeLeft(): MachineConfig {
    return this.#timeoutAt === undefined ? {} : { timeout: Math.max(1, Math.ceil(this.#timeoutAt - performance.now())) };
  }

  /** Starts the machine unless we were asked to end meanwhile. */
  async #start(machine: Machine): Promise<void> {
    const { timeoutMs } = machine.config;
    if (timeoutMs !== undefined) this.#timeoutAt ??= performance.now() + timeoutMs;
    if (this.#over) await machine.stop();
    else {
      await machine.start().catch((error: unknown) => {
        if (!this.#over) throw error;
      });
    }
  }

  async #attachKeyboard(): Promise<void> {
    const { stdin, stderr } = this.#host;
    const raw = this.#host.enterRawMode();
    const escape = raw === undefined ? undefined : new EscapeKey();
    if (raw !== undefined) {
      this.#releases.push(() => raw[Symbol.dispose]());
      await note(stderr, ESCAPE_HINT);
    }
    const pump = new InputPump(stdin, async (bytes) => {
      const keys = escape?.read(bytes) ?? { forward: bytes, leave: false };
      if (keys.forward.length > 0) await this.#machine?.console.write(keys.forward);
      if (keys.leave) this.#leave();
    });
    this.#releases.push(() => pump.close());
  }

  #leave(): void {
    this.#left = true;
    void note(this.#host.stderr, "Stopping the machine.");
    void this.#machine?.stop();
  }

  /** Copies the outputs until the machine has ended and all of them are written. */
  async #copyOut(machine: Machine, outputs: readonly (readonly [AsyncIterable<Uint8Array>, CliHost["stdout"]])[]): Promise<void> {
    const broken = (error: Error): void => {
      this.#broken = error;
      void machine.stop();
    };
    const debug = copy(machine.debugOutput, this.#host.stderr, () => {});
    await Promise.all([debug, ...outputs.map(([source, stream]) => copy(source, stream, broken))]);
  }

  #outcome(end: MachineEnd): Outcome {
    const lastWords = this.#request.verbose ? [] : this.#consoleTail.lines(12);
    return {
      end,
      lastWords,
      diskFailed: this.#diskFailed,
      statistics: this.#machine?.statistics,
      ...(this.#broken === undefined ? {} : { broken: this.#broken }),
      ...(this.#signal === undefined ? {} : { signal: this.#signal }),
    };
  }
}

async function remember(source: AsyncIterable<Uint8Array>, tail: Tail): Promise<void> {
  for await (const bytes of source) tail.add(bytes);
}
