// A translator in another thread: asks it for the hottest code first, one batch at a time.
import type { RegionRequest, TranslatedBatch, Translator, TranslatorClient } from "./translation.ts";

/** To the translator's thread. */
export type ToTranslator =
  | { readonly type: "open"; readonly memory: WebAssembly.Memory; readonly base: number }
  | { readonly type: "translate"; readonly requests: readonly RegionRequest[]; readonly hot: Float64Array };

/** From the translator's thread: what came of a batch. */
export interface FromTranslator {
  readonly requests: readonly RegionRequest[];
  readonly batch: TranslatedBatch | undefined;
}

/** Regions in one batch: few, since what comes next may be hotter. */
const BATCH = 4;
/** Requests that may wait; what is cooler than all of them is asked for again when it is hotter. */
const MAX_WAITING = 256;

/** The near end of a translator's thread. */
export class RemoteTranslator implements Translator {
  readonly #client: TranslatorClient;
  readonly #post: (message: ToTranslator) => void;
  #waiting: RegionRequest[] = [];
  #isBusy = false;

  constructor(client: TranslatorClient, post: (message: ToTranslator) => void) {
    this.#client = client;
    this.#post = post;
    post({ type: "open", memory: client.memory, base: client.base });
  }

  request(requests: readonly RegionRequest[]): void {
    if (this.#waiting.length < 2 * MAX_WAITING) this.#waiting.push(...requests);
    else this.#client.done(requests);
    this.#send();
  }

  /** The thread has died: nothing more is asked of it. */
  failed(error: Error): void {
    this.#isBusy = true;
    this.#waiting = [];
    this.#client.failed(error);
  }

  /** Takes what the thread has sent. */
  receive({ requests, batch }: FromTranslator): void {
    this.#isBusy = false;
    if (batch) this.#client.accept(batch);
    this.#client.done(requests);
    this.#send();
  }

  #send(): void {
    if (this.#isBusy || this.#waiting.length === 0) return;
    if (this.#client.isIdle()) {
      // What was hot is over: an idle guest costs nothing.
      this.#client.done(this.#waiting);
      this.#waiting = [];
      return;
    }
    const heat = new Map(this.#waiting.map((r) => [r, this.#client.heatOf(r)]));
    const heatOf = (r: RegionRequest): number => heat.get(r) ?? 0;
    // What has not run again since is not worth it any more.
    this.#client.done(this.#waiting.filter((r) => heatOf(r) === 0));
    this.#waiting = this.#waiting.filter((r) => heatOf(r) > 0).sort((a, b) => heatOf(b) - heatOf(a));
    this.#client.done(this.#waiting.splice(MAX_WAITING));
    const requests = this.#waiting.splice(0, BATCH);
    if (requests.length === 0) return;
    this.#isBusy = true;
    this.#post({ type: "translate", requests, hot: this.#client.hotPlaces() });
  }
}
