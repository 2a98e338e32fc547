// The vendor-specific capabilities that tell a driver where a virtio function's structures are (VIRTIO 1.3 §4.1.4).
//
//         31      24 23      16 15       8 7        0
//        +----------+----------+----------+----------+
//     0h | cfg_type |  cap_len |   Next   |   09h    |
//     4h |      padding        |    id    |   bar    |
//     8h |                  offset                   |
//     Ch |                  length                   |
//    10h | notify_off_multiplier, or pci_cfg_data    |
//        +----------+----------+----------+----------+
import type { BarSpec, Capability } from "../../bus/pci/index.ts";
import type { ConfigSpace } from "../../bus/pci/config-space.ts";
import { CAP_VENDOR } from "../../bus/pci/spec.ts";
import type { Width } from "../device.ts";

/** cfg_type (§4.1.4). */
export const CFG_COMMON = 1;
export const CFG_NOTIFY = 2;
export const CFG_ISR = 3;
export const CFG_DEVICE = 4;
export const CFG_PCI = 5;

const BAR = 4;
const OFFSET = 8;
const LENGTH = 12;
const DATA = 16;

/** Where a structure is. */
export interface Structure {
  readonly type: number;
  readonly bar: number;
  readonly offset: number;
  readonly length: number;
  /** Of the notification structure only (§4.1.4.4). */
  readonly multiplier: number | undefined;
}

/** Tells where one structure is. */
export class StructureCapability implements Capability {
  readonly id: number = CAP_VENDOR;
  readonly length: number;
  readonly #structure: Structure;

  constructor(structure: Structure) {
    this.#structure = structure;
    this.length = structure.multiplier === undefined ? DATA : DATA + 4;
  }

  define(config: ConfigSpace, at: number): void {
    const { type, bar, offset, length, multiplier } = this.#structure;
    config.define(at + 2, 2, this.length | (type << 8));
    config.define(at + BAR, 4, bar);
    config.define(at + OFFSET, 4, offset);
    config.define(at + LENGTH, 4, length);
    if (multiplier !== undefined) config.define(at + DATA, 4, multiplier);
  }
}

/** The window through which firmware reaches the structures without mapping a BAR (§4.1.4.9). */
export class AccessCapability implements Capability {
  readonly id: number = CAP_VENDOR;
  readonly length: number = DATA + 4;
  readonly #bars: { bar(index: number): BarSpec | undefined };
  #config: ConfigSpace | undefined;
  #at = 0;

  constructor(bars: { bar(index: number): BarSpec | undefined }) {
    this.#bars = bars;
  }

  define(config: ConfigSpace, at: number): void {
    this.#config = config;
    this.#at = at;
    config.define(at + 2, 2, this.length | (CFG_PCI << 8));
    config.define(at + BAR, 4, 0, { writable: 0xff });
    for (const field of [OFFSET, LENGTH, DATA]) config.define(at + field, 4, 0, { writable: 0xffff_ffff });
  }

  reading(offset: number): void {
    const access = offset >= DATA ? this.#access() : undefined;
    if (access !== undefined) this.#config?.set(this.#at + DATA, access.width, access.bar.handler.read(access.offset, access.width));
  }

  wrote(offset: number): void {
    const access = offset >= DATA ? this.#access() : undefined;
    if (access !== undefined) access.bar.handler.write(access.offset, access.width, this.#config?.get(this.#at + DATA, access.width) ?? 0);
  }

  /** The access described, if it is one: 1, 2 or 4 bytes, aligned, within the BAR (§4.1.4.9.2). */
  #access(): { bar: BarSpec; offset: number; width: Width } | undefined {
    const field = (at: number, width: Width): number => this.#config?.get(this.#at + at, width) ?? 0;
    const bar = this.#bars.bar(field(BAR, 1));
    const offset = field(OFFSET, 4);
    const width = field(LENGTH, 4);
    if (bar === undefined || (width !== 1 && width !== 2 && width !== 4) || offset % width !== 0 || offset + width > bar.size)
      return undefined;
    return { bar, offset, width };
  }
}
