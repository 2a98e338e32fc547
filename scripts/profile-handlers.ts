// npm run profile:handlers [-- [--matrix KERNEL] COMMAND...]: boots the embedded guest, or a kernel of the boot matrix, with a counting
// interpreter, runs the command in it, and prints what the hot list (src/cpu/engine/hot-list.ts) should hold of the guest's code:
// handlers with their shapes, those first that are worth most, as lines of that table. In a kernel of the matrix the boot counts as much
// as the command does.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CPU_BASE } from "../src/cpu/engine/processor.ts";
import { INTERNAL_HANDLERS, PROFILE } from "../src/cpu/engine/layout.ts";
import { HotSem, type HotShape } from "../src/cpu/engine/hot.ts";
import { ProgramGenerator } from "../src/cpu/engine/generator.ts";
import { children } from "../src/cpu/ir/liveness.ts";
import type { Label, Stmt } from "../src/cpu/ir/types.ts";
import { buildHandler, type Handler } from "../src/cpu/isa/handlers.ts";
import type { World } from "../src/cpu/isa/sem.ts";
import { resolveConfig } from "../src/machine/config.ts";
import type { MachineEnd, MachineHost, RunningMachine } from "../src/machine/machine.ts";
import { createMachine } from "../src/machine/machine-runner.ts";
import { kernel, type KernelName, KERNELS, whyMissing } from "../test/boot/kernels.ts";
import { ROOT } from "./setup.mjs";

const PROMPT = "matrix# ";

/** Counters of a handler (ModuleOptions.profile in engine/interpreter-module.ts). */
const COUNTERS = 8;

/** What the time of a case that serves any address is worth, beside a complete handler, when there is one for simple addresses too. */
const SIMPLER = 0.05;

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

const { values: options, positionals } = parseArgs({
  options: { matrix: { type: "string" }, slots: { type: "string", default: "168" } },
  allowPositionals: true,
});
const matrix = options.matrix as KernelName | undefined;
const command = positionals.length > 0 ? positionals : ["sh", "-c", WORKLOAD];
const world: World = matrix && KERNELS[matrix].architecture === "i386" ? "legacy" : "long";
const program = new ProgramGenerator();

/** The machine's files and configuration. */
async function guest(): Promise<{
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array;
  readonly config: ReturnType<typeof resolveConfig>;
}> {
  if (matrix === undefined) {
    const [image, initrd] = ["vmlinuz", "initramfs.img"].map((name) => readFileSync(join(ROOT, "guest/images", name)));
    return { kernel: image!, initrd: initrd!, config: resolveConfig({ command }) };
  }
  const files = await kernel(matrix);
  if (files === undefined) throw new Error(`No ${matrix}: ${whyMissing(matrix)}`);
  const config = resolveConfig({ kernel: files.vmlinuz, initrd: files.initrd, append: "console=ttyS0 quiet shell" });
  return { kernel: readFileSync(files.vmlinuz), initrd: readFileSync(files.initrd), config };
}

const { config, ...files } = await guest();
const running: { machine?: RunningMachine } = {};
let line = "";

const counters = (): BigUint64Array =>
  new BigUint64Array(memories[0]!.buffer, CPU_BASE + PROFILE, (program.set.handlers.length + INTERNAL_HANDLERS) * COUNTERS);
/** What was counted when the shell asked for the command. */
let boot: BigUint64Array | undefined;

/** Types the command when the guest's shell asks for one. */
function heard(bytes: Uint8Array): void {
  process.stderr.write(bytes);
  line = (line + new TextDecoder("latin1").decode(bytes)).slice(-1000);
  if (matrix === undefined || !line.endsWith(PROMPT)) return;
  line = "";
  boot = counters().slice();
  const text = positionals.length > 0 ? positionals.join(" ") : WORKLOAD.replaceAll(/\n\s*/g, "; ").slice(2);
  void running.machine?.serialInput(new TextEncoder().encode(`${text}; exit\n`));
}

function host(ended: (end: MachineEnd) => void): MachineHost {
  return {
    ...files,
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
    serialOut: heard,
    debugOut: () => undefined,
    execOut: (_stream, bytes) => void process.stderr.write(bytes),
    diskFailed: () => undefined,
    congestion: undefined,
    ended,
  };
}

const end = await new Promise<MachineEnd>((resolve, reject) => {
  Promise.resolve(createMachine(config, host(resolve))).then((machine) => {
    running.machine = machine;
    machine.start();
    if (matrix === undefined) machine.execInputEnd();
  }, reject);
});
process.stderr.write(`${JSON.stringify(end)}\n`);

/** Counters in percent of all; the time before the command and with it have equal weight. */
function percentages(): Float64Array {
  const all = counters();
  const parts = boot ? [boot, all.map((n, i) => n - boot![i]!)] : [all];
  const totals = parts.map((part) => Number(part.reduce((sum, n) => sum + n, 0n)));
  return Float64Array.from(all, (_, i) => parts.reduce((sum, part, p) => sum + (100 * Number(part[i])) / totals[p]!, 0) / parts.length);
}
const percent = percentages();

/** Share of a handler with each shape, and with what no case can have. */
function countsOf(h: Handler): { readonly simple: number; readonly full: number; readonly never: number } {
  const c = percent.subarray(h.id * COUNTERS, (h.id + 1) * COUNTERS);
  const sum = (...of: number[]): number => of.reduce((total, i) => total + c[i]!, 0);
  const branch = h.form.operands.some((o) => o.kind === "rel");
  if (h.world === "long")
    return branch
      ? { simple: sum(0, 1, 4, 5), full: sum(2, 3, 6, 7), never: 0 }
      : { simple: sum(0, 2), full: sum(1, 3, 4, 5, 6, 7), never: 0 };
  return { ...(branch ? { simple: sum(0, 1), full: sum(2, 3) } : { simple: sum(0, 2), full: sum(1, 3) }), never: sum(4, 5, 6, 7) };
}

/** Meanings that call what may fault, or the host, or what the loop must hear of, or that leave it cannot be hot. */
function eligible(handler: Handler, shape: HotShape): boolean {
  if (handler.world !== world || (handler.form.opsize === 16 && handler.form.operands.some((o) => o.kind === "rel"))) return false;
  const label = (kind: "block" | "loop"): Label => ({ kind });
  const labels = { cold: label("block"), again: label("loop"), out: label("block") };
  const body = buildHandler(handler, (name) => new HotSem(name, world, labels, shape));
  const clean = (stmts: readonly Stmt[]): boolean =>
    stmts.every(
      (s) =>
        s.k !== "ret" &&
        !(s.k === "call" && (s.target.kind === "host" || s.target.faults || s.target.name.startsWith("mode."))) &&
        children(s).every(clean),
    );
  return clean(body.stmts);
}

interface Candidate {
  readonly key: string;
  readonly shape: HotShape;
  readonly worth: number;
  readonly count: number;
}

/** A case for any address serves simple ones too; one for those alone is then worth the difference only. */
function candidatesOf(h: Handler): Candidate[] {
  const { simple, full } = countsOf(h);
  if (full === 0) return [{ key: h.key, shape: 0, worth: simple, count: simple }];
  const any: Candidate = { key: h.key, shape: 1, worth: simple + full, count: simple + full };
  return [any, { key: h.key, shape: 0, worth: simple * SIMPLER, count: 0 }];
}

const ran = program.set.handlers.filter((h) => h.world === world && countsOf(h).simple + countsOf(h).full > 0);
const found = ran.flatMap((h) => candidatesOf(h).filter(({ shape }) => eligible(h, shape))).sort((a, b) => b.worth - a.worth);
let sum = 0;
for (const { key, shape, count, worth } of found.slice(0, Number(options.slots))) {
  sum += count;
  console.log(`  ["${key}", ${shape}], // ${worth.toFixed(3)} % (${sum.toFixed(2)})`);
}
process.exit(0);
