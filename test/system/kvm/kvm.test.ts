// Bare-metal programs on the host's processor, through /dev/kvm: the manual's expectations, unchanged. What a host's KVM cannot run
// is skipped and says why; probes ask for that first.
import { describe, expect, it } from "vitest";
import { missingPeers } from "../../peers.ts";
import { EXPECTATIONS, type Need } from "../expectations.ts";
import { failures, loadProgram, PROBES, type ProgramResult } from "../program.ts";
import { programNames } from "../assemble.ts";
import { KvmGap, KvmRunner, parse, whyNoKvm } from "./kvm-runner.ts";

const reason = missingPeers(["/dev/kvm", "gcc"]) ?? whyNoKvm();
const runner = reason === undefined ? new KvmRunner() : undefined;
const answers = new Map(runner === undefined ? [] : programNames(PROBES).map((name) => [name, whyNot(runner, name)]));

/** What came of a program, or why KVM could not tell. */
function outcome(kvm: KvmRunner, program: Uint8Array): ProgramResult | string {
  try {
    return kvm.run(program);
  } catch (error) {
    if (error instanceof KvmGap) return error.message;
    throw error;
  }
}

/** Why a probe does not pass here, or undefined when it does. */
function whyNot(kvm: KvmRunner, probe: string): string | undefined {
  const result = outcome(kvm, loadProgram(probe, PROBES));
  if (typeof result === "string") return result;
  const differences = failures(probe, result);
  return differences[0] ?? (result.ending === "finished" ? undefined : result.ending);
}

/** The result of a program, or what is missing here. */
function resultOf(name: string, needs: readonly Need[]): ProgramResult | string {
  if (runner === undefined) return reason ?? "";
  for (const need of needs) {
    const answer = answers.get(need);
    if (answer !== undefined) return `this host's KVM fails the probe "${need}": ${answer}`;
  }
  return outcome(runner, loadProgram(name));
}

describe("bare-metal programs on the host's processor", () => {
  for (const [name, { checks, ending, needs }] of Object.entries(EXPECTATIONS)) {
    const result = resultOf(name, needs);
    if (typeof result === "string") {
      it.skip(`${name} [${result}]`, () => undefined);
      continue;
    }
    it(name, () => {
      expect(failures(name, result)).toEqual([]);
      expect({ checks: result.checks.length, ending: result.ending }).toEqual({ checks, ending });
    });
  }
});

describe("what run.c writes", () => {
  it("becomes checks and an ending", () => {
    expect(parse("check 1f ffffffff e\nend shutdown\n")).toEqual({
      ending: "shutdown",
      checks: [{ line: 31, actual: 0xffff_ffff, expected: 14 }],
    });
  });

  it("is a gap when KVM gave up, whatever was checked before", () => {
    expect(() => parse("check 1 2 2\nend gap internal error 1 at 8005h: d9 eb\n")).toThrow(new KvmGap("internal error 1 at 8005h: d9 eb"));
    expect(() => parse("check 1 2 2\n")).toThrow(KvmGap);
  });
});
