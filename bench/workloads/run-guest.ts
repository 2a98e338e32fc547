// Runs a guest, or the same work on the bare machine, and times what it says on its console.
import { type ChildProcess, spawn } from "node:child_process";
import { cpuSeconds, peakResident } from "../measure.ts";
import { MarkReader, type Story } from "./marks.ts";

/** A program to start, with what its environment has beside this process's. */
export interface Command {
  readonly words: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** How a run is watched. */
export interface Watch {
  readonly limitMs: number;
  /** Text that means that the guest has come as far as wanted, instead of `MARK poweroff` or the program's own end. */
  readonly until?: string;
  /** What is then typed, so that the guest ends. */
  readonly farewell?: string;
}

/** What came of a run. */
export interface Outcome {
  readonly story: Story;
  /** Seconds to the text that was waited for, or to the end of the program; undefined when it came to neither. */
  readonly seconds: number | undefined;
  /** Processor time in seconds that the program had taken when the text came or, without one, when the console last said something. */
  readonly cpuSeconds: number;
  /** Peak resident bytes when the console last said something. */
  readonly peakBytes: number;
  /** Why the run is not good, or undefined when it is. */
  readonly failure: string | undefined;
}

/** How long a program has to end after its guest has: it may have something to keep for the next time. */
const FAREWELL_MS = 30_000;
const TAIL = 300;

/** Starts the program and waits for its end, or for `until` and then its end. Never throws; what went wrong is in the outcome. */
export function runGuest(command: Command, watch: Watch): Promise<Outcome> {
  const [program = "", ...args] = command.words;
  const child = spawn(program, args, { stdio: "pipe", env: { ...process.env, ...command.environment } });
  return new Promise((resolve) => new Session(child, watch, resolve).begin());
}

/** One program while it runs. */
class Session {
  readonly #start = performance.now();
  readonly #marks = new MarkReader();
  readonly #child: ChildProcess;
  readonly #watch: Watch;
  readonly #resolve: (outcome: Outcome) => void;
  #console = "";
  #errors = "";
  #seconds: number | undefined;
  #cpuSeconds = 0;
  #cpuThere: number | undefined;
  #peakBytes = 0;
  #failure: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(child: ChildProcess, watch: Watch, resolve: (outcome: Outcome) => void) {
    this.#child = child;
    this.#watch = watch;
    this.#resolve = resolve;
  }

  begin(): void {
    this.#timer = setTimeout(() => this.#end(`not done after ${this.#watch.limitMs / 1000} s`), this.#watch.limitMs);
    this.#child.stdin?.on("error", () => undefined);
    this.#child.stderr?.on("data", (chunk: Buffer) => (this.#errors = (this.#errors + chunk.toString()).slice(-TAIL)));
    this.#child.stdout?.on("data", (chunk: Buffer) => this.#hear(chunk.toString("latin1")));
    this.#child.on("error", (error) => this.#close(error.message));
    this.#child.on("close", (status) => this.#close(status === 0 || status === null ? undefined : `ended with ${status}`));
  }

  #hear(text: string): void {
    const at = this.#now();
    this.#console = (this.#console + text).slice(-10 * TAIL);
    try {
      this.#look();
      this.#marks.feed(text, at, this.#cpuSeconds);
    } catch (error) {
      this.#end(error instanceof Error ? error.message : String(error));
    }
    const { until, farewell } = this.#watch;
    const there = until === undefined ? this.#marks.story.complete : this.#console.includes(until);
    if (!there || this.#seconds !== undefined) return;
    this.#seconds = at;
    this.#cpuThere = this.#cpuSeconds;
    if (farewell !== undefined) this.#child.stdin?.write(farewell);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end(), FAREWELL_MS);
  }

  /** Reads what the program has taken so far; its last words may come when it is gone. */
  #look(): void {
    try {
      this.#cpuSeconds = cpuSeconds(this.#child);
      this.#peakBytes = Math.max(this.#peakBytes, peakResident(this.#child));
    } catch {
      return;
    }
  }

  #now(): number {
    return (performance.now() - this.#start) / 1000;
  }

  #end(failure?: string): void {
    this.#failure ??= failure;
    this.#child.kill("SIGKILL");
  }

  #close(failure: string | undefined): void {
    clearTimeout(this.#timer);
    const { story } = this.#marks;
    this.#seconds ??= failure === undefined && this.#failure === undefined && this.#watch.until === undefined ? this.#now() : undefined;
    const stopped = story.open === undefined ? undefined : `stopped in ${story.open}`;
    const found = [this.#failure ?? failure, stopped].filter((text) => text !== undefined).join(", ");
    const good = found === "" && this.#seconds !== undefined;
    const tail = `${this.#console}${this.#errors}`.slice(-TAIL).trim();
    const why = good ? undefined : `${found || "ended early"}; last: ${JSON.stringify(tail)}`;
    const taken = this.#cpuThere ?? this.#cpuSeconds;
    this.#resolve({ story, seconds: this.#seconds, cpuSeconds: taken, peakBytes: this.#peakBytes, failure: why });
  }
}
