// What is hot, and what comes of it: samples of the interpreter become requests to a translator, and its answers regions in force.
import type { CodeCache } from "./code-cache.ts";
import type { Linkage } from "./executor.ts";
import { SAMPLES } from "./layout.ts";
import { type ExecutionObserver, isUserCode } from "./observer.ts";
import { placeOf } from "./place.ts";
import { RegionCache, type RegionFunction, type RegionPlan } from "./region-cache.ts";
import { at, type StateName } from "../state.ts";

/** Code to be translated: the entry's host address and mode, and where it was seen running. */
export interface RegionRequest {
  readonly host: number;
  readonly mode: number;
  /** Linear address of the entry's page. */
  readonly linearPage: bigint;
  /** Host address of the TLB view in which its pages are found. */
  readonly view: number;
}

/** Regions compiled together: the function of regions[n] is exported as `n`. */
export interface TranslatedBatch {
  readonly module: WebAssembly.Module;
  readonly regions: readonly RegionPlan[];
  /** How long it took to make them, in milliseconds, and how much of it the host's compiler took. */
  readonly ms: number;
  readonly compileMs: number;
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
}

/** Where a translator finds the guest's code, and whom it gives what it made of it. */
export interface TranslatorClient {
  readonly memory: WebAssembly.Memory;
  readonly base: number;
  accept(batch: TranslatedBatch): void;
  /** Places that are hot or about to be, as numbers (place.ts). */
  hotPlaces(): Float64Array;
  /** Whether the guest has done next to nothing since this was asked last. */
  isIdle(): boolean;
  /** How often code has been seen running so far. */
  heatOf(request: RegionRequest): number;
  /** There will be no more answers. */
  failed(error: Error): void;
  /** The requests have been dealt with, whatever came of them. */
  done(requests: readonly RegionRequest[]): void;
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
  readonly observer?: ExecutionObserver | undefined;
  /** Translation has ended, and why; everything that is not translated yet is interpreted. */
  failed(error: Error): void;
}

/** Samples at one place that make it worth translating. */
const THRESHOLD = 32;
/** All counts are halved each time that this many samples have been taken: what ran long ago is not hot. */
const HALF_LIFE = 0x4000;
const MAX_VAIN = 8;
/** Places that are remembered for having been asked for in vain. */
const MOST_VAIN = 0x1_0000;
/** A guest that executes fewer instructions than that in so many milliseconds or more is idle. */
const IDLE_INSTRUCTIONS = 100_000n;
const IDLE_MS = 20;
const MODE_MASK = 7;

/** The hot code of one processor. */
export class Translation {
  readonly regions: RegionCache;
  readonly #h: TranslationHost;
  readonly #translator: Translator;
  readonly #heat = new Map<number, number>();
  #samples = 0;
  #isOver = false;
  /** Asked for and not answered yet, by place. */
  readonly #asked = new Map<number, RegionRequest>();
  readonly #sum = { requested: 0, regions: 0, refused: 0, translated: 0, translationMs: 0, compilationMs: 0, installationMs: 0 };
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
      guard: (address, length) => host.code().guard(address, length),
    });
    this.#translator = translator({
      memory: host.memory,
      base: host.base,
      accept: (batch) => this.#accept(batch),
      failed: (error) => {
        this.#isOver = true;
        host.failed(error);
      },
      isIdle: () => this.#isIdle(),
      hotPlaces: () => this.#hotPlaces(),
      heatOf: (request) => this.#heat.get(placeOf(request.host, request.mode)) ?? 0,
      done: (requests) => this.#done(requests),
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
    };
  }

  /** Looks at the samples taken since the last time. Between runs. */
  look(): void {
    const { view, base } = this.#h;
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
    const host = code().hostOf(view.getUint32(sample + 8, true));
    if (host === 0) return undefined;
    const seen = view.getUint32(sample + 12, true);
    const mode = seen & MODE_MASK;
    const key = placeOf(host, mode);
    const heat = (this.#heat.get(key) ?? 0) + 1;
    this.#heat.set(key, heat);
    if (++this.#samples % HALF_LIFE === 0) this.#cool();
    if (heat < THRESHOLD << (this.#vain.get(key) ?? 0) || this.#asked.has(key) || this.regions.has(host, mode)) return undefined;
    const request = { host, mode, linearPage: view.getBigUint64(sample, true) & ~0xfffn, view: seen & ~MODE_MASK };
    this.#asked.set(key, request);
    return request;
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

  #hotPlaces(): Float64Array {
    const places: number[] = [];
    for (const [key, heat] of this.#heat) if (heat * 4 >= THRESHOLD) places.push(key);
    return Float64Array.from(places);
  }

  #cool(): void {
    for (const [key, heat] of this.#heat) {
      if (heat < 2) this.#heat.delete(key);
      else this.#heat.set(key, heat >> 1);
    }
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
    this.#heat.delete(key);
    this.#vain.set(key, Math.min((this.#vain.get(key) ?? 0) + 1, MAX_VAIN));
  }

  #accept({ module, regions, ms, compileMs }: TranslatedBatch): void {
    const { memory, linkage } = this.#h;
    const start = performance.now();
    const { exports } = new WebAssembly.Instance(module, { env: { memory, ...linkage.functions } });
    regions.forEach((plan, n) => {
      this.#sum.regions++;
      this.#sum.translated += plan.instructions;
      if (!this.regions.install(plan, exports[n] as RegionFunction)) this.#sum.refused++;
      this.#tell(plan);
    });
    this.#sum.translationMs += ms;
    this.#sum.compilationMs += compileMs;
    this.#sum.installationMs += performance.now() - start;
  }

  /** Tells the observer of a region, in the addresses at which it was asked for. */
  #tell({ name, mode, entries, ranges }: RegionPlan): void {
    const { observer, base } = this.#h;
    const [first] = entries;
    const request = first && this.#asked.get(placeOf(first.host, mode));
    if (!observer || !first || !request) return;
    const linear = (page: number, host: number): bigint =>
      BigInt.asUintN(64, request.linearPage + BigInt(page - first.page) + BigInt(host & 0xfff));
    observer.regionTaken({
      name,
      linear: linear(first.page, first.host),
      isUser: isUserCode(request.view, base, mode, request.linearPage),
      parts: ranges.map(({ host, page, length }) => ({ linear: linear(page, host), length })),
    });
  }
}
