// npm run profile:handlers [-- COMMAND...]: boots the embedded guest with a counting interpreter, runs the command in it, and prints
// what the hot list (src/cpu/engine/hot-list.ts) should hold: handlers with their shapes, hottest first, as lines of that table.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CPU_BASE } from "../src/cpu/engine/processor.ts";
import { PROFILE } from "../src/cpu/engine/layout.ts";
import { HotSem } from "../src/cpu/engine/hot.ts";
import { ProgramGenerator } from "../src/cpu/engine/generator.ts";
import { children } from "../src/cpu/ir/liveness.ts";
import type { Label, Stmt } from "../src/cpu/ir/types.ts";
import { buildHandler } from "../src/cpu/isa/handlers.ts";
import { resolveConfig } from "../src/machine/config.ts";
import type { MachineEnd, MachineHost } from "../src/machine/machine.ts";
import { createMachine } from "../src/machine/machine-runner.ts";
import { ROOT } from "./setup.mjs";

const SLOTS = 190;

/** The memory of the one machine that is made here. */
const memories: WebAssembly.Memory[] = [];
const Original = WebAssembly.Memory;
WebAssembly.Memory = class extends Original {
  constructor(descriptor: ConstructorParameters<typeof Original>[0]) {
    super(descriptor);
    memories.push(this);
  }
};

const WORKLOAD = `
  i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done
  for i in 1 2 3 4 5 6 7 8 9 10; do busybox true; done
  find / -xdev | wc -l
  gzip -c /bin/busybox | md5sum`;
const command = process.argv.length > 2 ? process.argv.slice(2) : ["sh", "-c", WORKLOAD];
const program = new ProgramGenerator();

function host(ended: (end: MachineEnd) => void): MachineHost {
  return {
    kernel: readFileSync(join(ROOT, "guest/images/vmlinuz")),
    initrd: readFileSync(join(ROOT, "guest/images/initramfs.img")),
    interpreter: new WebAssembly.Module(program.build({ profile: true })),
    disks: [],
    clock: { nowNs: () => performance.now() * 1e6, wallClockMs: () => Date.now() },
    log: { warnOnce: (_key, message) => process.stderr.write(`${message}\n`) },
    fillRandom: (into) => void crypto.getRandomValues(into),
    scheduleSoon: (task) => void setImmediate(task),
    scheduleAfter: (delayNs, task) => {
      const timer = setTimeout(task, delayNs / 1e6);
      return { cancel: () => clearTimeout(timer) };
    },
    serialOut: (bytes) => void process.stderr.write(bytes),
    debugOut: () => undefined,
    execOut: (_stream, bytes) => void process.stderr.write(bytes),
    diskFailed: () => undefined,
    congestion: undefined,
    ended,
  };
}

const end = await new Promise<MachineEnd>((resolve, reject) => {
  Promise.resolve(createMachine(resolveConfig({ command }), host(resolve))).then((machine) => {
    machine.start();
    machine.execInputEnd();
  }, reject);
});
process.stderr.write(`${JSON.stringify(end)}\n`);

const counters = new BigUint64Array(memories[0]!.buffer, CPU_BASE + PROFILE, (program.set.handlers.length + 8) * 4);
const found: { key: string; shape: 0 | 1; count: number }[] = [];
let total = 0;
for (const h of program.set.handlers) {
  const c = [0, 1, 2, 3].map((i) => Number(counters[h.id * 4 + i] ?? 0));
  const branch = h.form.operands.some((o) => o.kind === "rel");
  const simple = branch ? c[0]! + c[1]! : c[0]! + c[2]!;
  const full = branch ? c[2]! + c[3]! : c[1]! + c[3]!;
  total += simple + full;
  found.push({ key: h.key, shape: 0, count: simple }, { key: h.key, shape: 1, count: full });
}
/** Meanings that call what may fault, or the host, or that leave the loop cannot be hot. */
function eligible(key: string, shape: 0 | 1): boolean {
  const handler = program.set.handlers.find((h) => h.key === key);
  if (handler === undefined || handler.world !== "long") return false;
  const label = (kind: "block" | "loop"): Label => ({ kind });
  const labels = { cold: label("block"), again: label("loop"), out: label("block") };
  const body = buildHandler(handler, (name) => new HotSem(name, labels, shape));
  const clean = (stmts: readonly Stmt[]): boolean =>
    stmts.every((s) => s.k !== "ret" && !(s.k === "call" && (s.target.faults || s.target.kind === "host")) && children(s).every(clean));
  return clean(body.stmts);
}

found.sort((a, b) => b.count - a.count);
let sum = 0;
const candidates = found.slice(0, SLOTS * 2).filter((f) => eligible(f.key, f.shape));
for (const { key, shape, count } of candidates.slice(0, SLOTS)) {
  sum += count;
  console.log(`  ["${key}", ${shape}], // ${((100 * count) / total).toFixed(3)} % (${((100 * sum) / total).toFixed(2)})`);
}
process.exit(0);
