// Translation in a thread of its own: started at once when earlier starts have left something to compile, else when code is hot.
import { existsSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { type FromTranslator, RemoteTranslator } from "../../cpu/engine/remote-translator.ts";
import type { RegionRequest, Translator, TranslatorClient, TranslatorFactory } from "../../cpu/engine/translation.ts";
import { pathOf, type RegionPlace } from "./region-store.ts";

/** In MB: the translator holds the definitions of all instructions, and little else for long. What V8 may use it does use. */
const LIMITS = { maxYoungGenerationSizeMb: 6, maxOldGenerationSizeMb: 128 };

/** A translator that keeps regions in `place`, if there is one. When its thread dies, what is hot is interpreted. */
export function threadTranslator(place: RegionPlace | undefined): TranslatorFactory {
  const early = place !== undefined && existsSync(pathOf(place)) ? new TranslatorThread(place) : undefined;
  return (client) => new LazyTranslator(client, () => early ?? new TranslatorThread(place), early !== undefined);
}

class LazyTranslator implements Translator {
  readonly #client: TranslatorClient;
  readonly #start: () => TranslatorThread;
  #remote: RemoteTranslator | undefined;

  constructor(client: TranslatorClient, start: () => TranslatorThread, isStarted: boolean) {
    this.#client = client;
    this.#start = start;
    if (isStarted) this.#open();
  }

  #open(): RemoteTranslator {
    return (this.#remote ??= this.#start().serve(this.#client));
  }

  request(requests: readonly RegionRequest[]): void {
    this.#open().request(requests);
  }

  async keep(used: readonly number[], missed: readonly RegionRequest[]): Promise<void> {
    await this.#remote?.keep(used, missed);
  }
}

/** The thread; what it says before there is a client waits. */
class TranslatorThread {
  readonly #worker: Worker;
  #waiting: ((remote: RemoteTranslator) => void)[] = [];
  #remote: RemoteTranslator | undefined;

  constructor(place: RegionPlace | undefined) {
    this.#worker = new Worker(new URL("translator-worker.js", import.meta.url), { resourceLimits: LIMITS, workerData: place });
    this.#worker.on("message", (message: FromTranslator) => this.#hear((remote) => remote.receive(message)));
    this.#worker.on("error", (error: Error) => this.#hear((remote) => remote.failed(error)));
    // A machine that has ended does not wait for it.
    this.#worker.unref();
  }

  #hear(what: (remote: RemoteTranslator) => void): void {
    if (this.#remote) what(this.#remote);
    else this.#waiting.push(what);
  }

  serve(client: TranslatorClient): RemoteTranslator {
    const remote = new RemoteTranslator(client, (message) => this.#worker.postMessage(message));
    this.#remote = remote;
    for (const what of this.#waiting.splice(0)) what(remote);
    return remote;
  }
}
