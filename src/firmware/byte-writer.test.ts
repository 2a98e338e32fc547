import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteWriter, checksum } from "./byte-writer.ts";

describe("ByteWriter", () => {
  it("writes little-endian fields in order, growing as needed", () => {
    const w = new ByteWriter().zero(254).u8(1).u16(0x0302).u32(0x0706_0504).u64(0x0f0e_0d0c_0b0a_0908n).ascii("ab", 3).align(4);
    expect(Array.from(w.finish().subarray(254))).toEqual(
      [...Array.from({ length: 15 }, (_, index) => index + 1), 0x61, 0x62, 0x20, 0, 0, 0, 0].slice(0, w.length - 254),
    );
    expect(w.length % 4).toBe(0);
  });

  it("keeps every byte at its place whatever the sizes", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 700 }), { maxLength: 10 }), (chunks) => {
        const w = new ByteWriter();
        for (const chunk of chunks) w.bytes(chunk);
        expect(Buffer.from(w.finish()).equals(Buffer.concat(chunks))).toBe(true);
      }),
    );
  });

  it("makes sums zero", () => {
    expect((checksum(Uint8Array.of(0xff, 2)) + 0x101) & 0xff).toBe(0);
    expect(checksum(Uint8Array.of())).toBe(0);
  });
});
