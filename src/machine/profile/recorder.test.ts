import { describe, expect, it } from "vitest";
import { MOST_REGIONS, RunRecorder } from "./recorder.ts";

/** A recorder and its clock. */
function recorder(options: { readonly spacingUs?: number; readonly most?: number } = {}): {
  readonly run: RunRecorder;
  at(us: number): RunRecorder;
} {
  let now = 0;
  const run = new RunRecorder(() => now, options.spacingUs ?? 0, options.most ?? 1e6);
  return {
    run,
    at: (us) => {
      now = us;
      return run;
    },
  };
}

const place = (linear: number): { readonly linear: bigint; readonly isUser: boolean } => ({
  linear: BigInt(linear),
  isUser: linear < 0x1000,
});

describe("the recorder of a run", () => {
  it("finds the slice that a time belongs to", () => {
    const { run, at } = recorder();
    for (let slice = 1; slice <= 3000; slice++) at(slice * 1000).sampled(1, () => place(slice));
    expect([1, 1000, 1001, 2_999_001].map((us) => run.placeAt(us, 1000)?.linear)).toEqual([1n, 1n, 2n, 3000n]);
    expect(run.placeAt(3_000_500, 1000)?.linear).toBe(3000n);
    expect(run.placeAt(3_002_000, 1000)).toBeUndefined();
  });

  it("keeps addresses of the upper half, and who ran there", () => {
    const { run, at } = recorder();
    at(1).sampled(1, () => ({ linear: 0xffff_ffff_8100_0000n, isUser: false }));
    at(2).sampled(1, () => ({ linear: 0x40_0000n, isUser: true }));
    expect([1, 2].map((us) => run.placeAt(us, 0))).toEqual([
      { linear: 0xffff_ffff_8100_0000n, isUser: false },
      { linear: 0x40_0000n, isUser: true },
    ]);
  });

  it("takes each place of a slice as often", () => {
    const { at } = recorder();
    const seen = new Map<number, number>();
    for (let slice = 0; slice < 8000; slice++) at(slice).sampled(8, (i) => (seen.set(i, (seen.get(i) ?? 0) + 1), place(i)));
    expect(seen.size).toBe(8);
    for (const times of seen.values()) expect(Math.abs(times - 1000)).toBeLessThan(200);
  });

  it("remembers no more than it was told to, and nothing within its spacing", () => {
    const { run, at } = recorder({ spacingUs: 10, most: 3 });
    [0, 5, 10, 19, 20, 40].forEach((us) => at(us).sampled(1, () => place(us)));
    expect([0, 10, 20].map((us) => run.placeAt(us, 0)?.linear)).toEqual([0n, 10n, 20n]);
    expect([5, 19, 40].map((us) => run.placeAt(us, 0))).toEqual([undefined, undefined, undefined]);
  });

  it("remembers a bounded number of regions", () => {
    const { run } = recorder();
    for (let i = 0; i <= MOST_REGIONS; i++) run.regionTaken({ ...place(i), name: `region ${i}`, parts: [] });
    expect(run.regionAt("region 0", 0)?.linear).toBe(0n);
    expect(run.regionAt(`region ${MOST_REGIONS}`, 0)).toBeUndefined();
  });
});
