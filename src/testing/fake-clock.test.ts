import { describe, expect, it } from "vitest";
import { FakeClock } from "./fake-clock.ts";

describe("FakeClock", () => {
  it("fires timers in order of time, then of arming, each at its time", () => {
    const clock = new FakeClock(1000);
    const fired: [string, number][] = [];
    const note = (name: string) => () => void fired.push([name, clock.now()]);
    clock.arm(20, note("b"));
    clock.arm(10, () => {
      note("a")();
      clock.arm(15, note("a2"));
    });
    clock.arm(20, note("c"));
    clock.arm(12, note("cancelled")).cancel();
    clock.advance(19);
    expect(fired).toEqual([
      ["a", 10],
      ["a2", 15],
    ]);
    expect(clock.nextAt).toBe(20);
    clock.advanceTo(20);
    expect(fired.slice(2)).toEqual([
      ["b", 20],
      ["c", 20],
    ]);
    expect(clock.armed).toBe(0);
  });

  it("fires late after a jump", () => {
    const clock = new FakeClock(1000);
    const fired: number[] = [];
    clock.arm(10, () => void fired.push(clock.now()));
    clock.jump(2_000_000);
    expect(fired).toEqual([2_000_000]);
    expect(clock.wallClockMs()).toBe(1002);
  });
});
