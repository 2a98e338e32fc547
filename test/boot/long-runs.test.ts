// Other people's programs, for some thousand million instructions in all: the interpreter, the translator and the bare machine agree on
// every byte of what they say.
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Folder } from "../cli/folder.ts";
import { type GuestResult, LONG_RUNS, mixedData, prepare, type Prepared, runInGuest, runNatively } from "./long-runs.ts";

/** Longer than two guests may take: whoever waits for a guest in vain wants to see its console. */
const LIMIT_MS = 900_000;

let folder: Folder;
beforeAll(() => {
  folder = new Folder();
});
afterAll(() => folder[Symbol.dispose]());

/** What each has to say, whoever runs it. */
const TRUTHS: Readonly<Record<string, (output: string) => void>> = {
  compress(output) {
    const digest = (name: string): string => createHash(name).update(mixedData()).digest("hex");
    const sums = `${digest("sha256")} ${digest("md5")} ${mixedData().length}`;
    expect(output.split("\n").filter((line) => line.endsWith(sums)).length).toBe(5);
  },
  openssl(output) {
    // FIPS 180-2, appendix B.1; FIPS 197, appendix C.1; RFC 4231, section 4.3; RFC 8032, section 7.1.
    expect(output).toContain("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad sha256\n");
    expect(output).toContain("69c4e0d86a7b0430d8cdb78070b4c55a\n");
    expect(output).toContain("5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843\n");
    expect(output).toContain("6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac");
    expect(output.match(/^Verified OK\nVerification failure$/gm)?.length).toBe(4);
  },
  sqlite(output) {
    expect(output.match(/^ok$/gm)?.length).toBe(2);
  },
  cc(output) {
    expect(output).toMatch(/^png +72351 bytes 036808b9$/m);
  },
  python(output) {
    const [, ok, skipped, ran] = /^(\d+) ok, (\d+) skipped$[^]*^Ran (\d+) tests$/m.exec(output) ?? [];
    expect(output).toMatch(/^exits with 0\n[^]*\nOK \(skipped=\d+\)\n$/);
    expect(Number(ok) + Number(skipped)).toBe(Number(ran));
    expect(Number(ran)).toBeGreaterThan(500);
  },
  luajit: sameWithoutCompiler,
  node: sameWithoutCompiler,
};

/** A program with a compiler of its own says the same with and without it. */
function sameWithoutCompiler(output: string): void {
  const [, off, on] = output.split(/^# (?:off|on)\n/m);
  expect(on).toBe(off);
  expect(off?.split("\n").length).toBeGreaterThan(8);
}

/** The percentage of a guest's instructions that were translated. */
function translated(stats: string): number {
  return Number(/^nido: Translated: \d+ instructions \(([\d.]+) %\)/m.exec(stats)?.[1] ?? 0);
}

describe.each(LONG_RUNS)("$name in a guest", (run) => {
  let prepared: Prepared | undefined;
  let missing = "";
  let interpreted: GuestResult | undefined;
  const inInterpreter = async (at: Prepared): Promise<GuestResult> => (interpreted ??= await runInGuest(at, "interpreter"));

  beforeAll(async () => {
    prepared = await prepare(run, folder.path).catch((error: unknown) => void (missing = String(error)));
  });

  it("says the same under the interpreter and under the translator", { timeout: LIMIT_MS }, async (context) => {
    if (prepared === undefined) return context.skip(missing);
    const { result, stats } = await inInterpreter(prepared);
    expect([result.status, translated(stats)]).toEqual([0, 0]);
    TRUTHS[run.name]!(result.output);
    const again = await runInGuest(prepared, "wasm");
    expect(again.result).toEqual(result);
    // How much of it depends on how busy the host is.
    expect(translated(again.stats)).toBeGreaterThan(1);
  });

  it("says the same as on the bare machine", { timeout: LIMIT_MS }, async (context) => {
    if (prepared === undefined) return context.skip(missing);
    const natively = await runNatively(prepared);
    if (natively === undefined) return context.skip("needs root, to run the programs in a folder as their root");
    expect((await inInterpreter(prepared)).result).toEqual(natively);
  });
});
