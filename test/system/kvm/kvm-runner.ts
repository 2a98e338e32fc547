// Runs bare-metal programs on the host's processor: run.c, compiled here, drives /dev/kvm.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Check, Ending, ProgramResult, ProgramRunner } from "../program.ts";

const SOURCE = join(import.meta.dirname, "run.c");
const HEADER = "/usr/include/linux/kvm.h";
/** How long a program may run, in milliseconds: a hundred times what the longest takes on a processor. */
const TIME_LIMIT = 2000;
const ENDINGS: readonly Ending[] = ["finished", "halted", "shutdown", "timeout"];

/** KVM could not go on with a program, which says nothing about the processor: an instruction that its emulator lacks, mostly. */
export class KvmGap extends Error {}

/** Why no program can run through /dev/kvm here although it and gcc are there, or undefined when they can. */
export function whyNoKvm(): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64") return "needs Linux on x86-64";
  return existsSync(HEADER) ? undefined : `needs ${HEADER} (Debian package libc6-dev)`;
}

/** Compiles run.c when it is newer than `binary`; returns the path. Throws with gcc's messages. */
function build(binary: string = join(tmpdir(), `nido-kvm-run-${process.getuid?.() ?? 0}`, "run")): string {
  if (existsSync(binary) && statSync(binary).mtimeMs > statSync(SOURCE).mtimeMs) return binary;
  mkdirSync(dirname(binary), { recursive: true, mode: 0o700 });
  const gcc = spawnSync("gcc", ["-O2", "-Wall", "-Wextra", "-Werror", "-o", binary, SOURCE], { encoding: "utf8" });
  if (gcc.status !== 0) throw new Error(`gcc cannot build run.c: ${gcc.stderr || String(gcc.error)}`);
  return binary;
}

/** The host's processor behind /dev/kvm; every program gets a machine of its own. */
export class KvmRunner implements ProgramRunner {
  readonly name = "kvm";
  readonly #binary: string = build();

  /** Throws KvmGap when KVM gives up. */
  run(program: Uint8Array): ProgramResult {
    const child = spawnSync(this.#binary, [String(TIME_LIMIT)], {
      input: program,
      encoding: "utf8",
      timeout: 10 * TIME_LIMIT,
      maxBuffer: 1 << 26,
    });
    if (child.status !== 0) throw new KvmGap(child.stderr.trim() || String(child.error ?? child.signal));
    return parse(child.stdout);
  }
}

/** Reads run.c's lines. */
export function parse(output: string): ProgramResult {
  const lines = output.trimEnd().split("\n");
  const last = lines.pop() ?? "";
  const ending = ENDINGS.find((word) => last === `end ${word}`);
  if (ending === undefined) throw new KvmGap(last.replace(/^end gap /, ""));
  return { ending, checks: lines.map(parseCheck) };
}

function parseCheck(text: string): Check {
  const [word, line, actual, expected] = text.split(" ");
  if (word !== "check") throw new Error(`run.c wrote ${JSON.stringify(text)}`);
  const number = (digits: string | undefined): number => parseInt(digits ?? "", 16);
  return { line: number(line), actual: number(actual), expected: number(expected) };
}
