import { expect, it } from "vitest";
import { ProgramGenerator } from "../../../src/cpu/engine/generator.ts";
import { Checker } from "./check.ts";
import { commandFor, describeDisagreement } from "./report.ts";
import { SLOTS } from "./space.ts";
import { sequenceOf } from "./start.ts";

const SAMPLE_MS = 30_000;

it("come to the same on every engine, for thirty seconds with seeds that were never tried", () => {
  const seed = Math.floor((Date.now() % 1e9) / SLOTS) * SLOTS;
  process.stdout.write(`${commandFor(sequenceOf(seed))} and those that follow\n`);
  const checker = new Checker(new ProgramGenerator());
  const end = performance.now() + SAMPLE_MS;
  for (let at = seed, n = 0; performance.now() < end; at += SLOTS, n++) {
    const found = checker.batch(at, n % 4 === 0 ? SLOTS : 0);
    expect(found.slice(0, 1).map(describeDisagreement)).toEqual([]);
  }
  expect(checker.tally.sequences).toBeGreaterThan(0);
});
