import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDuration, formatSize, parseDuration, parseSize } from "./quantity.ts";

describe("sizes", () => {
  it("are read in every usual spelling", () => {
    expect(["512M", "512m", "512MB", "512MiB", "1G", "64K", "4096", " 1M "].map(parseSize)).toEqual([
      2 ** 29,
      2 ** 29,
      2 ** 29,
      2 ** 29,
      2 ** 30,
      2 ** 16,
      4096,
      2 ** 20,
    ]);
  });

  it("are refused when they are anything else", () => {
    for (const text of ["", "M", "-1M", "1.5G", "512 M", "1T", "0x100", "1e3", "NaN", "9999999999999999"])
      expect(parseSize(text)).toBeUndefined();
  });

  it("survive being written and read", () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 44 }), (bytes) => parseSize(formatSize(bytes)) === bytes));
  });
});

describe("durations", () => {
  it("are read with their unit, in seconds without one", () => {
    expect(["60s", "60", "500ms", "2m", "1h", "1d", "1.5s"].map(parseDuration)).toEqual([
      60_000, 60_000, 500, 120_000, 3_600_000, 86_400_000, 1500,
    ]);
  });

  it("are refused when they are anything else", () => {
    for (const text of ["", "s", "-1s", "1 s", "1y", "1,5s", "Infinity"]) expect(parseDuration(text)).toBeUndefined();
  });

  it("survive being written and read", () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 36 }), (ms) => parseDuration(formatDuration(ms)) === ms));
  });
});
