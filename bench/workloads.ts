// npm run bench:workloads [-- options]: the workloads that Nido's speed is judged by, on Nido, QEMU's TCG, v86 and the bare machine in
// one session. docs/performance.md says what each row is; `--help` what can be chosen.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import { ROOT, setUp } from "../scripts/setup.mjs";
import { peer } from "../test/peers.ts";
import { verdicts } from "./workloads/criteria.ts";
import { nodeBinary, nodeVersion } from "../scripts/npm-packages.ts";
import { HELP, type Options, readOptions } from "./workloads/options.ts";
import { programVersions } from "./workloads/programs.ts";
import { SessionRunner } from "./workloads/session.ts";
import { type NidoSide, QEMU_CPU } from "./workloads/sides.ts";
import { rowTable, verdictTable } from "./workloads/table.ts";
import { V86_VERSION } from "./workloads/v86.ts";

const GREEN = 0;
const FAILED = 1;
const USAGE = 64;

/** What runs where: everything that a figure may depend on. */
function describeMachine(sides: readonly NidoSide[], loadBefore: readonly number[]): Record<string, unknown> {
  const qemu = peer("qemu-system-x86_64");
  return {
    cpu: cpus()[0]?.model ?? "?",
    cores: cpus().length,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    kernel: release(),
    loadBefore,
    loadAfter: loadavg(),
    nodes: Object.fromEntries(sides.map(({ name, node }) => [name, nodeVersion(node)])),
    qemu: qemu === undefined ? "absent" : execFileSync(qemu, ["--version"], { encoding: "utf8" }).split("\n")[0],
    qemuCpu: QEMU_CPU,
    v86: V86_VERSION,
    programs: programVersions(),
    commit: commitOf(sides[0]?.checkout ?? ROOT),
    date: new Date().toISOString(),
  };
}

/** The commit that a checkout stands at, and whether its sources differ from it. */
function commitOf(checkout: string): string {
  const git = (...args: string[]): string => spawnSync("git", args, { cwd: checkout, encoding: "utf8" }).stdout.trim();
  return `${git("rev-parse", "--short", "HEAD") || "unknown"}${git("status", "--porcelain", "src") === "" ? "" : " with changes"}`;
}

function nidoSides({ nodes, engine, checkout }: Options): NidoSide[] {
  const binaries = nodes.length === 0 ? [process.execPath] : nodes.map(nodeBinary);
  const name = (node: string): string => (binaries.length === 1 ? "nido" : `nido@${nodeVersion(node).replace(/^v(\d+)\..*/, "$1")}`);
  return binaries.map((node) => ({ name: name(node), node, engine, checkout }));
}

function report({ results }: SessionRunner, sides: readonly NidoSide[], rounds: number): void {
  for (const { name } of sides) {
    console.log(`\nSeconds, medians of ${rounds}\n\n${rowTable(results.rows, name)}`);
    const found = verdicts(results, name);
    if (found.length > 0) console.log(`\n${name}, as a multiple of QEMU's figure unless it says otherwise\n\n${verdictTable(found)}`);
  }
  for (const line of results.absent) console.log(`\nabsent: ${line}`);
  for (const line of results.failures) console.log(`\nFAILED: ${line}`);
  for (const line of results.mismatches()) console.log(`\nRESULTS DIFFER: ${line}`);
}

function keep(content: unknown, record: string | undefined): void {
  const [folder, name] = record === undefined ? ["results", "workloads"] : ["records", record];
  mkdirSync(join(ROOT, "bench", folder), { recursive: true });
  const path = join(ROOT, "bench", folder, `${name}.json`);
  writeFileSync(path, `${JSON.stringify(content, null, 1)}\n`);
  process.stderr.write(`raw figures: ${path}\n`);
}

async function measure(options: Options): Promise<number> {
  if (options.checkout === undefined) await setUp();
  const sides = nidoSides(options);
  const before = loadavg();
  const session = new SessionRunner(options, sides, (text) => process.stderr.write(`${text}\n`));
  await session.run();
  const { results } = session;
  report(session, sides, options.rounds);
  const machine = describeMachine(sides, before);
  const verdict = Object.fromEntries(sides.map(({ name }) => [name, verdicts(results, name)]));
  // Records are committed: of paths on this machine they have nothing but what was there, the versions and the commit.
  const { nodes: _nodes, checkout: _checkout, ...asked } = options;
  keep({ machine, options: asked, verdict, absent: results.absent, failures: results.failures, rows: results.rows }, options.record);
  return results.failures.length > 0 || results.mismatches().length > 0 ? FAILED : GREEN;
}

async function main(): Promise<number> {
  let options: Options | undefined;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}\n`);
    return USAGE;
  }
  if (options !== undefined) return measure(options);
  console.log(HELP);
  return GREEN;
}

process.exitCode = await main();
