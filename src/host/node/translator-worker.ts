// The entry of a translator's thread.
import { setFlagsFromString } from "node:v8";
import { parentPort, workerData } from "node:worker_threads";
import type { ToTranslator } from "../../cpu/engine/remote-translator.ts";
import { TranslatorService } from "../../cpu/translate/service.ts";
import { assert } from "../../support/assert.ts";
import { workInBackground } from "./background.ts";
import { FileRegionStore, type RegionPlace } from "./region-store.ts";
import { prepareV8, TIERING_BUDGET } from "./v8.ts";

const port = parentPort;
assert(port !== null, "the translator's thread was started as a program");
prepareV8();
workInBackground();
const place = workerData as RegionPlace | undefined;
const service = new TranslatorService({
  post: (message) => port.postMessage(message),
  compile: compileAtOnce,
  soon: (task) => void setImmediate(task),
  store: place && new FileRegionStore(place),
});
port.on("message", (message: ToTranslator) => service.receive(message));

/**
 * Compiles all functions at once and with Liftoff, V8's baseline compiler: 0.4 ms a region where the optimizing compiler takes 5 ms.
 * Left to itself V8 would compile each at its first call, on the machine's thread. Those that turn out hot it compiles again in the background, later than its own code.
 */
function compileAtOnce(bytes: Uint8Array): WebAssembly.Module {
  setFlagsFromString("--no-wasm-lazy-compilation");
  setFlagsFromString(`--wasm-tiering-budget=${TIERING_BUDGET.regions}`);
  try {
    return new WebAssembly.Module(bytes);
  } finally {
    setFlagsFromString("--wasm-lazy-compilation");
    setFlagsFromString(`--wasm-tiering-budget=${TIERING_BUDGET.own}`);
  }
}
