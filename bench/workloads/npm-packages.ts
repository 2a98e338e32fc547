// Packages that only the bench needs, fetched into its cache when they are first wanted: v86, and other versions of Node.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../scripts/setup.mjs";

/** Where the bench keeps what it fetches and builds. */
export const CACHE: string = join(ROOT, "node_modules/.cache/nido/bench");

const LIMIT_MS = 300_000;

/** Installs one exact package into a folder of its own, unless it is there → the folder of its files. Throws when it cannot be had. */
export function npmPackage(name: string, version: string): string {
  const folder = join(CACHE, `${name}-${version}`);
  const files = join(folder, "node_modules", name);
  if (existsSync(join(files, "package.json"))) return files;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const args = ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", `${name}@${version}`];
  execFileSync("npm", args, { cwd: folder, timeout: LIMIT_MS, stdio: ["ignore", "ignore", "pipe"] });
  return files;
}

/** The path of a Node: of this file, or of a major version, fetched from npm. */
export function nodeBinary(which: string): string {
  if (!/^\d+$/.test(which)) return which;
  const platform = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  // The package `node` only chooses among these when its scripts run.
  return join(npmPackage(platform, which), "bin/node");
}

/** What a Node calls itself, such as v20.20.2. Throws when it does not run. */
export function nodeVersion(binary: string): string {
  return execFileSync(binary, ["--version"], { encoding: "utf8", timeout: LIMIT_MS }).trim();
}
