// Bare-metal programs about the processor as a system, on every engine of ours; kvm/kvm.test.ts runs them on the host's.
import { describe, expect, it } from "vitest";
import type { CpuContext } from "../../src/cpu/assist/context.ts";
import { VIEW } from "../../src/cpu/engine/layout.ts";
import { MODE } from "../../src/cpu/state.ts";
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

describe("the fast loop's view", () => {
  const runner = new ProcessorRunner("interpreter", program);

  it.each(programNames().filter((name) => EXPECTATIONS[name]?.ending !== "timeout"))("follows the segments of %s", (name) => {
    const seen = new Set<string>();
    runner.run(loadProgram(name), {
      every: 1,
      look: ({ context }) => {
        const legacy = context.get32("mode") === (MODE.code32 | MODE.stack32);
        const flat = !legacy || (["es", "cs", "ss", "ds"] as const).every((segment) => isFlat(context, segment));
        seen.add(`${context.get64("rip")}: ${context.get32("hotView") === (flat ? context.get32("tlbView") : context.base + VIEW.none)}`);
      },
    });
    expect([...seen].filter((line) => line.endsWith("false"))).toEqual([]);
    expect(seen.size).toBeGreaterThan(0);
  });
});

/** Whether a segment is 4 GiB from 0 and, but for code, present and writable (SDM 3A §3.4.5). */
function isFlat(context: CpuContext, name: "es" | "cs" | "ss" | "ds"): boolean {
  const whole = context.get64(`${name}Base`) === 0n && context.get32(`${name}Limit`) >>> 0 === 0xffff_ffff;
  const access = context.get32(`${name}Access`);
  const [present, isCode, expandsDown, isWritable] = [0x80, 8, 4, 2].map((bit) => (access & bit) !== 0);
  return whole && (name === "cs" || (present === true && isWritable === true && !isCode && !expandsDown));
}

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
