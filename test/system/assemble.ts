// Assembles the bare-metal programs with nasm: `npx tsx test/system/assemble.ts` after changing one.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { peer } from "../peers.ts";
import { PROGRAMS } from "./program.ts";

/** Names of all programs. */
export function programNames(): string[] {
  return readdirSync(PROGRAMS)
    .filter((file) => file.endsWith(".asm"))
    .map((file) => file.slice(0, -4))
    .sort();
}

/** What nasm makes of a program's source. */
export function assemble(name: string): Uint8Array {
  const nasm = peer("nasm");
  if (nasm === undefined) throw new Error("Cannot assemble: nasm (Debian package nasm) is not installed");
  const folder = mkdtempSync(join(tmpdir(), "nido-asm-"));
  try {
    const out = join(folder, "out.bin");
    execFileSync(nasm, ["-f", "bin", "-w+error", "-I", `${PROGRAMS}/`, "-o", out, join(PROGRAMS, `${name}.asm`)], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    return readFileSync(out);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const name of programNames()) writeFileSync(join(PROGRAMS, `${name}.bin`), assemble(name));
}
