import { describe, expect, it } from "vitest";
import { SerialInput } from "./serial-input.ts";

describe("SerialInput", () => {
  it("hands over in order as the port takes it, and says when all of a piece is taken", async () => {
    const got: number[] = [];
    let room = 3;
    const input = new SerialInput({
      receive: (bytes) => {
        const taken = Math.min(room, bytes.length);
        got.push(...bytes.subarray(0, taken));
        room -= taken;
        return taken;
      },
    });
    const done: string[] = [];
    const first = input.write(Uint8Array.of(1, 2, 3, 4, 5)).then(() => done.push("first"));
    const second = input.write(Uint8Array.of(6)).then(() => done.push("second"));
    await Promise.resolve();
    expect([got, done]).toEqual([[1, 2, 3], []]);
    room = 2;
    input.room();
    await first;
    expect([got, done]).toEqual([[1, 2, 3, 4, 5], ["first"]]);
    room = 9;
    input.room();
    await second;
    expect(got).toEqual([1, 2, 3, 4, 5, 6]);
  });
});
