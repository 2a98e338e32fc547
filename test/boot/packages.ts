// Programs of Debian's packages with everything that they need, as files of an initramfs. Each package is fetched once, for all guests.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Apt, openApt, type PackageRecord, pinOf, unpack } from "../../guest/build/apt.mjs";
import type { CpioEntry } from "../../guest/build/cpio.mjs";
import { CACHE, locked } from "./cache.ts";
import { DIRECTORY, type Tree } from "./userland.ts";

const SUITE = "bookworm";
const ARCHITECTURE = "amd64";
const FOLDER = join(CACHE, "packages", `${SUITE}-${ARCHITECTURE}`);

/** Packages that are fetched together. */
export interface Selection {
  readonly wanted: readonly string[];
  /** What they depend on and do not need to run. */
  readonly notNeeded: readonly string[];
}

/** A package that has been fetched. */
interface Fetched {
  readonly version: string;
  readonly dependencies: readonly string[];
}

type Receipt = Readonly<Record<string, Fetched>>;

/** Makes sure that a selection and what it depends on is in the cache. Throws an Error when it cannot be had. */
export async function fetchPackages(selection: Selection): Promise<void> {
  if (present(selection) === undefined) await locked(async () => present(selection) ?? (await fetchAll(selection)));
}

/** The files of some packages of a selection that has been fetched, with those of what they depend on, but for paths that are left out. */
export function packagesTree(selection: Selection, names: readonly string[], leftOut: RegExp): Tree {
  const receipt = present(selection) ?? {};
  const tree: Record<string, CpioEntry> = {};
  const open = new Set(names);
  for (const name of open) {
    const found = receipt[name];
    if (found === undefined) continue;
    addFiles(tree, folderOf(name, found.version), leftOut);
    for (const dependency of found.dependencies) open.add(dependency);
  }
  return tree;
}

/** The versions of what has been fetched for a selection, by names; nothing when that has not been done. */
export function packageVersions(selection: Selection): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(present(selection) ?? {}).map(([name, { version }]) => [name, version]));
}

function folderOf(name: string, version: string): string {
  return join(FOLDER, `${name}_${version}`);
}

/** Where it stands what a selection came to. */
function receiptOf(selection: Selection): string {
  const print = createHash("sha256").update(JSON.stringify(selection)).digest("hex");
  return join(FOLDER, `${print.slice(0, 16)}.json`);
}

function present(selection: Selection): Receipt | undefined {
  const path = receiptOf(selection);
  if (!existsSync(path)) return undefined;
  const receipt = JSON.parse(readFileSync(path, "utf8")) as Receipt;
  return Object.entries(receipt).every(([name, { version }]) => existsSync(folderOf(name, version))) ? receipt : undefined;
}

async function fetchAll(selection: Selection): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  const work = await mkdtemp(join(FOLDER, "fetching-"));
  try {
    const apt = await openApt({ root: join(CACHE, "apt", `${SUITE}-${ARCHITECTURE}`), suite: SUITE, architecture: ARCHITECTURE });
    const records = await closure(apt, selection);
    const missing = records.map(pinOf).filter((pin) => !existsSync(folderOf(pin.package, pin.version)));
    const files = await apt.downloadAll(work, missing);
    for (const [index, { package: name, version }] of missing.entries()) {
      await unpack(files[index]!, join(work, "unpacked"), ["."]);
      await rename(join(work, "unpacked"), folderOf(name, version));
    }
    const receipt = records.map((record) => [record["Package"], { version: record["Version"], dependencies: dependencies(record) }]);
    await writeFile(receiptOf(selection), JSON.stringify(Object.fromEntries(receipt)));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The wanted packages and, of every dependency, the first alternative, without what is not needed. */
async function closure(apt: Apt, { wanted, notNeeded }: Selection): Promise<PackageRecord[]> {
  const found: PackageRecord[] = [];
  const known = new Set(notNeeded);
  for (let names = wanted; names.length > 0;) {
    const fresh = [...new Set(names)].filter((name) => !known.has(name));
    for (const name of fresh) known.add(name);
    const records = await apt.showAll(fresh);
    found.push(...records);
    names = records.flatMap(dependencies);
  }
  return found;
}

function dependencies(record: PackageRecord): string[] {
  const text = [record["Pre-Depends"], record["Depends"]].filter((field) => field !== undefined).join(",");
  return text
    .split(",")
    .map((alternatives) => /^\s*([a-z0-9.+-]+)/.exec(alternatives)?.[1] ?? "")
    .filter((name) => name !== "");
}

function addFiles(tree: Record<string, CpioEntry>, root: string, leftOut: RegExp): void {
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (leftOut.test(path)) continue;
      if (entry.isSymbolicLink()) tree[path] = { link: readlinkSync(join(root, path)) };
      else if (entry.isDirectory()) {
        tree[path] = DIRECTORY;
        walk(path);
      } else if (entry.isFile()) tree[path] = { file: readFileSync(join(root, path)), mode: statSync(join(root, path)).mode & 0o777 };
    }
  };
  walk("");
}
