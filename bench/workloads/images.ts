// The kernels and initial RAM disks of the measured guests, made when they are needed from Debian's packages and from bench/workloads/guest.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../scripts/setup.mjs";
import { packUserland, type Tree } from "../../test/boot/userland.ts";
import { CACHE } from "../../scripts/npm-packages.ts";
import type { Guest } from "./sides.ts";

const SOURCES = join(ROOT, "bench/workloads/guest");
const COMPILE_LIMIT_MS = 60_000;

/** The kernel of the embedded guest, which runs every 64-bit guest here. */
export const KERNEL_64: string = join(ROOT, "guest/images/vmlinuz");

/** A text of bench/workloads/guest. */
export function source(name: string): string {
  return readFileSync(join(SOURCES, name), "utf8");
}

// Loops stay loops: otherwise gcc turns them into calls of a C library that is not there.
// oxfmt-ignore
const FLAGS = [
  "-O2", "-std=gnu11", "-static", "-nostdlib", "-ffreestanding", "-fno-pic", "-no-pie", "-fno-stack-protector", "-fno-builtin",
  "-fno-tree-loop-distribute-patterns", "-fno-asynchronous-unwind-tables", "-fcf-protection=none",
];
const WIDTH = { 32: ["-m32", "-march=i686", "-msse2", "-mfpmath=sse"], 64: ["-m64"] };

/** Compiles the micro-kernels → the program's path. Throws when gcc cannot. */
export function microKernels(bits: 32 | 64): string {
  mkdirSync(CACHE, { recursive: true });
  const path = join(CACHE, `micro${bits}`);
  execFileSync("gcc", [...FLAGS, ...WIDTH[bits], join(SOURCES, "micro.c"), "-o", path], { timeout: COMPILE_LIMIT_MS, stdio: "pipe" });
  return path;
}

/** The micro-kernels and what starts them. */
export function microTree(bits: 32 | 64): Tree {
  return { "work/micro.sh": { file: source("micro.sh"), mode: 0o644 }, micro: { file: readFileSync(microKernels(bits)), mode: 0o755 } };
}

/** The script of the parts. */
export function partsTree(): Tree {
  return { "work/parts.sh": { file: source("parts.sh"), mode: 0o644 } };
}

/** A guest out of one of Debian's kernels, its release's busybox and these files. Throws an Error that says what cannot be had. */
export async function buildGuest(name: string, tree: Tree, { bits, memoryMiB, rows, append }: GuestOptions): Promise<Guest> {
  const { image, kernel } = await packUserland(tree, bits === 64 ? "cloud-12" : "686-12");
  mkdirSync(CACHE, { recursive: true });
  const initrd = join(CACHE, `${name}.cpio`);
  writeFileSync(initrd, image);
  const words = ["console=ttyS0 quiet cryptomgr.notests panic=-1", append, rows.length === 0 ? "" : `rows=${rows.join(",")}`];
  const line = words.filter((word) => word !== "").join(" ");
  return { kernel: bits === 64 ? KERNEL_64 : kernel.vmlinuz, initrd, append: line, memoryMiB, bits };
}

/** What kind of guest to build. */
export interface GuestOptions {
  readonly bits: 32 | 64;
  readonly memoryMiB: number;
  /** Rows to run; empty for all. */
  readonly rows: readonly string[];
  /** More words for the kernel's command line. */
  readonly append: string;
}
