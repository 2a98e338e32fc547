// Assembles the bare-metal programs with nasm: `npx tsx test/system/assemble.ts` after changing one.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { peer } from "../peers.ts";
import { PROBES, PROGRAMS } from "./program.ts";

/** Names of all programs in a folder. */
export function programNames(folder: string = PROGRAMS): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".asm"))
    .map((file) => file.slice(0, -4))
    .sort();
}

/** What nasm makes of a program's source. */
export function assemble(name: string, source: string = PROGRAMS): Uint8Array {
  const nasm = peer("nasm");
  if (nasm === undefined) throw new Error("Cannot assemble: nasm (Debian package nasm) is not installed");
  const folder = mkdtempSync(join(tmpdir(), "nido-asm-"));
  try {
    const out = join(folder, "out.bin");
    execFileSync(nasm, ["-f", "bin", "-w+error", "-I", `${PROGRAMS}/`, "-o", out, join(source, `${name}.asm`)], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    return readFileSync(out);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const folder of [PROGRAMS, PROBES]) {
    for (const name of programNames(folder)) writeFileSync(join(folder, `${name}.bin`), assemble(name, folder));
  }
}
