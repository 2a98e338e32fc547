import { expect, it } from "vitest";
import { ProgramGenerator } from "../../../src/cpu/engine/generator.ts";
import { Checker } from "./check.ts";
import { commandFor, describeDisagreement } from "./report.ts";
import { sequenceOf } from "./sequence.ts";
import { SLOTS } from "./space.ts";

const SAMPLE_MS = 45_000;
/** One batch in so many goes through V8's optimizing compiler, and one sequence in so many batches to the evaluator. */
const [OPTIMIZED, EVALUATED] = [10, 2];

it("come to the same on every engine, for three quarters of a minute with seeds that were never tried", () => {
  const seed = Math.floor((Date.now() % 1e9) / SLOTS) * SLOTS;
  process.stdout.write(`${commandFor(sequenceOf(seed))} and those that follow\n`);
  const checker = new Checker(new ProgramGenerator());
  const end = performance.now() + SAMPLE_MS;
  for (let at = seed, n = 0; performance.now() < end; at += SLOTS, n++) {
    const found = checker.batch(at, { evaluate: n % EVALUATED === 0 ? SLOTS : 0, optimize: n % OPTIMIZED === 1 });
    expect(found.slice(0, 1).map(describeDisagreement)).toEqual([]);
  }
  const { programs, sequences, regions } = checker.tally;
  process.stdout.write(`${sequences} sequences of ${programs} programs, ${regions} regions\n`);
  expect(sequences).toBeGreaterThan(0);
});
