// npm test: sets up, checks types, lint and layout, runs every test. The last line is `N passed, N failed, N skipped`, checks included.
//
//   npm test                      everything
//   npm run test:fast             unit tests only: no check, no guest that boots, no peer
//   npm test -- src/devices       whatever vitest's arguments select, without the checks
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build, install, ROOT } from "./setup.mjs";

const SUMMARY = join(ROOT, ".cache", "test-summary.json");
const TSX = ["node_modules/tsx/dist/cli.mjs"];
/** @type {readonly (readonly [string, readonly string[]])[]} */
const CHECKS = [
  ["types of tests and scripts", ["node_modules/typescript/bin/tsc", "-p", "tsconfig.test.json"]],
  ["lint", ["node_modules/oxlint/bin/oxlint", "--quiet", "--type-aware", "--tsconfig", "tsconfig.test.json"]],
  ["layout", [...TSX, "scripts/format.ts", "--check"]],
];

await install();
const fast = process.argv.includes("--fast");
const selection = process.argv.slice(2).filter((arg) => arg !== "--fast");
const total = { passed: 0, failed: 0, skipped: 0 };
// Tests of what does compile still tell something, so a failed build is counted and not the end.
if ((await build()) !== undefined) total.failed++;
if (!fast && selection.length === 0) await runChecks();
await runTests([...(fast ? ["--project", "unit"] : []), ...selection]);
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
process.exitCode = total.failed > 0 ? 1 : 0;

async function runChecks() {
  for (const [name, command] of CHECKS) {
    const { status, output } = await node(command, "pipe");
    total[status === 0 ? "passed" : "failed"]++;
    process.stdout.write(status === 0 ? `ok    ${name}\n` : `FAIL  ${name}\n${output}\n`);
  }
}

/** @param {readonly string[]} args */
async function runTests(args) {
  mkdirSync(join(ROOT, ".cache"), { recursive: true });
  rmSync(SUMMARY, { force: true });
  const { status } = await node(["node_modules/vitest/vitest.mjs", "run", ...args], "inherit");
  const counts = readSummary();
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
  // Vitest itself may fail, with every test that ran green: a configuration that does not load, no test found.
  if (status !== 0 && counts.failed === 0) total.failed++;
}

/** @returns {{ passed: number, failed: number, skipped: number }} */
function readSummary() {
  try {
    return JSON.parse(readFileSync(SUMMARY, "utf8"));
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
}

/**
 * @param {readonly string[]} args
 * @param {"pipe" | "inherit"} how
 * @returns {Promise<{ status: number, output: string }>}
 */
function node(args, how) {
  return new Promise((resolve) => {
    let output = "";
    const env = { ...process.env, NIDO_TEST_SUMMARY: SUMMARY };
    const child = spawn(process.execPath, [...args], { cwd: ROOT, env, stdio: ["ignore", how, how] });
    child.stdout?.on("data", (chunk) => (output += chunk));
    child.stderr?.on("data", (chunk) => (output += chunk));
    child.on("close", (status) => resolve({ status: status ?? 1, output }));
  });
}
