// Translated regions where the interpreter meets them: the record of a region's first instruction calls the region instead.
//
//   record at an entry       records of the region (REGION_RECORDS)
//   ┌───────────────┐ target ┌──────────────┬───────────────┬─── … ───┬─────┬─────────┬──────────┬───
//   │ region, number├───────>│ its copy     │ on behind it  │ others' │ map │ called  │ on behind│ …
//   │               ├────┐   └──────────────┴───────────────┴─────────┴─────┴─────────┴──────────┴───
//   └───────────────┘    └ disp ──────────────────────────────────────^
//
// A region is in force while the bytes it was made from are what they were. When some are written it is taken back, and kept: the
// same bytes often come again, by a kernel that patches itself and by pages that are loaded anew.
import { assert } from "../../support/assert.ts";
import { isEntry, isInternal, placeOf } from "./place.ts";
import type { MetCode } from "./region-stock.ts";
import { ENTRY_USED, HOT_REGION, INTERNAL, RECORD, REGION_RECORDS, REGION_RECORDS_SIZE, REGIONS } from "./layout.ts";
import { type RegionFunction, type RegionPlan, SEEN } from "./region-shape.ts";

/** What the cache needs of its processor. */
export interface RegionCacheHost {
  readonly view: DataView;
  readonly u8: Uint8Array;
  readonly base: number;
  /** The interpreter's table of regions. */
  readonly table: WebAssembly.Table;
  /** Record of the code at a host address in a mode, 0 when it is not decoded. */
  recordAt(host: number, mode: number): number;
  /** A region was made from bytes that are there no more. */
  changed(host: number, mode: number): void;
  /** A block has been decoded where no region can be entered. */
  unknown(code: MetCode): void;
  /** Linear address of the page that is running. */
  runningPage(): bigint;
  /** Host address of the page of code at a linear address as it is mapped now, 0 when there is none. */
  codePage(linear: bigint): number;
  /** Makes writes to these bytes (in one page) known. */
  guard(host: number, length: number): void;
}

interface Region {
  readonly plan: RegionPlan;
  readonly number: number;
  readonly records: number;
  /** The patched records by entry, 0 where there is none. */
  readonly patched: Int32Array;
  /** Its code is what it was made from, and guarded. */
  isGuarded: boolean;
  /** Some of its bytes were written since it was guarded last. */
  wasWritten: boolean;
}

/** Records of an entry: its copy and the way on. */
const ENTRY_SIZE: number = 2 * RECORD.size;

/** What lies behind the entries: a plan's `records`. */
const sideOf = ({ records, plan }: Region): number => records + plan.entries.length * ENTRY_SIZE;
const sizeOf = (plan: RegionPlan): number => plan.entries.length * ENTRY_SIZE + plan.records.length;
/** Refusals in a row after which a region is of no use. */
const MOST_REFUSALS = 256;
const classOf = (size: number): number => 1 << (32 - Math.clz32(size - 1));
const pageOf = (host: number): number => host >>> 12;

/** The regions of one processor. */
export class RegionCache {
  readonly #h: RegionCacheHost;
  /** Regions by entry, in force or not. */
  readonly #regions = new Map<number, { readonly region: Region; readonly entry: number }>();
  /** All of them, in the order in which they came. */
  readonly #all = new Set<Region>();
  /** Guarded regions by page. */
  readonly #pages = new Map<number, Set<Region>>();
  readonly #freeNumbers: number[] = [];
  #numbers = 0;
  readonly #freeRecords = new Map<number, number[]>();
  #recordsEnd = 0;
  /** Regions that are in force at the entry for which they were taken in only. */
  readonly #unsettled = new Set<Region>();
  #isDecoding = false;
  /** Regions taken back because their bytes were written, and of these those put in force again. */
  invalidated = 0;
  revived = 0;
  /** Regions given up to make room. */
  evicted = 0;

  constructor(host: RegionCacheHost) {
    this.#h = host;
  }

  /** How many regions there are, in force or not. */
  get size(): number {
    return this.#all.size;
  }

  /** Whether a region can be entered there, as soon as the code there is decoded. */
  has(host: number, mode: number): boolean {
    const found = this.#regions.get(placeOf(host, mode));
    if (!found) return false;
    const { region, entry } = found;
    if (!region.isGuarded && !this.#isUnchanged(region.plan)) {
      this.#giveUp(region);
      return false;
    }
    this.#enforce(region, entry);
    return true;
  }

  /** What is said of the region that can be entered there; undefined when there is none. */
  planAt(host: number, mode: number): RegionPlan | undefined {
    return this.#regions.get(placeOf(host, mode))?.region.plan;
  }

  /**
   * The region that can be entered there gives up that entry if it is of no use: its other pages are not where they were, since the same
   * page of a library serves several programs. → whether it did. Between runs.
   */
  leaveUseless(host: number, mode: number): boolean {
    const key = placeOf(host, mode);
    const region = this.#regions.get(key)?.region;
    if (!region || this.#h.view.getUint32(sideOf(region) + SEEN.refusals, true) < MOST_REFUSALS) return false;
    this.#takeEntries(region, [key]);
    return true;
  }

  /**
   * Takes a region in, unless its bytes have changed since it was made. → whether it is in force.
   * @param wanted the entry for which it is taken in
   * @param claims the entries that it takes, unless another region has them already; of a region that has just been made, all
   */
  install(plan: RegionPlan, run: RegionFunction, wanted = 0, claims?: readonly number[]): boolean {
    const isNew = claims === undefined;
    const place = plan.entries[wanted];
    if (!place) return false;
    if (isNew && plan.isWide && wanted === 0) this.#makeWay(plan);
    // What can be entered there already is as good, and may serve other entries.
    if (this.has(place.host, plan.mode)) return true;
    const records = this.#roomFor(sizeOf(plan));
    if (records === undefined) return false;
    const number = this.#freeNumbers.pop() ?? this.#numbers++;
    const patched = new Int32Array(plan.entries.length);
    const region: Region = { plan, number, records, patched, isGuarded: false, wasWritten: false };
    this.#all.add(region);
    this.#h.table.set(number, run);
    this.#h.u8.fill(0, records, sideOf(region));
    this.#h.u8.set(plan.records, sideOf(region));
    for (const entry of claims ?? plan.entries.keys()) {
      const key = placeOf(plan.entries[entry]!.host, plan.mode);
      if (!this.#regions.has(key)) this.#regions.set(key, { region, entry });
    }
    this.#enforce(region, wanted);
    this.#unsettled.add(region);
    if (!this.#isDecoding) this.settle();
    return patched[wanted] !== 0;
  }

  /** The region that begins where a wide one does gives up all entries that both have. Between runs. */
  #makeWay({ entries, mode }: RegionPlan): void {
    const keys = entries.map(({ host }) => placeOf(host, mode));
    const region = this.#regions.get(keys[0]!)?.region;
    if (region) this.#takeEntries(region, keys);
  }

  /** A region cannot be entered at these places any more, and is gone if there are no others. */
  #takeEntries(region: Region, keys: readonly number[]): void {
    const { entries, mode } = region.plan;
    for (const key of keys) {
      const found = this.#regions.get(key);
      if (found?.region !== region) continue;
      this.#restore(region, found.entry);
      this.#regions.delete(key);
    }
    if (!entries.some(({ host }) => this.#regions.get(placeOf(host, mode))?.region === region)) this.#remove(region);
  }

  /** Puts new regions in force at all their entries. Between runs: the instruction that is being executed may link its record yet. */
  settle(): void {
    const entered = this.#entered;
    this.#entered = [];
    for (const code of entered) this.#settleEntry(code);
    for (const region of this.#unsettled) for (let entry = 0; entry < region.patched.length; entry++) this.#enforce(region, entry);
    this.#unsettled.clear();
  }

  /** A block has been decoded: if a region can be entered there and its bytes are what they were, it is in force. */
  decoded(host: number, mode: number, record: number): void {
    if (this.#isKnown(host, mode)) return;
    this.#isDecoding = true;
    this.#h.unknown({ host, mode, record, linearPage: this.#h.runningPage() });
    this.#isDecoding = false;
  }

  /** Puts the region there in force, if there is one. */
  #isKnown(host: number, mode: number): boolean {
    const key = placeOf(host, mode);
    const found = this.#regions.get(key);
    if (found) this.#enforce(found.region, found.entry);
    return found !== undefined && this.#regions.has(key);
  }

  /** What `decoded` does waits until nothing is being executed. */
  entered(host: number, mode: number, record: number): void {
    this.#entered.push({ host, mode, record, linearPage: this.#h.runningPage() });
  }
  #entered: MetCode[] = [];

  #settleEntry(code: MetCode): void {
    const { host, mode, record, linearPage } = code;
    if (this.#h.recordAt(host, mode) !== record || this.#isKnown(host, mode)) return;
    // Another address space may be there by now, and the region's pages are looked up in it.
    if (this.#h.codePage(linearPage) === host - (host & 0xfff)) this.#h.unknown(code);
  }

  /** Puts the region in force at one of its entries; takes it out when it has been made from other bytes. */
  #enforce(region: Region, entry: number): void {
    const { plan, patched } = region;
    const { host } = plan.entries[entry]!;
    if (patched[entry] !== 0 || this.#regions.get(placeOf(host, plan.mode))?.region !== region) return;
    const record = this.#h.recordAt(host, plan.mode);
    if (record === 0 || isInternal(this.#h.view, record)) return;
    if (!region.isGuarded) {
      if (!this.#isUnchanged(plan)) return this.#giveUp(region);
      this.#guard(region);
    }
    this.#patch(region, entry, record);
  }

  #giveUp(region: Region): void {
    this.#remove(region);
    for (const { host } of region.plan.entries) this.#h.changed(host, region.plan.mode);
  }

  #guard(region: Region): void {
    region.isGuarded = true;
    this.#h.view.setUint32(sideOf(region) + SEEN.stale, 0, true);
    if (region.wasWritten) this.revived++;
    region.wasWritten = false;
    for (const { host, length } of region.plan.ranges) {
      this.#h.guard(host, length);
      const page = this.#pages.get(pageOf(host)) ?? new Set();
      this.#pages.set(pageOf(host), page.add(region));
    }
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

  #patch(region: Region, entry: number, record: number): void {
    const { u8, view } = this.#h;
    const { records, plan, number } = region;
    const copy = records + entry * ENTRY_SIZE;
    assert(!isEntry(view, record), "one region a record");
    u8.copyWithin(copy, record, record + RECORD.size);
    const behind = copy + RECORD.size;
    u8.fill(0, behind, behind + RECORD.size);
    view.setUint16(behind + RECORD.cold, INTERNAL.region, true);
    view.setUint16(behind + RECORD.n, view.getUint16(record + RECORD.n, true), true);
    view.setUint16(behind + RECORD.offset, view.getUint16(record + RECORD.offset, true) + u8[record + RECORD.len]!, true);
    view.setInt32(behind + RECORD.target, record + RECORD.size, true);
    view.setUint16(record + RECORD.cold, INTERNAL.region, true);
    u8[record + RECORD.hot] = HOT_REGION;
    u8[record + RECORD.a] = entry;
    view.setInt32(record + RECORD.disp, sideOf(region), true);
    view.setInt32(record + RECORD.target, copy, true);
    view.setInt32(record + RECORD.imm, number, true);
    view.setInt32(record + RECORD.imm + 4, plan.entries[entry]!.page, true);
    region.patched[entry] = record;
  }

  /** Takes a region back; its records are what they were. */
  #suspend(region: Region): void {
    const { view } = this.#h;
    const { plan, patched } = region;
    region.isGuarded = false;
    view.setUint32(sideOf(region) + SEEN.stale, 1, true);
    for (const { host } of plan.ranges) {
      const page = this.#pages.get(pageOf(host));
      page?.delete(region);
      if (page?.size === 0) this.#pages.delete(pageOf(host));
    }
    for (let entry = 0; entry < patched.length; entry++) this.#restore(region, entry);
  }

  /** An entry's record is again what it was. */
  #restore({ records, patched }: Region, entry: number): void {
    const { u8, view } = this.#h;
    const record = patched[entry]!;
    patched[entry] = 0;
    if (record === 0 || view.getUint16(record + RECORD.cold, true) !== INTERNAL.region) return;
    const copy = records + entry * ENTRY_SIZE;
    u8.copyWithin(record, copy, copy + RECORD.size);
  }

  /** Bytes [from, to) of a page are written: regions made from them are not in force any more. */
  invalidate(page: number, from: number, to: number): void {
    const regions = this.#pages.get(page);
    if (!regions) return;
    const isHit = ({ plan }: Region): boolean => plan.ranges.some(({ host, length }) => host < to && host + length > from);
    for (const region of [...regions].filter(isHit)) {
      this.#suspend(region);
      region.wasWritten = true;
      this.invalidated++;
    }
  }

  /** Guards what is left of a page's regions again. */
  guardAgain(page: number): void {
    for (const { plan } of this.#pages.get(page) ?? []) {
      for (const { host, length } of plan.ranges) if (pageOf(host) === page) this.#h.guard(host, length);
    }
  }

  /** All records are gone: no region is in force until an entry is decoded again. */
  recordsDropped(): void {
    for (const { region } of this.#regions.values()) {
      region.patched.fill(0);
      region.isGuarded = false;
    }
    this.#pages.clear();
    this.#entered = [];
  }

  #remove(region: Region): void {
    const { plan, number, records } = region;
    this.#suspend(region);
    for (const { host } of plan.entries) {
      const key = placeOf(host, plan.mode);
      if (this.#regions.get(key)?.region === region) this.#regions.delete(key);
    }
    this.#all.delete(region);
    this.#unsettled.delete(region);
    this.#h.table.set(number, null);
    this.#freeNumbers.push(number);
    this.#freeOf(sizeOf(plan)).push(records);
  }

  /** Makes room: gives up an eighth of the regions, those first that have not been entered since the last time. */
  #evict(): void {
    let left = Math.ceil(this.#all.size / 8);
    for (const isLastChance of [false, true]) {
      for (const region of this.#all) {
        if (left === 0) return;
        if (!isLastChance && this.#wasUsed(region)) continue;
        this.#remove(region);
        this.evicted++;
        left--;
      }
    }
  }

  /** Whether the region has been entered since this was asked last. */
  #wasUsed({ plan, records }: Region): boolean {
    const { u8 } = this.#h;
    let used = 0;
    for (let entry = 0; entry < plan.entries.length; entry++) {
      const at = records + entry * ENTRY_SIZE + RECORD.size + ENTRY_USED;
      used |= u8[at]!;
      u8[at] = 0;
    }
    return used !== 0;
  }

  /** Room for one more region, after eviction if need be; undefined when there is none. */
  #roomFor(size: number): number | undefined {
    // The instruction that is being executed may be the copy of an entry, among the records of a region that has just been given up.
    if (this.#isDecoding) return this.#all.size < REGIONS ? this.#allocateNew(size) : undefined;
    if (this.#all.size >= REGIONS) this.#evict();
    return this.#allocate(size) ?? this.#allocateAfterEviction(size);
  }

  /** Room for records, undefined when there is none. Sizes are powers of two, so that what one region leaves fits another. */
  #allocate(size: number): number | undefined {
    return this.#freeOf(size).pop() ?? this.#allocateNew(size);
  }

  #allocateNew(size: number): number | undefined {
    const whole = classOf(size);
    if (this.#recordsEnd + whole > REGION_RECORDS_SIZE) return undefined;
    this.#recordsEnd += whole;
    return this.#h.base + REGION_RECORDS + this.#recordsEnd - whole;
  }

  #allocateAfterEviction(size: number): number | undefined {
    this.#evict();
    return this.#allocate(size);
  }

  #freeOf(size: number): number[] {
    let free = this.#freeRecords.get(classOf(size));
    if (!free) this.#freeRecords.set(classOf(size), (free = []));
    return free;
  }
}
