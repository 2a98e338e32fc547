import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MarkReader } from "./marks.ts";

const CONSOLE = [
  "[    0.1] Linux version\r\n",
  "Booting from ROM...\x1b[2JBOOTED uptime=1.50\r\n",
  "MARK loop-start\r\n",
  "MARK loop-end ck=100000\r\n",
  "MARK 7z-b-start\r\n",
  "noise\r\nMARK 7z-b-end ck=d41d8cd9  -\r\n",
  "[    9.9] late: MARK x87-start\r\nMARK x87-end\r\n",
  "MARK poweroff\r\n",
];

describe("MarkReader", () => {
  it("times what lies between two marks", () => {
    const reader = new MarkReader();
    CONSOLE.forEach((text, i) => reader.feed(text, i * 2, i * 3));
    expect(reader.story).toEqual({
      booted: 2,
      done: [
        { name: "loop", seconds: 2, cpuSeconds: 3, checksum: "100000" },
        { name: "7z-b", seconds: 2, cpuSeconds: 3, checksum: "d41d8cd9  -" },
        { name: "x87", seconds: 0, cpuSeconds: 0, checksum: "" },
      ],
      open: undefined,
      complete: true,
    });
  });

  it("does not care how the text is cut", () => {
    const whole = new MarkReader();
    whole.feed(CONSOLE.join(""), 0);
    fc.assert(
      fc.property(fc.array(fc.nat(CONSOLE.join("").length)), (cuts) => {
        const reader = new MarkReader();
        const text = CONSOLE.join("");
        const edges = [0, ...cuts.sort((a, b) => a - b), text.length];
        edges.slice(1).forEach((edge, i) => reader.feed(text.slice(edges[i], edge), 0));
        expect(reader.story).toEqual(whole.story);
      }),
    );
  });

  it("says what a guest was at when it stopped", () => {
    const reader = new MarkReader();
    reader.feed("BOOTED uptime=1\nMARK fork-start\n", 1);
    expect(reader.story).toMatchObject({ open: "fork", complete: false });
  });

  it("does not take an end without a beginning", () => {
    expect(() => new MarkReader().feed("MARK dd-end\n", 1)).toThrow("the guest ended dd");
  });
});
