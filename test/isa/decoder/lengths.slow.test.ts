// Decoder lengths against Zydis, from Debian's libzydis-dev: every opcode under every prefix combination, in all three modes.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missingPeers } from "../../peers.ts";
import { agreement } from "./agreement.ts";
import { CASE_BYTES, sweep } from "./sweep.ts";

const HEADER = "/usr/include/Zydis/Zydis.h";
const reason = missingPeers(["gcc"]) ?? (existsSync(HEADER) ? undefined : "needs libzydis-dev");

describe.skipIf(reason !== undefined)(`decoder lengths against Zydis${reason ? ` [${reason}]` : ""}`, () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "nido-lengths-"));
    execFileSync("gcc", ["-O2", "-o", join(folder, "lengths"), join(import.meta.dirname, "lengths.c"), "-lZydis"]);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("agree on every opcode and prefix combination", { timeout: 120_000 }, () => {
    const cases: Uint8Array[] = [];
    sweep((bytes) => cases.push(bytes.slice()));
    const input = new Uint8Array(cases.length * CASE_BYTES);
    cases.forEach((c, i) => input.set(c, i * CASE_BYTES));
    const run = spawnSync(join(folder, "lengths"), [], { input, maxBuffer: cases.length * 2 + 1024 });
    expect(run.status).toBe(0);
    const report = agreement(cases, run.stdout);
    console.log(`decoder: ${report.cases} sequences, ${report.instructions} instructions, ${report.differences.length} differences`);
    expect(report.differences.slice(0, 40)).toEqual([]);
    expect(report.instructions).toBeGreaterThan(500_000);
  });
});
