// npm run format: oxfmt over everything but tables. A file whose header says `@table` is laid out by hand, as its datasheet is.
// With --check it changes nothing and fails when something would change. For a single table: `// oxfmt-ignore` above it.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { isTable, sources } from "./house/sources.ts";
import { ROOT } from "./setup.mjs";

const check = process.argv.includes("--check");
const tables = sources().filter(isTable);
const oxfmt = join(ROOT, "node_modules", "oxfmt", "bin", "oxfmt");
const args = [oxfmt, ...(check ? ["--list-different"] : []), ".", ...tables.map(({ path }) => `!${path}`)];
const { status } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: "inherit" });
if (check && status !== 0) process.stderr.write("The files above are not formatted; `npm run format` does it.\n");
process.exitCode = status ?? 1;
