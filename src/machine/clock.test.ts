import fc from "fast-check";
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
    clock.grant(1000);
    host.now += 300;
    expect(clock.now()).toBe(300);
    clock.pause();
    host.now += 1e9;
    expect(clock.now()).toBe(300);
    clock.resume();
    clock.resume();
    clock.grant(1000);
    host.now += 7;
    expect([clock.now(), clock.debtNs]).toEqual([307, 0]);
  });

  it("fires timers when their time has come, in guest time", () => {
    const { host, clock } = hosted();
    const fired: number[] = [];
    clock.arm(100, () => fired.push(100));
    clock.arm(50, () => fired.push(50));
    clock.fireDue();
    clock.resume();
    clock.grant(1000);
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

  it("hides a stall of the host, pays it back while the guest works, and with half of every wait", () => {
    const { host, clock } = hosted();
    clock.resume();
    clock.grant(2e6);
    host.now += 100e6;
    const crept = clock.now() - 2e6;
    expect(crept).toBeGreaterThan(0);
    expect(crept).toBeLessThan(1e6);
    clock.grant(1.6e6);
    expect(clock.now()).toBeCloseTo(2e6 + crept + 0.4e6, 0);
    expect(clock.now() + clock.debtNs).toBeCloseTo(100e6, 0);
    const before = clock.now();
    clock.arm(before + 50e6, () => {});
    expect(clock.await()).toBe(25e6);
    expect(clock.now()).toBe(before + 25e6);
    host.now += 25e6;
    expect(clock.now()).toBe(before + 50e6);
    clock.fireDue();
    expect(clock.await()).toBe(Number.POSITIVE_INFINITY);
    expect(clock.now()).toBeCloseTo(125e6, 0);
    expect(clock.debtNs).toBe(0);
  });

  it("never stands still, also beyond what was granted, and says so to whoever grants", () => {
    const { host, clock } = hosted();
    let limits = 0;
    clock.onLimit = () => void limits++;
    clock.resume();
    clock.grant(1000);
    let before = clock.now();
    for (let look = 0; look < 1000; look++) {
      host.now += 100;
      expect(clock.now()).toBeGreaterThan(before);
      before = clock.now();
    }
    expect(limits).toBeGreaterThan(1900);
  });

  it("does not let a late wake-up cost ticks, and passes on what is too long to hide", () => {
    const { host, clock } = hosted();
    clock.resume();
    clock.arm(10e6, () => {});
    expect(clock.await()).toBe(10e6);
    host.now += 40e6;
    expect(clock.now()).toBeLessThan(12e6);
    clock.grant(1e6);
    host.now += 3600e9;
    clock.fireDue();
    clock.arm(20e6, () => {});
    expect(clock.await()).toBeLessThanOrEqual(0);
    expect(clock.now()).toBeGreaterThan(3600e9);
    expect(clock.now() + clock.debtNs).toBeCloseTo(40e6 + 3600e9, -1);
  });

  it("never leaps because many short stalls have come together", () => {
    const { host, clock } = hosted();
    clock.resume();
    for (let slice = 0; slice < 300; slice++) {
      clock.grant(1e6);
      host.now += 100e6;
    }
    expect(clock.debtNs).toBeGreaterThan(20e9);
    const before = clock.now();
    clock.arm(before + 4e6, () => {});
    clock.await();
    expect(clock.now() - before).toBeLessThanOrEqual(6e6);
  });

  it("never goes back, and is the host's time less pauses and debt, whatever happens", () => {
    const step = fc.record({
      kind: fc.constantFrom("grant", "await", "pause", "resume", "none"),
      ns: fc.integer({ min: 0, max: 50_000_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { host, clock } = hosted();
        let paused = true;
        let ran = 0;
        let before = 0;
        for (const { kind, ns } of steps) {
          if (kind === "grant") clock.grant(ns);
          else if (kind === "await") clock.await();
          else if (kind === "pause") clock.pause();
          else if (kind === "resume") clock.resume();
          paused = kind === "pause" || (kind !== "resume" && paused);
          expect(clock.now()).toBeGreaterThanOrEqual(before);
          before = clock.now();
          host.now += ns;
          if (!paused) ran += ns;
          expect(clock.now()).toBeGreaterThanOrEqual(before);
          before = clock.now();
        }
        clock.pause();
        expect(clock.now() + clock.debtNs).toBeCloseTo(ran, 0);
      }),
    );
  });
});
