// Virtio over PCI, modern interface only (VIRTIO 1.3 §4.1): vendor capabilities point to structures behind BAR 4, MSI-X is behind BAR 1.
//
//    BAR 4     0h  common configuration      BAR 1    0h    MSI-X table
//          1000h  ISR status                        800h..  pending bits
//          2000h  device configuration
//          3000h  notifications, 4 bytes a queue
import { msixPendingBytes, msixTableBytes } from "../../bus/pci/msix.ts";
import { PCI_FUNCTION_STATE, PciFunction, type Msix, type PciFunctionState } from "../../bus/pci/index.ts";
import { VmError } from "../../support/errors.ts";
import { array, codec, record, u16 } from "../../support/schema.ts";
import type { Device, DeviceType, IoHandler, Wiring } from "../device.ts";
import { CommonConfig, type VectorState } from "./common-config.ts";
import type { VirtioDevice, VirtioDeviceType } from "./device.ts";
import { AccessCapability, CFG_COMMON, CFG_DEVICE, CFG_ISR, CFG_NOTIFY, StructureCapability } from "./pci-capabilities.ts";
import { virtioState, VirtioRegisters, type VirtioState } from "./registers.ts";
import { ISR_CONFIG, ISR_QUEUE, NO_VECTOR } from "./spec.ts";

/** Vendor of all virtio devices, and the device ID of type 0 (§4.1.2). */
export const VIRTIO_VENDOR = 0x1af4;
export const VIRTIO_DEVICE_BASE = 0x1040;
/** §4.1.2.1: a subsystem ID of 40h or more tells drivers of the transitional interface to stay away; QEMU uses this one. */
const SUBSYSTEM = 0x1100;

const STRUCTURES_BAR = 4;
const MSIX_BAR = 1;
const PAGE = 0x1000;
/** Bytes between the notification addresses of two queues. */
export const NOTIFY_MULTIPLIER = 4;

/** State of a virtio function. */
export interface VirtioPciState<S extends object> extends VectorState {
  pci: PciFunctionState;
  virtio: VirtioState<S>;
}

/** A virtio device as a PCI function: `bus.attach(n, device.pci)`. */
export class VirtioPci<S extends object, D extends VirtioDevice<S>> implements Device<VirtioPciState<S>> {
  readonly pci: PciFunction;
  /** The device itself, for the host's side of it. */
  readonly device: D;
  readonly state: VirtioPciState<S>;
  readonly #registers: VirtioRegisters<S, D>;
  readonly #common: CommonConfig<S, D>;
  readonly #msix: Msix;

  constructor(type: VirtioDeviceType<never, S, D>, wiring: Wiring, make: ConstructorParameters<typeof VirtioRegisters<S, D>>[1]) {
    this.#registers = new VirtioRegisters(type.kind, make, wiring, (queue) => this.#interrupt(queue));
    this.device = this.#registers.device;
    const { queues } = this.#registers;
    this.pci = new PciFunction(`${type.kind}-pci`, {
      vendorId: VIRTIO_VENDOR,
      deviceId: VIRTIO_DEVICE_BASE + type.deviceType,
      revision: 1,
      classCode: type.classCode,
      subsystemVendorId: VIRTIO_VENDOR,
      subsystemId: SUBSYSTEM,
      interruptPin: 1,
    });
    // One vector for each queue and one for configuration changes.
    this.#msix = this.#addMsix(queues.length + 1);
    this.#addStructures();
    this.state = { pci: this.pci.state, virtio: this.#registers.state, configVector: NO_VECTOR, queueVectors: queues.map(() => NO_VECTOR) };
    this.#common = new CommonConfig(this.#registers, () => this.state, this.#msix.vectors);
  }

  reset(): void {
    this.#registers.reset();
    this.#common.forgetVectors();
    this.pci.reset();
  }

  resync(): void {
    const { queueVectors } = this.state;
    if (queueVectors.length !== this.#registers.queues.length) {
      throw new VmError(
        "STATE_INVALID",
        `Saved virtio function has vectors for ${queueVectors.length} queues, not ${this.#registers.queues.length}`,
        { data: { vectors: queueVectors.length } },
      );
    }
    this.pci.resync(this.state.pci);
    this.#registers.resync(this.state.virtio);
    this.pci.setIntx(this.state.virtio.interruptStatus !== 0);
  }

  pause(): Promise<void> {
    return this.#registers.pause();
  }

  resume(): void {
    this.#registers.resume();
  }

  #addMsix(vectors: number): Msix {
    const pbaOffset = Math.max(PAGE / 2, msixTableBytes(vectors));
    const size = Math.max(PAGE, 2 ** Math.ceil(Math.log2(pbaOffset + msixPendingBytes(vectors))));
    const msix = this.pci.addMsix({ vectors, bar: MSIX_BAR, tableOffset: 0, pbaOffset });
    this.pci.addBar({ index: MSIX_BAR, kind: "mem32", size, handler: msix });
    return msix;
  }

  #addStructures(): void {
    const registers = this.#registers;
    const notifyLength = NOTIFY_MULTIPLIER * registers.queues.length;
    this.pci.addBar({
      index: STRUCTURES_BAR,
      kind: "mem64",
      prefetchable: true,
      size: 2 ** Math.ceil(Math.log2(3 * PAGE + Math.max(PAGE, notifyLength))),
      handler: this.#structures(),
    });
    const structure = { bar: STRUCTURES_BAR, multiplier: undefined };
    this.pci.addCapability(new StructureCapability({ ...structure, type: CFG_COMMON, offset: 0, length: CommonConfig.LENGTH }));
    this.pci.addCapability(new StructureCapability({ ...structure, type: CFG_ISR, offset: PAGE, length: 1 }));
    if (this.device.config.length > 0)
      this.pci.addCapability(
        new StructureCapability({ ...structure, type: CFG_DEVICE, offset: 2 * PAGE, length: this.device.config.length }),
      );
    this.pci.addCapability(
      new StructureCapability({ ...structure, type: CFG_NOTIFY, offset: 3 * PAGE, length: notifyLength, multiplier: NOTIFY_MULTIPLIER }),
    );
    this.pci.addCapability(new AccessCapability(this.pci));
  }

  #structures(): IoHandler {
    return {
      read: (offset, width) => {
        if (offset < PAGE) return this.#common.read(offset, width);
        if (offset < 2 * PAGE) return offset === PAGE ? this.#readIsr() : 0;
        return offset < 3 * PAGE ? this.#registers.readConfig(offset - 2 * PAGE, width) : 0;
      },
      write: (offset, width, value) => {
        if (offset < PAGE) this.#writeCommon(offset, width, value);
        else if (offset >= 3 * PAGE) this.#notify(Math.floor((offset - 3 * PAGE) / NOTIFY_MULTIPLIER));
        else if (offset >= 2 * PAGE) this.#registers.writeConfig(offset - 2 * PAGE, width, value);
      },
    };
  }

  #writeCommon(offset: number, width: 1 | 2 | 4, value: number): void {
    this.#common.write(offset, width, value);
    // §4.1.4.5.1: a reset takes the interrupt away too.
    this.pci.setIntx(this.state.virtio.interruptStatus !== 0);
  }

  // PCI 3.0 §6.2.2: without bus mastering the device may not touch the queues; it looks at them at the next notification.
  #notify(queue: number): void {
    if (this.pci.busMaster) this.#registers.notify(queue);
  }

  // §4.1.4.5: reading acknowledges, and lowers the line.
  #readIsr(): number {
    const { virtio } = this.state;
    const causes = virtio.interruptStatus;
    virtio.interruptStatus = 0;
    this.pci.setIntx(false);
    return causes;
  }

  #interrupt(queue: number | undefined): void {
    const { virtio } = this.state;
    const messages = this.#msix.enabled;
    // §4.1.4.5.1: with MSI-X the ISR tells of configuration changes only, and nothing drives the pin.
    if (queue === undefined || !messages) virtio.interruptStatus |= queue === undefined ? ISR_CONFIG : ISR_QUEUE;
    if (!messages) return this.pci.setIntx(true);
    const vector = queue === undefined ? this.state.configVector : this.state.queueVectors[queue]!;
    if (vector !== NO_VECTOR) this.#msix.notify(vector);
  }
}

/** A virtio device type as a PCI function. */
export function virtioPci<C, S extends object, D extends VirtioDevice<S>>(
  type: VirtioDeviceType<C, S, D>,
): DeviceType<C, VirtioPciState<S>, VirtioPci<S, D>> {
  const kind = `${type.kind}-pci`;
  return {
    kind,
    state: codec(
      kind,
      type.version,
      record<VirtioPciState<S>>({
        pci: PCI_FUNCTION_STATE,
        virtio: virtioState(type.state),
        configVector: u16,
        queueVectors: array(u16, 0, 1024),
      }),
    ),
    create: (config, wiring) => new VirtioPci<S, D>(type, wiring, (virtio) => type.create(config, virtio)),
  };
}
