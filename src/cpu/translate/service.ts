// The far end of a translator's thread: makes modules of the code it is asked for, and of what earlier starts have left.
import type { FromTranslator, ToTranslator } from "../engine/remote-translator.ts";
import type { RegionRequest } from "../engine/translation.ts";
import { HotPlaces } from "./memory-source.ts";
import { unpackArchive, packArchive } from "./region-archive.ts";
import { RegionLibrary } from "./region-library.ts";
import { moduleOf } from "./region-module.ts";
import type { RegionTranslator } from "./translator.ts";

/** Where regions are kept from one start to the next. Whatever goes wrong there costs time and nothing else. */
export interface RegionStore {
  /** What was given to `save` last, byte for byte; undefined when there is nothing. */
  load(): Promise<Uint8Array | undefined>;
  save(bytes: Uint8Array): Promise<void>;
}

/** What the service needs of its host. */
export interface TranslatorServiceHost {
  post(message: FromTranslator): void;
  /** Compiles as is best for code that is known to be hot. */
  compile(bytes: Uint8Array): WebAssembly.Module;
  /** Runs the task after messages that are there already. */
  soon(task: () => void): void;
  /** Without it nothing is kept. */
  readonly store?: RegionStore | undefined;
}

/** Kept regions that are compiled together: few at first, because the guest waits for them, then more, because each module costs time. */
const FIRST_BATCH = 4;
const LARGEST_BATCH = 32;
/** Guest instructions, and milliseconds, after which an answer is given: what comes next may be hotter than what was asked for. */
const MOST_AT_ONCE = { most: 128, mostMs: 3 };
/** How long at most the end of a machine is put off for the sake of the next start. */
const PREPARATION_MS = 800;

/** Serves one processor. */
export class TranslatorService {
  readonly #h: TranslatorServiceHost;
  readonly #library: Promise<RegionLibrary>;
  #translator: Promise<RegionTranslator> | undefined;
  #places = new HotPlaces([]);
  #guest: { readonly memory: WebAssembly.Memory; readonly base: number } | undefined;

  /** Begins at once to load and compile what was kept. */
  constructor(host: TranslatorServiceHost) {
    this.#h = host;
    this.#library = this.#load();
  }

  /** Handles a message of the machine's thread. */
  receive(message: ToTranslator): void {
    switch (message.type) {
      case "open":
        this.#guest = message;
        return;
      case "translate":
        if (message.hot) this.#places = new HotPlaces(message.hot);
        return void this.#translate(message.requests);
      case "keep":
        return void this.#keep(message);
    }
  }

  async #translate(requests: readonly RegionRequest[]): Promise<void> {
    const guest = this.#guest;
    if (!guest) throw new Error("Bug in Nido: a translation before there is memory");
    const translator = await (this.#translator ??= this.#makeTranslator());
    const compile = (bytes: Uint8Array): WebAssembly.Module => this.#h.compile(bytes);
    const batch = translator.translate(guest.memory.buffer, guest.base, requests, { places: this.#places, compile, ...MOST_AT_ONCE });
    this.#h.post({ type: "translated", requests, batch });
  }

  /** The definitions of all instructions are loaded only for code that nobody has translated before. */
  async #makeTranslator(): Promise<RegionTranslator> {
    const [{ RegionTranslator }, { ProgramGenerator }] = await Promise.all([import("./translator.ts"), import("../engine/generator.ts")]);
    return new RegionTranslator(new ProgramGenerator(), await this.#library);
  }

  async #load(): Promise<RegionLibrary> {
    const bytes = await this.#h.store?.load().catch(() => undefined);
    const archive = bytes && unpackArchive(bytes);
    if (!archive) return new RegionLibrary();
    const library = new RegionLibrary(archive);
    const regions = [...library.regions].map(([id, { shape }]) => ({ id, shape }));
    this.#h.post({ type: "announced", regions });
    this.#compile(library, [...library.regions.keys()], FIRST_BATCH);
    return library;
  }

  /** Compiles regions in their order, some at a time, so that requests are not kept waiting. */
  #compile(library: RegionLibrary, ids: readonly number[], count: number): void {
    if (ids.length === 0) return;
    const batch = ids.slice(0, count);
    this.#h.soon(() => {
      const start = performance.now();
      const regions = batch.map((id) => ({ id, body: library.regions.get(id)?.body ?? new Uint8Array(0) }));
      const module = compiled(() => this.#h.compile(moduleOf(library.imports, regions)));
      // What cannot be compiled was not made by us: the code is translated when it is hot.
      if (module) this.#h.post({ type: "compiled", regions: { module, ids: batch, ms: performance.now() - start } });
      this.#compile(library, ids.slice(count), Math.min(2 * count, LARGEST_BATCH));
    });
  }

  /** Translates what there was no time for, for the next start. → the regions' numbers */
  async #prepare(requests: readonly RegionRequest[], hot: Float64Array): Promise<number[]> {
    const guest = this.#guest;
    if (!guest) return [];
    const translator = await (this.#translator ??= this.#makeTranslator());
    const end = performance.now() + PREPARATION_MS;
    const ids: number[] = [];
    const surroundings = { places: new HotPlaces(hot), entries: new Set<number>() };
    for (const request of requests) {
      if (performance.now() > end) break;
      const region = translator.prepare(guest.memory.buffer, guest.base, request, surroundings);
      if (region) ids.push(region.id);
    }
    return ids;
  }

  async #keep({ used, missed, hot }: Extract<ToTranslator, { readonly type: "keep" }>): Promise<void> {
    const library = await this.#library;
    const late = this.#h.store && missed.length > 0 ? await this.#prepare(missed, hot) : [];
    if (library.hasNew) await this.#h.store?.save(packArchive(library.archive([...used, ...late]))).catch(() => undefined);
    this.#h.post({ type: "kept" });
  }
}

function compiled(compile: () => WebAssembly.Module): WebAssembly.Module | undefined {
  try {
    return compile();
  } catch {
    return undefined;
  }
}
