import { describe, expect, it } from "vitest";
import { EXAMPLE_PLATFORM } from "../example-platform.ts";
import { SMBIOS2_ENTRY, SMBIOS3_ENTRY, SMBIOS_TABLE } from "../layout.ts";
import type { RamSize } from "../memory-map.ts";
import { smbiosTables } from "./index.ts";
import { StringSet } from "./structure.ts";

interface Parsed {
  readonly type: number;
  readonly area: DataView;
  readonly strings: readonly string[];
}

function parts(ram: RamSize, cpus = 2): { table: Uint8Array; entry3: Uint8Array; entry2: Uint8Array } {
  const platform = { ...EXAMPLE_PLATFORM, apicIds: Array.from({ length: cpus }, (_, index) => index) };
  const at = new Map(smbiosTables(platform, ram).map(({ gpa, bytes }) => [gpa, bytes]));
  return { table: at.get(SMBIOS_TABLE)!, entry3: at.get(SMBIOS3_ENTRY)!, entry2: at.get(SMBIOS2_ENTRY)! };
}

/** Walks a table the way a guest does. */
function parse(table: Uint8Array): Parsed[] {
  const found: Parsed[] = [];
  for (let at = 0; at < table.length;) {
    const length = table[at + 1]!;
    let end = at + length;
    while (table[end] !== 0 || table[end + 1] !== 0) end++;
    const strings = Buffer.from(table.subarray(at + length, end))
      .toString("latin1")
      .split("\0");
    found.push({ type: table[at]!, area: new DataView(table.buffer, table.byteOffset + at, length), strings });
    at = end + 2;
  }
  return found;
}

const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
const SMALL: RamSize = { lowSize: 0x2000_0000, highSize: 0 };

describe("SMBIOS", () => {
  it("has the structures of version 3.0, each as long as that version says", () => {
    const lengths = parse(parts(SMALL).table).map(({ type, area }) => [type, area.byteLength]);
    expect(lengths).toEqual([
      [0, 0x18],
      [1, 0x1b],
      [3, 0x16],
      [4, 0x30],
      [16, 0x17],
      [17, 0x28],
      [19, 0x1f],
      [32, 0x0b],
      [127, 4],
    ]);
  });

  it("has entry points that sum to zero and describe the table", () => {
    const { table, entry3, entry2 } = parts(SMALL);
    const view = new DataView(entry2.buffer);
    expect([sum(entry3), sum(entry2), sum(entry2.subarray(16))]).toEqual([0, 0, 0]);
    expect([entry3.length, entry2.length]).toEqual([24, 31]);
    expect(new DataView(entry3.buffer).getUint32(12, true)).toBe(table.length);
    expect([view.getUint16(22, true), view.getUint32(24, true), view.getUint16(28, true)]).toEqual([table.length, SMBIOS_TABLE, 9]);
    expect(SMBIOS2_ENTRY).toBeGreaterThanOrEqual(SMBIOS3_ENTRY + entry3.length);
  });

  it("gives the UUID with its first fields little-endian, and names that resolve", () => {
    const system = parse(parts(SMALL).table)[1]!;
    expect(Array.from({ length: 16 }, (_, index) => system.area.getUint8(8 + index))).toEqual([
      4, 3, 2, 1, 6, 5, 8, 7, 9, 10, 11, 12, 13, 14, 15, 16,
    ]);
    expect(system.strings[system.area.getUint8(5) - 1]).toBe("Example");
    expect(system.area.getUint8(7)).toBe(0);
  });

  it.each([
    [0x2000_0000, 0, 512, 0],
    [0xc000_0000, 0x10_0000_0000, 0x7fff, 68_608],
    [0x101_0000, 0, 0x8000 | 16_448, 0],
    [0x201_0000, 0, 32, 0],
  ])("sizes %i + %i bytes of memory", (lowSize, highSize, size, extended) => {
    const found = parse(parts({ lowSize, highSize }).table);
    const memory = found.find(({ type }) => type === 17)!.area;
    expect([memory.getUint16(12, true), memory.getUint32(28, true)]).toEqual([size, extended]);
    const mapped = found.filter(({ type }) => type === 19).map(({ area }) => [area.getUint32(4, true), area.getUint32(8, true)]);
    expect(mapped[0]).toEqual([0, lowSize / 1024 - 1]);
    expect(mapped).toHaveLength(highSize > 0 ? 2 : 1);
  });

  it("counts more than 255 processors in the wide fields", () => {
    const cpu = parse(parts(SMALL, 300).table)[3]!.area;
    expect([cpu.getUint8(0x23), cpu.getUint16(0x2a, true)]).toEqual([255, 300]);
  });

  it("keeps strings printable and apart", () => {
    const strings = new StringSet();
    expect([strings.number("a\u0000é"), strings.number(""), strings.number("b"), strings.number("b")]).toEqual([1, 0, 2, 2]);
    expect(Buffer.from(strings.encode()).toString()).toBe("a??\0b\0\0");
  });
});
