// Debian's own kernels for the boot matrix, fetched through a private apt and kept in node_modules/.cache/nido, each with an
// initramfs that says what booted and what the kernel complained about. Where they cannot be had, tests are skipped by name.
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Apt, openApt, type PackageRecord, pinOf, sha256, unpack } from "../../guest/build/apt.mjs";
import { packCpio } from "../../guest/build/cpio.mjs";
import { CACHE, locked } from "./cache.ts";

const INIT = new URL("./matrix-init.sh", import.meta.url);

/** The matrix: which metapackage names the kernel, from which Debian release. busybox is of the same release and architecture. */
export const KERNELS = {
  "cloud-12": { suite: "bookworm", architecture: "amd64", metapackage: "linux-image-cloud-amd64" },
  "amd64-12": { suite: "bookworm", architecture: "amd64", metapackage: "linux-image-amd64" },
  "cloud-13": { suite: "trixie", architecture: "amd64", metapackage: "linux-image-cloud-amd64" },
  "amd64-13": { suite: "trixie", architecture: "amd64", metapackage: "linux-image-amd64" },
  "686-12": { suite: "bookworm", architecture: "i386", metapackage: "linux-image-686" },
  "686-pae-12": { suite: "bookworm", architecture: "i386", metapackage: "linux-image-686-pae" },
} as const;

export type KernelName = keyof typeof KERNELS;

/** A kernel ready to boot: paths of its files, and its package version. */
export interface KernelFiles {
  readonly vmlinuz: string;
  readonly initrd: string;
  readonly version: string;
}

interface Receipt {
  readonly version: string;
  readonly digests: Readonly<Record<"vmlinuz" | "busybox", string>>;
}

const reasons = new Map<KernelName, string>();

/** Why `kernel(name)` gave undefined. */
export function whyMissing(name: KernelName): string | undefined {
  return reasons.get(name);
}

/** The files of a kernel of the matrix: from the cache if they are there and sound, else fetched; undefined when that fails. */
export async function kernel(name: KernelName): Promise<KernelFiles | undefined> {
  try {
    return (await cached(name)) ?? (await locked(async () => (await cached(name)) ?? (await fetchKernel(name))));
  } catch (error) {
    reasons.set(name, error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

function folderOf(name: KernelName): string {
  return join(CACHE, "kernels", name);
}

async function cached(name: KernelName): Promise<KernelFiles | undefined> {
  const folder = folderOf(name);
  if (!existsSync(join(folder, "receipt.json"))) return undefined;
  const { version, digests } = JSON.parse(await readFile(join(folder, "receipt.json"), "utf8")) as Receipt;
  const vmlinuz = join(folder, "vmlinuz");
  const busybox = await readFile(join(folder, "busybox"));
  if (sha256(await readFile(vmlinuz)) !== digests.vmlinuz || sha256(busybox) !== digests.busybox) return undefined;
  return { vmlinuz, initrd: await initramfs(folder, busybox), version };
}

/** The initramfs around this busybox, under a name of its own for each version of the init script. */
async function initramfs(folder: string, busybox: Buffer): Promise<string> {
  const init = await readFile(INIT);
  const path = join(folder, `initrd-${sha256(init).slice(0, 12)}`);
  if (existsSync(path)) return path;
  const image = packCpio({
    bin: { directory: 0o755 },
    "bin/busybox": { file: busybox, mode: 0o755 },
    dev: { directory: 0o755 },
    "dev/console": { device: [5, 1] },
    init: { file: init, mode: 0o755 },
    proc: { directory: 0o555 },
    sys: { directory: 0o555 },
  });
  await writeFile(`${path}.${process.pid}`, image);
  await rename(`${path}.${process.pid}`, path);
  return path;
}

async function fetchKernel(name: KernelName): Promise<KernelFiles | undefined> {
  const { suite, architecture, metapackage } = KERNELS[name];
  const apt = await openApt({ root: join(CACHE, "apt", `${suite}-${architecture}`), suite, architecture });
  const linux = await newest(apt, (await newest(apt, metapackage))["Depends"]?.split(/[ ,]/)[0] ?? metapackage);
  await mkdir(join(CACHE, "kernels"), { recursive: true });
  const work = await mkdtemp(join(CACHE, "kernels", "fetching-"));
  try {
    await unpack(await apt.download(work, pinOf(linux)), work, ["./boot"]);
    const image = (await readdir(join(work, "boot"))).find((file) => file.startsWith("vmlinuz-"));
    await rename(join(work, "boot", image ?? "vmlinuz"), join(work, "vmlinuz"));
    await unpackBusybox(await apt.download(work, pinOf(await newest(apt, "busybox-static"))), work);
    await keep(work, folderOf(name), linux["Version"] ?? "");
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return cached(name);
}

/** busybox lies in /bin up to Debian 12, in /usr/bin from 13 on. */
async function unpackBusybox(deb: string, work: string): Promise<void> {
  for (const path of ["bin/busybox", "usr/bin/busybox"]) {
    const found = await unpack(deb, work, [`./${path}`]).then(
      () => true,
      () => false,
    );
    if (found) return rename(join(work, path), join(work, "busybox"));
  }
  throw new Error("busybox-static holds no busybox");
}

async function keep(work: string, folder: string, version: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  for (const file of ["vmlinuz", "busybox"]) await rename(join(work, file), join(folder, file));
  const digest = async (file: string): Promise<string> => sha256(await readFile(join(folder, file)));
  const receipt: Receipt = { version, digests: { vmlinuz: await digest("vmlinuz"), busybox: await digest("busybox") } };
  await writeFile(join(folder, "receipt.json"), JSON.stringify(receipt));
}

async function newest(apt: Apt, name: string): Promise<PackageRecord> {
  const record = await apt.show(name);
  if (record === undefined) throw new Error(`${apt.suite} has no package ${name}`);
  return record;
}
