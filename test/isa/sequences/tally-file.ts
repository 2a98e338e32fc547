// The committed record: how many sequences have been run, by runs of npm run fuzz:sequences that ended.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Tally } from "./check.ts";

const FILE = join(dirname(fileURLToPath(import.meta.url)), "record.json");

/** One run that is in the record. */
interface Run {
  readonly date: string;
  /** Commit of the sources, with "+" when they were changed. */
  readonly version: string;
  readonly node: string;
  /** Seeds from the first on, as many as `sequences`. */
  readonly firstSeed: number;
  readonly sequences: number;
  readonly evaluated: number;
  readonly regions: number;
  readonly different: number;
}

/** What the record says in all. */
export interface TallyFile {
  /** Sequences in runs without differences, and in all. */
  readonly agreed: number;
  readonly sequences: number;
  readonly runs: readonly Run[];
}

/** The record; empty when there is none. */
export function readTally(): TallyFile {
  try {
    return JSON.parse(readFileSync(FILE, "utf8")) as TallyFile;
  } catch {
    return { agreed: 0, sequences: 0, runs: [] };
  }
}

/** Adds a run to the record. */
export function addRun(version: string, firstSeed: number, tally: Tally, different: number): TallyFile {
  const { agreed, sequences, runs } = readTally();
  const run: Run = {
    date: new Date().toISOString().slice(0, 16),
    version,
    node: process.versions.node,
    firstSeed,
    sequences: tally.sequences,
    evaluated: tally.evaluated,
    regions: tally.regions,
    different,
  };
  const file = {
    agreed: agreed + (different === 0 ? tally.sequences : 0),
    sequences: sequences + tally.sequences,
    runs: [...runs, run],
  };
  writeFileSync(FILE, `${JSON.stringify(file, undefined, 2)}\n`);
  return file;
}
