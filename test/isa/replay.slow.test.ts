import { basename } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ProgramGenerator } from "../../src/cpu/engine/generator.ts";
import { INSTRUCTIONS } from "../../src/cpu/isa/index.ts";
import { ProcessorVectorEngine } from "./engine.ts";
import { byRow, replayFile, vectorFiles } from "./replay.ts";

const files = vectorFiles();
const instructions = byRow(INSTRUCTIONS);

describe.skipIf(files.length === 0)(`vectors from silicon${files.length === 0 ? " [none recorded: npm run record:isa]" : ""}`, () => {
  const program = new ProgramGenerator();
  // Cold handlers and, with the TLB kept, the fast loop and translated regions.
  for (const [engine, every] of [
    [new ProcessorVectorEngine("interpreter", program), 1],
    [new ProcessorVectorEngine("warm interpreter", program), 4],
    [new ProcessorVectorEngine("translator", program), 8],
    [new ProcessorVectorEngine("evaluator", program), 1],
  ] as const) {
    const sum = { cases: 0, rows: 0, different: 0 };
    afterAll(() => console.log(`${engine.name}: ${sum.cases} cases of ${sum.rows} rows against silicon, ${sum.different} differ`));
    it.each(files.map((file) => [basename(file), file]))(`${engine.name} does as silicon did: %s`, (_name, file) => {
      const { cases, rows, different } = replayFile(file, instructions, engine, every);
      sum.cases += cases;
      sum.rows += rows;
      sum.different += different.length;
      const told = different
        .slice(0, 3)
        .map(({ row, vector, differences }) => ({ row, mode: vector.recipe.mode, index: vector.index, differences }));
      expect(told).toEqual([]);
    });
  }
});
