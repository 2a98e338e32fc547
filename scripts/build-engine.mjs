// Generates the interpreter's WebAssembly module from the compiled definitions, so that machines start without doing it.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "./setup.mjs";

const DIST = join(ROOT, "dist");
const { ProgramGenerator } = await import(pathToFileURL(join(DIST, "cpu", "engine", "generator.js")).href);

mkdirSync(join(DIST, "engine"), { recursive: true });
writeFileSync(join(DIST, "engine", "interpreter.wasm"), new ProgramGenerator().build({ names: true }));
