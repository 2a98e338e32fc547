// Where a machine meets its host. The host side (thread.ts, and above it SDK and command line) implements MachineHost and calls
// RunningMachine; the machine side (machine-runner.ts) does the reverse. Both live in the machine's own thread.
import type { ProcessorCounters } from "../cpu/engine/engine.ts";
import type { ExecutionObserver } from "../cpu/engine/observer.ts";
import type { TranslationStatistics, TranslatorFactory } from "../cpu/engine/translation.ts";
import type { ByteStore } from "../disk/byte-store.ts";
import type { VmError } from "../support/errors.ts";
import type { Log } from "../support/log.ts";
import type { ResolvedMachineConfig } from "./config.ts";

/** Why a machine is no more. */
export type MachineEnd =
  /** The guest powered itself off. */
  | { readonly kind: "powerOff" }
  /** The guest reset its board. */
  | { readonly kind: "reset" }
  /** The processor shut down; `detail` says where. */
  | { readonly kind: "tripleFault"; readonly detail: string }
  /** The guest's kernel panicked; `detail` is its message. */
  | { readonly kind: "panic"; readonly detail: string }
  /** The guest wrote to isa-debug-exit; `status` is `(value << 1) | 1`. */
  | { readonly kind: "debugExit"; readonly status: number }
  /** The command ended; `status` as a shell reports it, 0..255. */
  | { readonly kind: "exit"; readonly status: number }
  /** The machine's time ran out. */
  | { readonly kind: "timeout" }
  /** The host stopped it. */
  | { readonly kind: "stopped" }
  /** The host failed it, or we did. */
  | { readonly kind: "error"; readonly error: VmError };

/** What a machine did, for those who measure. */
export interface MachineStatistics {
  readonly instructions: number;
  /** How long the processor took for them, in ms of the host's time. */
  readonly busyMs: number;
  /** When it began with the first, in ms since 1970; undefined before. */
  readonly firstAtMs: number | undefined;
  /** What the processor did beside executing instructions; undefined when it does not count. */
  readonly processor: ProcessorCounters | undefined;
  /** What translation did; undefined when everything was interpreted. */
  readonly translation: TranslationStatistics | undefined;
}

/** The host's clocks. */
export interface HostClock {
  /** Nanoseconds since an arbitrary start; monotonic. */
  nowNs(): number;
  /** Milliseconds since 1970 (UTC). */
  wallClockMs(): number;
}

/** A task that waits for its time. */
export interface ScheduledTask {
  cancel(): void;
}

/** The two outputs of a command. */
export type CommandOutput = "stdout" | "stderr";

/**
 * Everything a machine gets from its host. Sinks copy what they are given, so the caller may reuse its buffer; they gather bytes,
 * so single ones are cheap enough.
 */
export interface MachineHost {
  /** The file of the kernel, and of the initial RAM disk if there is one; gone once the machine is created. */
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array | undefined;
  /** The open files of `config.disks`, in that order. The machine may dispose of them; the host does so after `ended` anyway. */
  readonly disks: readonly ByteStore[];
  /** The interpreter that the build generated, compiled; undefined has the machine generate it, which takes a second and 100 MB. */
  readonly interpreter: WebAssembly.Module | undefined;
  /** What translates hot code, if anything does. */
  readonly translator?: TranslatorFactory | undefined;
  /** Who wants to know where guest code runs. */
  readonly observer?: ExecutionObserver | undefined;
  readonly clock: HostClock;
  readonly log: Log;
  /** Fills with bytes fit for keys. */
  fillRandom(into: Uint8Array): void;
  /** Runs the task after messages and file operations that are ready now: how a machine yields to its event loop. */
  scheduleSoon(task: () => void): void;
  /** Runs the task in about `delayNs`, up to two milliseconds late on an idle host: how a machine sleeps. */
  scheduleAfter(delayNs: number, task: () => void): ScheduledTask;
  /** What the guest sent over its first serial line. */
  serialOut(bytes: Uint8Array): void;
  /** What the guest wrote to the debug console port. */
  debugOut(bytes: Uint8Array): void;
  /** What the guest's command wrote. */
  execOut(stream: CommandOutput, bytes: Uint8Array): void;
  /** A disk of the host's failed, and the guest was told so; the machine runs on. Called once for each disk and reason. */
  diskFailed(error: VmError): void;
  /** Set while nobody reads the output fast enough: wait for it before the guest runs on, or the host's memory fills. */
  readonly congestion: Promise<void> | undefined;
  /** The machine has ended; it calls nothing after this. Called once. */
  ended(end: MachineEnd): void;
}

/** A machine that has been put together and can be run, once. */
export interface RunningMachine {
  /** What it did so far. */
  readonly statistics: MachineStatistics;
  /** Linear address where the guest takes system calls (LSTAR), 0 before it has set it. */
  readonly systemCallEntry: bigint;
  /** Lets the processor run. */
  start(): void;
  /** Bytes for the guest's first serial line; resolves when they are taken, that is when more may follow. */
  serialInput(bytes: Uint8Array): Promise<void>;
  /** Bytes for the command's standard input; resolves when they are taken. */
  execInput(bytes: Uint8Array): Promise<void>;
  /** The end of the command's standard input. */
  execInputEnd(): void;
  /** The terminal's size in characters. */
  resize(rows: number, columns: number): void;
  /** Stops the processor, lets disk operations finish, then reports `stopped` unless the machine has ended otherwise. */
  stop(): void;
}

/** Puts a machine together; throws VmError (KERNEL_INVALID, INITRD_INVALID, MEMORY_INVALID, DISK_INVALID…). */
export type CreateMachine = (config: ResolvedMachineConfig, host: MachineHost) => RunningMachine | Promise<RunningMachine>;
