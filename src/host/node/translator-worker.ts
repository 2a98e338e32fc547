// The entry of a translator's thread.
import { setFlagsFromString } from "node:v8";
import { parentPort } from "node:worker_threads";
import type { ToTranslator } from "../../cpu/engine/remote-translator.ts";
import { TranslatorService } from "../../cpu/translate/service.ts";
import { assert } from "../../support/assert.ts";
import { prepareV8 } from "./v8.ts";

const port = parentPort;
assert(port !== null, "the translator's thread was started as a program");
prepareV8();
const service = new TranslatorService((message) => port.postMessage(message), compileOptimized);
port.on("message", (message: ToTranslator) => service.receive(message));

/**
 * Compiles with the optimizing compiler, here and now, so that the machine's thread gets code at its best. V8 would compile it twice
 * otherwise: at the first call, on the machine's thread, and again when it is hot.
 */
function compileOptimized(bytes: Uint8Array): WebAssembly.Module {
  setFlagsFromString("--no-wasm-lazy-compilation");
  setFlagsFromString("--no-liftoff");
  try {
    return new WebAssembly.Module(bytes);
  } finally {
    setFlagsFromString("--liftoff");
    setFlagsFromString("--wasm-lazy-compilation");
  }
}
