// Preloaded into a `nido run` (node --import) to look at it from inside: when the first guest instruction runs, how fast the
// interpreter is, and how much memory the process held at most beside the guest's RAM. Writes its report to NIDO_PROBE_REPORT at exit.
import { closeSync, openSync, readFileSync, readSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import threads from "node:worker_threads";

const REPORT = process.env["NIDO_PROBE_REPORT"];
const RAM_BYTES = Number(process.env["NIDO_PROBE_RAM"]);
const RETIRED = Number(process.env["NIDO_PROBE_RETIRED"]);
const PAGE = 4096;
/** Slots of what the machine's thread measures. */
const SLOT = { first: 0, running: 1, retired: 2, resident: 3, own: 4 };
/** Milliseconds between looks at the memory. */
const LOOK_MS = 100;

if (threads.isMainThread) inMainThread();
else if (threads.workerData?.probe instanceof Float64Array) inMachineThread(threads.workerData.probe);

function inMainThread() {
  const measured = new Float64Array(new SharedArrayBuffer(8 * Object.keys(SLOT).length));
  const Original = threads.Worker;
  threads.Worker = class extends Original {
    /**
     * @param {string | URL} entry
     * @param {import("node:worker_threads").WorkerOptions} [options]
     */
    constructor(entry, options) {
      super(entry, { ...options, workerData: { probe: measured } });
    }
  };
  syncBuiltinESMExports();
  process.on("exit", () => {
    if (REPORT === undefined) return;
    const [first = 0, running = 0, retired = 0, residentBytes = 0, ownBytes = 0] = measured;
    writeFileSync(REPORT, JSON.stringify({ firstInstructionMs: first, mips: retired / running / 1000, residentBytes, ownBytes }));
  });
}

/** @param {Float64Array} measured */
function inMachineThread(measured) {
  const Original = WebAssembly.Instance;
  WebAssembly.Instance = class extends Original {
    /**
     * @param {WebAssembly.Module} module
     * @param {{ env?: { memory?: WebAssembly.Memory } }} [imports]
     */
    constructor(module, imports) {
      super(module, /** @type {never} */ (imports));
      const run = this.exports["run"];
      const memory = imports?.env?.memory;
      if (typeof run !== "function" || memory === undefined) return;
      const view = new DataView(memory.buffer);
      let looked = 0;
      /**
       * @param {number} base
       * @param {number} budget
       */
      const timed = (base, budget) => {
        const began = performance.now();
        if (measured[SLOT.first] === 0) measured[SLOT.first] = performance.timeOrigin + began;
        const exit = run(base, budget);
        const ended = performance.now();
        measured[SLOT.running] = (measured[SLOT.running] ?? 0) + ended - began;
        measured[SLOT.retired] = Number(view.getBigUint64(base + RETIRED, true));
        if (ended - looked > LOOK_MS) {
          looked = ended;
          const { resident, files } = processMemory();
          const ram = residentRam(memory.buffer.byteLength);
          measured[SLOT.resident] = Math.max(measured[SLOT.resident] ?? 0, resident - ram);
          measured[SLOT.own] = Math.max(measured[SLOT.own] ?? 0, resident - files - ram);
        }
        return exit;
      };
      Object.defineProperty(this, "exports", { value: { ...this.exports, run: timed } });
    }
  };
}

/**
 * Bytes that this process has in memory, and how many of them are pages of files, Node's executable first of all: the host has those
 * once, however many programs run it, and takes them back at will.
 */
function processMemory() {
  const status = readFileSync("/proc/self/status", "latin1");
  /** @param {string} name */
  const bytes = (name) => 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? Number.NaN);
  return { resident: bytes("VmRSS"), files: bytes("RssFile") };
}

/**
 * Bytes of guest RAM, the end of a WebAssembly memory of this size, that have pages.
 * @param {number} memoryBytes
 */
function residentRam(memoryBytes) {
  for (const [, from = "", to = ""] of readFileSync("/proc/self/maps", "latin1").matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw/gm)) {
    const [start, end] = [parseInt(from, 16), parseInt(to, 16)];
    if (end - start === memoryBytes) return PAGE * presentPages(end - RAM_BYTES, RAM_BYTES / PAGE);
  }
  throw new Error(`no mapping has ${memoryBytes} bytes`);
}

/**
 * Pages from an address on that are present or swapped: bits 63 and 62 of their entries in the kernel's pagemap.
 * @param {number} address
 * @param {number} count
 */
function presentPages(address, count) {
  const entries = new Uint8Array(8 * count);
  const file = openSync("/proc/self/pagemap", "r");
  readSync(file, entries, 0, entries.length, (address / PAGE) * 8);
  closeSync(file);
  let present = 0;
  for (let i = 7; i < entries.length; i += 8) if ((entries[i] ?? 0) & 0xc0) present++;
  return present;
}
