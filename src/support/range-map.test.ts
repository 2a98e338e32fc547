import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RangeMap, type Range } from "./range-map.ts";

describe("RangeMap", () => {
  it("lets the lower rank win and uncovers what was hidden", () => {
    const map = new RangeMap<string>();
    map.insert(20, 30, "C", 1);
    const a = map.insert(0, 30, "A");
    map.insert(40, 10, "B");
    expect(map.spans.map(({ start, end, range }) => [start, end, range?.value])).toEqual([
      [0, 30, "A"],
      [30, 40, "C"],
      [40, 50, "B"],
      [50, Number.POSITIVE_INFINITY, undefined],
    ]);
    map.remove(a);
    expect(map.find(25).range?.value).toBe("C");
    expect(map.find(19).range).toBeUndefined();
  });

  it("finds for every address the first covering range by rank and age, whatever was inserted and removed", () => {
    const step = fc.record({ start: fc.nat(60), length: fc.integer({ min: 1, max: 20 }), rank: fc.nat(2), drop: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const map = new RangeMap<number>();
        let kept: Range<number>[] = [];
        steps.forEach(({ start, length, rank, drop }, index) => {
          kept.push(map.insert(start, length, index, rank));
          if (!drop) return;
          map.remove(kept[0]!);
          kept = kept.slice(1);
        });
        for (let address = 0; address < 90; address++) {
          const owner = kept
            .filter((range) => range.start <= address && address < range.end)
            .sort((x, y) => x.rank - y.rank || x.value - y.value)[0];
          const span = map.find(address);
          expect(span.range).toBe(owner);
          expect(span.start <= address && address < span.end).toBe(true);
        }
      }),
    );
  });

  it("reports overlaps within a rank only", () => {
    const map = new RangeMap<string>();
    map.insert(10, 10, "A");
    expect(map.overlapping(19, 1)?.value).toBe("A");
    expect(map.overlapping(20, 5)).toBeUndefined();
    expect(map.overlapping(12, 1, 1)).toBeUndefined();
  });
});
