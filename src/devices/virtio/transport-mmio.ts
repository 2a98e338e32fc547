// Virtio over memory-mapped registers, version 2 (VIRTIO 1.3 §4.2): 256 bytes of control registers, then the device's
// configuration. One interrupt line. There is no shared memory region.
import type { Gpa } from "../../memory/gpa.ts";
import { codec } from "../../support/schema.ts";
import { FLOAT, type Device, type DeviceType, type Line, type MmioRegion, type Width, type Wiring } from "../device.ts";
import type { VirtioDevice, VirtioDeviceType } from "./device.ts";
import { withHalf } from "./halves.ts";
import { virtioState, VirtioRegisters, type VirtioState } from "./registers.ts";
import { ISR_CONFIG, ISR_QUEUE } from "./spec.ts";

/** Registers (§4.2.2, table 4.1). */
export const MagicValue = 0x000;
export const Version = 0x004;
export const DeviceID = 0x008;
export const VendorID = 0x00c;
export const DeviceFeatures = 0x010;
export const DeviceFeaturesSel = 0x014;
export const DriverFeatures = 0x020;
export const DriverFeaturesSel = 0x024;
export const QueueSel = 0x030;
export const QueueSizeMax = 0x034;
export const QueueSize = 0x038;
export const QueueReady = 0x044;
export const QueueNotify = 0x050;
export const InterruptStatus = 0x060;
export const InterruptACK = 0x064;
export const Status = 0x070;
/** The high half of each queue address follows 4 bytes on. */
export const QueueDescLow = 0x080;
export const QueueDriverLow = 0x090;
export const QueueDeviceLow = 0x0a0;
export const SHMLenLow = 0x0b0;
export const SHMBaseHigh = 0x0bc;
export const ConfigGeneration = 0x0fc;
export const Config = 0x100;

/** "virt", little-endian. */
export const MAGIC = 0x7472_6976;
const VERSION = 2;
/** "NIDO", little-endian. */
export const VENDOR = 0x4f44_494e;

/** Bytes of register space that each device has. */
export const MMIO_LENGTH = 0x200;

const QUEUE_ADDRESSES: ReadonlyMap<number, "desc" | "driver" | "device"> = new Map([
  [QueueDescLow, "desc"],
  [QueueDriverLow, "driver"],
  [QueueDeviceLow, "device"],
] as const);

/** Where the device is, and its own configuration. */
export interface VirtioMmioConfig<C> {
  /** Guest-physical address of its MMIO_LENGTH bytes. */
  readonly base: Gpa;
  readonly device: C;
}

/** A virtio device behind memory-mapped registers. Its interrupt is the line "interrupt". */
export class VirtioMmio<S extends object, D extends VirtioDevice<S>> implements Device<VirtioState<S>> {
  readonly mmio: readonly MmioRegion[];
  /** The device itself, for the host's side of it. */
  readonly device: D;
  readonly #deviceType: number;
  readonly #registers: VirtioRegisters<S, D>;
  readonly #line: Line;

  constructor(
    type: VirtioDeviceType<never, S, D>,
    base: Gpa,
    wiring: Wiring,
    make: ConstructorParameters<typeof VirtioRegisters<S, D>>[1],
  ) {
    this.#deviceType = type.deviceType;
    this.#line = wiring.line("interrupt");
    this.#registers = new VirtioRegisters(type.kind, make, wiring, (queue) =>
      this.#interrupt(queue === undefined ? ISR_CONFIG : ISR_QUEUE),
    );
    this.device = this.#registers.device;
    this.mmio = [
      {
        name: `${type.kind}-mmio`,
        base,
        length: MMIO_LENGTH,
        read: (offset, width) => this.#read(offset, width),
        write: (offset, width, value) => this.#write(offset, width, value),
      },
    ];
  }

  get state(): VirtioState<S> {
    return this.#registers.state;
  }

  reset(): void {
    this.#registers.reset();
    this.#driveLine();
  }

  resync(): void {
    this.#registers.resync(this.state);
    this.#driveLine();
  }

  pause(): Promise<void> {
    return this.#registers.pause();
  }

  resume(): void {
    this.#registers.resume();
  }

  #interrupt(cause: number): void {
    this.state.interruptStatus |= cause;
    this.#driveLine();
  }

  #driveLine(): void {
    this.#line.set(this.state.interruptStatus !== 0);
  }

  // §4.2.2.2: control registers are accessed by aligned 32 bits only; configuration by any width.
  #read(offset: number, width: Width): number {
    if (offset >= Config) return this.#registers.readConfig(offset - Config, width);
    return width === 4 && offset % 4 === 0 ? this.#readRegister(offset) : FLOAT[width];
  }

  #readRegister(offset: number): number {
    const registers = this.#registers;
    const queue = registers.selected;
    switch (offset) {
      case MagicValue:
        return MAGIC;
      case Version:
        return VERSION;
      case DeviceID:
        return this.#deviceType;
      case VendorID:
        return VENDOR;
      case DeviceFeatures:
        return registers.deviceFeatures;
      case QueueSizeMax:
        return queue?.maxSize ?? 0;
      case QueueReady:
        return queue?.state.enabled === true ? 1 : 0;
      case InterruptStatus:
        return this.state.interruptStatus;
      case Status:
        return registers.status;
      case ConfigGeneration:
        return this.state.configGeneration;
      default:
        // §4.2.2.1: length and base of a shared memory region that does not exist read as -1.
        return offset >= SHMLenLow && offset <= SHMBaseHigh ? 0xffff_ffff : 0;
    }
  }

  #write(offset: number, width: Width, value: number): void {
    if (offset >= Config) this.#registers.writeConfig(offset - Config, width, value);
    else if (width === 4 && offset % 4 === 0) this.#writeRegister(offset, value);
  }

  #writeRegister(offset: number, value: number): void {
    const { state } = this;
    const registers = this.#registers;
    switch (offset) {
      case DeviceFeaturesSel:
        state.deviceFeaturesSelect = value;
        break;
      case DriverFeatures:
        registers.writeDriverFeatures(value);
        break;
      case DriverFeaturesSel:
        state.driverFeaturesSelect = value;
        break;
      case QueueSel:
        state.queueSelect = value;
        break;
      case QueueSize:
        registers.setQueue((queue) => void (queue.size = value & 0xffff));
        break;
      case QueueReady:
        if (value === 1) registers.enableQueue();
        else if (value === 0) registers.disableQueue();
        break;
      case QueueNotify:
        registers.notify(value);
        break;
      case InterruptACK:
        state.interruptStatus &= ~value;
        this.#driveLine();
        break;
      case Status:
        registers.writeStatus(value & 0xff);
        this.#driveLine();
        break;
      default:
        this.#writeAddress(offset, value);
    }
  }

  #writeAddress(offset: number, value: number): void {
    const address = QUEUE_ADDRESSES.get(offset & ~4);
    if (address === undefined) return;
    this.#registers.setQueue((queue) => void (queue[address] = withHalf(queue[address], (offset & 4) !== 0, value)));
  }
}

/** A virtio device type behind memory-mapped registers. */
export function virtioMmio<C, S extends object, D extends VirtioDevice<S>>(
  type: VirtioDeviceType<C, S, D>,
): DeviceType<VirtioMmioConfig<C>, VirtioState<S>, VirtioMmio<S, D>> {
  const kind = `${type.kind}-mmio`;
  return {
    kind,
    state: codec(kind, type.version, virtioState(type.state)),
    create: (config, wiring) => new VirtioMmio<S, D>(type, config.base, wiring, (virtio) => type.create(config.device, virtio)),
  };
}
