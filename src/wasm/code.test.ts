import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Code } from "./code.ts";

/** LEB128 as its definition reads (WebAssembly Core §5.2.2): seven bits a byte, the least significant first. */
function decode(bytes: Uint8Array, signed: boolean): bigint {
  let value = 0n;
  for (const [i, byte] of bytes.entries()) value |= BigInt(byte & 0x7f) << BigInt(7 * i);
  return signed ? BigInt.asIntN(7 * bytes.length, value) : value;
}

/** All bytes but the last say that another follows. */
function isOneNumber(bytes: Uint8Array): boolean {
  return bytes.every((byte, i) => byte >> 7 === (i < bytes.length - 1 ? 1 : 0));
}

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const int64 = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });

describe("LEB128", () => {
  it("gives back unsigned numbers of 32 bits", () => {
    fc.assert(
      fc.property(fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 2 ** 32 - 1 })), (n) => {
        const bytes = new Code().u(n).bytes();
        expect(isOneNumber(bytes)).toBe(true);
        expect(decode(bytes, false)).toBe(BigInt(n));
      }),
    );
  });

  it("gives back signed numbers of 32 bits", () => {
    fc.assert(
      fc.property(fc.oneof(fc.integer({ min: -200, max: 200 }), int32), (n) => {
        const bytes = new Code().s32(n).bytes();
        expect(isOneNumber(bytes)).toBe(true);
        expect(decode(bytes, true)).toBe(BigInt(n));
      }),
    );
  });

  it("gives back signed numbers of 64 bits, as short as those of 32", () => {
    fc.assert(
      fc.property(fc.oneof(int32.map(BigInt), int64), (n) => {
        const bytes = new Code().s64(n).bytes();
        expect(isOneNumber(bytes)).toBe(true);
        expect(decode(bytes, true)).toBe(n);
        if (n === BigInt.asIntN(32, n)) expect(bytes).toEqual(new Code().s32(Number(n)).bytes());
      }),
    );
  });

  it.each([
    [0x3f, [0x3f]],
    [0x40, [0xc0, 0x00]],
    [-0x40, [0x40]],
    [-0x41, [0xbf, 0x7f]],
  ])("takes another byte where the sign would be lost: %d", (n, bytes) => {
    expect([...new Code().s32(n).bytes()]).toEqual(bytes);
  });
});

describe("code", () => {
  it("grows beyond its first buffer without losing a byte", () => {
    const code = new Code();
    for (let i = 0; i < 5000; i++) code.byte(i & 0xff);
    code.raw(Uint8Array.from({ length: 20_000 }, (_, i) => (i * 7) & 0xff));
    expect(code.length).toBe(25_000);
    expect([0, 1023, 1024, 4999].map((i) => code.bytes()[i])).toEqual([0, 0xff, 0, 4999 & 0xff]);
    expect(code.bytes()[24_999]).toBe((19_999 * 7) & 0xff);
  });

  it("writes names in UTF-8 with their length in bytes", () => {
    expect([...new Code().name("é").bytes()]).toEqual([2, 0xc3, 0xa9]);
  });

  it("knows plain, SIMD and lane operators", () => {
    expect([...new Code().op("i32.add").bytes()]).toEqual([0x6a]);
    expect([...new Code().op("i64x2.extract_lane", 1).bytes()]).toEqual([0xfd, 29, 1]);
    expect([...new Code().op("i64x2.add").bytes()]).toEqual([0xfd, 0xce, 0x01]);
    expect(() => new Code().op("i32.frobnicate")).toThrow("no operator i32.frobnicate");
  });

  it("assumes no alignment of memory accesses", () => {
    expect([...new Code().memory("i64.load", 300).bytes()]).toEqual([0x29, 0, 0xac, 0x02]);
    expect(() => new Code().memory("i64.add", 0)).toThrow("no memory operator i64.add");
  });
});
