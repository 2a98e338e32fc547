import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { VmError } from "../support/errors.ts";
import type { AddressBus } from "./address-bus.ts";
import { byteWide } from "./byte-wide.ts";
import { MmioBus } from "./mmio-bus.ts";
import { PortBus } from "./port-bus.ts";
import { FLOAT, type IoHandler, type Width } from "./region.ts";

/** Memory-like registers that answer any width. */
function registers(length: number): IoHandler & { readonly bytes: Uint8Array; readonly widths: number[] } {
  const bytes = new Uint8Array(length);
  const widths: number[] = [];
  const handler = byteWide({ readByte: (offset) => bytes[offset]!, writeByte: (offset, value) => void (bytes[offset] = value) });
  return {
    bytes,
    widths,
    read: (offset, width) => (widths.push(width), handler.read(offset, width)),
    write: (offset, width, value) => (widths.push(width), handler.write(offset, width, value)),
  };
}

const KINDS: readonly [string, (log: { warnOnce(key: string, message: string): void }) => AddressBus, number][] = [
  ["PortBus", (log) => new PortBus(log), 0x1_0000],
  ["MmioBus", (log) => new MmioBus(log), 2 ** 52],
];

describe.each(KINDS)("%s", (_, make, size) => {
  let messages: string[];
  let bus: AddressBus;
  beforeEach(() => {
    messages = [];
    bus = make({ warnOnce: (_key, message) => void messages.push(message) });
  });

  it("gives handlers offsets within their region", () => {
    const device = registers(8);
    bus.claim({ name: "a", base: 0x3f8, length: 8, ...device });
    bus.write(0x3fc, 4, 0x8765_4321);
    expect([...device.bytes]).toEqual([0, 0, 0, 0, 0x21, 0x43, 0x65, 0x87]);
    expect(bus.read(0x3fe, 2)).toBe(0x8765);
    expect(bus.read(0x3fc, 4)).toBe(0x8765_4321);
  });

  it("refuses overlapping regions by naming both and their ranges", () => {
    bus.claim({ name: "first", base: 0x3f8, length: 8, ...registers(8) });
    expect(() => bus.claim({ name: "second", base: 0x3ff, length: 2, ...registers(2) })).toThrow(
      /3ffh\.\.400h for "second": "first" has 3f8h\.\.3ffh/,
    );
    try {
      bus.claim({ name: "third", base: 0x3f0, length: 0x20, ...registers(32) });
    } catch (error) {
      expect(VmError.is(error, "CONFIG_INVALID") && error.data).toEqual({
        name: "third",
        base: 0x3f0,
        length: 0x20,
        other: "first",
        otherBase: 0x3f8,
        otherLength: 8,
      });
    }
    expect(bus.read(0x3f0, 1)).toBe(0xff);
  });

  it("refuses a region beyond its end", () => {
    expect(() => bus.claim({ name: "far", base: size - 1, length: 2, ...registers(2) })).toThrow(VmError);
  });

  it("floats where nothing answers and says so once an address, for a bounded number of addresses", () => {
    for (const width of [1, 2, 4] as const) expect(bus.read(0x100, width)).toBe(FLOAT[width]);
    bus.write(0x100, 1, 5);
    expect(messages).toEqual([expect.stringContaining("100h")]);
    for (let address = 0; address < 5000; address++) bus.read(address, 1);
    expect(messages.length).toBe(256);
    expect(bus.read(size - 1, 4)).toBe(0xffff_ffff);
  });

  it("splits an access that straddles regions and gaps into the widest pieces", () => {
    const [a, b] = [registers(2), registers(1)];
    bus.claim({ name: "a", base: 0x10, length: 2, ...a });
    bus.claim({ name: "b", base: 0x12, length: 1, ...b });
    bus.write(0x10, 4, 0x4433_2211);
    expect([...a.bytes, ...b.bytes]).toEqual([0x11, 0x22, 0x33]);
    expect(a.widths).toEqual([2]);
    expect(bus.read(0x10, 4)).toBe(0xff33_2211);
    expect(bus.read(0x0f, 2)).toBe(0x11ff);
  });

  it("reads what was written, byte for byte, across any layout", () => {
    const access = fc.record({
      address: fc.integer({ min: 0x0c, max: 0x24 }),
      width: fc.constantFrom<Width>(1, 2, 4),
      value: fc.nat(0xffff_ffff),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0x11, max: 0x1f }), { maxLength: 5 }),
        fc.array(access, { maxLength: 12 }),
        (cuts, list) => {
          const fresh = make({ warnOnce: () => {} });
          const edges = [0x10, ...cuts.sort((x, y) => x - y), 0x20];
          edges.slice(0, -1).forEach((base, index) => {
            const length = edges[index + 1]! - base;
            fresh.claim({ name: `r${index}`, base, length, ...registers(length) });
          });
          const model = new Uint8Array(0x40).fill(0xff);
          model.fill(0, 0x10, 0x20);
          for (const { address, width, value } of list) {
            fresh.write(address, width, (value & FLOAT[width]) >>> 0);
            for (let index = 0; index < width; index++)
              if (address + index >= 0x10 && address + index < 0x20) model[address + index] = (value >>> (8 * index)) & 0xff;
          }
          for (let address = 0x0c; address < 0x24; address++) {
            for (const width of [1, 2, 4] as const) {
              const expected = [...model.subarray(address, address + width)].reduceRight((sum, byte) => sum * 256 + byte, 0);
              expect(fresh.read(address, width)).toBe(expected);
            }
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it("moves windows, with fixed regions and older windows on top", () => {
    const [fixed, older, newer] = [registers(4).bytes.fill(1), registers(8).bytes.fill(2), registers(8).bytes.fill(3)];
    const handler = (bytes: Uint8Array): IoHandler => byteWide({ readByte: (offset) => bytes[offset]!, writeByte: () => {} });
    bus.claim({ name: "fixed", base: 0x1000, length: 4, ...handler(fixed) });
    const first = bus.window({ name: "first", length: 8, ...handler(older) });
    const second = bus.window({ name: "second", length: 8, ...handler(newer) });
    expect(first.address).toBeNull();
    first.map(0x1002);
    second.map(0x1006);
    expect([0x1003, 0x1004, 0x1009, 0x100a, 0x100d].map((address) => bus.read(address, 1))).toEqual([1, 2, 2, 3, 3]);
    first.map(0x2000);
    expect([bus.read(0x1006, 1), bus.read(0x2000, 1), first.address]).toEqual([3, 2, 0x2000]);
    first.unmap();
    second.map(size - 4);
    expect([bus.read(0x2000, 1), bus.read(0x1006, 1), second.address]).toEqual([0xff, 0xff, null]);
  });

  it("tells a probe of every access", () => {
    const seen: unknown[] = [];
    bus.claim({ name: "a", base: 0x10, length: 4, ...registers(4) });
    bus.onAccess = (...access) => void seen.push(access);
    bus.write(0x10, 2, 0x1234);
    bus.read(0x11, 1);
    expect(seen).toEqual([
      ["write", 0x10, 2, 0x1234],
      ["read", 0x11, 1, 0x12],
    ]);
  });
});
