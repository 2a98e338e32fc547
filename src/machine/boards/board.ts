// What a board is asked for, and what it is when it stands.
import type { BlockStorage, VirtioConsole } from "../../devices/virtio/index.ts";
import type { Serial16550 } from "../../devices/serial16550/index.ts";
import type { PlatformDescription } from "../../firmware/platform.ts";
import type { DeviceName } from "../config.ts";
import type { Chassis, ChassisResources } from "./chassis.ts";
import type { InterruptControllers } from "./interrupt-controllers.ts";

/** The pins of the processor that a board drives. */
export interface ProcessorPins {
  setInterruptLine(level: boolean): void;
  nmi(): void;
  /** What the guest has added to the time-stamp counter, in ticks. */
  tscOffset(): bigint;
}

/** What the guest asks of the world outside. Called from within its port writes: the machine acts between two instructions. */
export interface BoardEvents {
  powerOff(): void;
  reset(): void;
  /** The guest wrote `value` to isa-debug-exit. */
  debugExit(value: number): void;
  /** The guest sent a byte over its serial line. */
  serialOut(byte: number): void;
  /** The serial line takes input again after it took less than it was given. */
  serialRoom(): void;
  debugOut(byte: number): void;
  /** An access to disk number `index` failed for a reason of the host's. The guest sees an I/O error. */
  diskFailed(index: number, error: unknown): void;
}

/** What a board is built from. */
export interface BoardRequest extends ChassisResources {
  readonly pins: ProcessorPins;
  readonly events: BoardEvents;
  readonly devices: readonly DeviceName[];
  readonly disks: readonly BlockStorage[];
  /** Names of the virtio ports over which the embedded guest takes commands; empty for no such device. */
  readonly commandPorts: readonly string[];
  /** Fills with bytes fit for keys; `into` is never guest memory. */
  readonly random: (into: Uint8Array) => void;
}

/** A board with everything on it. */
export interface Board {
  readonly chassis: Chassis;
  readonly interrupts: InterruptControllers;
  readonly serial: Serial16550;
  /** The console device that carries the command ports. */
  readonly commands: VirtioConsole | undefined;
  /** What firmware tells the guest about it. */
  readonly platform: PlatformDescription;
  /** Leaves the hardware as firmware does before it starts a kernel: power-on state, then what a kernel expects to be set up. */
  initialise(): void;
}
