// Regions apart from places: those that were kept from earlier starts, and those made in this one. When code is decoded that one of
// them was made of, wherever that lies now, it is put in force there without a translator.
import { MODE } from "../state.ts";
import { isMadeFrom, keyOfBlock, planOf, type RegionFunction, type RegionPlan, type RegionShape } from "./region-shape.ts";

/** A region with its number in the translator's library. */
export interface NumberedShape {
  readonly id: number;
  readonly shape: RegionShape;
}

/** Code that has been decoded: its host address and mode, the linear address of its page, and its first record. */
export interface MetCode {
  readonly host: number;
  readonly mode: number;
  readonly linearPage: bigint;
  readonly record: number;
}

/** What the stock needs of its processor. */
export interface RegionStockHost {
  readonly view: DataView;
  readonly u8: Uint8Array;
  endsBlock(handler: number): boolean;
  /** Host address of the page of code at a linear address as it is mapped now, 0 when there is none. */
  codePage(linear: bigint): number;
  /** Puts a region in force at some of its entries. → whether it is where it is wanted */
  install(id: number, plan: RegionPlan, run: RegionFunction, wanted: WantedRegion): boolean;
}

/** For which of its entries a region is put in force, whose page is at a linear address; and all entries that it may take. */
export interface WantedRegion {
  readonly entry: number;
  readonly linearPage: bigint;
  readonly claims: readonly number[];
}

interface Item extends NumberedShape {
  /** Its function, once that is compiled; undefined comes of it when it is none of this engine's. */
  code: (() => RegionFunction | undefined) | undefined;
  /** Where it was wanted before that. */
  waiting: { readonly code: MetCode; readonly entry: number } | undefined;
  isUsed: boolean;
}

/** Regions that are remembered. */
const MOST = 4096;
/** Regions that begin alike and are tried: the newest of this start, then those that served first in the one before. */
const MOST_ALIKE = 8;

/** The regions of one processor that can be put in force wherever their bytes are. */
export class RegionStock {
  readonly #h: RegionStockHost;
  readonly #items = new Map<number, Item>();
  readonly #byKey = new Map<number, { readonly item: Item; readonly entry: number }[]>();
  /** Whether an entry lies at an offset in its page: most code that is decoded is none of theirs. */
  readonly #offsets = new Uint8Array(0x1000);
  readonly #used: number[] = [];
  /** Regions that earlier starts left; how many of them have served; times that one of the stock was put in force. */
  kept = 0;
  served = 0;
  reused = 0;

  constructor(host: RegionStockHost) {
    this.#h = host;
  }

  /** Numbers of the regions that served, in the order in which they did first. */
  get used(): readonly number[] {
    return this.#used;
  }

  /** Regions whose code will come. */
  announce(regions: readonly NumberedShape[]): void {
    this.kept += regions.length;
    for (const region of regions.toReversed()) this.#add({ ...region, code: undefined, waiting: undefined, isUsed: false });
  }

  /** A region that has been made in this start, and serves. */
  made(region: NumberedShape, run: RegionFunction): void {
    const item = { ...region, code: () => run, waiting: undefined, isUsed: false };
    this.#add(item);
    this.#use(item, true);
  }

  /** The code of announced regions has come; `functions` gives it by the order of their numbers. */
  compiled(ids: readonly number[], functions: (n: number) => RegionFunction | undefined): void {
    ids.forEach((id, n) => {
      const item = this.#items.get(id);
      if (!item) return;
      item.code = () => functions(n);
      const { waiting } = item;
      item.waiting = undefined;
      if (waiting && this.#isThere(waiting.code)) this.#place(item, waiting.entry, waiting.code);
    });
  }

  #add(item: Item): void {
    if (this.#items.size >= MOST) return;
    this.#items.set(item.id, item);
    item.shape.keys.forEach((key, entry) => {
      const alike = this.#byKey.get(key) ?? [];
      this.#byKey.set(key, alike);
      this.#offsets[(item.shape.entries[entry] ?? 0) & 0xfff] = 1;
      alike.unshift({ item, entry });
      alike.splice(MOST_ALIKE);
    });
  }

  #use(item: Item, isNew = false): void {
    if (item.isUsed) return;
    item.isUsed = true;
    if (!isNew) this.served++;
    this.#used.push(item.id);
  }

  /** Code has been decoded, or met again, where no region is in force. → whether one is now, or will be when its code has come */
  met(code: MetCode): boolean {
    if (this.#offsets[code.host & 0xfff] === 0) return false;
    const key = keyOfBlock(this.#h.view, code.record, code.mode, (handler) => this.#h.endsBlock(handler));
    const alike = this.#byKey.get(key);
    if (!alike) return false;
    // What was made for this place before what can be entered here as well.
    const inOrder = [...alike.filter(({ entry }) => entry === 0), ...alike.filter(({ entry }) => entry !== 0)];
    const isPlaced = (compiled: boolean): boolean =>
      inOrder.some(({ item, entry }) => (item.code !== undefined) === compiled && this.#place(item, entry, code));
    return isPlaced(true) || isPlaced(false);
  }

  /** Entries that a region takes when it is put in force for one of them: none that another region was made for. */
  #claims(item: Item, wanted: number): number[] {
    const isOthers = (key: number): boolean => this.#byKey.get(key)?.some((other) => other.entry === 0 && other.item !== item) ?? false;
    return [...item.shape.keys.keys()].filter((n) => n === 0 || n === wanted || !isOthers(item.shape.keys[n]!));
  }

  /** Whether the code is mapped where it was met. */
  #isThere({ host, linearPage }: MetCode): boolean {
    return this.#h.codePage(linearPage) === host - (host & 0xfff);
  }

  #place(item: Item, entry: number, code: MetCode): boolean {
    if (!item.code && item.waiting?.code.host === code.host) return true;
    const { shape } = item;
    const plan = this.#planAt(shape, shape.entries[entry] ?? 0, code);
    if (plan === undefined) return false;
    this.#use(item);
    if (!item.code) {
      item.waiting = { code, entry };
      return true;
    }
    const run = item.code();
    const isInForce =
      run !== undefined && this.#h.install(item.id, plan, run, { entry, linearPage: code.linearPage, claims: this.#claims(item, entry) });
    if (isInForce) this.reused++;
    return isInForce;
  }

  #planAt(shape: RegionShape, entry: number, { host, mode, linearPage }: MetCode): RegionPlan | undefined {
    if (mode !== shape.mode || (entry & 0xfff) !== (host & 0xfff)) return undefined;
    const own = host - (host & 0xfff);
    if (!isMadeFrom(shape, this.#h.u8, (page) => (page === entry >> 12 ? own : undefined))) return undefined;
    const hosts: number[] = [];
    for (const page of shape.pages) {
      const linear = linearPage + BigInt(page - (entry >> 12)) * 0x1000n;
      const at = page === entry >> 12 ? own : this.#h.codePage(BigInt.asUintN(mode & MODE.long ? 64 : 32, linear));
      if (at === 0) return undefined;
      hosts.push(at);
    }
    return planOf({ shape, hosts }, this.#h.u8);
  }
}
