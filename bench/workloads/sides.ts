// The same guest as a command for each side.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../scripts/setup.mjs";
import type { Command } from "./run-guest.ts";

/** A guest that every side can run. */
export interface Guest {
  readonly kernel: string;
  readonly initrd: string;
  readonly append: string;
  readonly memoryMiB: number;
  readonly bits: 32 | 64;
}

/** A Nido to measure. */
export interface NidoSide {
  /** The column's name. */
  readonly name: string;
  readonly node: string;
  readonly engine: string | undefined;
  readonly checkout: string | undefined;
}

/**
 * The processor that QEMU offers: the instruction sets of Nido's. It is not an Intel model, because for those Linux separates its page
 * tables from the programs' (Meltdown), which costs TCG several times more than anything else on the way into the kernel. CMPXCHG16B is
 * taken away: QEMU 7.2 corrupts guests that use it.
 */
export const QEMU_CPU = "qemu64,-cx16,+ssse3,+sse4.1,+sse4.2,+popcnt,+movbe,+aes,+pclmulqdq";

/** The program for guests of this width. */
export function qemuProgram(bits: 32 | 64): string {
  return bits === 64 ? "qemu-system-x86_64" : "qemu-system-i386";
}

/** The guest under QEMU's TCG. */
export function qemuCommand({ kernel, initrd, append, memoryMiB, bits }: Guest): Command {
  // oxfmt-ignore
  const words = [
    qemuProgram(bits), "-machine", "pc,accel=tcg", "-cpu", QEMU_CPU, "-m", String(memoryMiB), "-nographic", "-no-reboot", "-net", "none",
    "-kernel", kernel, "-initrd", initrd, "-append", append,
  ];
  return { words };
}

/**
 * A place where Nido has never run a guest: copies of the guest's images, and a cache folder of its own. What Nido keeps from one run
 * for the next, beside the image or in the cache, is gone with it.
 */
export class FreshPlace {
  readonly #folder = mkdtempSync(join(tmpdir(), "nido-workloads-"));
  readonly #guest: Guest;

  constructor(guest: Guest) {
    const place = (path: string, name: string): string => {
      copyFileSync(path, join(this.#folder, name));
      return join(this.#folder, name);
    };
    this.#guest = { ...guest, kernel: place(guest.kernel, "vmlinuz"), initrd: place(guest.initrd, "initrd") };
    mkdirSync(join(this.#folder, "cache"));
  }

  /** The guest under Nido, here. */
  command({ node, engine, checkout = ROOT }: NidoSide): Command {
    const { kernel, initrd, append, memoryMiB } = this.#guest;
    const options = ["--memory", `${memoryMiB}M`, "--kernel", kernel, "--initrd", initrd, "--append", append, "--no-reboot"];
    const words = [node, join(checkout, "bin/nido.mjs"), "run", ...options, ...(engine === undefined ? [] : ["--engine", engine])];
    return { words, environment: { XDG_CACHE_HOME: join(this.#folder, "cache") } };
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
