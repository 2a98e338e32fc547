// Records fresh instances of rows and holds an engine against them at once: the tool for whoever writes a row.
import type { Form, Instruction } from "../../src/cpu/isa/instruction.ts";
import type { Mode, TestCase, TestResult, VectorEngine } from "./case.ts";
import { compare, type FieldDifference } from "./compare.ts";
import { existsIn, generate } from "./generator.ts";
import { expand, type Recipe } from "./recipe.ts";
import type { Recorder } from "./recorder.ts";

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
