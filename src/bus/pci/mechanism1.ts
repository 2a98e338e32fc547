// Configuration mechanism #1 (PCI 3.0 §3.2.2.3.2): an address register at CF8h and a data window at CFCh.
//
//     31 30    24 23     16 15    11 10   8 7       2 1 0
//    +--+--------+---------+--------+------+---------+---+
//    |En|reserved|   Bus   | Device | Func | Register|0 0|
//    +--+--------+---------+--------+------+---------+---+
import { FLOAT, type PortRegion, type Width } from "../region.ts";
import type { PciBus } from "./bus.ts";

/** I/O port of CONFIG_ADDRESS. */
export const CONFIG_ADDRESS = 0xcf8;
/** First I/O port of CONFIG_DATA. */
export const CONFIG_DATA = 0xcfc;

const ENABLE = 0x8000_0000;
const DEFINED = 0x80ff_fffc;

/** The mechanism's only register. */
export interface MechanismState {
  /** CONFIG_ADDRESS. */
  configAddress: number;
}

/** The ports' behaviour. Bytes and words at CF8h are not the mechanism's: they are left to whoever else decodes them. */
export class ConfigMechanism1 {
  readonly #root: PciBus;
  readonly #state: () => MechanismState;

  constructor(root: PciBus, state: () => MechanismState) {
    this.#root = root;
    this.#state = state;
  }

  get address(): number {
    return this.#state().configAddress;
  }

  set address(value: number) {
    this.#state().configAddress = (value & DEFINED) >>> 0;
  }

  /** CFCh..CFFh, any width. */
  get data(): PortRegion {
    return {
      name: "pci-config-data",
      base: CONFIG_DATA,
      length: 4,
      read: (offset, width) => this.#read(offset, width),
      write: (offset, width, value) => this.#write(offset, width, value),
    };
  }

  #read(offset: number, width: Width): number {
    const { address } = this;
    const bus = this.#busOf(address);
    return bus === undefined ? FLOAT[width] : bus.read((address >> 11) & 31, (address >> 8) & 7, (address & 0xfc) + offset, width);
  }

  #write(offset: number, width: Width, value: number): void {
    const { address } = this;
    this.#busOf(address)?.write((address >> 11) & 31, (address >> 8) & 7, (address & 0xfc) + offset, width, value);
  }

  /** The root bus is number 0; other numbers would lie behind bridges. */
  #busOf(address: number): PciBus | undefined {
    return address >= ENABLE && ((address >> 16) & 0xff) === 0 ? this.#root : undefined;
  }
}
