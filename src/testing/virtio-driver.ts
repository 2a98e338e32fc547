// A driver for any virtio device over either transport, for tests: initialisation by VIRTIO 1.3 §3.1.1, then queues to play with.
import { MmioBus } from "../bus/mmio-bus.ts";
import { PciBus } from "../bus/pci/bus.ts";
import type { PciTarget } from "../bus/pci/function.ts";
import { PortBus } from "../bus/port-bus.ts";
import type { IoHandler, Width } from "../devices/device.ts";
import type { GuestMemory } from "../memory/guest-memory.ts";
import { assert } from "../support/assert.ts";
import { MemoryAllocator, VirtqueueDriver } from "./virtqueue-driver.ts";

/** A transport, from the driver's side. */
export interface DriverTransport {
  status: number;
  readonly deviceFeatures: bigint;
  setDriverFeatures(features: bigint): void;
  /** The largest size that the queue may have; 0 when there is no such queue. */
  queueSizeMax(queue: number): number;
  setQueue(queue: number, driver: Pick<VirtqueueDriver, "size" | "desc" | "avail" | "used">): void;
  notify(queue: number): void;
  readConfig(offset: number, width: Width): number;
  writeConfig(offset: number, width: Width, value: number): void;
  readonly configGeneration: number;
  /** Pending interrupt causes, which it acknowledges. */
  takeInterrupts(): number;
}

const ACKNOWLEDGE = 1;
const DRIVER = 2;
const DRIVER_OK = 4;
const FEATURES_OK = 8;
const F_VERSION_1 = 1n << 32n;

/** A driver. */
export class VirtioDriver {
  readonly transport: DriverTransport;
  readonly queues: VirtqueueDriver[] = [];
  readonly allocator: MemoryAllocator;
  readonly #memory: GuestMemory;

  /** @param from guest-physical address from which the driver may use memory */
  constructor(transport: DriverTransport, memory: GuestMemory, from: number = 0x1000) {
    this.transport = transport;
    this.#memory = memory;
    this.allocator = new MemoryAllocator(from);
  }

  /** Negotiates VERSION_1 and those of the features wanted that are offered; returns what was agreed. */
  negotiate(wanted: bigint = 0n): bigint {
    const { transport } = this;
    transport.status = 0;
    transport.status = ACKNOWLEDGE;
    transport.status = ACKNOWLEDGE | DRIVER;
    const features = transport.deviceFeatures & (wanted | F_VERSION_1);
    transport.setDriverFeatures(features);
    transport.status = ACKNOWLEDGE | DRIVER | FEATURES_OK;
    return features;
  }

  /** Sets up every queue the device has, of at most `size` entries. */
  setQueues(size: number = 16): void {
    for (let index = 0; this.transport.queueSizeMax(index) > 0; index++) {
      const queue = new VirtqueueDriver(this.#memory, this.allocator, Math.min(size, this.transport.queueSizeMax(index)));
      this.queues[index] = queue;
      this.transport.setQueue(index, queue);
    }
  }

  /** Everything up to and with DRIVER_OK. */
  start(wanted: bigint = 0n, queueSize: number = 16): bigint {
    const features = this.negotiate(wanted);
    this.setQueues(queueSize);
    this.transport.status = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK;
    return features;
  }

  /** The driver's side of a queue that was set up. */
  queue(index: number): VirtqueueDriver {
    const queue = this.queues[index];
    assert(queue !== undefined, `queue ${index} was not set up`);
    return queue;
  }
}

/** The memory-mapped transport, over the device's region. */
export class MmioDriverTransport implements DriverTransport {
  readonly #io: IoHandler;

  constructor(region: IoHandler) {
    this.#io = region;
  }

  get status(): number {
    return this.#io.read(0x70, 4);
  }

  set status(value: number) {
    this.#io.write(0x70, 4, value);
  }

  get deviceFeatures(): bigint {
    return [0, 1].reduce((features, select) => {
      this.#io.write(0x14, 4, select);
      return features | (BigInt(this.#io.read(0x10, 4)) << BigInt(32 * select));
    }, 0n);
  }

  setDriverFeatures(features: bigint): void {
    for (const select of [0, 1]) {
      this.#io.write(0x24, 4, select);
      this.#io.write(0x20, 4, Number((features >> BigInt(32 * select)) & 0xffff_ffffn));
    }
  }

  queueSizeMax(queue: number): number {
    this.#io.write(0x30, 4, queue);
    return this.#io.read(0x34, 4);
  }

  setQueue(queue: number, { size, desc, avail, used }: Pick<VirtqueueDriver, "size" | "desc" | "avail" | "used">): void {
    for (const [register, value] of [
      [0x30, queue],
      [0x38, size],
      [0x80, desc],
      [0x84, 0],
      [0x90, avail],
      [0x94, 0],
      [0xa0, used],
      [0xa4, 0],
      [0x44, 1],
    ] as const) {
      this.#io.write(register, 4, value);
    }
  }

  notify(queue: number): void {
    this.#io.write(0x50, 4, queue);
  }

  readConfig(offset: number, width: Width): number {
    return this.#io.read(0x100 + offset, width);
  }

  writeConfig(offset: number, width: Width, value: number): void {
    this.#io.write(0x100 + offset, width, value);
  }

  get configGeneration(): number {
    return this.#io.read(0xfc, 4);
  }

  takeInterrupts(): number {
    const causes = this.#io.read(0x60, 4);
    this.#io.write(0x64, 4, causes);
    return causes;
  }
}

/** A PCI bus alone, with everything that leaves it recorded. */
export class TestPciBus {
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  readonly bus: PciBus;
  /** Levels of the wires INTA#..INTD#. */
  readonly levels: [boolean, boolean, boolean, boolean] = [false, false, false, false];
  /** Messages delivered, as [address, data]. */
  readonly messages: [number, number][] = [];

  constructor() {
    const silent = { warnOnce: (): void => {} };
    this.ports = new PortBus(silent);
    this.mmio = new MmioBus(silent);
    const wire = (index: number): { set(level: boolean): void } => ({ set: (level) => void (this.levels[index] = level) });
    this.bus = new PciBus({
      ports: this.ports,
      mmio: this.mmio,
      intx: [wire(0), wire(1), wire(2), wire(3)],
      deliverMsi: (address, data) => void this.messages.push([address, data]),
    });
  }
}

interface Structure {
  readonly at: number;
  readonly length: number;
  readonly capability: number;
}

/** The PCI transport: places the BARs of the function and finds the structures through its capabilities (§4.1.4). */
export class PciDriverTransport implements DriverTransport {
  /** Address of each structure by cfg_type. */
  readonly structures: Map<number, Structure> = new Map();
  /** Address of the MSI-X table. */
  readonly msixTable: number = 0xe000_0000;
  readonly #target: PciTarget;
  readonly #mmio: MmioBus;
  #multiplier = 0;

  constructor(target: PciTarget, board: TestPciBus) {
    this.#target = target;
    this.#mmio = board.mmio;
    target.writeConfig(0x14, 4, this.msixTable);
    target.writeConfig(0x20, 4, 0xe001_0000);
    target.writeConfig(0x24, 4, 0);
    target.writeConfig(0x04, 2, 0x6);
    for (let at = target.readConfig(0x34, 1); at !== 0; at = target.readConfig(at + 1, 1)) this.#learn(at);
  }

  /** Turns MSI-X on with every vector unmasked: vector n sends n to FEE0_0000h. */
  enableMsix(vectors: number): void {
    for (let vector = 0; vector < vectors; vector++) {
      [0xfee0_0000, 0, vector, 0].forEach((dword, i) => this.#mmio.write(this.msixTable + 16 * vector + 4 * i, 4, dword));
    }
    for (let at = this.#target.readConfig(0x34, 1); at !== 0; at = this.#target.readConfig(at + 1, 1)) {
      if (this.#target.readConfig(at, 1) === 0x11) this.#target.writeConfig(at + 2, 2, 0x8000);
    }
  }

  /** A field of the common configuration. */
  common(offset: number, width: Width): number {
    return this.#mmio.read(this.#structure(1).at + offset, width);
  }

  setCommon(offset: number, width: Width, value: number): void {
    this.#mmio.write(this.#structure(1).at + offset, width, value);
  }

  get status(): number {
    return this.common(0x14, 1);
  }

  set status(value: number) {
    this.setCommon(0x14, 1, value);
  }

  get deviceFeatures(): bigint {
    return [0, 1].reduce((features, select) => {
      this.setCommon(0, 4, select);
      return features | (BigInt(this.common(4, 4)) << BigInt(32 * select));
    }, 0n);
  }

  setDriverFeatures(features: bigint): void {
    for (const select of [0, 1]) {
      this.setCommon(8, 4, select);
      this.setCommon(0xc, 4, Number((features >> BigInt(32 * select)) & 0xffff_ffffn));
    }
  }

  queueSizeMax(queue: number): number {
    this.setCommon(0x16, 2, queue);
    return this.common(0x18, 2);
  }

  setQueue(queue: number, { size, desc, avail, used }: Pick<VirtqueueDriver, "size" | "desc" | "avail" | "used">): void {
    this.setCommon(0x16, 2, queue);
    this.setCommon(0x18, 2, size);
    for (const [offset, address] of [
      [0x20, desc],
      [0x28, avail],
      [0x30, used],
    ] as const) {
      this.setCommon(offset, 4, address);
      this.setCommon(offset + 4, 4, 0);
    }
    this.setCommon(0x1c, 2, 1);
  }

  notify(queue: number): void {
    this.setCommon(0x16, 2, queue);
    this.#mmio.write(this.#structure(2).at + this.common(0x1e, 2) * this.#multiplier, 2, queue);
  }

  readConfig(offset: number, width: Width): number {
    return this.#mmio.read(this.#structure(4).at + offset, width);
  }

  writeConfig(offset: number, width: Width, value: number): void {
    this.#mmio.write(this.#structure(4).at + offset, width, value);
  }

  get configGeneration(): number {
    return this.common(0x15, 1);
  }

  takeInterrupts(): number {
    return this.#mmio.read(this.#structure(3).at, 1);
  }

  #learn(capability: number): void {
    const target = this.#target;
    if (target.readConfig(capability, 1) !== 0x09) return;
    const bar = 0x10 + 4 * target.readConfig(capability + 4, 1);
    const base = target.readConfig(bar, 4) & ~0xf;
    const type = target.readConfig(capability + 3, 1);
    this.structures.set(type, {
      at: (base >>> 0) + target.readConfig(capability + 8, 4),
      length: target.readConfig(capability + 12, 4),
      capability,
    });
    if (type === 2) this.#multiplier = target.readConfig(capability + 16, 4);
  }

  #structure(type: number): Structure {
    const structure = this.structures.get(type);
    assert(structure !== undefined, `the function has no structure of type ${type}`);
    return structure;
  }
}
