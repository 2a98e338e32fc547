// Generates the interpreter's WebAssembly module from the compiled definitions, so that machines start without doing it.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "./setup.mjs";

const DIST = join(ROOT, "dist");
const { ProgramGenerator } = await import(pathToFileURL(join(DIST, "cpu", "engine", "generator.js")).href);

mkdirSync(join(DIST, "engine"), { recursive: true });
const interpreter = new ProgramGenerator().build({ names: true });
writeFileSync(join(DIST, "engine", "interpreter.wasm"), interpreter);

// What translated code depends on beside the guest's: everything that it is made with. Kept code of another version is not looked at.
const hash = createHash("sha256").update(interpreter);
for (const layer of ["cpu", "wasm"]) {
  const files = readdirSync(join(DIST, layer), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".js"));
  for (const name of files.sort()) hash.update(name).update(readFileSync(join(DIST, layer, name)));
}
writeFileSync(join(DIST, "engine", "version"), hash.digest("hex").slice(0, 16));
