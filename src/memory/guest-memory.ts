// Guest physical memory over one WebAssembly.Memory.
//
//   guest physical                        host offset in the WebAssembly.Memory
//   0          .. lowSize                 ramBase + gpa
//   4 GiB      .. 4 GiB + highSize        ramBase + lowSize + (gpa - 4 GiB)
//
// Everything below ramBase belongs to the engines (processor state, TLBs, translated records).
import { VmError } from "../support/errors.ts";
import { FOUR_GIB, LOW_RAM_LIMIT, type Gpa } from "./gpa.ts";

/** Called after a write by a device or loader, so that an engine drops code made from those bytes. */
export type WriteObserver = (hostOffset: number, length: number) => void;

/** RAM by guest physical addresses, in one shared WebAssembly.Memory. Values are little-endian; accesses to what is not RAM throw GUEST_MEMORY. */
export class GuestMemory {
  readonly wasm: WebAssembly.Memory;
  /** The whole WebAssembly.Memory: engine area and RAM. Shared memory never moves, so the view stays valid. */
  readonly u8: Uint8Array;
  readonly view: DataView;
  readonly ramBase: number;
  readonly lowSize: number;
  readonly highSize: number;
  #observers: WriteObserver[] = [];

  /**
   * Throws MEMORY_INVALID when the host has no room for it.
   *
   * @param ramBytes size of RAM, a multiple of 64 KiB
   * @param ramBase  host offset of guest physical 0, a multiple of 64 KiB; the engines own what lies below
   */
  constructor(ramBytes: number, ramBase: number) {
    const pages = (ramBase + ramBytes) / 0x1_0000;
    try {
      this.wasm = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    } catch (cause) {
      const data = { bytes: ramBytes };
      throw new VmError("MEMORY_INVALID", `Cannot allocate ${ramBytes / 0x10_0000} MiB of guest memory`, { data, cause });
    }
    this.u8 = new Uint8Array(this.wasm.buffer);
    this.view = new DataView(this.wasm.buffer);
    this.ramBase = ramBase;
    this.lowSize = Math.min(ramBytes, LOW_RAM_LIMIT);
    this.highSize = ramBytes - this.lowSize;
  }

  /** Size of RAM in bytes. */
  get ramBytes(): number {
    return this.lowSize + this.highSize;
  }

  /** Host offset of [gpa, gpa+length), or -1 unless every byte is RAM. */
  hostOffset(gpa: Gpa, length: number): number {
    if (gpa >= 0 && length >= 0) {
      if (gpa + length <= this.lowSize) return this.ramBase + gpa;
      if (gpa >= FOUR_GIB && gpa + length <= FOUR_GIB + this.highSize) return this.ramBase + this.lowSize + (gpa - FOUR_GIB);
    }
    return -1;
  }

  /** Whether every byte of [gpa, gpa+length) is RAM. */
  isRam(gpa: Gpa, length: number): boolean {
    return this.hostOffset(gpa, length) >= 0;
  }

  /** A live view for reading. Throws GUEST_MEMORY unless every byte is RAM. */
  bytes(gpa: Gpa, length: number): Uint8Array {
    const at = this.#need(gpa, length);
    return this.u8.subarray(at, at + length);
  }

  /** Copies `bytes` into guest memory and tells the observers. Throws GUEST_MEMORY unless every byte is RAM. */
  write(gpa: Gpa, bytes: Uint8Array): void {
    const at = this.#need(gpa, bytes.length);
    this.u8.set(bytes, at);
    this.wrote(at, bytes.length);
  }

  readUint16(gpa: Gpa): number {
    return this.view.getUint16(this.#need(gpa, 2), true);
  }

  readUint32(gpa: Gpa): number {
    return this.view.getUint32(this.#need(gpa, 4), true);
  }

  readUint64(gpa: Gpa): bigint {
    return this.view.getBigUint64(this.#need(gpa, 8), true);
  }

  writeUint16(gpa: Gpa, value: number): void {
    const at = this.#need(gpa, 2);
    this.view.setUint16(at, value, true);
    this.wrote(at, 2);
  }

  writeUint32(gpa: Gpa, value: number): void {
    const at = this.#need(gpa, 4);
    this.view.setUint32(at, value, true);
    this.wrote(at, 4);
  }

  writeUint64(gpa: Gpa, value: bigint): void {
    const at = this.#need(gpa, 8);
    this.view.setBigUint64(at, value, true);
    this.wrote(at, 8);
  }

  /** Registers an engine to be told of device writes. */
  observe(observer: WriteObserver): void {
    this.#observers.push(observer);
  }

  /** Tells the observers that bytes at a host offset were changed through a view of `u8`. */
  wrote(hostOffset: number, length: number): void {
    for (const observer of this.#observers) observer(hostOffset, length);
  }

  #need(gpa: Gpa, length: number): number {
    const at = this.hostOffset(gpa, length);
    if (at >= 0) return at;
    throw new VmError("GUEST_MEMORY", `Guest physical ${gpa.toString(16)}h..+${length} is not memory`, { data: { gpa, length } });
  }
}
