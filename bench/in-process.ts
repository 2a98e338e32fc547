// Boots the embedded guest in this process, to ask its processor how much it did.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Processor } from "../src/cpu/engine/processor.ts";
import { resolveConfig } from "../src/machine/config.ts";
import type { MachineEnd, MachineHost } from "../src/machine/machine.ts";
import { createMachine } from "../src/machine/machine-runner.ts";
import { ROOT } from "../scripts/setup.mjs";

function host(ended: (end: MachineEnd) => void): MachineHost {
  return {
    kernel: readFileSync(join(ROOT, "guest/images/vmlinuz")),
    initrd: readFileSync(join(ROOT, "guest/images/initramfs.img")),
    interpreterModule: readFileSync(join(ROOT, "dist/engine/interpreter.wasm")),
    disks: [],
    clock: { nowNs: () => performance.now() * 1e6, wallClockMs: () => Date.now() },
    log: { warnOnce: () => undefined },
    fillRandom: (into) => void crypto.getRandomValues(into),
    scheduleSoon: (task) => void setImmediate(task),
    scheduleAfter: (delayNs, task) => {
      const timer = setTimeout(task, delayNs / 1e6);
      return { cancel: () => clearTimeout(timer) };
    },
    serialOut: () => undefined,
    debugOut: () => undefined,
    execOut: () => undefined,
    diskFailed: () => undefined,
    congestion: undefined,
    ended,
  };
}

/** Millions of instructions a second while the processor ran, from reset to the end of `true`. */
export async function bootInProcess(): Promise<number> {
  const run = Reflect.get(Processor.prototype, "run") as Processor["run"];
  let busy = 0;
  let instructions = 0;
  Processor.prototype.run = function (this: Processor, budget: number): ReturnType<Processor["run"]> {
    const start = performance.now();
    const exit = run.call(this, budget);
    busy += performance.now() - start;
    instructions = this.instructions;
    return exit;
  };
  try {
    await new Promise<MachineEnd>((resolve, reject) => {
      Promise.resolve(createMachine(resolveConfig({ command: ["true"] }), host(resolve))).then((machine) => {
        machine.start();
        machine.execInputEnd();
      }, reject);
    });
  } finally {
    Processor.prototype.run = run;
  }
  return instructions / busy / 1e3;
}
