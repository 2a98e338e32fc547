import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { INSTRUCTIONS } from "../../src/cpu/isa/index.ts";
import { committedFiles, GOLDEN_FOLDER, goldenFiles } from "./golden-files.ts";

// In another order than they are written: what came before must not matter.
const files = goldenFiles().reverse();
const committed = (path: string): string => readFileSync(join(GOLDEN_FOLDER, path), "utf8");

describe("the committed translations", () => {
  it.each(files)("show what is emitted: $path", ({ path, render }) => {
    expect(difference(path, committed(path), render())).toBe("");
  });

  it("are in files that are all written by `npm run golden`", () => {
    expect(committedFiles().sort()).toEqual(files.map(({ path }) => path).sort());
  });

  it("show each row of the instruction set once", () => {
    const rows = INSTRUCTIONS.flatMap(({ name, forms }) => forms.map(({ text }) => `${name} | ${text}`.replace(/[\s|]+$/, "")));
    const shown = committedFiles()
      .filter((path) => path.startsWith("rows"))
      .flatMap((path) => committed(path).split("\n"))
      .filter((line) => /^[A-Z]/.test(line))
      .map((line) => line.split("  ·  ")[0]);
    expect(shown.sort()).toEqual(rows.sort());
  });
});

/** What has changed, in a few words: the whole of it is git's to show. */
function difference(path: string, before: string, after: string): string {
  if (before === after) return "";
  const [old, now] = [before.split("\n"), after.split("\n")];
  const first = now.findIndex((line, i) => line !== old[i]);
  const lines = `${old.length} lines, now ${now.length}; the first that differs is ${first + 1}:`;
  const advice = "If the translator is meant to emit this now: `npm run golden`, look at `git diff --stat test/golden`, and commit it.";
  return [`test/golden/${path} is not what is emitted: ${lines}`, `- ${old[first] ?? ""}`, `+ ${now[first] ?? ""}`, advice].join("\n");
}
