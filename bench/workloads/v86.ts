// The same guest under v86, the peer in JavaScript: the npm package, with SeaBIOS from Debian's package.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../scripts/setup.mjs";
import { npmPackage } from "../../scripts/npm-packages.ts";
import type { Command } from "./run-guest.ts";
import type { Guest } from "./sides.ts";

/** The version that is measured. */
export const V86_VERSION = "0.5.462";

const BIOS = "/usr/share/seabios/bios-256k.bin";
const VGA_BIOS = "/usr/share/seabios/vgabios-stdvga.bin";

/** The guest under v86 on this Node. Throws an Error that says what is missing. */
export function v86Command(guest: Guest, node: string): Command {
  for (const file of [BIOS, VGA_BIOS]) if (!existsSync(file)) throw new Error(`${file} (Debian package seabios)`);
  const build = join(npmPackage("v86", V86_VERSION), "build");
  const { kernel, initrd, append, memoryMiB } = guest;
  const options = { build, bios: BIOS, vgaBios: VGA_BIOS, kernel, initrd, append, memoryMiB };
  return { words: [node, join(ROOT, "bench/v86-guest.mjs"), JSON.stringify(options)] };
}
