import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { citationKeys, citationRule } from "../scripts/house/citations.ts";
import { docstringProblems } from "../scripts/house/docstrings.ts";
import { lengthProblems } from "../scripts/house/length.ts";
import { nameProblems } from "../scripts/house/names.ts";
import { nonNullProblems } from "../scripts/house/non-null.ts";
import { listed, paths, sources, type Problem, type Source } from "../scripts/house/sources.ts";

const KEYS = citationKeys(readFileSync(new URL("../docs/specs.md", import.meta.url), "utf8"));
const citationProblems = citationRule(KEYS);
const ours = sources();
const shipped = ours.filter(({ path }) => path.startsWith("src/") && !path.endsWith(".test.ts"));

describe("the repository keeps the house rules", () => {
  it("names say what a file or folder gives", () => {
    expect(listed(nameProblems(paths()))).toBe("");
  });

  it("no file is longer than 1000 lines", () => {
    expect(listed(ours.flatMap(lengthProblems))).toBe("");
  });

  it("every exported symbol has a docstring", () => {
    expect(listed(shipped.flatMap(docstringProblems))).toBe("");
  });

  it("non-null assertions stand behind an index only", () => {
    expect(listed(shipped.flatMap(nonNullProblems))).toBe("");
  });

  it("citations have the form and the keys of docs/specs.md", () => {
    expect(KEYS).toContain("SDM 3A");
    expect(listed(shipped.flatMap(citationProblems))).toBe("");
  });
});

describe("each rule finds what breaks it", () => {
  const file = (text: string, path = "src/cpu/x.ts"): Source => ({ path, text });
  const lines = (problems: readonly Problem[]): number[] => problems.map(({ line }) => line);

  it.each(["src/utils", "src/cpu/helpers.ts", "src/base.ts", "test/common.test.ts", "src/Misc.ts"])("name: %s", (path) => {
    expect(nameProblems([path])).toHaveLength(1);
    expect(nameProblems(["src/support/bits.ts", "tsconfig.base.json", "src/database.ts"])).toEqual([]);
  });

  it("length", () => {
    expect(lengthProblems(file("x;\n".repeat(1001)))).toHaveLength(1);
    expect(lengthProblems(file("x;\n".repeat(1000)))).toEqual([]);
    expect(lengthProblems(file(`// @table of opcodes\n${"x;\n".repeat(1001)}`))).toEqual([]);
  });

  it("docstrings", () => {
    expect(lines(docstringProblems(file("export const a = 1;\n\n/** B. */\nexport type B = 1;\nexport type C = 1;\n")))).toEqual([1, 5]);
    expect(docstringProblems(file("/** F. */\nexport function f(a: 1): 1;\nexport function f(a: 2): 2;\n"))).toEqual([]);
    expect(docstringProblems(file("// @table\nexport const a = 1;\n"))).toEqual([]);
  });

  it("docstrings of registers, which come in groups", () => {
    const group =
      "// Line status\nexport const LSR_DR = 1;\nexport const LSR_OE = 2;\n\nexport const STRAY = 3;\nexport const SAID = 4; // why\n";
    expect(lines(docstringProblems(file(group)))).toEqual([5]);
    expect(lines(docstringProblems(file(group.replaceAll("const", "let"))))).toEqual([2, 3, 5, 6]);
  });

  it.each(["a!.b", "f(a!, 1)", "f()!.x", "return a!;", "x = a.b!"])("non-null assertion: %s", (code) => {
    expect(nonNullProblems(file(code))).toHaveLength(1);
  });

  it.each(["a[i]!.b", "a !== b", "a != b", "if (!a) f(!b)", '"so!"', "// so! it is", "`Stop! ${a}`", "/[a!]/.test(b)"])(
    "no assertion: %s",
    (code) => {
      expect(nonNullProblems(file(code))).toEqual([]);
    },
  );

  it.each([
    "// Intel SDM Vol. 3A, 4.5",
    "// SDM §4.5.4",
    "// see Section 4.5",
    "f(); // §4.5",
    "/** As VIRTIO 0.1 §2 has it. */",
    "f();\n// SDM 3A\n// and then §4.5",
  ])("citation: %s", (text) => {
    expect(citationProblems(file(text))).toHaveLength(1);
  });

  it.each([
    "// SDM 3A §4.5.4",
    '// SDM 2A "ADD"',
    "/** Cleared (SDM 3A §10.1.1, table 10-1). */",
    "// VIRTIO 1.3 §2.7.7.2, §2.7.8 and §2.7.9",
    "// RFC 9293\n// §3.10.7.4",
    "// 8254 datasheet, Mode 3",
    "const text = `§${n}`;",
    "// Structures (DSP0134 3.0 §7).\nf();\n// The chassis (§7.4).",
    "// Columns\n//\n// (SDM 2A §3.1.1.1), operands (§3.1.1.3).",
  ])("no problem: %s", (text) => {
    expect(citationProblems(file(text))).toEqual([]);
  });
});
