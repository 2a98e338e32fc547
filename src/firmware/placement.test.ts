import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FOUR_GIB } from "../memory/gpa.ts";
import { memoryMap } from "./memory-map.ts";
import { lowRamEnd, Placement } from "./placement.ts";

const MIB = 0x10_0000;
const MAP = memoryMap({ lowSize: 64 * MIB, highSize: 16 * MIB });
const TOP = 64 * MIB - 0x2_0000;

describe("Placement", () => {
  it("takes exact ranges once, and only in RAM", () => {
    const placement = new Placement(MAP);
    expect([placement.take(MIB, 0x1000), placement.take(MIB, 1), placement.take(MIB + 0xfff, 2), placement.take(MIB + 0x1000, 1)]).toEqual([
      true,
      false,
      false,
      true,
    ]);
    expect([placement.take(0x9_f000, 0x1000), placement.take(0xe_0000, 1), placement.take(TOP - 1, 2), placement.take(-1, 1)]).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it("searches from either end within bounds, by default below 4 GiB and above page 0", () => {
    const placement = new Placement(MAP);
    expect(placement.takeHighest(100, 0x1000)).toBe(TOP - 0x1000);
    expect(placement.takeHighest(100, 0x1000, { max: 2 * MIB })).toBe(2 * MIB - 0x1000);
    expect(placement.takeHighest(100, 0x1000, { min: FOUR_GIB, max: 2 * FOUR_GIB })).toBe(FOUR_GIB + 16 * MIB - 0x1000);
    expect(placement.takeLowest(100, 0x1000)).toBe(0x1000);
    expect(placement.takeLowest(100, 0x20_0000, { min: MIB })).toBe(2 * MIB);
    expect(placement.takeLowest(64 * MIB, 1)).toBeUndefined();
    expect([placement.largest({ max: MIB }), lowRamEnd(MAP)]).toEqual([0x9_fc00 - 0x1064, TOP]);
  });

  it("never gives the same byte twice", () => {
    const wish = fc.record({ high: fc.boolean(), length: fc.integer({ min: 1, max: 4 * MIB }), shift: fc.nat(16) });
    fc.assert(
      fc.property(fc.array(wish, { maxLength: 30 }), (wishes) => {
        const placement = new Placement(MAP);
        const taken: { base: number; end: number }[] = [];
        for (const { high, length, shift } of wishes) {
          const base = high ? placement.takeHighest(length, 2 ** shift) : placement.takeLowest(length, 2 ** shift);
          if (base !== undefined) taken.push({ base, end: base + length });
          expect((base ?? 0) % 2 ** shift).toBe(0);
        }
        taken.sort((a, b) => a.base - b.base).forEach(({ end }, index) => expect(end).toBeLessThanOrEqual(taken[index + 1]?.base ?? TOP));
      }),
    );
  });
});
