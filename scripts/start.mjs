// npm start: a machine from a fresh checkout. Sets up what is missing, then is the command line itself: one process, so that the
// terminal, signals and the exit status are the guest's without anything to pass on.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT, setUp } from "./setup.mjs";

const PROGRAM = join(ROOT, "bin", "nido.mjs");
const ON_A_TERMINAL = ["run"];
const WITHOUT_ONE = ["run", "--", "sh", "-c", 'uname -a; grep -m1 "model name" /proc/cpuinfo'];

await setUp();
for (const path of [PROGRAM, join(ROOT, "dist", "cli", "main.js")]) {
  if (existsSync(path)) continue;
  process.stderr.write(`nido: ${path} is missing: this checkout has no command line to start.\n`);
  process.exit(1);
}
const given = process.argv.slice(2);
const terminal = process.stdin.isTTY && process.stdout.isTTY;
const args = given.length > 0 ? ["run", ...given] : terminal ? ON_A_TERMINAL : WITHOUT_ONE;
process.argv = [process.execPath, PROGRAM, ...args];
await import(pathToFileURL(PROGRAM).href);
