// npm run bench [-- ROUNDS]: measures Nido against QEMU's TCG on this machine, prints a table and writes bench/results/latest.json.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { ROOT, setUp } from "../scripts/setup.mjs";
import { peer } from "../test/peers.ts";
import { EMBEDDED_APPEND, nido, PROMPT, qemu } from "./guest.ts";
import { loopMips } from "./loop.ts";
import { median, untilOutput } from "./measure.ts";
import { runTrue } from "./overhead.ts";

interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly must: string;
  readonly runs: readonly number[];
}

const rounds = Number(process.argv[2] ?? 3);
const rows: Row[] = [];
const add = (name: string, unit: string, must: string, runs: readonly number[]): void => {
  rows.push({ name, value: median(runs), unit, must, runs });
  const value = median(runs);
  process.stderr.write(`${name}: ${value < 10 ? value.toFixed(2) : value.toFixed(0)} ${unit}\n`);
};

async function boots(): Promise<void> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let i = 0; i < rounds; i++) {
    ours.push((await untilOutput(nido(), PROMPT)).ms);
    if (peer("qemu-system-x86_64")) theirs.push((await untilOutput(qemu(EMBEDDED_APPEND), PROMPT)).ms);
  }
  add("embedded guest to the prompt, Nido", "ms", "", ours);
  if (theirs.length === 0) return;
  add("embedded guest to the prompt, QEMU TCG", "ms", "", theirs);
  add(
    "boot as a multiple of QEMU's time",
    "x",
    "<= 5 (aim 2.5)",
    ours.map((t, i) => t / theirs[i]!),
  );
}

function overheads(): void {
  const runs = [];
  for (let i = 0; i < rounds; i++) runs.push(runTrue());
  add(
    "nido run --engine interpreter -- true",
    "ms",
    "",
    runs.map((r) => r.ms),
  );
  add(
    "start of the program to the first guest instruction",
    "ms",
    "< 400",
    runs.map((r) => r.firstInstructionMs),
  );
  add(
    "host memory above guest RAM in use",
    "MB",
    "<= 60",
    runs.map((r) => r.residentBytes / 1e6),
  );
  add(
    "the same without pages of files (Node's executable)",
    "MB",
    "",
    runs.map((r) => r.ownBytes / 1e6),
  );
  const translated = [];
  for (let i = 0; i < rounds; i++) translated.push(runTrue("auto"));
  add(
    "the same with the translator, without pages of files",
    "MB",
    "",
    translated.map((r) => r.ownBytes / 1e6),
  );
  add(
    "interpreter over the boot",
    "MIPS",
    ">= 120 (aim 250)",
    runs.map((r) => r.mips),
  );
}

function version(command: string): string {
  return peer(command) ? execFileSync(command, ["--version"], { encoding: "utf8" }).split("\n")[0]! : "absent";
}

await setUp();
add("warm integer loop", "MIPS", ">= 400", [loopMips()]);
await boots();
overheads();
const machine = {
  cpu: cpus()[0]?.model ?? "?",
  cores: cpus().length,
  kernel: release(),
  node: process.version,
  qemu: version("qemu-system-x86_64"),
  date: new Date().toISOString(),
};
const pad = (s: string, n: number): string => s.padEnd(n);
console.log(
  `\n${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ${machine.qemu}, ${machine.date.slice(0, 10)}; medians of ${rounds}\n`,
);
for (const r of rows)
  console.log(`${pad(r.name, 56)} ${pad(`${r.value < 10 ? r.value.toFixed(2) : r.value.toFixed(0)} ${r.unit}`, 14)} ${r.must}`);
mkdirSync(join(ROOT, "bench/results"), { recursive: true });
writeFileSync(join(ROOT, "bench/results/latest.json"), `${JSON.stringify({ machine, rounds, rows }, null, 2)}\n`);
