// Packages that only the bench and some tests need, fetched into a cache when they are first wanted: v86, and other versions of Node.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./setup.mjs";

/** Where the bench keeps what it fetches and builds. */
export const CACHE: string = join(ROOT, "node_modules/.cache/nido/bench");

const LIMIT_MS = 300_000;

/** Major versions of Node that Nido runs on. */
export const SUPPORTED_NODES: readonly string[] = ["20", "22", "24", "26"];

const folderOf = (name: string, version: string): string => join(CACHE, `${name}-${version}`);

/** Installs one exact package into a folder of its own, unless it is there → the folder of its files. Throws when it cannot be had. */
export function npmPackage(name: string, version: string): string {
  const folder = folderOf(name, version);
  const files = join(folder, "node_modules", name);
  if (existsSync(join(files, "package.json"))) return files;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const args = ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", `${name}@${version}`];
  execFileSync("npm", args, { cwd: folder, timeout: LIMIT_MS, stdio: ["ignore", "ignore", "pipe"] });
  return files;
}

/** The package `node` only chooses among these when its scripts run. */
const NODE_PACKAGE = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;

/** The path of a Node: of this file, or of a major version, fetched from npm. */
export function nodeBinary(which: string): string {
  return /^\d+$/.test(which) ? join(npmPackage(NODE_PACKAGE, which), "bin/node") : which;
}

/** The path of a major version's Node: this one's own or one that has been fetched; undefined when there is none. */
export function presentNode(major: string): string | undefined {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const binary = join(folderOf(NODE_PACKAGE, major), "node_modules", NODE_PACKAGE, "bin/node");
  return existsSync(binary) ? binary : undefined;
}

/** What a Node calls itself, such as v20.20.2. Throws when it does not run. */
export function nodeVersion(binary: string): string {
  return execFileSync(binary, ["--version"], { encoding: "utf8", timeout: LIMIT_MS }).trim();
}
