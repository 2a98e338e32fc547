// Profiling one machine, from the opening of its files to the guest's profile in a file.
import { VmError } from "../../support/errors.ts";
import type { ResolvedMachineConfig } from "../config.ts";
import type { ScheduledTask } from "../machine.ts";
import { asVmError } from "../protocol.ts";
import type { LogFile, RunningProfiler, ThreadPlatform } from "../thread.ts";
import type { CpuProfile } from "./cpu-profile.ts";
import { GuestSymbols } from "./guest-symbols.ts";
import { RunRecorder } from "./recorder.ts";
import { GuestProfile } from "./rewrite.ts";

/** Time between two samples, in microseconds. */
const INTERVAL_US = 1000;
/** Samples of one profile, with which it ends: more than a quarter of an hour. */
const MOST_SAMPLES = 1_000_000;
/** How long the host's profiler runs in one go, in microseconds. */
const PART_US = 4_000_000;
const PART_SAMPLES = PART_US / INTERVAL_US;
/** Parts that wait for the guest's kernel to say where it is. */
const MOST_WAITING = 4;
/** Bytes of a symbol file. */
const MOST_SYMBOL_BYTES: number = 256 << 20;

/** What profiling needs of the host. */
type ProfilingPlatform = Pick<ThreadPlatform, "clock" | "readFile" | "openLog" | "scheduleAfter" | "startProfiler">;

/** What has been opened before a machine is there. */
interface ProfilingParts {
  readonly platform: ProfilingPlatform;
  readonly symbols: GuestSymbols;
  readonly file: LogFile;
  readonly warn: (message: string) => void;
}

/** The profiling of one machine. */
export class Profiling {
  readonly recorder: RunRecorder;
  readonly #parts: ProfilingParts;
  readonly #profile: GuestProfile;
  #profiler: RunningProfiler | undefined;
  #entry: () => bigint = () => 0n;
  /** What the host has sampled and nobody has rewritten yet. */
  #waiting: CpuProfile[] = [];
  #timer: ScheduledTask | undefined;
  /** Settles when the profiler is at rest. */
  #work: Promise<void> = Promise.resolve();
  #failure: VmError | undefined;
  readonly #told = new Set<string>();

  private constructor(parts: ProfilingParts) {
    this.#parts = parts;
    const { clock } = parts.platform;
    const places = (MOST_WAITING + 1) * 2 * PART_SAMPLES;
    this.recorder = new RunRecorder(() => clock.nowNs() / 1000, INTERVAL_US / 2, places);
    this.#profile = new GuestProfile(this.recorder, parts.symbols);
  }

  /**
   * Reads the symbols and opens the file at `path`.
   * Throws CONFIG_INVALID when the host cannot be profiled, FILE_NOT_FOUND and SYMBOLS_INVALID.
   */
  static async open(
    path: string,
    { symbols: sources }: ResolvedMachineConfig,
    platform: ProfilingPlatform,
    warn: (message: string) => void,
  ): Promise<Profiling> {
    if (platform.startProfiler === undefined)
      throw new VmError("CONFIG_INVALID", "Cannot profile: this host has no profiler", { data: { option: "profile" } });
    const symbols = new GuestSymbols();
    for (const { file, bias } of sources)
      symbols.add(typeof file === "string" ? file : "given as bytes", await platform.readFile("symbols", file, MOST_SYMBOL_BYTES), bias);
    return new Profiling({ platform, symbols, file: platform.openLog("profile", path), warn });
  }

  /**
   * Begins to sample.
   * @param entry gives the processor's LSTAR, 0 before the guest has set it
   */
  async start(entry: () => bigint): Promise<void> {
    this.#entry = entry;
    this.#profiler = await this.#parts.platform.startProfiler?.(INTERVAL_US);
    if (this.#profiler !== undefined) this.#goOn(this.#profiler);
  }

  /** Ends sampling and writes the guest's profile, if sampling had begun. Throws DISK_IO. */
  async finish(): Promise<void> {
    this.#timer?.cancel();
    await this.#work;
    await this.#end();
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#profile.size > 0) this.#parts.file.write(new TextEncoder().encode(JSON.stringify(this.#profile.finish())));
  }

  /** Gives the file back. */
  close(): void {
    this.#timer?.cancel();
    this.#parts.file.close();
  }

  #goOn(profiler: RunningProfiler): void {
    this.#timer = this.#parts.platform.scheduleAfter(PART_US * 1000, () => {
      this.#work = this.#nextPart(profiler);
    });
  }

  /** Takes what was sampled; goes on unless that was all. */
  async #nextPart(profiler: RunningProfiler): Promise<void> {
    if (this.#profiler === undefined) return;
    const { warn } = this.#parts;
    const sampled = this.#waiting.reduce((sum, { samples }) => sum + samples.length, this.#profile.size);
    if (sampled + PART_SAMPLES >= MOST_SAMPLES) {
      await this.#end();
      return warn(`The profile is full with ${this.#profile.size} samples: what the guest does from now on is not in it`);
    }
    await this.#attempt(async () => {
      this.#waiting.push(await profiler.next());
      if (this.#entry() !== 0n || this.#waiting.length === MOST_WAITING) this.#rewrite();
      this.#goOn(profiler);
    });
  }

  async #end(): Promise<void> {
    const profiler = this.#profiler;
    this.#profiler = undefined;
    if (profiler === undefined) return;
    await this.#attempt(async () => {
      this.#waiting.push(await profiler.stop());
      this.#rewrite();
    });
  }

  async #attempt(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.#failure ??= asVmError(error);
    }
  }

  #rewrite(): void {
    for (const file of this.#parts.symbols.findKernel(this.#entry())) {
      if (!this.#told.has(file)) this.#parts.warn(`The symbols ${JSON.stringify(file)} are of another kernel than the one that ran`);
      this.#told.add(file);
    }
    for (const part of this.#waiting) this.#profile.add(part);
    this.#waiting = [];
    this.recorder.forgetPlaces();
  }
}
