// A userland around busybox for guests that run scripts and say on their console what came of them.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type CpioEntry, packCpio } from "../../guest/build/cpio.mjs";
import { kernel, type KernelFiles, type KernelName, whyMissing } from "./kernels.ts";

const INIT = new URL("./userland-init.sh", import.meta.url);

/** Files of an initramfs by their paths. */
export type Tree = Readonly<Record<string, CpioEntry>>;

/** A directory of an initramfs. */
export const DIRECTORY: CpioEntry = { directory: 0o755 };

/** An initramfs of the files that are given and of what the init script wants, and the kernel that its busybox came with. */
export interface Userland {
  readonly image: Buffer;
  /** What is in it. */
  readonly tree: Tree;
  readonly kernel: KernelFiles;
}

/**
 * Packs a tree, the busybox of a kernel's release and an init script that runs every `work/*.sh` of the tree and powers off. Throws an
 * Error that says what cannot be had.
 */
export async function packUserland(tree: Tree, release: KernelName): Promise<Userland> {
  const files = await kernel(release);
  if (files === undefined) throw new Error(`Debian's kernel ${release}: ${whyMissing(release)}`);
  const whole: Tree = {
    bin: DIRECTORY,
    "bin/busybox": { file: readFileSync(join(dirname(files.vmlinuz), "busybox")), mode: 0o755 },
    dev: DIRECTORY,
    "dev/console": { device: [5, 1] },
    "dev/null": { device: [1, 3] },
    init: { file: readFileSync(INIT), mode: 0o755 },
    proc: { directory: 0o555 },
    tmp: DIRECTORY,
    work: DIRECTORY,
    ...tree,
  };
  return { image: packCpio(whole), tree: whole, kernel: files };
}
