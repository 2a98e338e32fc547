// A translator in another thread: asks it for the hottest code first, one batch at a time.
import type { NumberedShape } from "./region-stock.ts";
import type { CompiledRegions, RegionRequest, TranslatedBatch, Translator, TranslatorClient } from "./translation.ts";

/** To the translator's thread. */
export type ToTranslator =
  | { readonly type: "open"; readonly memory: WebAssembly.Memory; readonly base: number }
  /** Without hot places they are those of the last time. */
  | { readonly type: "translate"; readonly requests: readonly RegionRequest[]; readonly hot: Float64Array | undefined }
  /** Keep regions for the next start, those with these numbers first, and those of places that were hot when nobody had time for them. */
  | { readonly type: "keep"; readonly used: readonly number[]; readonly missed: readonly RegionRequest[]; readonly hot: Float64Array };

/** From the translator's thread. */
export type FromTranslator =
  /** What came of a batch. */
  | { readonly type: "translated"; readonly requests: readonly RegionRequest[]; readonly batch: TranslatedBatch | undefined }
  /** Regions that were kept, which follow compiled. */
  | { readonly type: "announced"; readonly regions: readonly NumberedShape[] }
  | { readonly type: "compiled"; readonly regions: CompiledRegions }
  /** An answer to `keep`. */
  | { readonly type: "kept" };

/** Regions in one batch: few, since what comes next may be hotter. */
const BATCH = 4;
/** Requests that may wait; what is cooler than all of them is asked for again when it is hotter. */
const MAX_WAITING = 256;

/** How often hot places are passed on. */
const HOT_EVERY_MS = 30;

/** The near end of a translator's thread. */
export class RemoteTranslator implements Translator {
  readonly #client: TranslatorClient;
  readonly #post: (message: ToTranslator) => void;
  #waiting: RegionRequest[] = [];
  #isBusy = false;
  #isOver = false;
  #keeping: (() => void)[] = [];

  constructor(client: TranslatorClient, post: (message: ToTranslator) => void) {
    this.#client = client;
    this.#post = post;
    post({ type: "open", memory: client.memory, base: client.base });
  }

  request(requests: readonly RegionRequest[]): void {
    if (this.#waiting.length < 2 * MAX_WAITING) this.#waiting.push(...requests);
    else this.#client.missed(requests);
    this.#send();
  }

  keep(used: readonly number[], missed: readonly RegionRequest[]): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    this.#post({ type: "keep", used, missed: [...missed, ...this.#waiting], hot: this.#client.hotPlaces() });
    return new Promise((resolve) => this.#keeping.push(resolve));
  }

  /** The thread has died: nothing more is asked of it. */
  failed(error: Error): void {
    this.#isOver = true;
    this.#isBusy = true;
    this.#waiting = [];
    this.#kept();
    this.#client.failed(error);
  }

  #kept(): void {
    for (const resolve of this.#keeping.splice(0)) resolve();
  }

  /** Takes what the thread has sent. */
  receive(message: FromTranslator): void {
    switch (message.type) {
      case "announced":
        return this.#client.announce(message.regions);
      case "compiled":
        return this.#client.compiled(message.regions);
      case "kept":
        return this.#kept();
      case "translated":
        this.#isBusy = false;
        return this.#answered(message);
    }
  }

  #answered({ requests, batch }: Extract<FromTranslator, { readonly type: "translated" }>): void {
    const dealt = batch?.dealt ?? requests.length;
    this.#waiting.push(...requests.slice(dealt));
    if (batch) this.#client.accept(batch);
    this.#client.done(requests.slice(0, dealt));
    this.#send();
  }

  #send(): void {
    if (this.#isBusy || this.#waiting.length === 0) return;
    if (this.#client.isIdle()) {
      // What was hot is over: an idle guest costs nothing.
      this.#client.missed(this.#waiting);
      this.#waiting = [];
      return;
    }
    const heat = new Map(this.#waiting.map((r) => [r, this.#client.heatOf(r)]));
    const heatOf = (r: RegionRequest): number => heat.get(r) ?? 0;
    // What has not run again since is not worth it any more.
    this.#client.missed(this.#waiting.filter((r) => heatOf(r) === 0));
    this.#waiting = this.#waiting.filter((r) => heatOf(r) > 0).sort((a, b) => heatOf(b) - heatOf(a));
    this.#client.missed(this.#waiting.splice(MAX_WAITING));
    const requests = this.#waiting.splice(0, BATCH);
    if (requests.length === 0) return;
    this.#isBusy = true;
    this.#post({ type: "translate", requests, hot: this.#hotPlaces() });
  }

  /** There are thousands, so that they are passed on now and then only. */
  #hotPlaces(): Float64Array | undefined {
    const now = performance.now();
    if (now - this.#passedAtMs < HOT_EVERY_MS) return undefined;
    this.#passedAtMs = now;
    return this.#client.hotPlaces();
  }
  #passedAtMs = -Infinity;
}
