// Translation in a thread of its own, started when the first code is hot.
import { Worker } from "node:worker_threads";
import { type FromTranslator, RemoteTranslator } from "../../cpu/engine/remote-translator.ts";
import type { RegionRequest, Translator, TranslatorClient } from "../../cpu/engine/translation.ts";

/** In MB: the translator holds the definitions of all instructions, and little else for long. */
const LIMITS = { maxYoungGenerationSizeMb: 16, maxOldGenerationSizeMb: 256 };

/** A translator that starts its thread when it is first asked for something. When the thread dies, what is hot is interpreted. */
export function threadTranslator(client: TranslatorClient): Translator {
  let remote: RemoteTranslator | undefined;
  return {
    request(requests: readonly RegionRequest[]): void {
      remote ??= start(client);
      remote.request(requests);
    },
  };
}

function start(client: TranslatorClient): RemoteTranslator {
  const worker = new Worker(new URL("translator-worker.js", import.meta.url), { resourceLimits: LIMITS });
  const remote = new RemoteTranslator(client, (message) => worker.postMessage(message));
  worker.on("message", (message: FromTranslator) => remote.receive(message));
  worker.on("error", (error: Error) => remote.failed(error));
  // A machine that has ended does not wait for it.
  worker.unref();
  return remote;
}
