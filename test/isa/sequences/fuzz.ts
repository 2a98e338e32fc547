// npm run fuzz:sequences -- [--minutes N] [--seed S] [--evaluate N] [--record] | --only SEED
//
// Holds translator and evaluator against the interpreter on random sequences, for ever or for N minutes. Prints the first differences,
// made small; ends with status 1 when there was any. --evaluate N: every N-th sequence also on the evaluator (default 256, 0 for none).
// --record adds the run to record.json. --only SEED: one sequence, on all engines.
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { ProgramGenerator } from "../../../src/cpu/engine/generator.ts";
import { Checker, type Disagreement } from "./check.ts";
import { commandFor, describeDisagreement } from "./report.ts";
import { type Judge, shrink } from "./shrink.ts";
import { SLOTS } from "./space.ts";
import { sequenceOf } from "./start.ts";
import { addRun } from "./tally-file.ts";

/** Differences that are made small and printed; of the others only the seeds. */
const MOST_SHOWN = 5;
const MS_BETWEEN_LINES = 60_000;

const program = new ProgramGenerator();
const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** Makes a disagreement small, on a processor of its own each time. */
function show(found: Disagreement): void {
  const judge: Judge = (sequence) => new Checker(program).check([sequence], found.where === "evaluator" ? 1 : 0)[0];
  const alone = judge(found.sequence);
  if (alone) print(describeDisagreement(shrink(alone, judge)));
  else print(`${describeDisagreement(found)}\n  only in its batch`);
}

function only(seed: number): number {
  const found = new Checker(program).check([sequenceOf(seed)], 1);
  found.forEach(show);
  print(`${commandFor(sequenceOf(seed))}: ${found.length} differ`);
  return found.length === 0 ? 0 : 1;
}

function version(): string {
  const git = (...args: string[]): string => execFileSync("git", args, { encoding: "utf8" }).trim();
  return git("rev-parse", "--short", "HEAD") + (git("status", "--porcelain", "--", "src") === "" ? "" : "+");
}

interface Options {
  readonly minutes: number;
  readonly seed: number;
  readonly evaluate: number;
  readonly record: boolean;
}

function forever({ minutes, seed, evaluate, record }: Options): number {
  const began = version();
  const checker = new Checker(program);
  const { tally } = checker;
  const start = performance.now();
  let different = 0;
  let next = start + MS_BETWEEN_LINES;
  const line = (): void => {
    const rate = (tally.sequences / (performance.now() - start)) * 1000;
    print(`seeds from ${seed}: ${JSON.stringify(tally)}, ${different} differ, ${rate.toFixed(0)} a second`);
  };
  for (let at = seed; performance.now() - start < minutes * 60_000; at += SLOTS) {
    // The evaluator is slow: one of a batch, in some batches.
    const isEvaluated = evaluate > 0 && (at / SLOTS) % Math.max(1, Math.round(evaluate / SLOTS)) === 0;
    for (const found of checker.batch(at, isEvaluated ? Math.min(evaluate, SLOTS) : 0)) {
      if (different++ < MOST_SHOWN) show(found);
      else print(`${commandFor(found.sequence)} (${found.where})`);
    }
    if (performance.now() < next) continue;
    line();
    next += MS_BETWEEN_LINES;
  }
  line();
  if (record) print(`record: ${addRun(began, seed, tally, different).agreed} sequences`);
  return different === 0 ? 0 : 1;
}

function main(): number {
  // The translator gives up on what it cannot inline by throwing: thousands a second.
  Error.stackTraceLimit = 0;
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "Infinity" },
      seed: { type: "string" },
      evaluate: { type: "string", default: "256" },
      record: { type: "boolean", default: false },
      only: { type: "string" },
    },
  });
  if (values.only !== undefined) return only(Number(values.only));
  const wanted = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed);
  const seed = Math.floor(wanted / SLOTS) * SLOTS;
  return forever({ minutes: Number(values.minutes), seed, evaluate: Number(values.evaluate), record: values.record });
}

process.exitCode = main();
