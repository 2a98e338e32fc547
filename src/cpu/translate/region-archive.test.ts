// Regions as bytes: they come back as they were, and bytes that are not theirs give nothing.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type RegionShape, SEEN } from "../engine/region-shape.ts";
import { MODE } from "../state.ts";
import { type KeptRegion, packArchive, type RegionArchive, unpackArchive } from "./region-archive.ts";
import { KEEP, RegionLibrary } from "./region-library.ts";

/** A region of a few bytes on two pages, with a parameter. */
function region(change: Partial<RegionShape> = {}, age = 0): KeptRegion {
  const shape: RegionShape = {
    mode: MODE.long,
    entries: [0x10, -0x1000],
    keys: [0xffff_fff0, 7],
    pages: [0, -1],
    ranges: [
      { delta: -0x1000, length: 3 },
      { delta: 0x10, length: 8 },
    ],
    bytes: Uint8Array.of(1, 2, 3, 4, 0, 0, 0, 0, 9, 10, 11),
    parameters: [{ at: 4, size: 4, to: SEEN.size, as: 8, add: -3 }],
    records: new Uint8Array(SEEN.size + 32).fill(5),
    instructions: 4,
    isWide: true,
    isOpen: false,
    ...change,
  };
  return { shape, body: Uint8Array.of(0, 0x0b), age };
}

const IMPORTS: RegionArchive["imports"] = [
  { name: "code.enter", params: ["i32", "i64"], result: "i32" },
  { name: "notes", params: [], result: undefined },
];
const bytesOf = (...regions: readonly KeptRegion[]): Uint8Array => packArchive({ imports: IMPORTS, regions });

describe("an archive of regions", () => {
  it("gives back what was put in", () => {
    const regions = [region(), region({ entries: [0x12], keys: [1], parameters: [] }, 3)];
    expect(unpackArchive(bytesOf(...regions))).toEqual({ imports: IMPORTS, regions });
  });

  it.each([
    ["nothing", new Uint8Array(0)],
    ["other bytes", Uint8Array.from({ length: 64 }, (_, i) => i)],
    ["its beginning", bytesOf(region()).subarray(0, -1)],
    ["more than itself", Uint8Array.of(...bytesOf(region()), 0)],
    ["another version", bytesOf(region()).with(4, 99)],
  ])("is not read from %s", (_what, bytes) => {
    expect(unpackArchive(bytes)).toBeUndefined();
  });

  it.each<[string, Partial<RegionShape>]>([
    ["an entry outside its code", { entries: [0x18, -0x1000] }],
    ["no entry", { entries: [], keys: [] }],
    ["code on a page that it does not name", { pages: [0, 1] }],
    ["a range over the end of a page", { ranges: [{ delta: -3, length: 11 }], entries: [-3, -3] }],
    ["fewer bytes than its ranges", { bytes: new Uint8Array(10) }],
    ["a parameter behind its bytes", { parameters: [{ at: 8, size: 4, to: SEEN.size, as: 8, add: 0 }] }],
    ["a parameter behind its records", { parameters: [{ at: 4, size: 4, to: SEEN.size + 28, as: 8, add: 0 }] }],
    ["no room for what it has seen", { records: new Uint8Array(SEEN.size - 32), parameters: [] }],
    ["a mode that is not translated", { mode: 0 }],
  ])("is not read when a region has %s", (_what, change) => {
    expect(unpackArchive(bytesOf(region(change)))).toBeUndefined();
  });

  it("is read or not, but never fails, whatever single byte is changed", () => {
    const whole = bytesOf(region(), region());
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
        const archive = unpackArchive(whole.with(at, byte));
        for (const { shape } of archive?.regions ?? []) expect(shape.entries.length).toBe(shape.keys.length);
      }),
    );
  });
});

/** A region that begins at `at`, under its own key. */
const named = (at: number, age = 0): KeptRegion => region({ entries: [at], keys: [at] }, age);
const keysOf = (archive: RegionArchive): number[] => archive.regions.map(({ shape }) => shape.keys[0]!);

describe("a library of regions", () => {
  it("keeps first what was used, in that order, and then what was not", () => {
    const library = new RegionLibrary({ imports: IMPORTS, regions: [named(0x10), named(0x11), named(0x12)] });
    const id = library.add(named(0x13).shape, named(0x13).body);
    const archive = library.archive([id, 1]);
    expect(keysOf(archive)).toEqual([0x13, 0x11, 0x10, 0x12]);
    expect(archive.regions.map(({ age }) => age)).toEqual([0, 0, 1, 1]);
    expect(archive.imports).toEqual(IMPORTS);
  });

  it("gives up what many starts in a row have not used", () => {
    let archive: RegionArchive = { imports: [], regions: [named(0x10), named(0x11)] };
    for (let start = 0; start < 20; start++) archive = new RegionLibrary(archive).archive([0]);
    expect(keysOf(archive)).toEqual([0x10]);
  });

  it("gives up what begins where another one served", () => {
    const library = new RegionLibrary({ imports: [], regions: [named(0x10), region({ entries: [0x12, 0x10], keys: [0x12, 0x10] })] });
    expect(keysOf(library.archive([1]))).toEqual([0x12]);
  });

  it("keeps equal regions once", () => {
    const library = new RegionLibrary();
    const ids = [0, 1, 2].map(() => library.add(named(0x10).shape, named(0x10).body));
    expect(library.archive(ids).regions).toHaveLength(1);
  });

  it("keeps no more than its bounds allow", () => {
    const large = (at: number): KeptRegion => ({ ...named(at), body: new Uint8Array(KEEP.bytes / 4) });
    const library = new RegionLibrary();
    const ids = [0x10, 0x11, 0x12, 0x13, 0x14].map((at) => library.add(large(at).shape, large(at).body));
    expect(keysOf(library.archive(ids))).toEqual([0x10, 0x11, 0x12]);
    // What it holds in memory is bounded as well.
    for (let n = 0; n < 20; n++) library.add(large(0x15).shape, large(0x15).body);
    expect(library.regions.size).toBe(7);
  });

  it("has something new only when a region was made", () => {
    const library = new RegionLibrary({ imports: [], regions: [named(0x10)] });
    expect(library.hasNew).toBe(false);
    library.add(named(0x11).shape, named(0x11).body);
    expect(library.hasNew).toBe(true);
  });
});
