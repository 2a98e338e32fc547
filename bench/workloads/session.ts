// One session: every section in every round, the sides of a section one right after the other.
import { join } from "node:path";
import { ROOT } from "../../scripts/setup.mjs";
import { peer } from "../../test/peers.ts";
import { EMBEDDED_APPEND, PROMPT } from "../guest.ts";
import type { Tree } from "../../test/boot/userland.ts";
import { buildGuest, KERNEL_64, microKernels, microTree, partsTree } from "./images.ts";
import type { Options } from "./options.ts";
import { programsTree } from "./programs.ts";
import { Results, type Section } from "./results.ts";
import { type Command, type Outcome, runGuest, type Watch } from "./run-guest.ts";
import { FreshPlace, type Guest, type NidoSide, qemuCommand, qemuProgram } from "./sides.ts";
import { v86Command } from "./v86.ts";

const MEMORY_MIB = 256;
/** A compiler and its files live in the guest's RAM. */
const PROGRAMS_MEMORY_MIB = 1024;
const MEGABYTE = 1e6;

/** Measures what the options ask for, and says on the way what it does. */
export class SessionRunner {
  readonly results: Results = new Results();
  readonly #options: Options;
  readonly #nidos: readonly NidoSide[];
  readonly #say: (text: string) => void;

  constructor(options: Options, nidos: readonly NidoSide[], say: (text: string) => void) {
    this.#options = options;
    this.#nidos = nidos;
    this.#say = say;
  }

  /** Runs all rounds. What is missing or fails is noted in the results. */
  async run(): Promise<void> {
    const rounds = await this.#prepare();
    for (let round = 1; round <= this.#options.rounds; round++) {
      this.#say(`round ${round} of ${this.#options.rounds}`);
      for (const measure of rounds) await measure();
    }
  }

  /** Builds the guests → what to do in a round. */
  async #prepare(): Promise<(() => Promise<void>)[]> {
    const found: (() => Promise<void>)[] = [];
    for (const section of this.#options.sections) {
      try {
        const measure = await this.#section(section);
        found.push(measure);
      } catch (error) {
        this.results.miss(`${section}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    return found;
  }

  async #section(section: Section): Promise<() => Promise<void>> {
    switch (section) {
      case "boot":
        return () => this.#boot();
      case "parts":
        return this.#inTurns(section, await this.#guest(section, partsTree(), 64));
      case "micro":
        return this.#inTurns(section, await this.#guest(section, microTree(64), 64), true);
      case "programs":
        return this.#inTurns(section, await this.#guest(section, await programsTree(), 64, PROGRAMS_MEMORY_MIB));
      case "v86":
        return this.#inTurns(section, await this.#guest(section, { ...partsTree(), ...microTree(32) }, 32));
    }
  }

  #guest(name: string, tree: Tree, bits: 32 | 64, memoryMiB: number = MEMORY_MIB): Promise<Guest> {
    const { rows, append } = this.#options;
    return buildGuest(name, tree, { bits, memoryMiB, rows, append });
  }

  /** A round of a section: each Nido, QEMU, and for 32-bit guests v86. */
  #inTurns(section: Section, guest: Guest, natively = false): () => Promise<void> {
    return async () => {
      for (const side of this.#nidos) {
        using place = new FreshPlace(guest);
        for (let n = 0; n < this.#options.warmUp; n++) await this.#watched(`${section}, warming up`, side.name, place.command(side), {});
        await this.#measure(section, side.name, place.command(side));
      }
      if (this.#options.nidoOnly) return;
      if (this.#hasQemu(guest.bits)) await this.#measure(section, "qemu", qemuCommand(guest));
      if (section === "v86") await this.#v86(guest);
      if (natively) await this.#measure(section, "native", { words: [microKernels(64), ...this.#options.rows] });
    };
  }

  async #v86(guest: Guest): Promise<void> {
    const command = this.#v86Command(guest);
    if (command !== undefined) await this.#measure("v86", "v86", command);
  }

  #v86Command(guest: Guest): Command | undefined {
    try {
      return v86Command(guest, this.#nidos[0]?.node ?? process.execPath);
    } catch (error) {
      this.results.miss(`v86: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  }

  #hasQemu(bits: 32 | 64): boolean {
    const there = peer(qemuProgram(bits)) !== undefined;
    if (!there) this.results.miss(`${qemuProgram(bits)} (Debian package qemu-system-x86)`);
    return there;
  }

  /** The embedded guest to its prompt: Nido where it has never run and again in the same place, QEMU once for both. */
  async #boot(): Promise<void> {
    const guest: Guest = {
      kernel: KERNEL_64,
      initrd: join(ROOT, "guest/images/initramfs.img"),
      append: `${EMBEDDED_APPEND} ${this.#options.append}`.trimEnd(),
      memoryMiB: MEMORY_MIB,
      bits: 64,
    };
    for (const side of this.#nidos) {
      using place = new FreshPlace(guest);
      for (const row of ["cold cache", "warm cache"]) await this.#prompt([row], side.name, place.command(side));
    }
    if (!this.#options.nidoOnly && this.#hasQemu(64)) await this.#prompt(["cold cache", "warm cache"], "qemu", qemuCommand(guest));
  }

  async #prompt(rows: readonly string[], side: string, command: Command): Promise<void> {
    const watch = { until: PROMPT, farewell: "exit\n" };
    const { seconds, cpuSeconds } = await this.#watched(`boot ${rows.join(" and ")}`, side, command, watch);
    for (const row of rows) if (seconds !== undefined) this.results.add("boot", row, side, seconds, { cpuSeconds });
  }

  async #measure(section: Section, side: string, command: Command): Promise<void> {
    const { story, peakBytes } = await this.#watched(section, side, command, {});
    if (story.booted !== undefined && section !== "micro" && section !== "programs") {
      this.results.add(section, "boot", side, story.booted);
    }
    const prefix = (name: string): string => (section === "v86" && !PARTS.has(name) ? `micro ${name}` : name);
    for (const { name, seconds, ...extras } of story.done) this.results.add(section, prefix(name), side, seconds, extras);
    if (peakBytes > 0 && (section === "parts" || section === "v86")) {
      this.results.add(section, "memory", side, peakBytes / MEGABYTE, { unit: "MB" });
    }
  }

  async #watched(what: string, side: string, command: Command, watch: Omit<Watch, "limitMs">): Promise<Outcome> {
    const began = performance.now();
    const outcome = await runGuest(command, { ...watch, limitMs: this.#options.limitMs });
    this.#say(`  ${what}, ${side}: ${((performance.now() - began) / 1000).toFixed(1)} s${outcome.failure === undefined ? "" : ", FAILED"}`);
    if (outcome.failure !== undefined) this.results.failures.push(`${what}, ${side}: ${outcome.failure}`);
    return outcome;
  }
}

/** The parts, which share a guest with the micro-kernels where v86 takes part. */
const PARTS: ReadonlySet<string> = new Set(["loop", "dd", "fork", "gzip", "awk"]);
