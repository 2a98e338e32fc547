// Guest code as the tables of a processor show it. The tables belong to another thread and may change meanwhile: a region is checked
// against the bytes and pages it was made from before it is put in force, and whenever it is entered.
import { RECORD, TLB, VIEW, WAYS_GONE } from "../engine/layout.ts";
import { hostOfPlace, isEntry, isInternal, modeOfPlace, ownRecord, placeOf, recordAt } from "../engine/place.ts";
import type { RegionRequest } from "../engine/translation.ts";
import { MODE } from "../state.ts";
import { MOST_LIKELY } from "./graph.ts";
import type { CodeSource, WaysGone } from "./source.ts";

/** Pointers that lead further than that, in bytes, lead to another image, which may lie elsewhere the next time. */
const FAR = 1 << 24;

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

/** Regions that the processor's tables do not tell of, or not all. */
export interface KnownRegions {
  /** Places where those can be entered that are not in force yet. */
  readonly entries: ReadonlySet<number>;
  /** How many instructions they have, by the places where they can be entered. */
  readonly sizes: ReadonlyMap<number, number>;
  /** Where indirect branches led when regions were made of them, by their host addresses: a record holds three places only. */
  readonly targets?: Map<number, readonly number[]>;
}

/** The code around a requested entry. */
export class MemorySource implements CodeSource {
  readonly #u8: Uint8Array;
  readonly #copies = new Map<number, Uint8Array>();
  readonly mode: number;
  readonly isKernel: boolean;
  readonly isWide: boolean;
  readonly #view: DataView;
  readonly base: number;
  readonly view: number | undefined;
  readonly #request: RegionRequest;
  readonly #places: HotPlaces;
  readonly #regions: KnownRegions;

  constructor(
    buffer: ArrayBuffer | SharedArrayBuffer,
    base: number,
    request: RegionRequest,
    places: HotPlaces,
    regions: KnownRegions = { entries: new Set(), sizes: new Map() },
  ) {
    this.#u8 = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.base = base;
    this.#request = request;
    this.#places = places;
    this.#regions = regions;
    this.isWide = request.isWide;
    this.mode = request.mode;
    this.isKernel = request.linearPage >= (request.mode & MODE.long ? 1n << 63n : 1n << 31n);
    // Kernels open and close user pages to themselves; programs are in the same view nearly always.
    this.view = !this.isKernel && request.view === base + VIEW.user ? request.view : undefined;
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

  records(host: number, before: readonly number[]): readonly number[] {
    const view = this.#view;
    const end = view.byteLength - RECORD.size;
    const isNext = (r: number): boolean =>
      r <= end && view.getUint16(r + RECORD.offset, true) === (host & 0xfff) && !isInternal(view, ownRecord(view, r));
    const next = before.map((r) => r + RECORD.size).filter(isNext);
    const entry = recordAt(view, this.base, host, this.mode);
    return entry === 0 || next.includes(entry) || !isNext(entry) ? next : [...next, entry];
  }

  targets(host: number, records: readonly number[]): readonly number[] {
    const all = [...new Set([...this.#noted(records), ...(this.#regions.targets?.get(host) ?? [])])].slice(0, MOST_LIKELY);
    if (all.length > 0) this.#regions.targets?.set(host, all);
    return all;
  }

  #noted(records: readonly number[]): readonly number[] {
    const noted = (r: number): number[] => [RECORD.target, RECORD.imm, RECORD.imm + 4].map((field) => this.#view.getInt32(r + field, true));
    return records.flatMap((r) => noted(ownRecord(this.#view, r))).filter((to) => to !== 0);
  }

  ways(records: readonly number[]): WaysGone {
    let [taken, notTaken] = [0, 0];
    for (const r of records) {
      const own = ownRecord(this.#view, r);
      taken += this.#view.getUint16(own + WAYS_GONE.taken, true);
      notTaken += this.#view.getUint16(own + WAYS_GONE.notTaken, true);
    }
    return { taken, notTaken };
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

  entered(host: number): boolean {
    const record = recordAt(this.#view, this.base, host, this.mode);
    return (record !== 0 && isEntry(this.#view, record)) || this.#regions.entries.has(placeOf(host, this.mode));
  }

  sizeAt(host: number): number {
    return this.#regions.sizes.get(placeOf(host, this.mode)) ?? Infinity;
  }

  known(host: number): boolean {
    return recordAt(this.#view, this.base, host, this.mode) !== 0;
  }
}
