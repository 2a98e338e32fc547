// npm run fuzz:sequences -- [--minutes N] [--seed S] [--evaluate N] [--optimize N] [--chunk N] [--record] | --only SEED   [--flawed-v8]
//
// Holds translator and evaluator against the interpreter on random sequences, for ever or for N minutes. Prints the first differences,
// made small; ends with status 1 when there was any.
//
// --evaluate N: one start of every N-th program also runs on the evaluator (default 256, 0 for none)
// --optimize N: the regions of every N-th batch are compiled by V8's optimizing compiler (default 10, 0 for none)
// --record: adds the run to record.json, again and again, when it has lasted --chunk minutes (default 30)
// --only SEED: one sequence, on all engines
// --flawed-v8: without what src/host/node/v8.ts does about V8's own defects
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { ProgramGenerator } from "../../../src/cpu/engine/generator.ts";
import { prepareV8 } from "../../../src/host/node/v8.ts";
import { Checker, type CheckOptions, type Disagreement, type Tally } from "./check.ts";
import { commandFor, describeDisagreement } from "./report.ts";
import { type Judge, shrink } from "./shrink.ts";
import { SLOTS } from "./space.ts";
import { sequenceOf } from "./sequence.ts";
import { addRun } from "./tally-file.ts";

/** Differences that are made small and printed; of the others only the seeds. */
const MOST_SHOWN = 5;
const MS_BETWEEN_LINES = 60_000;
const MS_A_MINUTE = 60_000;

const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** Makes a disagreement small, on a processor of its own each time. */
function show(program: ProgramGenerator, found: Disagreement, optimize: boolean): void {
  const options: CheckOptions = { evaluate: found.where === "evaluator" ? 1 : 0, optimize };
  const judge: Judge = (sequence) => new Checker(program).check([sequence], options)[0];
  const alone = judge(found.sequence);
  if (alone) print(describeDisagreement(shrink(alone, judge)));
  else print(`${describeDisagreement(found)}\n  only in its batch`);
}

function only(seed: number): number {
  const program = new ProgramGenerator();
  let different = 0;
  for (const optimize of [false, true]) {
    const found = new Checker(program).check([sequenceOf(seed)], { evaluate: 1, optimize });
    found.forEach((one) => show(program, one, optimize));
    different += found.length;
  }
  print(`${commandFor(sequenceOf(seed))}: ${different} differ`);
  return different === 0 ? 0 : 1;
}

function version(): string {
  const git = (...args: string[]): string => execFileSync("git", args, { encoding: "utf8" }).trim();
  return git("rev-parse", "--short", "HEAD") + (git("status", "--porcelain", "--", "src") === "" ? "" : "+");
}

interface Options {
  readonly minutes: number;
  readonly seed: number;
  readonly evaluate: number;
  readonly optimize: number;
  readonly chunk: number;
  readonly record: boolean;
}

/** One row of the record: a checker, and what it has checked. */
class Chunk {
  readonly checker: Checker;
  readonly firstSeed: number;
  readonly begun = performance.now();
  different = 0;

  constructor(program: ProgramGenerator, firstSeed: number) {
    this.checker = new Checker(program);
    this.firstSeed = firstSeed;
  }

  get tally(): Tally {
    return this.checker.tally;
  }

  line(): string {
    const rate = (this.tally.sequences / (performance.now() - this.begun)) * 1000;
    return `seeds from ${this.firstSeed}: ${JSON.stringify(this.tally)}, ${this.different} differ, ${rate.toFixed(0)} a second`;
  }
}

function forever({ minutes, seed, evaluate, optimize, chunk, record }: Options): number {
  const began = version();
  const program = new ProgramGenerator();
  const start = performance.now();
  let present = new Chunk(program, seed);
  let different = 0;
  let next = start + MS_BETWEEN_LINES;
  const end = (): void => {
    print(present.line());
    if (record) print(`record: ${addRun(began, present.firstSeed, present.tally, present.different).agreed} sequences`);
  };
  const isOver = (since: number, limit: number): boolean => performance.now() - since >= limit * MS_A_MINUTE;
  for (let at = seed; !isOver(start, minutes); at += SLOTS) {
    if (record && isOver(present.begun, chunk)) {
      end();
      present = new Chunk(program, at);
    }
    const n = at / SLOTS;
    // The evaluator is slow: one of a batch, in some batches.
    const isEvaluated = evaluate > 0 && n % Math.max(1, Math.round(evaluate / SLOTS)) === 0;
    const options = { evaluate: isEvaluated ? Math.min(evaluate, SLOTS) : 0, optimize: optimize > 0 && n % optimize === 0 };
    for (const found of present.checker.batch(at, options)) {
      present.different++;
      if (different++ < MOST_SHOWN) show(program, found, options.optimize);
      else print(`${commandFor(found.sequence)} (${found.where})`);
    }
    if (performance.now() < next) continue;
    print(present.line());
    next += MS_BETWEEN_LINES;
  }
  end();
  return different === 0 ? 0 : 1;
}

function main(): number {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "Infinity" },
      seed: { type: "string" },
      evaluate: { type: "string", default: "256" },
      optimize: { type: "string", default: "10" },
      chunk: { type: "string", default: "30" },
      record: { type: "boolean", default: false },
      only: { type: "string" },
      "flawed-v8": { type: "boolean", default: false },
    },
  });
  if (!values["flawed-v8"]) prepareV8();
  if (values.only !== undefined) return only(Number(values.only));
  const wanted = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed);
  return forever({
    minutes: Number(values.minutes),
    seed: Math.floor(wanted / SLOTS) * SLOTS,
    evaluate: Number(values.evaluate),
    optimize: Number(values.optimize),
    chunk: Number(values.chunk),
    record: values.record,
  });
}

process.exitCode = main();
