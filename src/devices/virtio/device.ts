// What a virtio device is, whichever transport carries it (VIRTIO 1.3 §2). A transport asks for one through its VirtioDeviceType;
// the device sees buffers and configuration changes, never a register.
import type { Schema } from "../../support/schema.ts";
import type { Width, Wiring } from "../device.ts";
import type { VirtQueue } from "./queue.ts";

/** What a device may touch: a device's wiring, and its transport. */
export interface VirtioWiring extends Pick<Wiring, "memory" | "clock" | "log"> {
  /** The configuration bytes have changed: tells the driver (§2.5). */
  configChanged(): void;
  /** The device cannot go on until the driver resets it (§2.1.2). */
  needsReset(reason: string): void;
}

/** What a driver has set up when it says DRIVER_OK (§3.1.1). */
export interface Activation {
  /** Features negotiated. */
  readonly features: bigint;
  /** All queues of the device; those that the driver did not enable are not live. */
  readonly queues: readonly VirtQueue[];
}

/** The behaviour of one kind of device. */
export interface VirtioDevice<S extends object = object> {
  /** Device-specific features offered; transport features are added by the transport. */
  readonly features: bigint;
  /** Largest size of each queue, powers of two. */
  readonly queueSizes: readonly number[];
  /** Configuration bytes as they are now (§2.5); empty when the device has none. */
  readonly config: Uint8Array;
  /** Guest-visible state of the device itself. */
  readonly state: S;
  /** Requests are under way that may still touch guest memory: a reset is complete only after them. */
  readonly busy?: boolean;
  /** The driver is ready (or was, before a restore). */
  activate(activation: Activation): void;
  /** Buffers may be waiting in a queue. Does what can be done, and signals. */
  handle(queue: VirtQueue): void;
  /** The driver wrote to the configuration bytes. */
  writeConfig?(offset: number, width: Width, value: number): void;
  /** Back to power-on state; requests under way come to nothing. */
  reset(): void;
  /** Derives from restored `state` what is not in it. Throws STATE_INVALID if it is impossible. */
  resync?(): void;
  /** Resolves when no request is under way. The transport keeps new ones back. */
  pause?(): Promise<void>;
}

/** A kind of device, and how to make one. */
export interface VirtioDeviceType<C, S extends object, D extends VirtioDevice<S> = VirtioDevice<S>> {
  /** "virtio-blk"; transports add "-pci" or "-mmio". */
  readonly kind: string;
  /** Version of the state. */
  readonly version: number;
  readonly state: Schema<S>;
  /** Device type number (§5). */
  readonly deviceType: number;
  /** PCI class code, 24 bits. */
  readonly classCode: number;
  create(config: C, wiring: VirtioWiring): D;
}
