#!/usr/bin/env node
// The program's entry. Plain JavaScript that any Node understands, so that it can say what is missing.
import { existsSync } from "node:fs";
import * as nodeModule from "node:module";
import { fileURLToPath } from "node:url";

const [major, minor] = process.versions.node.split(".").map(Number);
const entry = new URL("../dist/cli/main.js", import.meta.url);

if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`nido: Nido needs Node 20.19 or later, and this is ${process.versions.node}\n`);
  process.exit(70);
}
if (!existsSync(entry)) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  process.stderr.write(`nido: Nido is not built yet\n      Run \`npm start\` or \`npm run build\` in ${root}\n`);
  process.exit(70);
}
nodeModule.enableCompileCache?.();
const { main } = await import(entry.href);
process.exit(await main(process.argv.slice(2)));
