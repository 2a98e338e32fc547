import { describe, expect, it } from "vitest";
import { CODE_BASE, type TestCase } from "./case.ts";
import { dataOffset, readEncoded } from "./encoded.ts";
import { existsIn, generate } from "./generator.ts";
import { recordForRow, type RecordedCase } from "./quick.ts";
import { expand } from "./recipe.ts";
import { Recorder, whyNoRecorder } from "./recorder.ts";
import { SAMPLE_ROWS } from "./sample-rows.ts";

const reason = whyNoRecorder();
const MODES = [64, 32] as const;

function everyInstance(count: number): TestCase[] {
  return SAMPLE_ROWS.flatMap((form) =>
    MODES.filter((mode) => existsIn(form, mode)).flatMap((mode) =>
      Array.from({ length: count }, (_, i) => expand(generate(form, mode, i))),
    ),
  );
}

describe("generator", () => {
  it("gives the same instances every time", () => {
    expect(everyInstance(2)).toEqual(everyInstance(2));
  });

  it("never makes a locked access that crosses a cache line", () => {
    const forms = SAMPLE_ROWS.filter((form) => form.attributes.has("lock") && form.opsize === 32);
    const tests = forms.flatMap((form) => Array.from({ length: 400 }, (_, i) => expand(generate(form, 64, i))));
    const locked = tests.filter(({ code }) => code.subarray(0, 3).includes(0xf0));
    const offsets = locked.map((test) => dataOffset(readEncoded(test).address)).filter((offset) => offset !== undefined);
    expect(offsets.length).toBeGreaterThan(30);
    expect(offsets.filter((offset) => (offset & 63) > 60)).toEqual([]);
  });

  it("never encodes a system call", () => {
    const calls = everyInstance(200).filter(({ code }) => /^(..)*(0f05|0f34|cd80)/.test(Buffer.from(code.subarray(0, 2)).toString("hex")));
    expect(calls).toEqual([]);
  });
});

describe.skipIf(reason !== undefined)(`generator against silicon${reason ? ` [${reason}]` : ""}`, () => {
  it("means what it encodes: lengths, and addresses that faults report", async () => {
    const recorder = await Recorder.start();
    try {
      for (const form of SAMPLE_ROWS) {
        const recorded = await recordForRow(recorder, form, 100);
        const wrong = recorded
          .filter((one) => wrongLength(one) || wrongAddress(one))
          .map(({ test }) => Buffer.from(test.code).toString("hex"));
        const fine = recorded.filter(({ expected }) => expected.outcome.kind === "ok").length;
        const enough = form.attributes.has("cpl0") || fine > recorded.length * 0.4;
        expect({ row: form.text, wrong, enough }).toEqual({ row: form.text, wrong: [], enough: true });
      }
    } finally {
      recorder.close();
    }
  });
});

function wrongLength({ test, expected }: RecordedCase): boolean {
  return expected.outcome.kind === "ok" && test.stop === "landing" && expected.state.rip !== test.state.rip + BigInt(test.code.length);
}

/** Explicit operands of SSE and x87 rows fault where the bytes say, or in the page after. */
function wrongAddress({ form, test, expected: { outcome } }: RecordedCase): boolean {
  const inCode = outcome.kind === "exception" && outcome.cr2 >= BigInt(CODE_BASE) && outcome.cr2 < BigInt(CODE_BASE + 0x1_0000);
  if (!/^(ADDPS|CVTTSD2SI|FADD|FBSTP)$/.test(form.instruction) || outcome.kind !== "exception" || outcome.vector !== 14 || inCode)
    return false;
  const { address } = readEncoded(test);
  return address !== undefined && (outcome.cr2 < address || outcome.cr2 >= address + 16n);
}
