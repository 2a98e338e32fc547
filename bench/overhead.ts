// `nido run -- true`, measured from outside and, by bench/probe.mjs, from inside.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../scripts/setup.mjs";
import { at } from "../src/cpu/state.ts";

const RAM_MIB = 256;

/** One run of the program. */
export interface TrueRun {
  /** Milliseconds from the start of the program to its end. */
  readonly ms: number;
  /** Milliseconds from the start of the program to the first guest instruction. */
  readonly firstInstructionMs: number;
  /** Resident bytes of the process without the guest's RAM, at most. */
  readonly residentBytes: number;
  /** Those of them that are no pages of files, which the host has only once and takes back at will: Node's executable. */
  readonly ownBytes: number;
  /** Guest instructions, in millions, in a second of the interpreter's time. */
  readonly mips: number;
}

/** Runs `true` in the embedded guest. Throws unless it ends with status 0. */
export function runTrue(engine: "auto" | "interpreter" = "interpreter"): TrueRun {
  const folder = mkdtempSync(join(tmpdir(), "nido-bench-"));
  const report = join(folder, "report.json");
  const probe = { NIDO_PROBE_REPORT: report, NIDO_PROBE_RAM: String(RAM_MIB << 20), NIDO_PROBE_RETIRED: String(at("retired")) };
  const args = [
    "--import",
    join(ROOT, "bench/probe.mjs"),
    join(ROOT, "bin/nido.mjs"),
    "run",
    "--engine",
    engine,
    "--memory",
    `${RAM_MIB}M`,
    "--",
    "true",
  ];
  try {
    const start = performance.timeOrigin + performance.now();
    const { status, stderr } = spawnSync(process.execPath, args, { env: { ...process.env, ...probe }, encoding: "utf8" });
    const ms = performance.timeOrigin + performance.now() - start;
    if (status !== 0) throw new Error(`nido run -- true ended with ${status}: ${stderr}`);
    const inside = JSON.parse(readFileSync(report, "utf8")) as Omit<TrueRun, "ms">;
    return { ...inside, ms, firstInstructionMs: inside.firstInstructionMs - start };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
