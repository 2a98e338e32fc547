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
  /** Seeds from the first on, as many as `programs`; until there were several starts of each, as many as `sequences`. */
  readonly firstSeed: number;
  readonly programs?: number;
  /** Programs from one of their starts, translator against interpreter. */
  readonly sequences: number;
  /** Evaluator against interpreter. */
  readonly evaluated: number;
  readonly regions: number;
  /** Regions that V8's optimizing compiler compiled. */
  readonly optimized?: number;
  /** Instructions executed in the runs that were held against the interpreter's, and of these in regions. */
  readonly compared?: number;
  readonly translated?: number;
  readonly different: number;
}

/** What the record says in all. */
export interface TallyFile {
  /** Sequences in runs without differences, and in all; programs in all. */
  readonly agreed: number;
  readonly sequences: number;
  readonly programs: number;
  readonly runs: readonly Run[];
}

/** The record; empty when there is none. */
export function readTally(): TallyFile {
  try {
    return JSON.parse(readFileSync(FILE, "utf8")) as TallyFile;
  } catch {
    return { agreed: 0, sequences: 0, programs: 0, runs: [] };
  }
}

/** Adds a run to the record. */
export function addRun(version: string, firstSeed: number, tally: Tally, different: number): TallyFile {
  const { runs } = readTally();
  const { programs, sequences, evaluated, regions, optimized, compared, translated } = tally;
  const date = new Date().toISOString().slice(0, 16);
  const node = process.versions.node;
  const run: Run = { date, version, node, firstSeed, programs, sequences, evaluated, regions, optimized, compared, translated, different };
  const file = summed([...runs, run]);
  writeFileSync(FILE, `${JSON.stringify(file, undefined, 2)}\n`);
  return file;
}

function summed(runs: readonly Run[]): TallyFile {
  const sum = (count: (run: Run) => number): number => runs.reduce((n, run) => n + count(run), 0);
  return {
    agreed: sum((run) => (run.different === 0 ? run.sequences : 0)),
    sequences: sum((run) => run.sequences),
    programs: sum((run) => run.programs ?? run.sequences),
    runs,
  };
}
