// Translation in a thread of its own, started when the first code is hot.
import { Worker } from "node:worker_threads";
import { type FromTranslator, RemoteTranslator } from "../../cpu/engine/remote-translator.ts";
import type { RegionRequest, Translator, TranslatorClient } from "../../cpu/engine/translation.ts";

/** A translator that starts its thread when it is first asked for something. */
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
  const worker = new Worker(new URL("translator-worker.js", import.meta.url), { resourceLimits: { maxYoungGenerationSizeMb: 16 } });
  const remote = new RemoteTranslator(client, (message) => worker.postMessage(message));
  worker.on("message", (message: FromTranslator) => remote.receive(message));
  worker.unref();
  return remote;
}
