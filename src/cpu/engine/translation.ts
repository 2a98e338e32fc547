// What is hot, and what comes of it: samples of the interpreter become requests to a translator, and its answers regions in force.
import type { CodeCache } from "./code-cache.ts";
import type { Linkage } from "./executor.ts";
import { Heat } from "./heat.ts";
import { SAMPLES } from "./layout.ts";
import { type ExecutionObserver, isUserCode } from "./observer.ts";
import { isEntry, placeOf } from "./place.ts";
import { RegionCache } from "./region-cache.ts";
import { hostIn, type PlacedRegion, planOf, type RegionFunction, regionName, type RegionPlan } from "./region-shape.ts";
import { type NumberedShape, RegionStock, type WantedRegion } from "./region-stock.ts";
import { at, type StateName } from "../state.ts";

/** Code to be translated: the entry's host address and mode, and where it was seen running. */
export interface RegionRequest {
  readonly host: number;
  readonly mode: number;
  /** Linear address of the entry's page. */
  readonly linearPage: bigint;
  /** Host address of the TLB view in which its pages are found. */
  readonly view: number;
  /** A region is there, and often entered: one that also holds what others do is to take its place. */
  readonly isWide: boolean;
}

/** Regions compiled together: the function of regions[n] is exported as `n`. */
export interface TranslatedBatch {
  readonly module: WebAssembly.Module;
  readonly regions: readonly (PlacedRegion & NumberedShape)[];
  /** How many of the requests, from the first on, have been dealt with: they made enough work. */
  readonly dealt: number;
  /** How long it took to make them, in milliseconds, and how much of it the host's compiler took. */
  readonly ms: number;
  readonly compileMs: number;
}

/** Kept regions, compiled together: the function of the region ids[n] is exported as `n`. */
export interface CompiledRegions {
  readonly module: WebAssembly.Module;
  readonly ids: readonly number[];
  /** How long it took, in milliseconds. */
  readonly ms: number;
}

/** What translation did so far. */
export interface TranslationStatistics {
  /** Instructions executed in regions, and entries of regions. */
  readonly instructions: number;
  readonly entries: number;
  readonly exits: RegionExitCounts;
  /** Places asked for; regions that came; of these those whose code had changed meanwhile; guest instructions in them. */
  readonly requested: number;
  readonly regions: number;
  readonly refused: number;
  readonly translated: number;
  /** Time that translation took, in its own thread, compilation included; compilation alone; taking regions in: in milliseconds. */
  readonly translationMs: number;
  readonly compilationMs: number;
  readonly installationMs: number;
  /** Regions taken back because their bytes were written, and put in force again because they were the same. */
  readonly invalidated: number;
  readonly revived: number;
  /** Regions given up to make room. */
  readonly evicted: number;
  /** Regions that were kept from earlier starts; how often a region was put in force where it had not been made. */
  readonly kept: number;
  readonly reused: number;
}

/** How often regions were left for another reason than that execution went on elsewhere. */
export interface RegionExitCounts {
  /** At a memory access that the TLB did not serve. */
  readonly memory: number;
  /** At an instruction that faults, or that only the interpreter can execute as it came. */
  readonly instruction: number;
  /** Behind an instruction whose complete handler was called, and which did not simply go on: always behind those that change the mode. */
  readonly handler: number;
  /** At once: pages or segments were not what they were when the region was made. */
  readonly refused: number;
}

/** Something that translates, now or later, here or in another thread. */
export interface Translator {
  request(requests: readonly RegionRequest[]): void;
  /**
   * Keeps regions for the next start; resolves when it is done, as far as it can be.
   * @param used numbers of those that served, in the order in which they did first
   * @param missed what was asked for and came too late to be worth it in this start
   */
  keep?(used: readonly number[], missed: readonly RegionRequest[]): Promise<void>;
}

/** Where a translator finds the guest's code, and whom it gives what it made of it. */
export interface TranslatorClient {
  readonly memory: WebAssembly.Memory;
  readonly base: number;
  accept(batch: TranslatedBatch): void;
  /** Regions were kept from earlier starts, and will be compiled. */
  announce(regions: readonly NumberedShape[]): void;
  /** Kept regions have been compiled. */
  compiled(regions: CompiledRegions): void;
  /** Places that have lately been seen running, as numbers (place.ts): worth having in the regions of others. */
  hotPlaces(): Float64Array;
  /** Whether the guest has done next to nothing since this was asked last. */
  isIdle(): boolean;
  /** How urgent code is, a number to compare: 0 for what is not seen running now. */
  heatOf(request: RegionRequest): number;
  /** There will be no more answers. */
  failed(error: Error): void;
  /** The requests have been dealt with, whatever came of them. */
  done(requests: readonly RegionRequest[]): void;
  /** The requests will not be dealt with. */
  missed(requests: readonly RegionRequest[]): void;
}

/** Makes the translator of one processor. */
export type TranslatorFactory = (client: TranslatorClient) => Translator;

/** What translation needs of its processor. */
export interface TranslationHost {
  readonly view: DataView;
  readonly u8: Uint8Array;
  readonly memory: WebAssembly.Memory;
  readonly base: number;
  readonly linkage: Linkage;
  readonly code: () => CodeCache;
  /** Whether a handler's instruction never goes on with the next one in memory. */
  endsBlock(handler: number): boolean;
  /** Host address of the page of code at a linear address as it is mapped now, 0 when there is none. */
  codePage(linear: bigint): number;
  readonly observer?: ExecutionObserver | undefined;
  /** Translation has ended, and why; everything that is not translated yet is interpreted. */
  failed(error: Error): void;
}

/**
 * Samples at one place that make it worth translating: some 100,000 instructions. A region costs the host 10 to 20 ms, most of it to make
 * its own compilers fast; at half of that a boot makes half as many again, and takes longer on two processors.
 */
const THRESHOLD = 16;
/** The same while kept regions come into use: what they leave over is seldom worth it. */
const THRESHOLD_OF_REPLAY = 128;
/** Samples without a kept region that is new in use, after which this start is another one than those before. */
const REPLAY_SAMPLES = 1024;
/** Samples at the entry of a region that make a wide one worth it (a power of two). One in eight is taken there. */
const WIDE_THRESHOLD = 64;
/** The same to make a wide one again whose calls may lead elsewhere by now, each time that they have doubled. */
const AGAIN_THRESHOLD = 256;
/** Entries of regions at which samples are counted. */
const MOST_ENTRIES = 0x1_0000;
/** After that many samples each the stock is asked again: pages that were not there when the code was decoded may be there now. */
const LOOK_AGAIN = 4;
const MAX_VAIN = 8;
/** Places that are remembered for having been asked for too late. */
const MOST_MISSED = 512;
/** While the machine runs, regions are kept when so many are new, but not more often than that. */
const KEEP_AFTER = 16;
const KEEP_EVERY_MS = 10_000;
/** Places that are remembered for having been asked for in vain. */
const MOST_VAIN = 0x1_0000;
/** A guest that executes fewer instructions than that in so many milliseconds or more is idle. */
const IDLE_INSTRUCTIONS = 100_000n;
const IDLE_MS = 20;
const MODE_MASK = 7;
/** A region that is to replace another comes behind all that is interpreted. */
const LEAST_URGENCY = 1;

/** The hot code of one processor. */
export class Translation {
  readonly regions: RegionCache;
  readonly #stock: RegionStock;
  readonly #h: TranslationHost;
  readonly #translator: Translator;
  readonly #heat = new Heat();
  /** Samples at entries of regions, by place. */
  readonly #entries = new Map<number, number>();
  #isOver = false;
  /** Asked for and not answered yet, by place. */
  readonly #asked = new Map<number, RegionRequest>();
  readonly #sum = { requested: 0, regions: 0, refused: 0, translated: 0, translationMs: 0, compilationMs: 0, installationMs: 0 };
  /** Requests that were not dealt with, by place. */
  readonly #missed = new Map<number, RegionRequest>();
  /** Requests that came to nothing, by place: each makes the next wait for twice the heat. */
  readonly #vain = new Map<number, number>();

  constructor(host: TranslationHost, translator: TranslatorFactory) {
    this.#h = host;
    this.regions = new RegionCache({
      view: host.view,
      u8: host.u8,
      base: host.base,
      table: host.linkage.table,
      recordAt: (address, mode) => host.code().recordAt(address, mode),
      changed: (address, mode) => this.#inVain(placeOf(address, mode)),
      unknown: (code) => void this.#stock.met(code),
      runningPage: () => host.view.getBigUint64(host.base + at("ripPage"), true),
      codePage: (linear) => host.codePage(linear),
      guard: (address, length) => host.code().guard(address, length),
    });
    this.#stock = new RegionStock({
      view: host.view,
      u8: host.u8,
      endsBlock: (handler) => host.endsBlock(handler),
      codePage: (linear) => host.codePage(linear),
      install: (id, plan, run, wanted) => this.#install(id, plan, run, wanted),
    });
    this.#translator = translator({
      memory: host.memory,
      base: host.base,
      accept: (batch) => this.#accept(batch),
      announce: (regions) => this.#stock.announce(regions),
      compiled: (regions) => this.#compiled(regions),
      failed: (error) => {
        this.#isOver = true;
        host.failed(error);
      },
      isIdle: () => this.#isIdle(),
      hotPlaces: () => this.#heat.places(),
      heatOf: ({ host, mode, isWide }) => (isWide ? LEAST_URGENCY : this.#heat.urgencyOf(placeOf(host, mode))),
      done: (requests) => this.#done(requests),
      missed: (requests) => {
        for (const r of requests) this.#miss(placeOf(r.host, r.mode), r);
      },
    });
  }

  /** What happened so far. */
  get statistics(): TranslationStatistics {
    const { view, base } = this.#h;
    const count = (name: StateName): number => Number(view.getBigUint64(base + at(name), true));
    const { invalidated, revived, evicted } = this.regions;
    return {
      ...this.#sum,
      instructions: count("regionInstructions"),
      entries: count("regionEntries"),
      exits: {
        memory: count("regionMemoryExits"),
        instruction: count("regionInstructionExits"),
        handler: count("regionHandlerExits"),
        refused: count("regionRefusals"),
      },
      invalidated,
      revived,
      evicted,
      kept: this.#stock.kept,
      reused: this.#stock.reused,
    };
  }

  /** The machine ends: keeps what served, or would have, for the next start; resolves when it is done, as far as it can be. */
  async keep(): Promise<void> {
    await this.#keep([...this.#missed.values()]);
  }

  async #keep(missed: readonly RegionRequest[]): Promise<void> {
    if (this.#isOver) return;
    this.#keptRegions = this.#sum.regions;
    this.#keptAtMs = performance.now();
    await this.#translator.keep?.(this.#stock.used, missed);
  }
  /** Regions made, and the time, when that was last. */
  #keptRegions = 0;
  #keptAtMs = performance.now();

  /** A machine may be ended without warning: what is new is kept while it runs, too. */
  #keepInTime(): void {
    if (this.#sum.regions - this.#keptRegions >= KEEP_AFTER && performance.now() - this.#keptAtMs >= KEEP_EVERY_MS) void this.#keep([]);
  }

  /** Looks at the samples taken since the last time. Between runs. */
  look(): void {
    const { view, base } = this.#h;
    this.regions.settle();
    this.#keepInTime();
    const count = view.getUint32(base + at("sampleCount"), true);
    if (count === 0 || this.#isOver) return;
    view.setUint32(base + at("sampleCount"), 0, true);
    const requests: RegionRequest[] = [];
    for (let i = 0; i < count; i++) {
      const request = this.#note(base + SAMPLES + i * 16);
      if (request) requests.push(request);
    }
    if (requests.length === 0) return;
    this.#sum.requested += requests.length;
    this.#translator.request(requests);
  }

  #note(sample: number): RegionRequest | undefined {
    const { view, code } = this.#h;
    const record = view.getUint32(sample + 8, true);
    const host = code().hostOf(record);
    if (host === 0) return undefined;
    const seen = view.getUint32(sample + 12, true);
    const mode = seen & MODE_MASK;
    const key = placeOf(host, mode);
    const linearPage = view.getBigUint64(sample, true) & ~0xfffn;
    const place = { host, mode, linearPage, view: seen & ~MODE_MASK };
    if (isEntry(view, record) && !this.regions.leaveUseless(host, mode)) return this.#noteEntry(key, { ...place, isWide: true });
    const heat = this.#heat.note(key);
    if (this.#asked.has(key) || this.regions.has(host, mode)) return undefined;
    if (heat % LOOK_AGAIN === 0 && this.#isKnown(host, mode, linearPage)) return undefined;
    if (heat < this.#threshold() << (this.#vain.get(key) ?? 0)) return undefined;
    const request = { ...place, isWide: false };
    this.#asked.set(key, request);
    return request;
  }

  /** A region has been met at one of its entries: if that is often, and nothing else is to be done, a wide one is asked for. */
  #noteEntry(key: number, request: RegionRequest): RegionRequest | undefined {
    if (this.#entries.size >= MOST_ENTRIES) this.#entries.clear();
    const count = (this.#entries.get(key) ?? 0) + 1;
    this.#entries.set(key, count);
    const isTime = count >= WIDE_THRESHOLD && (count & (count - 1)) === 0;
    if (!isTime || this.#asked.size > 0) return undefined;
    const plan = this.regions.planAt(request.host, request.mode);
    if (plan?.isWide && !(plan.isOpen && count >= AGAIN_THRESHOLD)) return undefined;
    this.#asked.set(key, request);
    return request;
  }

  #threshold(): number {
    const { served } = this.#stock;
    if (served !== this.#served) this.#servedAt = this.#heat.samples;
    this.#served = served;
    return served > 0 && this.#heat.samples - this.#servedAt < REPLAY_SAMPLES ? THRESHOLD_OF_REPLAY : THRESHOLD;
  }
  /** Kept regions in use, and at which sample that changed. */
  #served = 0;
  #servedAt = 0;

  /** Whether the stock has a region for this code, if it is mapped there still. */
  #isKnown(host: number, mode: number, linearPage: bigint): boolean {
    const record = this.#h.code().recordAt(host, mode);
    if (record === 0 || this.#h.codePage(linearPage) !== host - (host & 0xfff)) return false;
    return this.#stock.met({ host, mode, linearPage, record });
  }

  #isIdle(): boolean {
    const { view, base } = this.#h;
    const now = performance.now();
    if (now - this.#idleAsked < IDLE_MS) return false;
    this.#idleAsked = now;
    const retired = view.getBigUint64(base + at("retired"), true);
    const since = retired - this.#retired;
    this.#retired = retired;
    return since < IDLE_INSTRUCTIONS;
  }
  #retired = 0n;
  #idleAsked = 0;

  /** Came too late; when it is met again it will be asked for again. */
  #miss(key: number, request: RegionRequest): void {
    this.#asked.delete(key);
    if (!request.isWide && this.#missed.size < MOST_MISSED) this.#missed.set(key, request);
  }

  #done(requests: readonly RegionRequest[]): void {
    for (const { host, mode } of requests) {
      const key = placeOf(host, mode);
      this.#asked.delete(key);
      if (!this.regions.has(host, mode)) this.#inVain(key);
    }
  }

  #inVain(key: number): void {
    if (this.#vain.size >= MOST_VAIN) this.#vain.clear();
    this.#heat.forget(key);
    this.#vain.set(key, Math.min((this.#vain.get(key) ?? 0) + 1, MAX_VAIN));
  }

  #accept({ module, regions, ms, compileMs }: TranslatedBatch): void {
    const start = performance.now();
    const functionOf = this.#link(module);
    regions.forEach((region, n) => {
      this.#sum.regions++;
      this.#sum.translated += region.shape.instructions;
      if (!this.#take(region, functionOf(n))) this.#sum.refused++;
    });
    this.#sum.translationMs += ms;
    this.#sum.compilationMs += compileMs;
    this.#sum.installationMs += performance.now() - start;
  }

  /** Takes in a region that has been made; its bytes may have changed since they were copied. */
  #take(region: PlacedRegion & NumberedShape, run: RegionFunction): boolean {
    const { shape, hosts } = region;
    const place = placeOf(hostIn({ pages: shape.pages, hosts }, shape.entries[0] ?? 0), shape.mode);
    const plan = planOf(region, this.#h.u8);
    if (!plan) {
      this.#inVain(place);
      return false;
    }
    if (!this.regions.install(plan, run)) return false;
    this.#stock.made(region, run);
    const request = this.#asked.get(place);
    if (request) this.#tell(region.id, plan, 0, request);
    return true;
  }

  /** Puts a region of the stock in force. */
  #install(id: number, plan: RegionPlan, run: RegionFunction, { entry, linearPage, claims }: WantedRegion): boolean {
    const { view, base } = this.#h;
    if (!this.regions.install(plan, run, entry, claims)) return false;
    this.#tell(id, plan, entry, { linearPage, view: view.getUint32(base + at("tlbView"), true) });
    return true;
  }

  #compiled({ module, ids, ms }: CompiledRegions): void {
    this.#sum.translationMs += ms;
    this.#sum.compilationMs += ms;
    let functionOf: ((n: number) => RegionFunction | undefined) | undefined;
    this.#stock.compiled(ids, (n) => (functionOf ??= this.#linkKept(module))(n));
  }

  /** What was kept was made for this engine, but nobody else than its file says so. */
  #linkKept(module: WebAssembly.Module): (n: number) => RegionFunction | undefined {
    try {
      return this.#link(module);
    } catch {
      return () => undefined;
    }
  }

  /** The functions of a module of regions, by number. */
  #link(module: WebAssembly.Module): (n: number) => RegionFunction {
    const { memory, linkage } = this.#h;
    const { exports } = new WebAssembly.Instance(module, { env: { memory, ...linkage.functions } });
    return (n) => exports[n] as RegionFunction;
  }

  /** Tells the observer of a region, one of whose entries lies in a linear page and was seen in a TLB view. */
  #tell(id: number, { mode, entries, ranges }: RegionPlan, entry: number, seen: Pick<RegionRequest, "linearPage" | "view">): void {
    const { observer, base } = this.#h;
    const [first] = entries;
    if (!observer || !first) return;
    const origin = seen.linearPage - BigInt(entries[entry]?.page ?? 0);
    const linear = (page: number, host: number): bigint => BigInt.asUintN(64, origin + BigInt(page) + BigInt(host & 0xfff));
    observer.regionTaken({
      name: regionName(id),
      linear: linear(first.page, first.host),
      isUser: isUserCode(seen.view, base, mode, seen.linearPage),
      parts: ranges.map(({ host, page, length }) => ({ linear: linear(page, host), length })),
    });
  }
}
