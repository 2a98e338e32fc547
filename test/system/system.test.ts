// Bare-metal programs about the processor as a system, on every engine of ours; kvm/kvm.test.ts runs them on the host's.
import { describe, expect, it } from "vitest";
import { ProgramGenerator } from "../../src/cpu/engine/generator.ts";
import { describeWithPeers } from "../peers.ts";
import { assemble, programNames } from "./assemble.ts";
import { EXPECTATIONS } from "./expectations.ts";
import { ProcessorRunner } from "./processor-runner.ts";
import { failures, loadProgram, PROBES, PROGRAMS } from "./program.ts";

const program = new ProgramGenerator();

describe.each(["interpreter", "evaluator"] as const)("bare-metal programs on the %s", (kind) => {
  const runner = new ProcessorRunner(kind, program);

  it.each(Object.entries(EXPECTATIONS))("%s", (name, { checks, ending }) => {
    const result = runner.run(loadProgram(name));
    expect(failures(name, result)).toEqual([]);
    expect({ checks: result.checks.length, ending: result.ending }).toEqual({ checks, ending });
  });

  it.each(programNames(PROBES))("probe %s", (name) => {
    const result = runner.run(loadProgram(name, PROBES));
    expect(failures(name, result)).toEqual([]);
    expect(result.checks.length).toBeGreaterThan(0);
    expect(result.ending).toBe("finished");
  });
});

describe("bare-metal programs", () => {
  it("are all run", () => expect(programNames()).toEqual(Object.keys(EXPECTATIONS).sort()));
  it("are asked for by probes that exist", () => {
    const asked = new Set(Object.values(EXPECTATIONS).flatMap((expectation) => expectation.needs));
    expect([...asked].sort()).toEqual(programNames(PROBES));
  });
});

describeWithPeers(["nasm"], "assembled programs", () => {
  const sources = [PROGRAMS, PROBES].flatMap((folder) => programNames(folder).map((name) => [name, folder] as const));

  it.each(sources)("%s is what its source gives", (name, folder) => {
    expect(Buffer.from(assemble(name, folder)).equals(loadProgram(name, folder))).toBe(true);
  });
});
