// Guest code as the tables of a processor show it. The tables belong to another thread and may change meanwhile: a region is checked
// against the bytes and pages it was made from before it is put in force, and whenever it is entered.
import { RECORD, TLB } from "../engine/layout.ts";
import { hostOfPlace, isInternal, modeOfPlace, ownRecord, placeOf, recordAt } from "../engine/place.ts";
import type { RegionRequest } from "../engine/translation.ts";
import { MODE } from "../state.ts";
import type { CodeSource } from "./source.ts";

/** Pointers that lead further than that, in bytes, lead to another image, which may lie elsewhere the next time. */
const FAR = 1 << 24;

/** Instructions of a block that are looked at. */
const LONGEST_BLOCK = 64;

const pageOf = (host: number): number => host >>> 12;

/** Places that the interpreter often meets. */
export class HotPlaces {
  readonly #keys: ReadonlySet<number>;
  readonly #pages = new Map<number, number[]>();

  /** @param keys the places as numbers (engine/place.ts) */
  constructor(keys: Iterable<number>) {
    this.#keys = new Set(keys);
    for (const key of this.#keys) {
      const page = pageOf(hostOfPlace(key));
      const list = this.#pages.get(page) ?? [];
      list.push(key);
      this.#pages.set(page, list);
    }
  }

  has(host: number, mode: number): boolean {
    return this.#keys.has(placeOf(host, mode));
  }

  inPage(host: number, mode: number): number[] {
    const keys = this.#pages.get(pageOf(host)) ?? [];
    return keys.filter((key) => modeOfPlace(key) === mode).map(hostOfPlace);
  }
}

/** The code around a requested entry. */
export class MemorySource implements CodeSource {
  readonly #u8: Uint8Array;
  readonly #copies = new Map<number, Uint8Array>();
  readonly mode: number;
  readonly isKernel: boolean;
  readonly #view: DataView;
  readonly #base: number;
  readonly #request: RegionRequest;
  readonly #places: HotPlaces;

  constructor(buffer: ArrayBuffer | SharedArrayBuffer, base: number, request: RegionRequest, places: HotPlaces) {
    this.#u8 = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.#base = base;
    this.#request = request;
    this.#places = places;
    this.mode = request.mode;
    this.isKernel = request.linearPage >= (request.mode & MODE.long ? 1n << 63n : 1n << 31n);
  }

  page(host: number): Uint8Array {
    let copy = this.#copies.get(host);
    if (!copy) this.#copies.set(host, (copy = this.#u8.slice(host, host + 0x1000)));
    return copy;
  }

  hostPage(pages: number): number {
    const { host } = this.#request;
    return pages === 0 ? host - (host & 0xfff) : this.#hostPage(pages, TLB.execute);
  }

  pointer(delta: number): number | undefined {
    const bytes = this.#isLong ? 8 : 4;
    const offset = delta & 0xfff;
    const page = offset <= 0x1000 - bytes ? this.#hostPage(delta >> 12, TLB.read) : 0;
    if (page === 0) return undefined;
    const value = this.#isLong ? this.#view.getBigUint64(page + offset, true) : BigInt(this.#view.getUint32(page + offset, true));
    return this.#distanceTo(value);
  }

  deltaOf(address: number): number | undefined {
    return this.#distanceTo(BigInt.asUintN(this.#isLong ? 64 : 32, BigInt(address)));
  }

  #distanceTo(linear: bigint): number | undefined {
    const distance = Number(BigInt.asIntN(64, linear - this.#request.linearPage));
    return Math.abs(distance) < FAR ? distance : undefined;
  }

  targets(start: number, host: number): readonly number[] {
    const view = this.#view;
    const first = recordAt(view, this.#base, start, this.mode);
    const end = view.byteLength - RECORD.size;
    if (first === 0) return [];
    for (let r = first, n = 0; r <= end && n < LONGEST_BLOCK; r += RECORD.size, n++) {
      const own = ownRecord(view, r);
      if (isInternal(view, own)) return [];
      if (view.getUint16(r + RECORD.offset, true) !== (host & 0xfff)) continue;
      return [RECORD.target, RECORD.imm, RECORD.imm + 4].map((field) => view.getInt32(own + field, true)).filter((to) => to !== 0);
    }
    return [];
  }

  get #isLong(): boolean {
    return (this.mode & MODE.long) !== 0;
  }

  /** Host address of a page that the TLB knows for a kind of access. */
  #hostPage(pages: number, tag: number): number {
    const { linearPage, view } = this.#request;
    const linear = BigInt.asUintN(this.#isLong ? 64 : 32, linearPage + BigInt(pages) * 0x1000n);
    const entry = view + (Number(linear >> 12n) & (TLB.entries - 1)) * TLB.size;
    return this.#view.getBigUint64(entry + tag, true) === linear ? this.#view.getUint32(entry + TLB.host, true) : 0;
  }

  hot(host: number): boolean {
    return this.#places.has(host, this.mode);
  }

  hotInPage(host: number): readonly number[] {
    return this.#places.inPage(host, this.mode);
  }

  known(host: number): boolean {
    return recordAt(this.#view, this.#base, host, this.mode) !== 0;
  }
}
