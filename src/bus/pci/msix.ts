// MSI-X (PCI 3.0 §6.8.2): a table of messages and an array of pending bits, both in memory behind a base address register.
//
//    Table entry, 16 bytes                     Message Control (capability + 2)
//     0h | Message Address       |              15     14    13..11  10..0
//     4h | Message Upper Address |             +------+-----+------+------------+
//     8h | Message Data          |             |Enable|Fn.  |  0   | Table Size |
//     Ch | Vector Control, bit 0 = Mask        |      |Mask |      |  - 1       |
//                                              +------+-----+------+------------+
import { assert } from "../../support/assert.ts";
import { VmError } from "../../support/errors.ts";
import type { IoHandler, Width } from "../region.ts";
import type { Capability, MessagePort } from "./capability.ts";
import type { ConfigSpace } from "./config-space.ts";
import { CAP_MSIX } from "./spec.ts";

const ENABLE = 1 << 15;
const FUNCTION_MASK = 1 << 14;
const ENTRY = 16;
const VECTOR_CONTROL = 12;
const MASK = 1;

/** Bytes of a table of `vectors` entries. */
export function msixTableBytes(vectors: number): number {
  return vectors * ENTRY;
}

/** Bytes of the pending bits of `vectors` entries: whole quadwords (PCI 3.0 §6.8.2.10). */
export function msixPendingBytes(vectors: number): number {
  return Math.ceil(vectors / 64) * 8;
}

/** Where table and pending bits lie. */
export interface MsixSpec {
  /** 1..2048. */
  readonly vectors: number;
  readonly bar: number;
  /** Bytes into the BAR, multiples of 8. */
  readonly tableOffset: number;
  readonly pbaOffset: number;
}

/** The MSI-X capability of a function, and the registers to put behind its base address register. */
export class Msix implements Capability, IoHandler {
  readonly id: number = CAP_MSIX;
  readonly length = 12;
  table: Uint8Array;
  pending: Uint8Array;
  readonly #spec: MsixSpec;
  readonly #port: MessagePort;
  #config: ConfigSpace | undefined;
  #at = 0;

  constructor(spec: MsixSpec, port: MessagePort) {
    assert(spec.vectors >= 1 && spec.vectors <= 2048 && spec.tableOffset % 8 === 0 && spec.pbaOffset % 8 === 0, "MSI-X layout");
    this.#spec = spec;
    this.#port = port;
    this.table = new Uint8Array(msixTableBytes(spec.vectors));
    this.pending = new Uint8Array(msixPendingBytes(spec.vectors));
    this.reset();
  }

  define(config: ConfigSpace, at: number): void {
    this.#config = config;
    this.#at = at;
    config.define(at + 2, 2, this.#spec.vectors - 1, { writable: ENABLE | FUNCTION_MASK });
    config.define(at + 4, 4, this.#spec.tableOffset | this.#spec.bar);
    config.define(at + 8, 4, this.#spec.pbaOffset | this.#spec.bar);
  }

  get vectors(): number {
    return this.#spec.vectors;
  }

  get enabled(): boolean {
    return (this.#control & ENABLE) !== 0;
  }

  /** Sends message `vector`, or remembers it while it is masked. */
  notify(vector: number): void {
    if (!this.enabled || vector >= this.#spec.vectors) return;
    if (this.#masked(vector)) this.pending[vector >> 3]! |= 1 << (vector & 7);
    else this.#send(vector);
  }

  /** §6.8.2.9: after reset every entry is masked. */
  reset(): void {
    this.table.fill(0);
    this.pending.fill(0);
    for (let at = VECTOR_CONTROL; at < this.table.length; at += ENTRY) this.table[at] = MASK;
  }

  /** Takes over restored state. Throws STATE_INVALID when it is not this function's. */
  adopt(table: Uint8Array, pending: Uint8Array): void {
    if (table.length !== this.table.length || pending.length !== this.pending.length) {
      throw new VmError("STATE_INVALID", `MSI-X table of ${table.length / ENTRY} vectors restored into one of ${this.#spec.vectors}`, {
        data: { vectors: this.#spec.vectors },
      });
    }
    this.table = table;
    this.pending = pending;
  }

  wrote(): void {
    this.#sendDue();
  }

  /** Table and pending bits, by offset into the BAR; what lies between them reads as zero. */
  read(offset: number, width: Width): number {
    let value = 0;
    for (let i = width - 1; i >= 0; i--) value = value * 0x100 + this.#byte(offset + i);
    return value;
  }

  /** Writes reach the table; pending bits are read-only (§6.8.2.10). */
  write(offset: number, width: Width, value: number): void {
    for (let i = 0; i < width; i++) {
      const at = offset + i - this.#spec.tableOffset;
      if (at < 0 || at >= this.table.length) continue;
      const byte = (value >>> (8 * i)) & 0xff;
      const reserved = at % ENTRY >= VECTOR_CONTROL;
      this.table[at] = !reserved ? byte : at % ENTRY === VECTOR_CONTROL ? byte & MASK : 0;
    }
    this.#sendDue();
  }

  #byte(offset: number): number {
    return this.table[offset - this.#spec.tableOffset] ?? this.pending[offset - this.#spec.pbaOffset] ?? 0;
  }

  get #control(): number {
    return this.#config?.get(this.#at + 2, 2) ?? 0;
  }

  #masked(vector: number): boolean {
    return (this.#control & FUNCTION_MASK) !== 0 || (this.table[vector * ENTRY + VECTOR_CONTROL]! & MASK) !== 0;
  }

  // §6.8.2.10: unmasking sends what came meanwhile. Pending bits are few and mostly zero.
  #sendDue(): void {
    if (!this.enabled) return;
    this.pending.forEach((bits, index) => {
      for (let bit = 0; bits >> bit !== 0; bit++) {
        const vector = index * 8 + bit;
        if (((bits >> bit) & 1) === 0 || this.#masked(vector)) continue;
        this.pending[index]! &= ~(1 << bit);
        this.#send(vector);
      }
    });
  }

  #send(vector: number): void {
    if (!this.#port.enabled) return;
    const at = vector * ENTRY;
    const low = (this.#dword(at) & ~3) >>> 0;
    this.#port.deliver(low + this.#dword(at + 4) * 2 ** 32, this.#dword(at + 8));
  }

  #dword(at: number): number {
    const { table } = this;
    return (table[at]! | (table[at + 1]! << 8) | (table[at + 2]! << 16) | (table[at + 3]! << 24)) >>> 0;
  }
}
