// What every transport shows of a device, under whatever addresses: status, features, queues, configuration (VIRTIO 1.3 §2, §3).
import { array, record, u32, u64, u8, type Schema } from "../../support/schema.ts";
import { VmError } from "../../support/errors.ts";
import type { Width, Wiring } from "../device.ts";
import type { VirtioDevice, VirtioWiring } from "./device.ts";
import { half, withHalf } from "./halves.ts";
import { freshQueue, QUEUE_STATE, VirtQueue, type QueueState } from "./queue.ts";
import * as spec from "./spec.ts";

/** State that transports share. */
export interface VirtioState<S extends object> {
  status: number;
  deviceFeaturesSelect: number;
  driverFeaturesSelect: number;
  /** What the driver accepted so far. */
  driverFeatures: bigint;
  queueSelect: number;
  /** Pending interrupt causes. */
  interruptStatus: number;
  configGeneration: number;
  queues: QueueState[];
  device: S;
}

/** Most queues that a restored state may claim to have. */
const QUEUES_MAX = 1024;

/** Describes VirtioState of one kind of device. */
export function virtioState<S extends object>(device: Schema<S>): Schema<VirtioState<S>> {
  return record<VirtioState<S>>({
    status: u8,
    deviceFeaturesSelect: u32,
    driverFeaturesSelect: u32,
    driverFeatures: u64,
    queueSelect: u32,
    interruptStatus: u8,
    configGeneration: u8,
    queues: array(QUEUE_STATE, 0, QUEUES_MAX),
    device,
  });
}

/** How interrupts leave: `queue` used buffers, or changed its configuration when undefined. */
export type Interrupt = (queue: number | undefined) => void;

/** The registers behind both transports, and the life cycle of the device in them. */
export class VirtioRegisters<S extends object, D extends VirtioDevice<S>> {
  readonly device: D;
  readonly queues: readonly VirtQueue[];
  /** Features offered. */
  readonly features: bigint;
  state: VirtioState<S>;
  readonly #kind: string;
  readonly #log: Wiring["log"];
  readonly #interrupt: Interrupt;
  #paused = false;
  /** The status that was reset while requests were under way; shown until they are through. */
  #leaving = 0;

  constructor(kind: string, make: (wiring: VirtioWiring) => D, wiring: Wiring, interrupt: Interrupt) {
    this.#kind = kind;
    this.#log = wiring.log;
    this.#interrupt = interrupt;
    const { memory, clock, log } = wiring;
    this.device = make({
      memory,
      clock,
      log,
      configChanged: () => this.#configChanged(),
      needsReset: (reason) => this.#needsReset(reason),
    });
    this.features = this.device.features | spec.F_VERSION_1 | spec.F_INDIRECT_DESC | spec.F_EVENT_IDX;
    this.queues = this.device.queueSizes.map(
      (size, index) =>
        new VirtQueue(index, size, memory, {
          notifyDriver: (queue) => this.#interrupt(queue),
          broken: (queue, reason) => this.#needsReset(`queue ${queue}: ${reason}`),
        }),
    );
    this.state = {
      status: 0,
      deviceFeaturesSelect: 0,
      driverFeaturesSelect: 0,
      driverFeatures: 0n,
      queueSelect: 0,
      interruptStatus: 0,
      configGeneration: 0,
      queues: this.queues.map(({ state }) => state),
      device: this.device.state,
    };
  }

  /** Features both sides agreed on; those offered but not accepted are off. */
  get negotiated(): bigint {
    return this.state.driverFeatures & this.features;
  }

  /** Device status (§2.1). After a reset it is 0 only once the device has let go of guest memory (§2.4.1). */
  get status(): number {
    if (this.#leaving !== 0 && this.device.busy !== true) this.#leaving = 0;
    return this.state.status === 0 ? this.#leaving : this.state.status;
  }

  /** The driver writes Device status. Bits once set stay until a reset (§2.1.1). */
  writeStatus(value: number): void {
    if (value === 0) return this.reset();
    const added = value & ~this.state.status & (spec.STATUS_ACKNOWLEDGE | spec.STATUS_DRIVER | spec.STATUS_FAILED);
    this.state.status |= added;
    if ((value & spec.STATUS_FEATURES_OK) !== 0 && this.#acceptable()) this.state.status |= spec.STATUS_FEATURES_OK;
    const ready =
      (value & spec.STATUS_DRIVER_OK) !== 0 &&
      (this.state.status & (spec.STATUS_FEATURES_OK | spec.STATUS_DRIVER_OK)) === spec.STATUS_FEATURES_OK;
    if (!ready) return;
    this.state.status |= spec.STATUS_DRIVER_OK;
    this.#activate();
    this.handleAll();
  }

  /** The 32 offered features that the driver selected (§2.2). */
  get deviceFeatures(): number {
    return selected(this.features, this.state.deviceFeaturesSelect);
  }

  /** The 32 accepted features that the driver selected. */
  get driverFeatures(): number {
    return selected(this.state.driverFeatures, this.state.driverFeaturesSelect);
  }

  /** The driver accepts features; not after FEATURES_OK (§3.1.1 step 5). */
  writeDriverFeatures(value: number): void {
    const { state } = this;
    if ((state.status & spec.STATUS_FEATURES_OK) !== 0 || state.driverFeaturesSelect > 1) return;
    state.driverFeatures = withHalf(state.driverFeatures, state.driverFeaturesSelect === 1, value);
  }

  /** The queue that the driver selected, or undefined when the device has no such queue. */
  get selected(): VirtQueue | undefined {
    return this.queues[this.state.queueSelect];
  }

  /** Changes a register of the selected queue; not while it is enabled (§4.1.4.3.2). */
  setQueue(change: (queue: QueueState) => void): void {
    const queue = this.selected;
    if (queue !== undefined && !queue.state.enabled) change(queue.state);
  }

  /** The driver enables the selected queue. */
  enableQueue(): void {
    const queue = this.selected;
    if (queue === undefined || queue.state.enabled) return;
    queue.state.enabled = true;
    if (this.#active) queue.start(this.negotiated);
  }

  /** The driver takes the selected queue back (§4.2.2.2); buffers that the device still has never come back. */
  disableQueue(): void {
    const queue = this.selected;
    if (queue === undefined) return;
    queue.stop();
    queue.state.enabled = false;
  }

  /** The driver notifies the device that a queue has buffers. Before DRIVER_OK and after a fault nothing is consumed (§3.1.1). */
  notify(index: number): void {
    const queue = this.queues[index];
    if (queue !== undefined && queue.live && !this.#paused) this.device.handle(queue);
  }

  /** Looks into every queue, as if the driver had notified all. */
  handleAll(): void {
    for (let index = 0; index < this.queues.length; index++) this.notify(index);
  }

  /** Reads device configuration; bytes beyond it are 0. */
  readConfig(offset: number, width: Width): number {
    const { config } = this.device;
    let value = 0;
    for (let i = width - 1; i >= 0; i--) value = value * 0x100 + (config[offset + i] ?? 0);
    return value;
  }

  writeConfig(offset: number, width: Width, value: number): void {
    this.device.writeConfig?.(offset, width, value);
  }

  /** Power-on state, also on the driver's wish (§2.4). */
  reset(): void {
    if (this.device.busy === true) this.#leaving = this.status;
    const { state } = this;
    Object.assign(state, {
      status: 0,
      deviceFeaturesSelect: 0,
      driverFeaturesSelect: 0,
      driverFeatures: 0n,
      queueSelect: 0,
      interruptStatus: 0,
      configGeneration: 0,
    });
    state.queues = this.queues.map((queue) => {
      queue.stop();
      queue.state = freshQueue(queue.maxSize);
      return queue.state;
    });
    this.device.reset();
  }

  /** Follows restored state. Throws STATE_INVALID when it cannot be this device's. */
  resync(state: VirtioState<S>): void {
    if (
      state.queues.length !== this.queues.length ||
      ((state.status & spec.STATUS_FEATURES_OK) !== 0 && (state.driverFeatures & ~this.features) !== 0n)
    ) {
      throw new VmError("STATE_INVALID", `Saved ${this.#kind} has other queues or features than this one`, {
        data: { unit: this.#kind, queues: state.queues.length },
      });
    }
    this.state = state;
    Object.assign(this.device.state, state.device);
    state.device = this.device.state;
    this.queues.forEach((queue, index) => {
      queue.stop();
      queue.state = state.queues[index]!;
    });
    this.device.resync?.();
    if (this.#active) this.#activate();
  }

  /** Keeps new work back, and waits for what is under way. */
  async pause(): Promise<void> {
    this.#paused = true;
    await this.device.pause?.();
  }

  resume(): void {
    this.#paused = false;
    this.handleAll();
  }

  get #active(): boolean {
    return (this.state.status & (spec.STATUS_DRIVER_OK | spec.STATUS_DEVICE_NEEDS_RESET)) === spec.STATUS_DRIVER_OK;
  }

  // §6.1: this device has no legacy interface, so a driver without VERSION_1 cannot drive it.
  #acceptable(): boolean {
    const { driverFeatures } = this.state;
    return (driverFeatures & ~this.features) === 0n && (driverFeatures & spec.F_VERSION_1) !== 0n;
  }

  #activate(): void {
    for (const queue of this.queues) if (this.#active) queue.start(this.negotiated);
    this.device.activate({ features: this.negotiated, queues: this.queues });
  }

  #configChanged(): void {
    this.state.configGeneration = (this.state.configGeneration + 1) & 0xff;
    if ((this.state.status & spec.STATUS_DRIVER_OK) !== 0) this.#interrupt(undefined);
  }

  // §2.1.2: after DRIVER_OK the driver is told by a configuration change notification.
  #needsReset(reason: string): void {
    this.#log.warnOnce(`${this.#kind}.broken`, `The driver of ${this.#kind} broke the rules (${reason}); the device waits for a reset`);
    if ((this.state.status & spec.STATUS_DEVICE_NEEDS_RESET) !== 0) return;
    this.state.status |= spec.STATUS_DEVICE_NEEDS_RESET;
    for (const queue of this.queues) queue.stop();
    if ((this.state.status & spec.STATUS_DRIVER_OK) !== 0) this.#interrupt(undefined);
  }
}

// §2.2: there are no features beyond bit 63.
function selected(features: bigint, select: number): number {
  return select > 1 ? 0 : half(features, select === 1);
}
