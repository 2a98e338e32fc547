// Entropy device (VIRTIO 1.3 §5.4): fills the driver's buffers with random bytes from the host.
import { record, type Schema } from "../../../support/schema.ts";
import type { VirtioDevice, VirtioDeviceType } from "../device.ts";
import type { VirtQueue } from "../queue.ts";
import { TYPE_ENTROPY } from "../spec.ts";

/** Where the bytes come from. */
export interface RngConfig {
  /** Fills the buffer, which is not shared memory, with cryptographically secure random bytes. */
  readonly random: (into: Uint8Array) => void;
}

/** An entropy device keeps nothing. */
export type RngState = Record<never, never>;
const RNG_STATE: Schema<RngState> = record<RngState>({});

// §5.4.6.2 asks for at least one byte a buffer; a bound keeps a driver from having the host fill gigabytes at one notification.
const MOST_BYTES = 4096;

/** A virtio entropy device. */
export class VirtioRng implements VirtioDevice<RngState> {
  readonly features: bigint = 0n;
  readonly queueSizes: readonly number[] = [64];
  readonly config: Uint8Array = new Uint8Array();
  readonly state: RngState = {};
  readonly #random: (into: Uint8Array) => void;
  // Hosts' random sources refuse shared memory, which guest memory is.
  readonly #buffer = new Uint8Array(MOST_BYTES);

  constructor(config: RngConfig) {
    this.#random = config.random;
  }

  activate(): void {}

  handle(queue: VirtQueue): void {
    for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
      const bytes = this.#buffer.subarray(0, chain.writable.length);
      this.#random(bytes);
      queue.push(chain, chain.writable.write(0, bytes));
    }
    queue.signal();
  }

  reset(): void {}
}

/** The entropy device. */
export const virtioRng: VirtioDeviceType<RngConfig, RngState, VirtioRng> = {
  kind: "virtio-rng",
  version: 1,
  state: RNG_STATE,
  deviceType: TYPE_ENTROPY,
  classCode: 0x00_ff00,
  create: (config) => new VirtioRng(config),
};
