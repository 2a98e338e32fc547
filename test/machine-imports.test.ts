// What the threads of a machine load before they run: nothing from which the interpreter is generated. That is a third of the modules, their
// parsing would come before every first instruction, and their objects would stay in memory (docs/performance.md).
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../scripts/setup.mjs";

/** Imports and exports from other files that are there at run time; type imports are not. */
const STATIC = /^(?:import|export) (?!type )(?:[^;"]*? from )?"(\.[^"]+)"/gm;

/** Files that modules load, themselves included, relative to the root. */
function loaded(...entries: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (path: string): void => {
    const name = relative(ROOT, path).replaceAll("\\", "/");
    if (found.has(name)) return;
    found.add(name);
    for (const [, to] of readFileSync(path, "utf8").matchAll(STATIC)) visit(join(dirname(path), to!));
  };
  for (const entry of entries) visit(join(ROOT, entry));
  return found;
}

const DEFINITIONS = /^src\/(cpu\/(isa|ir|mmu\/(?!control\.ts)|engine\/(generator|evaluator|interpreter-module|routines|hot))|wasm)/;
/** The entry loads the runner while the interpreter is compiled. */
const worker = loaded("src/host/node/worker.ts", "src/machine/machine-runner.ts");

describe("the thread of a machine", () => {
  it("holds processor, board and devices", () => {
    for (const file of ["cpu/engine/processor.ts", "cpu/decode/decoder.ts", "machine/boards/pc.ts", "devices/virtio/block/index.ts"])
      expect(worker).toContain(`src/${file}`);
  });

  it("loads no definitions of instructions or routines", () => {
    expect([...worker].filter((file) => DEFINITIONS.test(file))).toEqual([]);
  });

  it("is told from the build, which loads all of them", () => {
    const generator = loaded("src/cpu/engine/generator.ts");
    expect([...generator].filter((file) => DEFINITIONS.test(file)).length).toBeGreaterThan(50);
  });
});

describe("the thread of a translator", () => {
  it("begins with what was kept, without the definitions", () => {
    const files = [...loaded("src/host/node/translator-worker.ts")];
    expect(files).toContain("src/cpu/translate/region-archive.ts");
    expect(files.filter((file) => DEFINITIONS.test(file) && !file.startsWith("src/wasm/"))).toEqual([]);
  });
});

describe("the program", () => {
  it("loads no processor for its commands", () => {
    for (const entry of ["src/cli/main.ts", "src/cli/commands/run.ts"])
      expect([...loaded(entry)].filter((file) => file.startsWith("src/cpu/"))).toEqual([]);
  });
});
