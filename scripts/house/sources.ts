// The repository's own source files, as the house rules read them: whole texts, no compiler.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../setup.mjs";

/** A file, with its path from the top of the repository, in forward slashes. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

/** What a rule found: where, and what is wrong, as one line for people. */
export interface Problem {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

const FOLDERS = ["src", "test", "scripts", "bench", "guest", "bin"];
// Fixtures break the rules on purpose.
const SKIPPED = new Set(["node_modules", "dist", "fixtures"]);

/** Every path below the folders that hold code, files and folders alike. */
export function paths(): string[] {
  const found: string[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
      if (SKIPPED.has(entry.name)) continue;
      const path = `${folder}/${entry.name}`;
      found.push(path);
      if (entry.isDirectory()) walk(path);
    }
  };
  const present = new Set(readdirSync(ROOT));
  for (const folder of FOLDERS) if (present.has(folder)) walk(folder);
  return found;
}

/** Every TypeScript and JavaScript file below those folders. */
export function sources(): Source[] {
  return paths()
    .filter((path) => /\.(ts|mjs)$/.test(path))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
}

/** Whether a file's header says `@table`: data laid out by hand, free of the limits on length, layout and docstrings. */
export function isTable(source: Source): boolean {
  return source.text.split("\n", 10).some((line) => /^(\/\/|\/\*\*| \*).*@table\b/.test(line));
}

/** Shows problems as a compiler would. */
export function listed(problems: readonly Problem[]): string {
  return problems.map(({ path, line, message }) => `${path}:${line}: ${message}`).join("\n");
}
