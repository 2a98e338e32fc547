import { basename } from "node:path";
import { describe, expect, it } from "vitest";
import { InterpreterProgram } from "../../src/cpu/engine/program.ts";
import { INSTRUCTIONS } from "../../src/cpu/isa/index.ts";
import { ProcessorVectorEngine } from "./engine.ts";
import { byRow, replayFile, vectorFiles } from "./replay.ts";

const files = vectorFiles();
const instructions = byRow(INSTRUCTIONS);

describe.skipIf(files.length === 0)(`vectors from silicon${files.length === 0 ? " [none recorded: npm run record:isa]" : ""}`, () => {
  const program = new InterpreterProgram();
  // The evaluator is slow and shares its definitions with the interpreter: a sample of its cases tells where they part.
  for (const [engine, every] of [
    [new ProcessorVectorEngine("interpreter", program), 1],
    [new ProcessorVectorEngine("interpreter", program, true), 4],
    [new ProcessorVectorEngine("evaluator", program), 10],
  ] as const) {
    it.each(files.map((file) => [basename(file), file]))(`${engine.name} does as silicon did: %s`, (_name, file) => {
      const { different } = replayFile(file, instructions, engine, every);
      const told = different
        .slice(0, 3)
        .map(({ row, vector, differences }) => ({ row, mode: vector.recipe.mode, index: vector.index, differences }));
      expect(told).toEqual([]);
    });
  }
});
