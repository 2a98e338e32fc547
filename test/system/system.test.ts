// Bare-metal programs about exceptions, interrupts, segments, tasks and debugging, on every engine.
import { describe, expect, it } from "vitest";
import { InterpreterProgram } from "../../src/cpu/engine/program.ts";
import { describeWithPeers } from "../peers.ts";
import { assemble, programNames } from "./assemble.ts";
import { ProcessorRunner } from "./processor-runner.ts";
import { failures, loadProgram, type Ending } from "./program.ts";

/** Programs with how many checks they make and how they end. */
const EXPECTED: Readonly<Record<string, readonly [checks: number, ending: Ending]>> = {
  alignment: [120, "finished"],
  "call-gates": [87, "finished"],
  canonical: [253, "finished"],
  "control-registers": [268, "finished"],
  debug: [78, "finished"],
  "endless-breakpoint": [1, "timeout"],
  ia32e: [134, "finished"],
  limits: [165, "finished"],
  "mode-switch": [39, "finished"],
  "paging-32": [85, "finished"],
  "paging-long": [159, "finished"],
  "paging-pae": [107, "finished"],
  "protected-gates": [108, "finished"],
  "real-limits": [70, "finished"],
  "real-mode": [34, "finished"],
  "real-triple-fault": [1, "shutdown"],
  segments: [196, "finished"],
  syscalls: [78, "finished"],
  tasks: [78, "finished"],
  "self-modifying": [47, "finished"],
  "string-faults": [96, "finished"],
  "supervisor-pages": [87, "finished"],
  "triple-fault": [2, "shutdown"],
  translations: [103, "finished"],
  "virtual-8086": [102, "finished"],
};

const program = new InterpreterProgram();

describe.each(["interpreter", "evaluator"] as const)("bare-metal programs on the %s", (kind) => {
  const runner = new ProcessorRunner(kind, program);

  it.each(Object.entries(EXPECTED))("%s", (name, [checks, ending]) => {
    const result = runner.run(loadProgram(name));
    expect(failures(name, result)).toEqual([]);
    expect({ checks: result.checks.length, ending: result.ending }).toEqual({ checks, ending });
  });
});

describe("bare-metal programs", () => {
  it("are all run", () => expect(programNames()).toEqual(Object.keys(EXPECTED).sort()));
});

describeWithPeers(["nasm"], "assembled programs", () => {
  it.each(programNames())("%s is what its source gives", (name) => {
    expect(Buffer.from(assemble(name)).equals(loadProgram(name))).toBe(true);
  });
});
