import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nextToggleNs, nsOfTick, PM_TIMER_HZ, ticksAt } from "./pm-timer.ts";

const NS = fc.integer({ min: 0, max: 9e15 });

describe("PM timer arithmetic", () => {
  it("agrees with exact integers", () => {
    fc.assert(
      fc.property(NS, (ns) => {
        expect(BigInt(ticksAt(ns))).toBe((BigInt(ns) * BigInt(PM_TIMER_HZ)) / 1_000_000_000n);
      }),
    );
  });

  it("finds the first nanosecond of a tick", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3e13 }), (tick) => {
        expect(ticksAt(nsOfTick(tick))).toBe(tick);
        expect(ticksAt(nsOfTick(tick) - 1)).toBe(tick - 1);
      }),
    );
  });

  it("names a toggle that lies ahead, with none between", () => {
    fc.assert(
      fc.property(NS, (ns) => {
        const at = nextToggleNs(ns, 24);
        expect(at).toBeGreaterThan(ns);
        expect(Math.floor(ticksAt(at) / 2 ** 23)).toBe(Math.floor(ticksAt(ns) / 2 ** 23) + 1);
        expect(Math.floor(ticksAt(at - 1) / 2 ** 23)).toBe(Math.floor(ticksAt(ns) / 2 ** 23));
      }),
    );
  });
});
