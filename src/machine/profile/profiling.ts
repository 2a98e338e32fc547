// Profiling one machine, from the opening of its files to the guest's profile in a file.
import { VmError } from "../../support/errors.ts";
import type { ResolvedMachineConfig } from "../config.ts";
import type { LogFile, RunningProfiler, ThreadPlatform } from "../thread.ts";
import type { CpuProfile } from "./cpu-profile.ts";
import { GuestSymbols } from "./guest-symbols.ts";
import { RunRecorder } from "./recorder.ts";
import { rewriteProfile } from "./rewrite.ts";

/** Time between two samples, in microseconds. */
const INTERVAL_US = 1000;
/** Samples of one profile, with which it ends: 16 minutes and 40 seconds. */
const MOST_SAMPLES = 1_000_000;
/** Bytes of a symbol file. */
const MOST_SYMBOL_BYTES: number = 256 << 20;

/** What profiling needs of the host. */
type ProfilingPlatform = Pick<ThreadPlatform, "clock" | "readFile" | "openLog" | "scheduleAfter" | "startProfiler">;

/** The profiling of one machine. */
export class Profiling {
  readonly recorder: RunRecorder;
  readonly #platform: ProfilingPlatform;
  readonly #symbols: GuestSymbols;
  readonly #file: LogFile;
  readonly #warn: (message: string) => void;
  #profiler: RunningProfiler | undefined;
  #profile: Promise<CpuProfile> | undefined;
  #limit: { cancel(): void } | undefined;

  private constructor(platform: ProfilingPlatform, symbols: GuestSymbols, file: LogFile, warn: (message: string) => void) {
    this.#platform = platform;
    this.#symbols = symbols;
    this.#file = file;
    this.#warn = warn;
    this.recorder = new RunRecorder(() => platform.clock.nowNs() / 1000, INTERVAL_US / 2, MOST_SAMPLES * 2);
  }

  /**
   * Reads the symbols and opens the file at `path`.
   * Throws CONFIG_INVALID when the host cannot be profiled, FILE_NOT_FOUND and SYMBOLS_INVALID.
   */
  static async open(
    path: string,
    { symbols }: ResolvedMachineConfig,
    platform: ProfilingPlatform,
    warn: (message: string) => void,
  ): Promise<Profiling> {
    if (platform.startProfiler === undefined)
      throw new VmError("CONFIG_INVALID", "Cannot profile: this host has no profiler", { data: { option: "profile" } });
    const names = new GuestSymbols();
    for (const { file, bias } of symbols)
      names.add(typeof file === "string" ? file : "given as bytes", await platform.readFile("symbols", file, MOST_SYMBOL_BYTES), bias);
    return new Profiling(platform, names, platform.openLog("profile", path), warn);
  }

  /** Begins to sample. */
  async start(): Promise<void> {
    this.#profiler = await this.#platform.startProfiler?.(INTERVAL_US);
    this.#limit = this.#platform.scheduleAfter(MOST_SAMPLES * INTERVAL_US * 1000, () => {
      this.#warn(`The profile is full with ${MOST_SAMPLES} samples: what the guest does from now on is not in it`);
      void this.#stop();
    });
  }

  /**
   * Ends sampling and writes the guest's profile, if sampling had begun.
   * @param systemCallEntry the processor's LSTAR
   * Throws DISK_IO.
   */
  async finish(systemCallEntry: bigint): Promise<void> {
    const host = await this.#stop();
    if (host === undefined) return;
    for (const file of this.#symbols.findKernel(systemCallEntry))
      this.#warn(`The symbols ${JSON.stringify(file)} are of another kernel than the one that ran`);
    this.#file.write(new TextEncoder().encode(JSON.stringify(rewriteProfile(host, this.recorder, this.#symbols))));
  }

  /** Gives the file back. */
  close(): void {
    this.#limit?.cancel();
    this.#file.close();
  }

  #stop(): Promise<CpuProfile> | undefined {
    this.#profile ??= this.#profiler?.stop();
    return this.#profile;
  }
}
