// Imports point down only (ARCHITECTURE.md, section Layers). Two guards say so, the compiler through one project a layer and the linter
// through .oxlintrc.json; here both are shown to bite, on files that break the rule on purpose and on every pair of layers.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ROOT } from "../scripts/setup.mjs";

// From the bottom up. Those on one line do not know each other.
const RANKS: readonly (readonly string[])[] = [
  ["support"],
  ["memory", "wasm", "bus"],
  ["cpu", "devices", "disk", "net"],
  ["firmware", "snapshot"],
  ["machine"],
  ["sdk"],
  ["host/node", "host/browser", "testing"],
  ["cli", "server"],
];
const rank = (layer: string): number => RANKS.findIndex((names) => names.includes(layer));
const LAYERS = RANKS.flat().filter((layer) => existsSync(join(ROOT, "src", layer, "tsconfig.json")));

function mayImport(from: string, what: string): boolean {
  if (from === what) return true;
  if (from === "bus" && what === "memory") return true; // regions are placed at guest physical addresses
  if (what === "testing") return false; // the test kit does not ship inside the program
  return rank(what) < rank(from);
}

const FIXTURES = join(ROOT, "test", "layers", "fixtures", "src");
const BREAKS = /\/\/ breaks(: lint)?$/;
const fixtures = readdirSync(FIXTURES, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => ({ path: path.replaceAll("\\", "/"), text: readFileSync(join(FIXTURES, path), "utf8") }));
const temporary: string[] = [];

afterAll(() => {
  for (const folder of temporary) rmSync(folder, { recursive: true, force: true });
});

/** A checkout with our configuration, one file `target.ts` in each layer, and the given files. Path to text. */
function checkout(files: ReadonlyMap<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "nido-layers-"));
  temporary.push(folder);
  const configuration = [
    "package.json",
    ".oxlintrc.json",
    "tsconfig.base.json",
    "tsconfig.core.json",
    "tsconfig.node.json",
    "src/globals.d.ts",
  ];
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"), "junction");
  for (const layer of LAYERS) {
    put(
      `src/${layer}/target.ts`,
      "/** Here. */\nexport const target: number = 1;\n/** Its type. */\nexport type Target = typeof target;\n",
    );
    configuration.push(`src/${layer}/tsconfig.json`);
  }
  for (const path of configuration) cpSync(join(ROOT, path), join(folder, path));
  put("tsconfig.json", JSON.stringify({ files: [], references: LAYERS.map((layer) => ({ path: `src/${layer}` })) }));
  for (const [path, text] of files) put(`src/${path}`, text);
  return folder;
}

/** The files below src/ that the compiler refuses. */
function refusedByCompiler(folder: string): Set<string> {
  const { stdout } = spawnSync(process.execPath, ["node_modules/typescript/bin/tsc", "-b", "--pretty", "false"], {
    cwd: folder,
    encoding: "utf8",
  });
  return new Set([...stdout.matchAll(/^src\/(.+?)\(\d+,\d+\): error/gm)].map((match) => match[1] ?? ""));
}

/** The files below src/ that the linter refuses, each with what it says. */
function refusedByLinter(folder: string): Map<string, string> {
  const { stdout } = spawnSync(process.execPath, ["node_modules/oxlint/bin/oxlint", "--quiet", "-f", "json"], {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { filename: string; message: string; help?: string }[] };
  return new Map(diagnostics.map(({ filename, message, help = "" }) => [filename.replace("src/", ""), `${message} ${help}`]));
}

describe("layers", () => {
  it("every folder with sources belongs to a layer that has its project", () => {
    const files = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" }).map((path) => path.replaceAll("\\", "/"));
    const inFolders = files.filter((path) => path.includes("/") && path.endsWith(".ts"));
    expect(inFolders.filter((path) => !LAYERS.some((layer) => path.startsWith(`${layer}/`)))).toEqual([]);
  });

  describe("files that break the rule on purpose", () => {
    const broken = checkout(new Map(fixtures.map(({ path, text }) => [path, text])));
    const compiler = refusedByCompiler(broken);
    const linter = refusedByLinter(broken);

    it.each(fixtures)("$path", ({ path, text }) => {
      expect(text).toMatch(new RegExp(BREAKS, "m"));
      expect(linter.get(path)).toMatch(/ARCHITECTURE\.md|handed in/);
      expect(compiler.has(path)).toBe(text.split("\n").some((line) => line.endsWith("// breaks")));
    });

    it("nothing else is refused", () => {
      expect([...compiler, ...linter.keys()].filter((path) => !fixtures.some((fixture) => fixture.path === path))).toEqual([]);
    });
  });

  it("the same files pass without the lines that break it", () => {
    const without = (text: string): string =>
      text
        .split("\n")
        .filter((line) => !BREAKS.test(line))
        .join("\n");
    const clean = checkout(new Map(fixtures.map(({ path, text }) => [path, without(text)])));
    expect([...refusedByCompiler(clean)]).toEqual([]);
    expect([...refusedByLinter(clean)]).toEqual([]);
  });

  it("every pair of layers: both guards allow what the design allows, and nothing else", () => {
    const pairs = LAYERS.flatMap((from) => LAYERS.filter((what) => what !== from).map((what) => ({ from, what })));
    const pathOf = ({ from, what }: { from: string; what: string }): string => `${from}/imports-${what.replace("/", "-")}.ts`;
    const textOf = ({ from, what }: { from: string; what: string }): string =>
      `import type { Target } from "${from.replace(/\w+/g, "..")}/${what}/target.ts";\n/** Theirs. */\nexport type Theirs = Target;\n`;
    const folder = checkout(new Map(pairs.map((pair) => [pathOf(pair), textOf(pair)])));
    const forbidden = pairs
      .filter(({ from, what }) => !mayImport(from, what))
      .map(pathOf)
      .sort();
    expect(forbidden.length).toBeGreaterThan(LAYERS.length);
    expect([...refusedByCompiler(folder)].sort()).toEqual(forbidden);
    expect([...refusedByLinter(folder).keys()].sort()).toEqual(forbidden);
  });
});
