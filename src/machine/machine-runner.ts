// Puts a machine together: memory, board, processor, run loop, and the streams between guest and host.
import type { Engine } from "../cpu/engine/engine.ts";
import { memoryLayout, Processor } from "../cpu/engine/processor.ts";
import { InterpreterProgram } from "../cpu/engine/program.ts";
import type { BlockStorage } from "../devices/virtio/index.ts";
import { exitStatus } from "../devices/isa-debug-exit/index.ts";
import { diskFormat } from "../disk/index.ts";
import { GuestMemory } from "../memory/guest-memory.ts";
import type { VmError } from "../support/errors.ts";
import { bootKernel } from "./boot.ts";
import { BOARDS, type Board, type BoardEvents, type ProcessorPins } from "./boards/index.ts";
import { MachineClock } from "./clock.ts";
import { COMMAND_PORTS, CommandChannel } from "./command-channel.ts";
import type { ResolvedMachineConfig } from "./config.ts";
import { cpuHost } from "./cpu-host.ts";
import { RunLoop } from "./lifecycle/run-loop.ts";
import { describeShutdown } from "./lifecycle/shutdown-report.ts";
import type { CreateMachine, MachineEnd, MachineHost, MachineStatistics, RunningMachine, ScheduledTask } from "./machine.ts";
import { PanicWatch } from "./panic-watch.ts";
import { asVmError } from "./protocol.ts";
import { SerialInput } from "./serial-input.ts";

/** How long a guest may take to write out its disks after its command has ended. */
const POWER_OFF_NS = 10e9;
/** How long the engine may take to keep what the next start can use. */
const KEEP_NS = 2e9;

/** Puts a machine together. */
export const createMachine: CreateMachine = async (config, host) => {
  const [disks, program] = await Promise.all([openDisks(config, host), interpreterProgram(host)]);
  return new VirtualMachine(config, host, { disks, program });
};

/** What the build left; the definitions, from which it can be made anew, are loaded only when there is nothing. */
async function interpreterProgram({ interpreter }: MachineHost): Promise<InterpreterProgram> {
  if (interpreter !== undefined) return new InterpreterProgram(interpreter);
  const { ProgramGenerator } = await import("../cpu/engine/generator.ts");
  return new ProgramGenerator().interpreter();
}

/** The disks of a machine. Throws DISK_INVALID. */
async function openDisks({ disks }: ResolvedMachineConfig, host: MachineHost): Promise<BlockStorage[]> {
  const opened: BlockStorage[] = [];
  for (const [index, { path, format, readOnly }] of disks.entries()) {
    opened.push(await diskFormat(format).open(host.disks[index]!, { writable: !readOnly, name: path }));
  }
  return opened;
}

/** What has to be waited for before a machine can be put together. */
interface MachineParts {
  readonly disks: readonly BlockStorage[];
  readonly program: InterpreterProgram;
}

/** One machine, from its creation to its end. */
class VirtualMachine implements RunningMachine {
  readonly #host: MachineHost;
  readonly #clock: MachineClock;
  readonly #board: Board;
  readonly #engine: Engine;
  readonly #loop: RunLoop;
  readonly #serialInput: SerialInput;
  readonly #panic: PanicWatch;
  readonly #channel: CommandChannel | undefined;
  /** Something may be written that must not be lost. */
  readonly #writable: boolean;
  readonly #byte = new Uint8Array(1);
  readonly #diskFailures = new Set<string>();
  #commandStatus: number | undefined;

  constructor(config: ResolvedMachineConfig, host: MachineHost, { disks, program }: MachineParts) {
    this.#host = host;
    this.#clock = new MachineClock(host.clock);
    this.#writable = disks.some(({ readOnly }) => !readOnly);
    this.#panic = new PanicWatch((detail) => this.#loop.end({ kind: "panic", detail }));
    const memory = new GuestMemory(config.memoryBytes, memoryLayout(1, config.memoryBytes).ramBase);
    this.#board = this.#buildBoard(config, memory, disks);
    this.#engine = new Processor({
      program,
      translator: host.translator,
      observer: host.observer,
      memory,
      host: cpuHost(this.#board, {
        clock: this.#clock,
        fillRandom: (into) => host.fillRandom(into),
        interruptAccepted: () => this.#loop.interruptAccepted(),
        translationFailed: ({ message }) =>
          host.log.warnOnce("translation", `The translator has ended (${message}); what is not translated yet is interpreted`),
      }),
    });
    this.#loop = new RunLoop({
      engine: this.#engine,
      clock: this.#clock,
      host,
      describeShutdown: () => describeShutdown(this.#engine.registers),
      ended: (end) => void this.#finish(end),
    });
    this.#serialInput = new SerialInput(this.#board.serial);
    this.#channel = this.#openChannel(config);
    bootKernel(config, host, { board: this.#board, memory, engine: this.#engine });
  }

  get statistics(): MachineStatistics {
    return this.#loop.statistics;
  }

  get systemCallEntry(): bigint {
    return this.#engine.registers.get("lstar");
  }

  start(): void {
    this.#loop.start();
  }

  serialInput(bytes: Uint8Array): Promise<void> {
    this.#panic.input();
    return this.#serialInput.write(bytes);
  }

  execInput(bytes: Uint8Array): Promise<void> {
    return this.#channel?.input(bytes) ?? Promise.resolve();
  }

  execInputEnd(): void {
    this.#channel?.endInput();
  }

  resize(rows: number, columns: number): void {
    this.#channel?.resize(rows, columns);
  }

  stop(): void {
    this.#loop.end({ kind: "stopped" });
  }

  #buildBoard({ board, kernel, command, devices }: ResolvedMachineConfig, memory: GuestMemory, disks: readonly BlockStorage[]): Board {
    const host = this.#host;
    return BOARDS[board]({
      memory,
      clock: this.#clock,
      log: host.log,
      pins: this.#pins(),
      events: this.#events(),
      devices,
      disks,
      commandPorts: kernel === undefined || command !== undefined ? COMMAND_PORTS : [],
      random: (into) => host.fillRandom(into),
    });
  }

  #pins(): ProcessorPins {
    return {
      setInterruptLine: (level) => {
        this.#engine.setInterruptLine(level);
        this.#loop.interruptLine(level);
      },
      nmi: () => {
        this.#engine.nmi();
        this.#loop.wake();
      },
      tscOffset: () => this.#engine.registers.get("tscOffset"),
    };
  }

  #events(): BoardEvents {
    return {
      powerOff: () => this.#loop.end(this.#exit() ?? { kind: "powerOff" }),
      reset: () => this.#loop.end(this.#exit() ?? this.#panicEnd() ?? { kind: "reset" }),
      debugExit: (value) => this.#loop.end({ kind: "debugExit", status: exitStatus(value) }),
      serialOut: (byte) => this.#serialOut(byte),
      serialRoom: () => this.#serialInput.room(),
      debugOut: (byte) => this.#host.debugOut(this.#one(byte)),
      diskFailed: (index, error) => this.#diskFailed(index, asVmError(error)),
    };
  }

  #exit(): MachineEnd | undefined {
    return this.#commandStatus === undefined ? undefined : { kind: "exit", status: this.#commandStatus };
  }

  #panicEnd(): MachineEnd | undefined {
    const detail = this.#panic.suspicion;
    return detail === undefined ? undefined : { kind: "panic", detail };
  }

  #serialOut(byte: number): void {
    this.#host.serialOut(this.#one(byte));
    this.#panic.output(byte);
  }

  // A guest tries again and again.
  #diskFailed(index: number, error: VmError): void {
    const reason = `${index} ${error.message}`;
    if (this.#diskFailures.has(reason)) return;
    this.#diskFailures.add(reason);
    this.#host.diskFailed(error);
  }

  #one(byte: number): Uint8Array {
    this.#byte[0] = byte;
    return this.#byte;
  }

  #openChannel({ command }: ResolvedMachineConfig): CommandChannel | undefined {
    const { commands } = this.#board;
    if (commands === undefined) return undefined;
    return new CommandChannel(commands, command, {
      clock: this.#clock,
      host: this.#host,
      finished: (status) => this.#commandFinished(status),
    });
  }

  // A guest that has a disk to write to still holds data in its caches.
  #commandFinished(status: number): void {
    if (this.#commandStatus !== undefined) return;
    this.#commandStatus = status;
    const end = (): void => this.#loop.end({ kind: "exit", status });
    if (!this.#writable) return end();
    this.#channel?.powerOff();
    this.#clock.arm(this.#clock.now() + POWER_OFF_NS, end);
  }

  /** Lets the engine keep what it has for the next start, if that does not take long. */
  async #keep(): Promise<void> {
    let timer: ScheduledTask | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = this.#host.scheduleAfter(KEEP_NS, resolve);
    });
    await Promise.race([this.#engine.keep(), patience]);
    timer?.cancel();
  }

  async #finish(end: MachineEnd): Promise<void> {
    try {
      await this.#board.chassis.quiesce();
      if (end.kind !== "error") await this.#keep();
      this.#host.ended(end);
    } catch (error) {
      this.#host.ended({ kind: "error", error: asVmError(error) });
    }
  }
}
