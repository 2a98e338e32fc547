import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VmError } from "../support/errors.ts";
import { exampleCpio } from "./example-images.ts";
import { checkInitrd } from "./initrd.ts";

const CPIO = exampleCpio({ init: Uint8Array.of(1, 2, 3), "etc/passwd": new Uint8Array(100) });
/** RFC 8878 frames: single segment with one raw block of 3 bytes; and a window descriptor, an RLE block, a checksum. */
const ZSTD = Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, 3, 0x19, 0, 0, 1, 2, 3]);
const ZSTD_CHECKED = Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x03 | (5 << 3), 0, 0, 0x41, 9, 9, 9, 9]);
const LZ4 = Uint8Array.from([2, 0x21, 0x4c, 0x18, 3, 0, 0, 0, 1, 2, 3, 2, 0, 0, 0, 1, 2]);
const XZ = Uint8Array.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 1, 2, 3, 0x59, 0x5a]);
const WHOLE = { cpio: CPIO, zstd: ZSTD, "zstd with checksum": ZSTD_CHECKED, lz4: LZ4, xz: XZ };

function joined(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

describe("checkInitrd", () => {
  it.each(Object.entries(WHOLE))("takes %s, alone, padded, and behind a cpio archive", (_name, bytes) => {
    checkInitrd(bytes);
    checkInitrd(joined(bytes, new Uint8Array(512)));
    checkInitrd(joined(CPIO, new Uint8Array(8), bytes));
    expect(bytes.length).toBeGreaterThan(0);
  });

  it.each(Object.entries(WHOLE))("refuses %s cut short", (_name, bytes) => {
    const cut = bytes.subarray(0, bytes.length - 1);
    expect(() => checkInitrd(cut, "initrd.img")).toThrow(
      expect.objectContaining({
        code: "INITRD_INVALID",
        message: expect.stringMatching(/^Cannot use the initrd "initrd.img": the .* at offset 0 is truncated/),
      }),
    );
    expect(() => checkInitrd(joined(CPIO, cut))).toThrow(new RegExp(`at offset ${CPIO.length} is truncated`));
  });

  it("takes what it cannot look into: gzip and file-system images", () => {
    const ext2 = new Uint8Array(0x800);
    ext2.set([0x53, 0xef], 0x438);
    expect(() => [Uint8Array.of(0x1f, 0x8b, 8), ext2].map((bytes) => checkInitrd(bytes))).not.toThrow();
  });

  it.each([
    ["is empty", new Uint8Array(0)],
    ["is neither a cpio archive", Uint8Array.of(1, 2, 3)],
    ["is neither a cpio archive", Buffer.from("#!/bin/sh\n")],
  ])("says that a file %s", (text, bytes) => {
    expect(() => checkInitrd(bytes)).toThrow(expect.objectContaining({ code: "INITRD_INVALID", message: expect.stringContaining(text) }));
  });

  it("ends with VmError or quietly for any damage", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(WHOLE)),
        fc.nat(),
        fc.uint8Array({ minLength: 1, maxLength: 12 }),
        (whole, at, patch) => {
          const bytes = whole.slice();
          const start = at % bytes.length;
          bytes.set(patch.subarray(0, bytes.length - start), start);
          try {
            checkInitrd(bytes);
          } catch (error) {
            expect(VmError.is(error, "INITRD_INVALID")).toBe(true);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
