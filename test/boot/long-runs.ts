// Programs of Debian's packages that run for long and tell what they computed: in a guest under either engine, and on the bare machine.
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { CpioEntry } from "../../guest/build/cpio.mjs";
import { peer } from "../peers.ts";
import { fetchPackages, packagesTree, type Selection } from "./packages.ts";
import { GUEST, nidoRun } from "./nido.ts";
import { DIRECTORY, packUserland, type Tree } from "./userland.ts";

const SOURCES = new URL("./long-runs/", import.meta.url);
/** Programs lie at the same place each time, and a host that stops for long is no fault of the guest's. */
const APPEND = `${GUEST.append} panic=-1 norandmaps nowatchdog`;
const TIMEOUT = "400s";
const NATIVE_LIMIT_MS = 120_000;
const TAIL = 2000;

/** One script of test/boot/long-runs and what it needs. */
export interface LongRun {
  readonly name: string;
  /** Debian's packages, which come with what they depend on. */
  readonly packages: readonly string[];
  /** What the script reads of test/boot/long-runs. */
  readonly files: readonly string[];
  readonly memoryMiB: number;
}

// oxfmt-ignore
/** All of them. */
export const LONG_RUNS: readonly LongRun[] = [
  { name: "compress", packages: ["gzip", "bzip2", "xz-utils", "7zip"], files: [], memoryMiB: 256 },
  { name: "openssl", packages: ["openssl"], files: [], memoryMiB: 256 },
  { name: "sqlite", packages: ["sqlite3"], files: ["sqlite.sql"], memoryMiB: 256 },
  { name: "cc", packages: ["gcc-12", "libc6-dev", "libstb-dev"], files: ["image.c"], memoryMiB: 768 },
  { name: "python", packages: ["python3.11-minimal", "libpython3.11-stdlib", "libpython3.11-testsuite"], files: [], memoryMiB: 512 },
  { name: "luajit", packages: ["luajit"], files: ["jit.lua"], memoryMiB: 256 },
  { name: "node", packages: ["nodejs"], files: ["jit.js"], memoryMiB: 768 },
];

const PACKAGES: Selection = {
  wanted: LONG_RUNS.flatMap(({ packages }) => packages),
  // oxfmt-ignore
  notNeeded: [
    "dpkg", "media-types", "readline-common", "net-tools", "python3.11", "libdb5.3", "libnsl2", "libtirpc3", "libcc1-0", "libc-dev-bin", "libcrypt-dev",
    "libnsl-dev", "rpcsvc-proto", "libasan8", "libtsan2", "libubsan1", "liblsan0", "libitm1", "libgomp1", "libquadmath0", "node-busboy", "node-xtend",
  ],
};
const LEFT_OUT =
  /^usr\/(share\/(?!nodejs)|lib\/x86_64-linux-gnu\/gconv|lib\/x86_64-linux-gnu\/libc\.a)|\/(lto1|lto-wrapper|__pycache__)$|-lto-dump-\d+$|\.la$/;

const source = (name: string): Tree[string] => ({ file: readFileSync(new URL(name, SOURCES)), mode: 0o644 });

/** Its programs, its script, and data to work on. */
async function filesOf({ name, packages, files }: LongRun): Promise<Tree> {
  await fetchPackages(PACKAGES);
  return {
    ...packagesTree(PACKAGES, packages, LEFT_OUT),
    data: DIRECTORY,
    "data/mixed": { file: mixedData(), mode: 0o644 },
    rows: DIRECTORY,
    ...Object.fromEntries([`${name}.sh`, ...files].map((file) => [`rows/${file}`, source(file)])),
    "work/run.sh": source("run.sh"),
  };
}

/** 600 kB that compress well, not at all and in between. */
export function mixedData(): Buffer {
  const noise = Buffer.alloc(100_000);
  let seed = 1;
  for (let i = 0; i < noise.length; i++) noise[i] = (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 23;
  const words = Array.from({ length: 40_000 }, (_, i) => `word${noise[i]! % 97} `).join("");
  const numbers = Buffer.from(Float32Array.from({ length: 25_000 }, (_, i) => Math.round(i * 1.25)).buffer);
  return Buffer.concat([Buffer.from(words).subarray(0, 250_000), noise, Buffer.alloc(150_000), numbers]);
}

/** What came of a run. */
export interface Result {
  /** What the script said, without carriage returns. */
  readonly output: string;
  /** The script's exit status. */
  readonly status: number;
}

/** What came of a run in a guest, and what `--stats` says of its engine. */
export interface GuestResult {
  readonly result: Result;
  readonly stats: string;
}

/** A run with its files: an initramfs for guests, and a folder that can be the bare machine's root. */
export interface Prepared {
  readonly run: LongRun;
  readonly initrd: string;
  readonly root: string;
}

/** Lays out a run in a folder. Throws an Error that says what cannot be had. */
export async function prepare(run: LongRun, folder: string): Promise<Prepared> {
  const { image, tree } = await packUserland(await filesOf(run), "cloud-12");
  const prepared = { run, initrd: join(folder, `${run.name}.cpio`), root: join(folder, run.name) };
  writeFileSync(prepared.initrd, image);
  mkdirSync(prepared.root);
  for (const [path, entry] of Object.entries(tree)) put(join(prepared.root, path), entry);
  return prepared;
}

/** Runs it in a guest under one engine. Throws an Error that holds the end of the console when the guest does not come to its own. */
export async function runInGuest({ run, initrd }: Prepared, engine: "interpreter" | "wasm"): Promise<GuestResult> {
  const machine = ["--engine", engine, "--memory", `${run.memoryMiB}M`, "--timeout", TIMEOUT, "--no-reboot", "--stats"];
  const guest = ["--kernel", GUEST.kernel, "--initrd", initrd, "--append", APPEND];
  const { status, stdout, stderr } = await nidoRun([...machine, ...guest]);
  const text = stdout.replaceAll("\r", "");
  if (status !== 0 || !text.includes("MARK poweroff\n")) throw new Error(`${engine} ended with ${status}: ${text.slice(-TAIL)}${stderr}`);
  return { result: resultOf(run, text), stats: stderr };
}

/** Runs it on the bare machine; undefined where nobody may change the root. */
export async function runNatively({ run, root }: Prepared): Promise<Result | undefined> {
  const inside = (...words: readonly string[]): Promise<{ stdout: string }> =>
    promisify(execFile)(peer("chroot") ?? "chroot", [root, "/bin/busybox", ...words], {
      env: { PATH: "/bin:/usr/bin" },
      encoding: "latin1",
      maxBuffer: 1 << 26,
      timeout: NATIVE_LIMIT_MS,
    });
  try {
    await inside("true");
  } catch {
    return undefined;
  }
  // It says what is already there.
  await inside("--install", "-s", "/bin").catch(() => undefined);
  return resultOf(run, (await inside("sh", "-c", ". /work/run.sh")).stdout);
}

/** Puts an entry in place; of devices only an empty file, which does where scripts write into /dev/null. */
function put(path: string, entry: CpioEntry): void {
  if ("directory" in entry) mkdirSync(path, { recursive: true });
  else if ("link" in entry) symlinkSync(entry.link, path);
  else writeFileSync(path, "file" in entry ? entry.file : "", { mode: "file" in entry ? entry.mode : 0o666 });
}

function resultOf({ name }: LongRun, text: string): Result {
  const [, output, status] = new RegExp(`MARK ${name}-start\n([^]*)MARK ${name}-end ck=(\\d+)`).exec(text) ?? [];
  if (output === undefined) throw new Error(`${name} did not end: ${text.slice(-TAIL)}`);
  return { output, status: Number(status) };
}
