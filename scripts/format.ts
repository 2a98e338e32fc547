// npm run format: oxfmt over everything but tables. A file whose header says `@table` is laid out by hand, as its datasheet is.
// With --check it changes nothing and fails when something would change. For a single table: `// oxfmt-ignore` above it.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { isTable, sources } from "./house/sources.ts";
import { ROOT } from "./setup.mjs";

const flags = process.argv.slice(2);
const unknown = flags.find((flag) => flag !== "--check");
if (unknown !== undefined) {
  // It writes the whole tree, so it does so only when asked for just that.
  process.stderr.write(`format takes --check and nothing else, not ${unknown}\n`);
  process.exit(64);
}
const check = flags.length > 0;
const tables = sources().filter(isTable);
const oxfmt = join(ROOT, "node_modules", "oxfmt", "bin", "oxfmt");
const args = [oxfmt, ...(check ? ["--list-different"] : []), ".", ...tables.map(({ path }) => `!${path}`)];
const { status } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: "inherit" });
if (check && status !== 0) process.stderr.write("The files above are not formatted; `npm run format` does it.\n");
process.exitCode = status ?? 1;
