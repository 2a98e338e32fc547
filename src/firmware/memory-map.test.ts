import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LOW_RAM_LIMIT } from "../memory/gpa.ts";
import { acpiArea, memoryMap } from "./memory-map.ts";

describe("memory map", () => {
  it("lists RAM around the BIOS area, the ACPI area, and RAM above 4 GiB", () => {
    const map = memoryMap({ lowSize: LOW_RAM_LIMIT, highSize: 0x4000_0000 }, [{ base: 0xfffc_0000, length: 0x4_0000 }]);
    expect(map.map(({ base, length, kind }) => `${base.toString(16)}+${length.toString(16)} ${kind}`)).toEqual([
      "0+9fc00 ram",
      "9fc00+400 reserved",
      "e0000+20000 reserved",
      "100000+bfee0000 ram",
      "bffe0000+1f000 acpi",
      "bffff000+1000 nvs",
      "fffc0000+40000 reserved",
      "100000000+40000000 ram",
    ]);
  });

  it("is ascending, without overlap, and names all RAM but the first MiB's holes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 32, max: 0xc000 }), fc.integer({ min: 0, max: 0x1_0000 }), (low, high) => {
        const ram = { lowSize: low * 0x1_0000, highSize: high * 0x1_0000 };
        const map = memoryMap(ram);
        map.forEach((range, index) =>
          expect(range.base).toBeGreaterThanOrEqual(index === 0 ? 0 : map[index - 1]!.base + map[index - 1]!.length),
        );
        const total = map.reduce((sum, range) => sum + range.length, 0);
        expect(total).toBe(ram.lowSize + ram.highSize - 0x4_0000);
      }),
    );
  });

  it("refuses less than 2 MiB", () => {
    expect(() => acpiArea({ lowSize: 0x10_0000, highSize: 0 })).toThrow(expect.objectContaining({ code: "MEMORY_INVALID" }));
  });
});
