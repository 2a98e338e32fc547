// The entry of a translator's thread.
import { parentPort } from "node:worker_threads";
import type { ToTranslator } from "../../cpu/engine/remote-translator.ts";
import { TranslatorService } from "../../cpu/translate/service.ts";
import { assert } from "../../support/assert.ts";

const port = parentPort;
assert(port !== null, "the translator's thread was started as a program");
const service = new TranslatorService((message) => port.postMessage(message));
port.on("message", (message: ToTranslator) => service.receive(message));
