// QEMU fw_cfg, by ports and by DMA. Items are read-only: a guest's write is an error, as it is in QEMU for items without a writer.
import { codec, integer, record, u16, u32, type Codec } from "../../support/schema.ts";
import { FLOAT, type Device, type DeviceType, type PortRegion, type Width, type Wiring } from "../device.ts";
import { directory, type FwCfgFile, type FwCfgItem } from "./directory.ts";
import {
  DATA_PORT,
  DMA_ACCESS_BYTES,
  DMA_ERROR,
  DMA_PORT,
  DMA_PORT_BYTES,
  DMA_READ,
  DMA_SELECT,
  DMA_SELECTOR_SHIFT,
  DMA_SIGNATURE,
  DMA_SKIP,
  DMA_WRITE,
  SELECTOR_MASK,
  SELECTOR_PORT,
} from "./spec.ts";

export type { FwCfgFile, FwCfgItem } from "./directory.ts";

/** What the firmware may ask for. */
export interface FwCfgConfig {
  readonly files: readonly FwCfgFile[];
  readonly items?: readonly FwCfgItem[];
}

/** All guest-visible state. */
export interface FwCfgState {
  selector: number;
  /** Where the selected item is read next. */
  offset: number;
  /** The upper half of the DMA address, which waits for the lower. */
  dmaHigh: number;
}

const STATE: Codec<FwCfgState> = codec(
  "fw-cfg",
  1,
  record<FwCfgState>({ selector: u16, offset: integer(0, Number.MAX_SAFE_INTEGER), dmaHigh: u32 }),
);

const NOTHING = new Uint8Array(0);
// Zeros for reading past the end of an item, written piece by piece.
const ZEROS = new Uint8Array(0x1000);

/** The fw_cfg device. */
export class FwCfg implements Device<FwCfgState> {
  readonly #items: ReadonlyMap<number, Uint8Array>;
  readonly ports: readonly PortRegion[];
  readonly #wiring: Wiring;
  readonly state: FwCfgState = { selector: 0, offset: 0, dmaHigh: 0 };

  constructor(config: FwCfgConfig, wiring: Wiring) {
    this.#items = directory(config.files, config.items ?? []);
    this.#wiring = wiring;
    this.ports = [
      {
        name: "fw-cfg",
        base: SELECTOR_PORT,
        length: DATA_PORT - SELECTOR_PORT + 1,
        read: (offset, width) => (offset === 1 && width === 1 ? this.#readByte() : FLOAT[width]),
        write: (offset, width, value) => {
          if (offset === 0 && width === 2) this.#select(value);
        },
      },
      {
        name: "fw-cfg.dma",
        base: DMA_PORT,
        length: DMA_PORT_BYTES,
        read: readDmaSignature,
        write: (offset, width, value) => this.#writeDmaAddress(offset, width, value),
      },
    ];
  }

  reset(): void {
    Object.assign(this.state, { selector: 0, offset: 0, dmaHigh: 0 });
  }

  get #selected(): Uint8Array {
    return this.#items.get(this.state.selector) ?? NOTHING;
  }

  #select(selector: number): void {
    this.state.selector = selector & SELECTOR_MASK;
    this.state.offset = 0;
  }

  /** Past the end of an item there are zeros (QEMU fw_cfg "Data Register"). */
  #readByte(): number {
    const byte = this.#selected[this.state.offset] ?? 0;
    this.#advance(1);
    return byte;
  }

  #advance(by: number): void {
    this.state.offset = Math.min(this.state.offset + by, this.#selected.length);
  }

  /** The address is big-endian and written in halves; the lower one starts the transfer. */
  #writeDmaAddress(offset: number, width: Width, value: number): void {
    if (width !== 4) return;
    if (offset === 0) this.state.dmaHigh = swap32(value);
    else if (offset === 4) {
      const address = this.state.dmaHigh * 2 ** 32 + swap32(value);
      this.state.dmaHigh = 0;
      this.#transfer(address);
    }
  }

  /** Performs the FWCfgDmaAccess at `address` and answers in its control word: 0, or DMA_ERROR. */
  #transfer(address: number): void {
    const { memory, log } = this.#wiring;
    if (!memory.isRam(address, DMA_ACCESS_BYTES)) {
      log.warnOnce("fw-cfg.dma", `The guest's fw_cfg DMA request at ${address.toString(16)}h is not in memory`);
      return;
    }
    const control = swap32(memory.readUint32(address));
    const length = swap32(memory.readUint32(address + 4));
    const target = swap32(memory.readUint32(address + 8)) * 2 ** 32 + swap32(memory.readUint32(address + 12));
    if ((control & DMA_SELECT) !== 0) this.#select(control >>> DMA_SELECTOR_SHIFT);
    const done = this.#perform(control, length, target);
    memory.writeUint32(address, done ? 0 : swap32(DMA_ERROR));
  }

  #perform(control: number, length: number, target: number): boolean {
    if ((control & DMA_READ) !== 0) return this.#copy(length, target);
    if ((control & DMA_WRITE) !== 0) return false;
    if ((control & DMA_SKIP) !== 0) this.#advance(length);
    return true;
  }

  #copy(length: number, target: number): boolean {
    const { memory } = this.#wiring;
    if (!memory.isRam(target, length)) return false;
    const { offset } = this.state;
    const data = this.#selected.subarray(offset, offset + length);
    memory.write(target, data);
    for (let at = data.length; at < length; at += ZEROS.length)
      memory.write(target + at, ZEROS.subarray(0, Math.min(ZEROS.length, length - at)));
    this.#advance(length);
    return true;
  }
}

function swap32(value: number): number {
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}

/** The signature's characters in the order of the ports. */
function readDmaSignature(offset: number, width: Width): number {
  let value = 0;
  for (let index = 0; index < width; index++) value += DMA_SIGNATURE.charCodeAt(offset + index) * 2 ** (8 * index);
  return value;
}

/** QEMU's firmware configuration device. */
export const fwCfg: DeviceType<FwCfgConfig, FwCfgState, FwCfg> = {
  kind: "fw-cfg",
  state: STATE,
  create: (config, wiring) => new FwCfg(config, wiring),
};
