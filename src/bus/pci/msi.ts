// Message Signaled Interrupts (PCI 3.0 §6.8.1). Which registers exist depends on the form:
//
//         31            16 15      8 7      0
//        +----------------+---------+--------+
//     0h | Message Control|  Next   |  05h   |
//     4h |          Message Address          |
//     8h |       Message Upper Address       |  64-bit form only, the rest moves up otherwise
//     Ch |        Message Data               |
//    10h |            Mask Bits              |  with per-vector masking
//    14h |           Pending Bits            |
//        +----------------+---------+--------+
import { assert } from "../../support/assert.ts";
import type { Capability, MessagePort } from "./capability.ts";
import type { ConfigSpace } from "./config-space.ts";
import { CAP_MSI } from "./spec.ts";

/** Message Control (PCI 3.0 §6.8.1.3). */
export const MSI_ENABLE = 0x0001;
const MULTIPLE_MESSAGE_CAPABLE = 1;
const MULTIPLE_MESSAGE_ENABLE = 4;
const MSI_64BIT = 1 << 7;
const MSI_MASKING = 1 << 8;

/** Which form a function has. */
export interface MsiSpec {
  /** Messages it asks for: 1, 2, 4, 8, 16 or 32. */
  readonly vectors: number;
  readonly address64: boolean;
  readonly masking: boolean;
}

/** The MSI capability of a function. All its state is in configuration space. */
export class Msi implements Capability {
  readonly id: number = CAP_MSI;
  readonly length: number;
  readonly #spec: MsiSpec;
  readonly #port: MessagePort;
  #config: ConfigSpace | undefined;
  #at = 0;

  constructor(spec: MsiSpec, port: MessagePort) {
    assert(spec.vectors <= 32 && Number.isInteger(Math.log2(spec.vectors)), "MSI vectors");
    this.#spec = spec;
    this.#port = port;
    this.length = this.#data + (spec.masking ? 12 : 2);
  }

  define(config: ConfigSpace, at: number): void {
    this.#config = config;
    this.#at = at;
    const { vectors, address64, masking } = this.#spec;
    const control = (Math.log2(vectors) << MULTIPLE_MESSAGE_CAPABLE) | (address64 ? MSI_64BIT : 0) | (masking ? MSI_MASKING : 0);
    config.define(at + 2, 2, control, { writable: MSI_ENABLE | (7 << MULTIPLE_MESSAGE_ENABLE) });
    config.define(at + 4, 4, 0, { writable: 0xffff_fffc });
    if (address64) config.define(at + 8, 4, 0, { writable: 0xffff_ffff });
    config.define(at + this.#data, 2, 0, { writable: 0xffff });
    if (!masking) return;
    const all = vectors === 32 ? 0xffff_ffff : 2 ** vectors - 1;
    config.define(at + this.#data + 4, 4, 0, { writable: all });
    config.define(at + this.#data + 8, 4, 0, { volatile: all });
  }

  get enabled(): boolean {
    return (this.#get(2, 2) & MSI_ENABLE) !== 0;
  }

  /** Messages that software allotted; §6.8.1.3: never more than were asked for count. */
  get allotted(): number {
    return Math.min(1 << ((this.#get(2, 2) >> MULTIPLE_MESSAGE_ENABLE) & 7), this.#spec.vectors);
  }

  /** Sends message `vector`, or remembers it while it is masked. Vectors beyond the allotted ones share those. */
  notify(vector: number): void {
    if (!this.enabled) return;
    const message = vector % this.allotted;
    const bit = (1 << message) >>> 0;
    if (this.#spec.masking && (this.#get(this.#data + 4, 4) & bit) !== 0) this.#setPending((this.#pending | bit) >>> 0);
    else this.#send(message);
  }

  /** PCI 3.0 §6.8.1.10: a pending message is sent once its mask bit is cleared. */
  wrote(): void {
    if (!this.#spec.masking || !this.enabled) return;
    const due = (this.#pending & ~this.#get(this.#data + 4, 4)) >>> 0;
    if (due === 0) return;
    this.#setPending((this.#pending & ~due) >>> 0);
    for (let message = 0; message < this.#spec.vectors; message++) if ((due >>> message) & 1) this.#send(message);
  }

  /** Offset of Message Data. */
  get #data(): number {
    return this.#spec.address64 ? 0xc : 0x8;
  }

  get #pending(): number {
    return this.#get(this.#data + 8, 4);
  }

  #setPending(bits: number): void {
    this.#config?.set(this.#at + this.#data + 8, 4, bits);
  }

  // §6.8.1.6: the function varies as many low bits of the data as it has messages allotted.
  #send(message: number): void {
    if (!this.#port.enabled) return;
    const address = this.#get(4, 4) + (this.#spec.address64 ? this.#get(8, 4) * 2 ** 32 : 0);
    this.#port.deliver(address, (this.#get(this.#data, 2) & ~(this.allotted - 1)) | message);
  }

  #get(offset: number, width: 2 | 4): number {
    return this.#config?.get(this.#at + offset, width) ?? 0;
  }
}
