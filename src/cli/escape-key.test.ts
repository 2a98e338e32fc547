import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EscapeKey } from "./escape-key.ts";

const read = (text: string, key = new EscapeKey()): [string, boolean] => {
  const { forward, leave } = key.read(new TextEncoder().encode(text));
  return [new TextDecoder().decode(forward), leave];
};

describe("the escape key", () => {
  it("leaves with q, and what came before it still goes to the guest", () => {
    expect(read("ls\r\u001dqrest")).toEqual(["ls\r", true]);
    expect(read("\u001dQ")).toEqual(["", true]);
  });

  it("sends itself when typed twice, and other keys with it", () => {
    expect(read("\u001d\u001d")).toEqual(["\u001d", false]);
    expect(read("\u001dx")).toEqual(["\u001dx", false]);
  });

  it("does not mind how the keys arrive", () => {
    const key = new EscapeKey();
    expect(read("a\u001d", key)).toEqual(["a", false]);
    expect(read("q", key)).toEqual(["", true]);
  });

  it("passes everything else, whatever it is and however it is cut", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.nat(), (bytes, cut) => {
        const input = bytes.filter((byte) => byte !== 0x1d);
        const key = new EscapeKey();
        const at = cut % (input.length + 1);
        const parts = [key.read(input.subarray(0, at)), key.read(input.subarray(at))];
        expect(parts.flatMap(({ forward }) => [...forward])).toEqual([...input]);
        expect(parts.some(({ leave }) => leave)).toBe(false);
      }),
    );
  });
});
