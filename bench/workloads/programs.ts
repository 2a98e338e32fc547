// Programs of Debian packages with everything that they need, as files of an initramfs.
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type CpioEntry } from "../../guest/build/cpio.mjs";
import { type Apt, openApt, type PackageRecord, unpack } from "../../guest/build/apt.mjs";
import { DIRECTORY, source, type Tree } from "./images.ts";
import { CACHE } from "../../scripts/npm-packages.ts";

const SUITE = "bookworm";
const ARCHITECTURE = "amd64";
/** cpp-12 holds the compiler proper, cc1, without an assembler and a linker. */
const WANTED = ["7zip", "openssl", "sqlite3", "python3.11-minimal", "cpp-12"];
/** What they depend on and do not need to run. */
const NOT_NEEDED = new Set(["debconf", "debconf-2.0", "cdebconf", "dpkg", "perl", "ca-certificates", "media-types", "tzdata"]);
const LEFT_OUT = /^usr\/(share|include|lib\/x86_64-linux-gnu\/gconv|lib\/x86_64-linux-gnu\/perl-base)(\/|$)|__pycache__|\.(a|o|la)$/;

/** The programs and their script. Fetches packages when they are not in the cache; throws an Error when they cannot be had. */
export async function programsTree(): Promise<Tree> {
  const root = join(CACHE, "programs");
  if (!existsSync(join(root, "receipt.json"))) await fetchPrograms(root);
  return {
    ...treeOf(join(root, "files")),
    "work/programs.sh": { file: source("programs.sh"), mode: 0o644 },
    "work/rows.sql": { file: source("rows.sql"), mode: 0o644 },
    "work/program.py": { file: source("program.py"), mode: 0o644 },
    "work/prime.hex": { file: source("prime.hex"), mode: 0o644 },
    "work/micro.c": { file: source("micro.c"), mode: 0o644 },
  };
}

/** The versions of the packages in the cache, by name. */
export function programVersions(): Record<string, string> {
  const receipt = join(CACHE, "programs/receipt.json");
  return existsSync(receipt) ? (JSON.parse(readFileSync(receipt, "utf8")) as Record<string, string>) : {};
}

async function fetchPrograms(root: string): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const work = await mkdtemp(join(CACHE, "fetching-"));
  try {
    const apt = await openApt({ root: join(CACHE, "../apt", `${SUITE}-${ARCHITECTURE}`), suite: SUITE, architecture: ARCHITECTURE });
    const records = await closure(apt);
    for (const { Package = "", Version = "", Architecture = "", SHA256 = "" } of records) {
      const deb = await apt.download(work, { package: Package, version: Version, architecture: Architecture, sha256: SHA256 });
      await unpack(deb, join(work, "root/files"), ["."]);
    }
    const receipt = Object.fromEntries(records.map(({ Package = "", Version = "" }) => [Package, Version]));
    await writeFile(join(work, "root/receipt.json"), JSON.stringify(receipt));
    await rm(root, { recursive: true, force: true });
    await rename(join(work, "root"), root);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The wanted packages and, of every dependency, the first alternative, without what is not needed. */
async function closure(apt: Apt): Promise<PackageRecord[]> {
  const found = new Map<string, PackageRecord>();
  const open = [...WANTED];
  for (let name = open.shift(); name !== undefined; name = open.shift()) {
    if (found.has(name) || NOT_NEEDED.has(name)) continue;
    const record = await apt.show(name);
    if (record === undefined) throw new Error(`${SUITE} has no package ${name}`);
    found.set(name, record);
    open.push(...dependencies(record));
  }
  return [...found.values()];
}

function dependencies(record: PackageRecord): string[] {
  const text = [record["Pre-Depends"], record["Depends"]].filter((field) => field !== undefined).join(",");
  return text
    .split(",")
    .map((alternatives) => /^\s*([a-z0-9.+-]+)/.exec(alternatives)?.[1] ?? "")
    .filter((name) => name !== "");
}

function treeOf(root: string): Tree {
  const tree: Record<string, CpioEntry> = {};
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (LEFT_OUT.test(path)) continue;
      if (entry.isSymbolicLink()) tree[path] = { link: readlinkSync(join(root, path)) };
      else if (entry.isDirectory()) {
        tree[path] = DIRECTORY;
        walk(path);
      } else if (entry.isFile()) tree[path] = { file: readFileSync(join(root, path)), mode: statSync(join(root, path)).mode & 0o777 };
    }
  };
  walk("");
  return tree;
}
