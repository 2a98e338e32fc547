// Holds engines against committed vectors.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Instruction } from "../../src/cpu/isa/instruction.ts";
import type { VectorEngine } from "./case.ts";
import { compare, type FieldDifference } from "./compare.ts";
import { decodeVectors, type Vector } from "./vectors.ts";

/** Where vectors are committed. */
export const VECTORS_FOLDER: string = join(dirname(fileURLToPath(import.meta.url)), "vectors");

/** The vector files in a folder, by path; none when it does not exist. */
export function vectorFiles(folder: string = VECTORS_FOLDER): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(".vec"))
      .sort()
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

/** A vector on which an engine and silicon disagree. */
export interface ReplayDifference {
  readonly instruction: string;
  readonly row: string;
  readonly vector: Vector;
  readonly differences: readonly FieldDifference[];
}

/** What replaying a file found. */
export interface ReplayReport {
  readonly cases: number;
  readonly rows: number;
  readonly different: readonly ReplayDifference[];
}

/** Instructions by "NAME | row". */
export function byRow(instructions: readonly Instruction[]): ReadonlyMap<string, Instruction> {
  return new Map(
    instructions.flatMap((instruction) => instruction.forms.map(({ text }) => [`${instruction.name} | ${text}`, instruction] as const)),
  );
}

/**
 * Replays a file on an engine; `every` takes only each n-th case. Throws when the file is stale or has a row that is not in
 * `instructions` (byRow).
 */
export function replayFile(path: string, instructions: ReadonlyMap<string, Instruction>, engine: VectorEngine, every = 1): ReplayReport {
  const { header, rows } = decodeVectors(readFileSync(path));
  const different: ReplayDifference[] = [];
  let cases = 0;
  for (const { text, vectors } of rows) {
    const instruction = instructions.get(`${header.instruction} | ${text}`);
    if (!instruction) throw new Error(`${path} has the row "${text}", which ${header.instruction} has no more: record it anew`);
    for (let i = 0; i < vectors.length; i += every) {
      const vector = vectors[i]!;
      const differences = compare(instruction, vector.test, vector.expected, engine.run(vector.test));
      if (differences.length > 0) different.push({ instruction: header.instruction, row: text, vector, differences });
      cases++;
    }
  }
  return { cases, rows: rows.length, different };
}
