// Brings a checkout to where it can run: packages as package-lock.json says, dist/ as src/ says.
// Runs before anything is installed, so it uses Node's own modules only. When nothing is stale it costs a few milliseconds:
// one hash of the lock file, and one stat a source file.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The top folder of the checkout. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const LOCK = join(ROOT, "package-lock.json");
const INSTALLED = join(ROOT, "node_modules", ".package-lock.json");
const INSTALL_STAMP = join(ROOT, "node_modules", ".nido-lock-hash");
const DIST = join(ROOT, "dist");
const BUILD_STAMP = join(DIST, ".build-stamp");
const ENGINE_BUILD = join(ROOT, "scripts", "build-engine.mjs");
const OLDEST_NODE = [20, 19];

/** Installs and builds what is missing or stale. Ends the process with a message when that fails. */
export async function setUp() {
  await install();
  const failure = await build();
  if (failure !== undefined) fail(failure);
}

/** Removes dist/, so that the next build leaves nothing of a file that is gone. */
export function clean() {
  rmSync(DIST, { recursive: true, force: true });
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const [needMajor = 0, needMinor = 0] = OLDEST_NODE;
  if (major > needMajor || (major === needMajor && minor >= needMinor)) return;
  fail(`Nido needs Node ${OLDEST_NODE.join(".")} or newer; this is ${process.versions.node}.`);
}

/** Brings node_modules/ to what package-lock.json says. Ends the process with a message when that fails. */
export async function install() {
  requireNode();
  const hash = createHash("sha256").update(readFileSync(LOCK)).digest("hex");
  if (existsSync(INSTALLED)) {
    if (read(INSTALL_STAMP) === hash) return;
    // Somebody ran npm by hand: what is newer than the lock file was made from it.
    if (statSync(INSTALLED).mtimeMs >= statSync(LOCK).mtimeMs) return writeFileSync(INSTALL_STAMP, hash);
  }
  // Scripts of packages are not needed and not run. NODE_ENV=production must not leave the compiler out.
  const options = ["ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const npm = process.env["npm_execpath"];
  const [command, args] = npm?.endsWith("js") ? [process.execPath, [npm, ...options]] : ["npm", options];
  if (!(await step("installing packages", command, args))) fail("npm ci failed; what it said is above. It needs the network once.");
  writeFileSync(INSTALL_STAMP, hash);
}

/**
 * Brings dist/ to what src/ says.
 * @returns {Promise<string | undefined>} what failed, after its errors have been shown
 */
export async function build() {
  const print = fingerprint();
  const [sources, foundation] = (read(BUILD_STAMP) ?? "").split(" ");
  if (sources === print.sources && foundation === print.foundation) return undefined;
  // TypeScript 7.0 does not check unchanged files again when a global declaration changes under them.
  const whole = foundation === print.foundation ? [] : ["--force"];
  const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  if (!(await step("compiling", process.execPath, [tsc, "-b", ...whole]))) return "The sources do not compile; the errors are above.";
  if (existsSync(ENGINE_BUILD) && !(await step("generating the engine", process.execPath, [ENGINE_BUILD]))) {
    return "The engine could not be generated; the error is above.";
  }
  mkdirSync(DIST, { recursive: true });
  writeFileSync(BUILD_STAMP, `${print.sources} ${print.foundation}`);
  return undefined;
}

/**
 * Two hashes that change whenever anything does that dist/ is made from: names, sizes and times, not contents, for the sake of
 * speed. The foundation is what every file is compiled under.
 */
function fingerprint() {
  const sources = createHash("sha256");
  const foundation = createHash("sha256");
  const add = (/** @type {string} */ path) => {
    const { size, mtimeMs } = statSync(join(ROOT, path));
    const hash = /\.(json|d\.ts)$/.test(path) ? foundation : sources;
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  };
  const walk = (/** @type {string} */ folder) => {
    for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) walk(path);
      else if (!/\.(test|contract)\.ts$/.test(entry.name)) add(path);
    }
  };
  for (const name of readdirSync(ROOT)) if (/^(tsconfig.*|package-lock)\.json$/.test(name)) add(name);
  if (existsSync(ENGINE_BUILD)) add("scripts/build-engine.mjs");
  walk("src");
  return { sources: sources.digest("hex"), foundation: foundation.digest("hex") };
}

/**
 * Runs a command with its output on stderr, under one line that says what happens and, on a terminal, for how long already.
 * @param {string} what
 * @param {string} command
 * @param {string[]} args
 * @returns {Promise<boolean>} whether it succeeded
 */
function step(what, command, args) {
  const began = Date.now();
  const seconds = () => `${Math.round((Date.now() - began) / 1000)} s`;
  const live = process.stderr.isTTY;
  const say = (/** @type {string} */ text) => process.stderr.write(live ? `\r\x1b[K${text}` : `${text}\n`);
  say(`nido: ${what} ...`);
  const ticker = live ? setInterval(() => say(`nido: ${what} ... ${seconds()}`), 1000) : undefined;
  return new Promise((resolve) => {
    let output = "";
    const finish = (/** @type {boolean} */ good) => {
      clearInterval(ticker);
      if (live) say("");
      if (!good) process.stderr.write(output);
      resolve(good);
    };
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
      shell: process.platform === "win32" && command === "npm",
    });
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", (error) => {
      output += `${error.message}\n`;
      finish(false);
    });
    child.on("close", (status) => finish(status === 0));
  });
}

/** @param {string} path */
function read(path) {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/**
 * @param {string} message
 * @returns {never}
 */
function fail(message) {
  process.stderr.write(`nido: ${message}\n`);
  process.exit(1);
}
