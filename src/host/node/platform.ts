// Node as the host of machines: a worker thread each.
import { Worker } from "node:worker_threads";
import type { FromMachine } from "../../machine/protocol.ts";
import { asVmError } from "../../machine/protocol.ts";
import type { MachineChannel, Platform } from "../../sdk/platform.ts";
import { VmError } from "../../support/errors.ts";

/** The thread's entry beside this file, built or as source. */
const ENTRY = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);

/** A machine's garbage is small and short-lived; V8's own limit would cost a dozen MiB of host memory. */
const YOUNG_GENERATION_MIB = 4;

/** Runs machines in worker threads of this process. */
export const nodePlatform: Platform = {
  openThread: () => openThread(ENTRY),
  after: (ms, task) => {
    const timer = setTimeout(task, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** A machine's thread with the given entry. */
export function openThread(entry: URL): MachineChannel {
  const worker = new Worker(entry, { name: "nido machine", resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB } });
  return {
    post: (message) => worker.postMessage(message),
    listen: (receive, died) => {
      worker.on("message", (message: FromMachine) => receive(message));
      worker.on("error", (error) => died(asVmError(error)));
      worker.on("messageerror", (error) => died(asVmError(error)));
      worker.on("exit", (code) => died(new VmError("INTERNAL", `The machine's thread ended by itself, with code ${code}`)));
    },
    terminate: async () => void (await worker.terminate()),
  };
}
