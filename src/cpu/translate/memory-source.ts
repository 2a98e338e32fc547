// Guest code as the tables of a processor show it. The tables belong to another thread and may change meanwhile: a region is checked
// against the bytes and pages it was made from before it is put in force, and whenever it is entered.
import { CODE_HASH, CODE_HASH_ENTRIES, HASH_MULTIPLIER, HASH_SHIFT, TLB } from "../engine/layout.ts";
import type { RegionRequest } from "../engine/translation.ts";
import { MODE } from "../state.ts";
import type { CodeSource } from "./source.ts";

/** The code around a requested entry. */
export class MemorySource implements CodeSource {
  readonly u8: Uint8Array;
  readonly mode: number;
  readonly #view: DataView;
  readonly #base: number;
  readonly #request: RegionRequest;

  constructor(buffer: ArrayBuffer | SharedArrayBuffer, base: number, request: RegionRequest) {
    this.u8 = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.#base = base;
    this.#request = request;
    this.mode = request.mode;
  }

  hostPage(pages: number): number {
    const { linearPage, host, view } = this.#request;
    if (pages === 0) return host - (host & 0xfff);
    const long = (this.mode & MODE.long) !== 0;
    const linear = BigInt.asUintN(long ? 64 : 32, linearPage + BigInt(pages) * 0x1000n);
    const entry = view + (Number(linear >> 12n) & (TLB.entries - 1)) * TLB.size;
    return this.#view.getBigUint64(entry + TLB.execute, true) === linear ? this.#view.getUint32(entry + TLB.host, true) : 0;
  }

  known(host: number): boolean {
    let i = Math.imul(host, HASH_MULTIPLIER) >>> HASH_SHIFT;
    for (let left = CODE_HASH_ENTRIES; left > 0; left--) {
      const slot = this.#base + CODE_HASH + i * 8;
      const key = this.#view.getUint32(slot, true);
      if (key === 0) return false;
      if (key === host && (this.#view.getUint32(slot + 4, true) & 7) === this.mode) return true;
      i = (i + 1) & (CODE_HASH_ENTRIES - 1);
    }
    return false;
  }
}
