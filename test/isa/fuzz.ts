// npm run fuzz:isa -- [--minutes N] [--rows PATTERN] [--engine NAME]… [--start INDEX]
//
// Records fresh instances of every row on this host's processor and holds the engines against them, for ever or for N minutes.
// Prints each difference once a row; ends with status 1 when there was any.
import { parseArgs } from "node:util";
import { INSTRUCTIONS } from "../../src/cpu/isa/index.ts";
import { ProgramGenerator } from "../../src/cpu/engine/generator.ts";
import type { VectorEngine } from "./case.ts";
import { ProcessorVectorEngine, type VectorEngineKind } from "./engine.ts";
import { whyExcluded } from "./exclusions.ts";
import { check, describeDifference, recordForRow } from "./quick.ts";
import { Recorder, whyNoRecorder } from "./recorder.ts";

const KINDS: readonly VectorEngineKind[] = ["evaluator", "interpreter", "warm interpreter", "translator"];

/** Instances of a row in one round. */
const ROUND = 50;

interface Totals {
  cases: number;
  different: number;
}

/** One round over the rows; stops early at `deadline` (milliseconds, performance.now). */
async function round(
  recorder: Recorder,
  engines: readonly VectorEngine[],
  pattern: RegExp,
  from: number,
  deadline: number,
): Promise<Totals> {
  const totals: Totals = { cases: 0, different: 0 };
  for (const instruction of INSTRUCTIONS) {
    for (const form of instruction.forms) {
      if (performance.now() > deadline) return totals;
      if (!pattern.test(`${instruction.name} | ${form.text}`) || whyExcluded(form) !== undefined) continue;
      const recorded = await recordForRow(recorder, form, ROUND, { from });
      for (const engine of engines) {
        const different = check(instruction, recorded, engine);
        totals.cases += recorded.length;
        totals.different += different.length;
        if (different.length > 0)
          process.stdout.write(`${engine.name}: ${different.length} differ\n${describeDifference(different[0]!)}\n`);
      }
    }
  }
  return totals;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "Infinity" },
      rows: { type: "string", default: "." },
      start: { type: "string" },
      engine: { type: "string", multiple: true, default: ["interpreter", "evaluator"] },
    },
  });
  const reason = whyNoRecorder();
  if (reason !== undefined) {
    process.stderr.write(`fuzz:isa: ${reason}\n`);
    return 1;
  }
  const program = new ProgramGenerator();
  const engines = values.engine.map((name) => new ProcessorVectorEngine(KINDS.find((kind) => kind === name) ?? "interpreter", program));
  const recorder = await Recorder.start();
  const deadline = performance.now() + Number(values.minutes) * 60_000;
  const totals: Totals = { cases: 0, different: 0 };
  // Instance numbers far above those of committed vectors, others every time.
  let from = values.start === undefined ? 1_000_000 + (Date.now() % 1_000_000_000) : Number(values.start);
  for (; performance.now() < deadline; from += ROUND) {
    const { cases, different } = await round(recorder, engines, new RegExp(values.rows), from, deadline);
    totals.cases += cases;
    totals.different += different;
    process.stdout.write(`from ${from}: ${totals.cases} cases, ${totals.different} differ\n`);
  }
  recorder.close();
  return totals.different === 0 ? 0 : 1;
}

process.exitCode = await main();
