import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { didYouMean, editDistance, nearest } from "./suggest.ts";

const FLAGS = ["--memory", "--kernel", "--initrd", "--append", "--disk", "--device", "--engine", "--serial", "--timeout", "--verbose"];

describe("nearest word", () => {
  it("finds slips of the finger", () => {
    expect(nearest("--memroy", FLAGS)).toBe("--memory");
    expect(nearest("--kernal", FLAGS)).toBe("--kernel");
    expect(nearest("--mem", FLAGS)).toBe("--memory");
    expect(nearest("rnu", ["run", "doctor", "disasm"])).toBe("run");
  });

  it("does not invent one", () => {
    expect(nearest("--colour", FLAGS)).toBeUndefined();
    expect(nearest("x", ["run", "doctor"])).toBeUndefined();
    expect(nearest("--de", ["--device", "--debug"])).toBeUndefined();
    expect(nearest("a".repeat(100_000), FLAGS)).toBeUndefined();
    expect(didYouMean("zzz", FLAGS)).toBe("");
  });

  it("counts edits as a metric would, near enough to be fair", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        const distance = editDistance(a, b);
        expect(distance).toBe(editDistance(b, a));
        expect(distance === 0).toBe(a === b);
        expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
        expect(distance).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
      }),
    );
  });
});
