import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cpuRatio, figure, geometricMean, ratio, Results } from "./results.ts";

describe("geometricMean", () => {
  it("is the number whose power is the product", () => {
    expect(geometricMean([0.5, 2])).toBeCloseTo(1);
    expect(geometricMean([1, 10, 100])).toBeCloseTo(10);
    expect(geometricMean([])).toBeUndefined();
  });

  it("lies between the extremes, and scales", () => {
    const figures = fc.array(fc.double({ min: 1e-3, max: 1e3, noNaN: true }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(figures, (values) => {
        const mean = geometricMean(values) ?? Number.NaN;
        expect(mean).toBeGreaterThanOrEqual(Math.min(...values) * (1 - 1e-9));
        expect(mean).toBeLessThanOrEqual(Math.max(...values) * (1 + 1e-9));
        expect(geometricMean(values.map((v) => v * 3))).toBeCloseTo(mean * 3, 6);
      }),
    );
  });
});

describe("Results", () => {
  const results = new Results();
  for (const seconds of [3, 1, 2]) results.add("micro", "alu", "nido", seconds, { checksum: "aa" });
  results.add("micro", "alu", "qemu", 4, { checksum: "aa" });

  it("takes medians and ratios", () => {
    const [row] = results.rows;
    expect(row && figure(row, "nido")).toBe(2);
    expect(row && ratio(row, "nido", "qemu")).toBe(0.5);
    expect(row && ratio(row, "nido", "v86")).toBeUndefined();
  });

  it("compares processor times that are long enough to be told", () => {
    const times = new Results();
    times.add("micro", "sha", "nido", 9, { cpuSeconds: 0.5 });
    times.add("micro", "sha", "qemu", 9, { cpuSeconds: 0.25 });
    times.add("micro", "sha", "native", 9, { cpuSeconds: 0.01 });
    const [row] = times.rows;
    expect(row && ["qemu", "native", "v86"].map((peer) => cpuRatio(row, "nido", peer))).toEqual([2, undefined, undefined]);
  });

  it("finds results that differ, between sides and between runs", () => {
    expect(results.mismatches()).toEqual([]);
    const wrong = new Results();
    wrong.add("micro", "sse2", "nido", 1, { checksum: "aa" });
    wrong.add("micro", "sse2", "qemu", 1, { checksum: "bb" });
    wrong.add("parts", "awk", "nido", 1, { checksum: "7" });
    wrong.add("parts", "awk", "nido", 1, { checksum: "8" });
    expect(wrong.mismatches()).toEqual(["micro sse2: aa (nido), bb (qemu)", "parts awk: 7 (nido), 8 (nido)"]);
  });

  it("takes no result where another side has one for a wrong one, and does not ask where there are none", () => {
    const crashed = new Results();
    crashed.add("programs", "python", "nido", 1, { checksum: "" });
    crashed.add("programs", "python", "qemu", 1, { checksum: "7" });
    crashed.add("parts", "boot", "nido", 1);
    crashed.add("parts", "boot", "qemu", 2);
    expect(crashed.mismatches()).toEqual(["programs python: nothing (nido), 7 (qemu)"]);
  });

  it("holds the 32-bit build of a micro-kernel against the 64-bit one", () => {
    const builds = new Results();
    builds.add("micro", "alu", "qemu", 1, { checksum: "aa" });
    builds.add("v86", "micro alu", "v86", 1, { checksum: "cc" });
    expect(builds.mismatches()).toEqual(["micro alu: aa (qemu), cc (v86, 32-bit)"]);
  });
});
