import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import type { CliHost } from "../command.ts";
import { parseArguments } from "../arguments.ts";
import { doctor, examine, kvmAccess, type HostFacts } from "./doctor.ts";

const GOOD: HostFacts = {
  node: "24.11.0",
  v8: "13.6",
  memory: { total: 2 ** 33, free: 2 ** 32 },
  cpus: 4,
  kvm: "usable",
  terminal: { input: true, output: true, rows: 24, columns: 80 },
  guest: true,
};
const status = (change: Partial<HostFacts>, check: string): string | undefined =>
  examine({ ...GOOD, ...change }).find((each) => each.check === check)?.status;

describe("nido doctor", () => {
  it("finds nothing to complain about on a good host", () => {
    expect(examine(GOOD).map((each) => each.status)).toEqual(["ok", "ok", "ok", "ok", "ok", "ok"]);
  });

  it("tells what a newer Node would give, and which is too old", () => {
    expect(examine({ ...GOOD, node: "20.20.2" })[0]).toMatchObject({ status: "note", advice: expect.stringContaining("a quarter faster") });
    expect([status({ node: "20.18.3" }, "node"), status({ node: "18.20.0" }, "node"), status({ node: "22.0.0" }, "node")]).toEqual([
      "problem",
      "problem",
      "ok",
    ]);
  });

  it("notes what is scarce, and calls only what is needed a problem", () => {
    expect(status({ memory: { total: 2 ** 29, free: 2 ** 28 } }, "memory")).toBe("note");
    expect(status({ cpus: 1 }, "processors")).toBe("note");
    expect(status({ terminal: { input: true, output: false } }, "terminal")).toBe("note");
    expect(status({ kvm: "absent" }, "/dev/kvm")).toBe("ok");
    expect(status({ guest: false }, "embedded guest")).toBe("problem");
  });

  it("tells an absent device from a usable one", () => {
    expect([kvmAccess("/nowhere/kvm"), kvmAccess("/dev/null")]).toEqual(["absent", "usable"]);
  });

  it("has the same findings as JSON", async () => {
    const stdout = new PassThrough();
    const exit = await doctor.run(parseArguments(["--json"], doctor.flags), { stdout } as unknown as CliHost);
    stdout.end();
    const { ok, findings } = JSON.parse(await text(stdout)) as { ok: boolean; findings: { check: string }[] };
    expect(findings.map((each) => each.check)).toEqual(examine(GOOD).map((each) => each.check));
    expect(exit === 0).toBe(ok);
  });
});
