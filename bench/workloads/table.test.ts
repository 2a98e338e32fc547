import { describe, expect, it } from "vitest";
import { verdicts } from "./criteria.ts";
import { Results } from "./results.ts";
import { columns, digits, rowTable, verdictTable } from "./table.ts";

/** Nido takes as long as `nido` says, QEMU a second, v86 four, the bare machine half a second. */
function session(nido: Readonly<Record<string, number>>): Results {
  const results = new Results();
  for (const [key, seconds] of Object.entries(nido)) {
    const [section = "", name = ""] = key.split("/");
    results.add(section as "micro", name, "nido", seconds);
    results.add(section as "micro", name, "qemu", 1);
    if (section === "v86") results.add(section, name, "v86", 4);
    if (section === "micro") results.add(section, name, "native", 0.5);
  }
  return results;
}

describe("verdicts", () => {
  const results = session({
    "boot/cold cache": 1.1,
    "boot/warm cache": 0.3,
    "parts/boot": 9,
    "parts/loop": 0.5,
    "parts/dd": 0.9,
    "micro/alu": 0.5,
    "micro/smc": 2,
    "programs/7z": 0.25,
    "programs/cc": 1,
    "v86/loop": 0.4,
    "v86/micro alu": 8,
  });
  const found = Object.fromEntries(verdicts(results, "nido").map((v) => [v.what, v]));

  it("takes the worst row where every row counts, and the mean where the mean counts", () => {
    expect(found["each of parts after boot, the worst"]).toMatchObject({ measured: 0.9, by: "dd", must: 1 });
    expect(found["micro-kernels, geometric mean"]?.measured).toBeCloseTo(1);
    expect(found["worst micro-kernel"]).toMatchObject({ measured: 2, by: "smc" });
    expect(found["programs, geometric mean"]?.measured).toBeCloseTo(0.5);
    expect(found["boot to the prompt, warm cache"]).toMatchObject({ measured: 0.3, must: 0.8, aim: 0.4 });
    expect(found["multiple of v86's time, the worst part"]).toMatchObject({ measured: 0.1, by: "loop" });
    expect(found["multiple of native time, micro-kernels, geometric mean"]?.measured).toBeCloseTo(2);
  });

  it("leaves out what was not measured", () => {
    expect(verdicts(session({ "micro/alu": 1 }), "nido").map(({ what }) => what)).toEqual([
      "micro-kernels, geometric mean",
      "worst micro-kernel",
      "multiple of native time, micro-kernels, geometric mean",
    ]);
    expect(verdicts(session({ "micro/alu": 1 }), "nido@26")).toEqual([]);
  });
});

describe("tables", () => {
  it("line up", () => {
    expect(
      columns([
        ["", "a"],
        ["long name", "12.5"],
      ]),
    ).toBe("              a\nlong name  12.5");
  });

  it("show three digits", () => {
    expect([0.01234, 1.234, 12.34, 1234.5, undefined].map(digits)).toEqual(["0.012", "1.23", "12.3", "1235", ""]);
  });

  it("have a column for each peer that there is", () => {
    const results = session({ "micro/alu": 0.25, "parts/loop": 2 });
    results.add("micro", "alu", "nido", 0.25, { cpuSeconds: 1 });
    results.add("micro", "alu", "qemu", 1, { cpuSeconds: 0.5 });
    const { rows } = results;
    expect(rowTable(rows, "nido")).toBe(
      [
        "             nido  qemu  nido/qemu   cpu  native  nido/native  cpu  must    aim",
        "micro alu   0.250  1.00      0.250  2.00   0.500        0.500       1.20   1.00",
        "parts loop   2.00  1.00       2.00                                  1.00  0.600",
      ].join("\n"),
    );
  });

  it("say which promise holds", () => {
    const limit = { must: 1, aim: 0.5 };
    const lines = verdictTable([
      { what: "a", measured: 0.5, ...limit },
      { what: "b", measured: 0.9, by: "x", ...limit },
      { what: "c", measured: 1.1, ...limit },
    ]).split("\n");
    expect(lines.slice(1).map((line) => line.split(/ {2,}/).at(-1))).toEqual(["aim met", "met", "MISSED"]);
  });
});
