// Base address registers (PCI 3.0 §6.2.5.1): software sizes them by writing ones, then places what they decode.
import { assert } from "../../support/assert.ts";
import type { IoHandler } from "../region.ts";
import type { Window } from "../address-bus.ts";
import type { ConfigSpace } from "./config-space.ts";
import { BAR_IO, BAR_MEM64, BAR_PREFETCHABLE, BARS, BASE_ADDRESS_0 } from "./spec.ts";

/** What a base address register decodes. */
export interface BarSpec {
  /** 0..5; a 64-bit one takes the next register too. */
  readonly index: number;
  readonly kind: "io" | "mem32" | "mem64";
  /** Bytes, a power of two: at least 4 for I/O, 16 for memory. */
  readonly size: number;
  readonly prefetchable?: boolean;
  /** Registers, by offset from the base. */
  readonly handler: IoHandler;
}

/** Where an address register points while nothing may be decoded there. */
const NOWHERE = -1;

// Addresses that a window may have: above these lies what no 32-bit or 52-bit physical address reaches.
const PORT_LIMIT = 0x1_0000;
const MEM32_LIMIT = 0xffff_ffff;
const MEM64_LIMIT = 2 ** 52;

/** One base address register (two for 64 bits) in a configuration space. */
export class Bar {
  readonly spec: BarSpec;
  readonly offset: number;
  #window: Window | undefined;

  constructor(spec: BarSpec, config: ConfigSpace) {
    const { index, kind, size, prefetchable } = spec;
    assert(Number.isInteger(Math.log2(size)) && size >= (kind === "io" ? 4 : 16), "BAR size");
    assert(index >= 0 && index + (kind === "mem64" ? 2 : 1) <= BARS, "BAR index");
    this.spec = spec;
    this.offset = BASE_ADDRESS_0 + 4 * index;
    const flags = kind === "io" ? BAR_IO : (kind === "mem64" ? BAR_MEM64 : 0) | (prefetchable === true ? BAR_PREFETCHABLE : 0);
    // Address bits below the size read as zero whatever is written: that is how software learns the size.
    config.define(this.offset, 4, flags, { writable: size > MEM32_LIMIT ? 0 : (0x1_0000_0000 - size) >>> 0 });
    if (kind === "mem64") config.define(this.offset + 4, 4, 0, { writable: size > MEM32_LIMIT ? -(size / 2 ** 32) >>> 0 : 0xffff_ffff });
  }

  /** Whether a write of `length` bytes at `offset` of configuration space reaches this register. */
  touches(offset: number, length: number): boolean {
    return offset < this.offset + (this.spec.kind === "mem64" ? 8 : 4) && offset + length > this.offset;
  }

  /** The address that the register holds, enabled or not. */
  address(config: ConfigSpace): number {
    const low = config.get(this.offset, 4);
    if (this.spec.kind === "io") return low - (low % 4);
    return low - (low % 16) + (this.spec.kind === "mem64" ? config.get(this.offset + 4, 4) * 2 ** 32 : 0);
  }

  /** Gives the register its place on a bus. */
  connect(window: Window): void {
    this.#window = window;
  }

  /** Decodes at the address in the register, or nowhere. */
  place(config: ConfigSpace, enabled: boolean): void {
    const address = enabled ? this.#usable(this.address(config)) : NOWHERE;
    if (address === NOWHERE) this.#window?.unmap();
    else this.#window?.map(address);
  }

  // Address 0 means "not placed yet", and all ones that software is sizing with decoding left on.
  #usable(address: number): number {
    const { kind, size } = this.spec;
    const limit = kind === "io" ? PORT_LIMIT : kind === "mem32" ? MEM32_LIMIT : MEM64_LIMIT;
    const sizing = kind === "mem64" && address + size === 0x1_0000_0000;
    return address === 0 || sizing || address + size > limit ? NOWHERE : address;
  }
}
