// npm run golden: writes the translations that are committed, and says which have changed.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { committedFiles, GOLDEN_FOLDER, goldenFiles } from "./golden-files.ts";

const files = goldenFiles();
for (const { path, render } of files) {
  const at = join(GOLDEN_FOLDER, path);
  const text = render();
  if (existsSync(at) && readFileSync(at, "utf8") === text) continue;
  mkdirSync(dirname(at), { recursive: true });
  writeFileSync(at, text);
  process.stdout.write(`${path} has changed\n`);
}
const paths = new Set(files.map(({ path }) => path));
for (const path of committedFiles().filter((p) => !paths.has(p))) {
  rmSync(join(GOLDEN_FOLDER, path));
  process.stdout.write(`${path} is gone\n`);
}
