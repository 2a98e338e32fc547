// Records fresh instances of rows and holds an engine against them at once: the tool for whoever writes a row.
import type { Form, Instruction } from "../../src/cpu/isa/instruction.ts";
import type { Mode, TestCase, TestResult, VectorEngine } from "./case.ts";
import { compare, type FieldDifference } from "./compare.ts";
import { whyExcluded } from "./exclusions.ts";
import { existsIn, generate } from "./generator.ts";
import { expand, type Recipe } from "./recipe.ts";
import { Recorder } from "./recorder.ts";

/** An instance with silicon's result. */
export interface RecordedCase {
  readonly form: Form;
  /** The instance's number: `generate(form, mode, index)` gives the same recipe. */
  readonly index: number;
  readonly recipe: Recipe;
  readonly test: TestCase;
  readonly expected: TestResult;
}

/** A case on which the engine and silicon disagree. */
export interface CaseDifference extends RecordedCase {
  readonly instruction: Pick<Instruction, "name" | "undefinedFlags">;
  readonly differences: readonly FieldDifference[];
}

/** What a quick check found. */
export interface QuickReport {
  /** Cases compared. */
  readonly cases: number;
  readonly different: readonly CaseDifference[];
  /** Rows that cannot be recorded, with the reason. */
  readonly excluded: readonly string[];
}

/** Which instances to record. */
export interface QuickOptions {
  /** The first instance's number; another gives fresh instances. Default 0. */
  readonly from?: number;
  readonly modes?: readonly Mode[];
}

/** Records `count` instances of a row in each mode that has it; those that proved nothing (timeouts) are left out. */
export async function recordForRow(recorder: Recorder, form: Form, count: number, options: QuickOptions = {}): Promise<RecordedCase[]> {
  const { from = 0, modes = [64, 32] } = options;
  const instances: Omit<RecordedCase, "expected">[] = [];
  for (const mode of modes) {
    if (!existsIn(form, mode)) continue;
    for (let index = from; index < from + count; index++) {
      const recipe = generate(form, mode, index, { segmentBases: recorder.cpu.fsgsbase });
      instances.push({ form, index, recipe, test: expand(recipe) });
    }
  }
  const results = await recorder.record(instances.map(({ test }) => test));
  return results
    .map((expected, i) => ({ ...instances[i]!, expected }))
    .filter(({ expected }) => expected.outcome.kind !== "timeout" && expected.outcome.kind !== "syscall");
}

/** Records `count` instances a row and mode, runs them on `engine`, and reports every difference. Needs gcc and Linux on x86-64. */
export async function quickCheck(
  instructions: readonly Instruction[],
  engine: VectorEngine,
  count: number,
  options: QuickOptions = {},
): Promise<QuickReport> {
  const recorder = await Recorder.start();
  const different: CaseDifference[] = [];
  const excluded: string[] = [];
  let cases = 0;
  try {
    for (const instruction of instructions) {
      for (const form of instruction.forms) {
        const reason = whyExcluded(form);
        if (reason !== undefined) {
          excluded.push(`${instruction.name} ${form.text}: ${reason}`);
          continue;
        }
        const recorded = await recordForRow(recorder, form, count, options);
        cases += recorded.length;
        different.push(...check(instruction, recorded, engine));
      }
    }
  } finally {
    recorder.close();
  }
  return { cases, different, excluded };
}

/** The recorded cases that `engine` does differently. */
export function check(
  instruction: CaseDifference["instruction"],
  recorded: readonly RecordedCase[],
  engine: VectorEngine,
): CaseDifference[] {
  return recorded.flatMap((one) => {
    const differences = compare(instruction, one.test, one.expected, engine.run(one.test));
    return differences.length === 0 ? [] : [{ ...one, instruction, differences }];
  });
}

/** One case as text: the row, the bytes, where it ran, and each differing field. */
export function describeDifference({ instruction, form, recipe, test, differences }: CaseDifference): string {
  const code = Buffer.from(test.code).toString("hex");
  const head = `${instruction.name} | ${form.text}\n  ${recipe.mode}-bit, bytes ${code}, seed ${recipe.seed}`;
  const lines = differences.map(
    ({ field, initial, expected, got }) =>
      `  ${field.padEnd(10)} ${initial === "" ? "" : `was ${initial}  `}silicon ${expected}  engine ${got}`,
  );
  return [head, ...lines].join("\n");
}

/** The report as text: a line a row with differences, and the first `examples` of each. */
export function describeReport(report: QuickReport, examples = 2): string {
  const byRow = new Map<string, CaseDifference[]>();
  for (const one of report.different) {
    const key = `${one.instruction.name} | ${one.form.text}`;
    byRow.set(key, [...(byRow.get(key) ?? []), one]);
  }
  const rows = [...byRow].map(([key, all]) => `${key}: ${all.length} differ\n${all.slice(0, examples).map(describeDifference).join("\n")}`);
  return [
    ...rows,
    `${report.cases} cases, ${report.different.length} differ in ${byRow.size} rows, ${report.excluded.length} rows excluded`,
  ].join("\n\n");
}
