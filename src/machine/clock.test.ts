import { describe, expect, it } from "vitest";
import { MachineClock } from "./clock.ts";

function hosted(): { readonly host: { now: number }; readonly clock: MachineClock } {
  const host = { now: 5e9 };
  return { host, clock: new MachineClock({ nowNs: () => host.now, wallClockMs: () => host.now / 1e6 }) };
}

describe("MachineClock", () => {
  it("stands at 0 until the machine runs, and stands still while it is paused", () => {
    const { host, clock } = hosted();
    host.now += 1e9;
    expect(clock.now()).toBe(0);
    clock.resume();
    host.now += 300;
    expect(clock.now()).toBe(300);
    clock.pause();
    host.now += 1e9;
    clock.resume();
    clock.resume();
    host.now += 7;
    expect(clock.now()).toBe(307);
  });

  it("fires timers when their time has come, in guest time", () => {
    const { host, clock } = hosted();
    const fired: number[] = [];
    clock.arm(100, () => fired.push(100));
    clock.arm(50, () => fired.push(50));
    clock.fireDue();
    clock.resume();
    host.now += 99;
    clock.fireDue();
    expect(fired).toEqual([50]);
    host.now += 1;
    clock.fireDue();
    expect([fired, clock.nextAt]).toEqual([[50, 100], Number.POSITIVE_INFINITY]);
  });

  it("tells of timers that come before all others", () => {
    const { clock } = hosted();
    const told: number[] = [];
    clock.onEarlier = (at) => told.push(at);
    clock.arm(100, () => {});
    clock.arm(200, () => {});
    clock.arm(50, () => {});
    expect(told).toEqual([100, 50]);
  });
});
