import { describe, expect, it } from "vitest";
import { parseForm } from "../../src/cpu/isa/instruction.ts";
import type { TestCase, TestResult, VectorEngine } from "./case.ts";
import { compare } from "./compare.ts";
import { existsIn, generate } from "./generator.ts";
import { Prng } from "./prng.ts";
import { expand } from "./recipe.ts";
import { SAMPLE_ROWS } from "./sample-rows.ts";
import { decodeVectors, encodeVectors, fileNameOf, type Provenance, type Vector } from "./vectors.ts";

const PROVENANCE: Provenance = {
  cpu: { vendor: "V", brand: "B", family: 6, model: 207, stepping: 2 },
  microcode: "0x1",
  date: "2026-11-22",
};

/** Stands in for silicon: changes a bit of everything, reproducibly. */
const scrambler: VectorEngine = {
  name: "scrambler",
  run(test: TestCase): TestResult {
    const prng = new Prng(Number(test.state.gpr(0) & 0xffff_ffffn));
    const state = test.state.clone();
    state.setGpr(prng.below(8), BigInt(prng.next()));
    state.rip += BigInt(test.code.length);
    state.rflags ^= BigInt(prng.next() & 0x8d5);
    state.xmm(prng.below(8))[3]! ^= 0x55;
    state.fsw = (state.fsw & ~0x3800) | (prng.below(8) << 11);
    state.st(prng.below(8))[9]! ^= 0x81;
    const bytes = Uint8Array.from({ length: 8 }, () => prng.next());
    const memory = prng.chance(30) ? [{ offset: 8 * prng.below(1000), bytes }] : [];
    const outcome = prng.chance(20)
      ? ({ kind: "exception", vector: 14, error: 6, cr2: BigInt(prng.next()) } as const)
      : ({ kind: "ok" } as const);
    return { outcome, state, memory };
  },
};

function vectorsOf(count: number): { text: string; vectors: Vector[] }[] {
  return SAMPLE_ROWS.map((form) => ({
    text: form.text,
    vectors: ([64, 32] as const)
      .filter((mode) => existsIn(form, mode))
      .flatMap((mode) =>
        Array.from({ length: count }, (_, i) => {
          const recipe = generate({ ...form, instruction: "SAMPLE" }, mode, i * 3);
          const test = expand(recipe);
          return { index: i * 3, recipe, test, expected: scrambler.run(test) };
        }),
      ),
  }));
}

describe("vectors", () => {
  it("come back as they were recorded", () => {
    const rows = vectorsOf(4);
    const file = encodeVectors("SAMPLE", PROVENANCE, rows);
    const { header, rows: back } = decodeVectors(file);
    expect(header.cpu).toEqual(PROVENANCE.cpu);
    expect(back.map(({ text }) => text)).toEqual(rows.map(({ text }) => text));
    const row = { name: "SAMPLE", undefinedFlags: new Set<string>() };
    rows.forEach(({ vectors }, i) =>
      vectors.forEach((vector, j) => {
        const read = back[i]!.vectors[j]!;
        expect(read.test).toEqual(vector.test);
        expect(compare(row, vector.test, vector.expected, read.expected)).toEqual([]);
      }),
    );
  });

  it("say so when their states would grow differently now", () => {
    const file = Buffer.from(encodeVectors("SAMPLE", PROVENANCE, vectorsOf(2)));
    const end = file.indexOf(10);
    const header = file
      .subarray(0, end)
      .toString()
      .replace(/"growth":\d+/, '"growth":1');
    expect(() => decodeVectors(Buffer.concat([Buffer.from(header), file.subarray(end)]))).toThrow(/stale/);
  });

  it("refuse what is not a vector file, and one that was cut", () => {
    expect(() => decodeVectors(Buffer.from("hello\n"))).toThrow(/JSON/);
    const file = encodeVectors("SAMPLE", PROVENANCE, vectorsOf(2));
    expect(() => decodeVectors(file.subarray(0, file.length - 20))).toThrow(/end/);
  });

  it("have one file name for each instruction", () => {
    const names = ["ADD", "MOVS", "CMPXCHG8B/16B", "CMPXCHG8B 16B"].map(fileNameOf);
    expect(new Set(names).size).toBe(4);
    expect(names[0]).toBe("add.vec");
  });
});

describe("compare", () => {
  const form = parseForm("SHL", "C1 /4 ib | r/m32, imm8");
  const test = expand({ ...generate(form, 64, 0), code: Uint8Array.of(0xc1, 0xe0, 5), overrides: [] });
  const row = { name: "SHL", undefinedFlags: new Set(["AF"]) };
  const result = (change: (r: TestResult) => void): TestResult => {
    const r: TestResult = { outcome: { kind: "ok" }, state: test.state.clone(), memory: [] };
    change(r);
    return r;
  };
  const fields = (name: string, expected: TestResult, got: TestResult): string[] =>
    compare({ ...row, name }, test, expected, got).map(({ field }) => field);

  it("names every field that differs", () => {
    const changed = result(({ state }) => {
      state.setGpr(3, 77n);
      state.mxcsr ^= 1;
      state.st(2)[0]! ^= 1;
      state.rflags ^= 1n;
    });
    expect(
      fields(
        "ADD",
        result(() => {}),
        changed,
      ),
    ).toEqual(["rbx", "flags", "mxcsr", "st2"]);
    const [memory] = compare(
      row,
      test,
      result(() => {}),
      { ...changed, state: test.state, memory: [{ offset: 16, bytes: new Uint8Array(8).fill(1) }] },
    );
    expect(memory).toMatchObject({ field: "[20000010]", got: "0101010101010101" });
  });

  it("knows that a shift by five leaves OF and AF open, but not CF", () => {
    const flip = (bit: bigint): TestResult => result(({ state }) => void (state.rflags ^= bit));
    expect(
      fields(
        "SHL",
        result(() => {}),
        flip(0x810n),
      ),
    ).toEqual([]);
    expect(
      fields(
        "SHL",
        result(() => {}),
        flip(1n),
      ),
    ).toEqual(["flags"]);
    expect(
      fields(
        "ADD",
        result(() => {}),
        flip(0x800n),
      ),
    ).toEqual(["flags"]);
  });

  it("allows transcendental instructions one unit in the last place", () => {
    const nudge = (by: number): TestResult => result(({ state }) => state.st(0).set([5 + by, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f]));
    expect(fields("FSIN", nudge(0), nudge(1))).toEqual([]);
    expect(fields("FSIN", nudge(0), nudge(2))).toEqual(["st0"]);
    expect(fields("FADD", nudge(0), nudge(1))).toEqual(["st0"]);
  });
});
