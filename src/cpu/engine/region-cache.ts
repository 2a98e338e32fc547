// Translated regions where the interpreter meets them: the record of a region's first instruction calls the region instead.
//
//   record at the entry      records of the region (REGION_RECORDS)
//   ┌───────────────┐ target ┌──────────────┬───────────────┬─────────┬──────────┬───
//   │ region, number├───────>│ its copy     │ on behind it  │ called  │ on behind│ …
//   └───────────────┘        └──────────────┴───────────────┴─────────┴──────────┴───
//
// A region is in force while the bytes it was made from are what they were. When some are written it is taken back, and kept: the
// same bytes often come again, by a kernel that patches itself and by pages that are loaded anew.
import { assert } from "../../support/assert.ts";
import { HOT_REGION, INTERNAL, INTERNAL_HANDLERS, RECORD, REGION_RECORDS, REGION_RECORDS_SIZE, REGIONS } from "./layout.ts";

/** What a translator gives for a region beside its code; it travels between threads. */
export interface RegionPlan {
  /** For profilers. */
  readonly name: string;
  /** Host address of the entry, and its mode. */
  readonly host: number;
  readonly mode: number;
  /** The bytes it was made from: host address and length of each range, and all bytes one after the other. */
  readonly ranges: readonly { readonly host: number; readonly length: number }[];
  readonly bytes: Uint8Array;
  /** Records of called instructions, each with the one that goes on behind it. */
  readonly records: Uint8Array;
  /** Guest instructions in the region. */
  readonly instructions: number;
}

/** A region's function: (record, base, budget) → [next record or 0, budget]. */
export type RegionFunction = (record: number, base: number, budget: number) => [number, number];

/** What the cache needs of its processor. */
export interface RegionCacheHost {
  readonly view: DataView;
  readonly u8: Uint8Array;
  readonly base: number;
  /** The interpreter's table of regions. */
  readonly table: WebAssembly.Table;
  /** Record of the code at a host address in a mode, 0 when it is not decoded. */
  recordAt(host: number, mode: number): number;
  /** Makes writes to these bytes (in one page) known. */
  guard(host: number, length: number): void;
}

interface Region {
  readonly plan: RegionPlan;
  readonly number: number;
  readonly records: number;
  /** The patched record, 0 while the region is not in force. */
  record: number;
}

const keyOf = (host: number, mode: number): number => host * 8 + mode;
const pageOf = (host: number): number => host >>> 12;

/** The regions of one processor. */
export class RegionCache {
  readonly #h: RegionCacheHost;
  readonly #regions = new Map<number, Region>();
  /** Regions in force by page. */
  readonly #pages = new Map<number, Set<Region>>();
  readonly #freeNumbers: number[] = [];
  #numbers = 0;
  readonly #freeRecords = new Map<number, number[]>();
  #recordsEnd = 0;
  /** Regions taken back because their bytes were written, and of these those put in force again. */
  invalidated = 0;
  revived = 0;

  constructor(host: RegionCacheHost) {
    this.#h = host;
  }

  /** How many regions there are, in force or not. */
  get size(): number {
    return this.#regions.size;
  }

  /** Whether there is no room for another region. */
  get isFull(): boolean {
    return this.#numbers - this.#freeNumbers.length >= REGIONS || this.#recordsEnd > REGION_RECORDS_SIZE - 0x1_0000;
  }

  /** Whether a region begins there, in force or to be put in force. */
  has(host: number, mode: number): boolean {
    const region = this.#regions.get(keyOf(host, mode));
    return region !== undefined && (region.record !== 0 || this.#enforce(region));
  }

  /** Takes a region in, unless its bytes have changed since it was made. → whether it is in force. */
  install(plan: RegionPlan, run: RegionFunction): boolean {
    if (this.isFull) return false;
    this.#remove(keyOf(plan.host, plan.mode));
    const number = this.#freeNumbers.pop() ?? this.#numbers++;
    const region: Region = { plan, number, records: this.#allocate(2 * RECORD.size + plan.records.length), record: 0 };
    this.#h.table.set(number, run);
    this.#regions.set(keyOf(plan.host, plan.mode), region);
    return this.#enforce(region);
  }

  /** A block has been decoded: if a region begins there and its bytes are what they were, it is in force again. */
  decoded(host: number, mode: number): void {
    const region = this.#regions.get(keyOf(host, mode));
    if (region && region.record === 0) this.#enforce(region);
  }

  #enforce(region: Region): boolean {
    const { plan } = region;
    const record = this.#h.recordAt(plan.host, plan.mode);
    if (record === 0 || this.#h.view.getUint16(record + RECORD.cold, true) < INTERNAL_HANDLERS) return false;
    if (!this.#isUnchanged(plan)) {
      this.#remove(keyOf(plan.host, plan.mode));
      return false;
    }
    this.#patch(region, record);
    for (const { host, length } of plan.ranges) {
      this.#h.guard(host, length);
      const page = this.#pages.get(pageOf(host)) ?? new Set();
      this.#pages.set(pageOf(host), page.add(region));
    }
    return true;
  }

  #isUnchanged({ ranges, bytes }: RegionPlan): boolean {
    const { u8 } = this.#h;
    let at = 0;
    for (const { host, length } of ranges) {
      for (let i = 0; i < length; i++) if (u8[host + i] !== bytes[at + i]) return false;
      at += length;
    }
    return true;
  }

  #patch(region: Region, record: number): void {
    const { u8, view } = this.#h;
    const { records, plan, number } = region;
    assert(u8[record + RECORD.hot] !== HOT_REGION, "one region a record");
    u8.copyWithin(records, record, record + RECORD.size);
    const behind = records + RECORD.size;
    u8.fill(0, behind, behind + RECORD.size);
    view.setUint16(behind + RECORD.cold, INTERNAL.region, true);
    view.setUint16(behind + RECORD.offset, view.getUint16(record + RECORD.offset, true) + u8[record + RECORD.len]!, true);
    view.setInt32(behind + RECORD.target, record + RECORD.size, true);
    u8.set(plan.records, records + 2 * RECORD.size);
    view.setUint16(record + RECORD.cold, INTERNAL.region, true);
    u8[record + RECORD.hot] = HOT_REGION;
    view.setInt32(record + RECORD.target, records, true);
    view.setInt32(record + RECORD.imm, number, true);
    region.record = record;
  }

  /** Takes a region back; the record is what it was. */
  #suspend(region: Region): void {
    const { u8, view } = this.#h;
    const { record, records, plan } = region;
    region.record = 0;
    for (const { host } of plan.ranges) {
      const page = this.#pages.get(pageOf(host));
      page?.delete(region);
      if (page?.size === 0) this.#pages.delete(pageOf(host));
    }
    if (record === 0 || view.getUint16(record + RECORD.cold, true) !== INTERNAL.region) return;
    u8.copyWithin(record, records, records + RECORD.size);
  }

  /** Bytes [from, to) of a page are written: regions made from them are not in force any more. */
  invalidate(page: number, from: number, to: number): void {
    const regions = this.#pages.get(page);
    if (!regions) return;
    const isHit = ({ plan }: Region): boolean => plan.ranges.some(({ host, length }) => host < to && host + length > from);
    for (const region of [...regions].filter(isHit)) {
      this.#suspend(region);
      this.invalidated++;
    }
  }

  /** Guards what is left of a page's regions again. */
  guardAgain(page: number): void {
    for (const { plan } of this.#pages.get(page) ?? []) {
      for (const { host, length } of plan.ranges) if (pageOf(host) === page) this.#h.guard(host, length);
    }
  }

  /** All records are gone: no region is in force until its entry is decoded again. */
  recordsDropped(): void {
    for (const region of this.#regions.values()) region.record = 0;
    this.#pages.clear();
  }

  #remove(key: number): void {
    const region = this.#regions.get(key);
    if (!region) return;
    if (region.record !== 0) this.#suspend(region);
    this.#regions.delete(key);
    this.#h.table.set(region.number, null);
    this.#freeNumbers.push(region.number);
    const size = 2 * RECORD.size + region.plan.records.length;
    const free = this.#freeRecords.get(size) ?? [];
    this.#freeRecords.set(size, free);
    free.push(region.records);
  }

  #allocate(size: number): number {
    const again = this.#freeRecords.get(size)?.pop();
    if (again !== undefined) return again;
    this.#recordsEnd += size;
    return this.#h.base + REGION_RECORDS + this.#recordsEnd - size;
  }
}
