// Bare-metal programs as data: what they are and what running one gives. Nothing here knows an engine.
//
// A program is a flat binary that starts at 8000h in real-address mode with all segments 0. It checks itself: each CHECK writes what
// it found, what it expected and its line of source to ports. What is expected, and the section that says so, stands in the
// assembly source beside the check.
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Where programs and their assembled bytes lie. */
export const PROGRAMS: string = join(import.meta.dirname, "programs");
/** Where the programs lie that ask what a host's KVM can run. */
export const PROBES: string = join(import.meta.dirname, "kvm", "probes");

export const ORIGIN = 0x8000;

/** Ports that programs talk through (programs/prelude.mac). */
export const PORT = {
  actual: 0x10,
  expected: 0x14,
  line: 0x18,
  intr: 0x1c,
  nmi: 0x1d,
  finish: 0x1f,
  haltIntr: 0x20,
  haltNmi: 0x21,
} as const;

/** One check of a program. */
export interface Check {
  readonly line: number;
  readonly actual: number;
  readonly expected: number;
}

/** How a program ended. */
export type Ending = "finished" | "halted" | "shutdown" | "timeout";

export interface ProgramResult {
  readonly ending: Ending;
  readonly checks: readonly Check[];
}

/** Something that runs programs: an engine of Nido's, or a processor. */
export interface ProgramRunner {
  readonly name: string;
  run(program: Uint8Array): ProgramResult;
}

/** The assembled bytes of a program by its name. */
export function loadProgram(name: string, folder: string = PROGRAMS): Uint8Array {
  return readFileSync(join(folder, `${name}.bin`));
}

/** Checks that did not find what they expected, as text with the place in the source. */
export function failures(name: string, result: ProgramResult): string[] {
  const hex = (n: number): string => `${(n >>> 0).toString(16)}h`;
  return result.checks
    .filter((c) => c.actual !== c.expected)
    .map((c) => `${name}.asm:${c.line}: ${hex(c.actual)} instead of ${hex(c.expected)}`);
}
