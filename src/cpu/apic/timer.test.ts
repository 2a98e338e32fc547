import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { FakeClock } from "../../testing/fake-clock.ts";
import { TIMER_MODE } from "./registers.ts";
import { ApicTimer, divisor, idleTimer, type ApicTimerWiring } from "./timer.ts";

interface Rig {
  readonly timer: ApicTimer;
  readonly clock: FakeClock;
  readonly expiries: number[];
  tscOffset: bigint;
}

const BY_1 = 0b1011;

function rig(mode: number, over: Partial<ApicTimerWiring> = {}): Rig {
  const clock = new FakeClock();
  const expiries: number[] = [];
  const self: Rig = {
    clock,
    expiries,
    tscOffset: 0n,
    timer: new ApicTimer(
      {
        clock,
        tscHz: 2.5e9,
        timerHz: 1e9,
        tscNow: () => BigInt(Math.floor(clock.now() * 2.5)) + self.tscOffset,
        expired: () => void expiries.push(clock.now()),
        ...over,
      },
      idleTimer(),
    ),
  };
  self.timer.configure(mode, false);
  self.timer.setDivideConfiguration(BY_1);
  return self;
}

describe("divide configuration (SDM 3A figure 11-10)", () => {
  it("counts 2, 4, … 128, and 1", () => {
    expect([0b0000, 0b0001, 0b0010, 0b0011, 0b1000, 0b1001, 0b1010, 0b1011].map(divisor)).toEqual([2, 4, 8, 16, 32, 64, 128, 1]);
  });
});

describe("one-shot mode (SDM 3A §11.5.4)", () => {
  it("expires once, exactly after the initial count", () => {
    const { timer, clock, expiries } = rig(TIMER_MODE.ONE_SHOT);
    timer.setInitialCount(1_000_000);
    clock.advance(400_000);
    expect(timer.currentCount).toBe(600_000);
    clock.advance(5_000_000);
    expect(expiries).toEqual([1_000_000]);
    expect(timer.currentCount).toBe(0);
    expect(timer.initialCount).toBe(1_000_000);
    expect(clock.armed).toBe(0);
  });

  it("counts at the divided rate", () => {
    const { timer, clock, expiries } = rig(TIMER_MODE.ONE_SHOT, { timerHz: 100e6 });
    timer.setDivideConfiguration(0b0011);
    timer.setInitialCount(100);
    clock.advance(159);
    expect(timer.currentCount).toBe(100);
    clock.advance(1);
    expect(timer.currentCount).toBe(99);
    clock.advance(1_000_000);
    expect(expiries).toEqual([16_000]);
  });

  it("stops with an initial count of 0", () => {
    const { timer, clock, expiries } = rig(TIMER_MODE.ONE_SHOT);
    timer.setInitialCount(1000);
    timer.setInitialCount(0);
    clock.advance(1e9);
    expect(expiries).toEqual([]);
    expect(timer.currentCount).toBe(0);
  });

  it("goes on from the count reached when the divisor changes", () => {
    const { timer, clock, expiries } = rig(TIMER_MODE.ONE_SHOT);
    timer.setInitialCount(1000);
    clock.advance(400);
    timer.setDivideConfiguration(0b0000);
    expect(timer.currentCount).toBe(600);
    clock.advance(10_000);
    expect(expiries).toEqual([400 + 1200]);
  });
});

describe("periodic mode", () => {
  it("expires at every multiple of the initial count", () => {
    const { timer, clock, expiries } = rig(TIMER_MODE.PERIODIC);
    timer.setInitialCount(4_000_000);
    clock.advance(17_000_000);
    expect(expiries).toEqual([4e6, 8e6, 12e6, 16e6]);
    expect(timer.currentCount).toBe(3_000_000);
  });

  it("loses no phase when the host was late", () => {
    const { timer, clock, expiries } = rig(TIMER_MODE.PERIODIC);
    timer.setInitialCount(1_000_000);
    clock.jump(3_400_000);
    expect(expiries).toEqual([3_400_000]);
    expect(timer.currentCount).toBe(600_000);
    clock.advance(600_000);
    expect(expiries[1]).toBe(4_000_000);
  });

  it("does not wake the host at every tick a guest asks for, and still counts right", () => {
    const { timer, clock, expiries } = rig(TIMER_MODE.PERIODIC);
    timer.setInitialCount(7);
    clock.advance(1_000_000);
    expect(expiries.length).toBeLessThanOrEqual(101);
    expect(timer.currentCount).toBe(7 - (1_000_000 % 7));
  });

  it("shares its count with one-shot mode, which it stops at zero", () => {
    const { timer, clock, expiries } = rig(TIMER_MODE.PERIODIC);
    timer.setInitialCount(1000);
    clock.advance(1500);
    timer.configure(TIMER_MODE.ONE_SHOT, false);
    expect(timer.currentCount).toBe(500);
    clock.advance(20_000);
    expect(timer.currentCount).toBe(0);
    timer.configure(TIMER_MODE.PERIODIC, false);
    expect(timer.currentCount).toBe(0);
    expect(expiries).toEqual([1000, 2000]);
  });
});

describe("a masked timer", () => {
  it("counts without waking the host", () => {
    const { timer, clock } = rig(TIMER_MODE.PERIODIC);
    timer.setInitialCount(1000);
    timer.configure(TIMER_MODE.PERIODIC, true);
    expect(clock.armed).toBe(0);
    clock.advance(2300);
    expect(timer.currentCount).toBe(700);
    timer.configure(TIMER_MODE.PERIODIC, false);
    expect(clock.nextAt).toBe(3000);
  });
});

describe("TSC-deadline mode (SDM 3A §11.5.4.1)", () => {
  it("expires when the counter reaches the deadline, and reads 0 then", () => {
    const { timer, clock, expiries } = rig(TIMER_MODE.TSC_DEADLINE);
    timer.setDeadline(2_500_000n);
    clock.advance(999_999);
    expect(timer.deadline).toBe(2_500_000n);
    expect(expiries).toEqual([]);
    clock.advance(1);
    expect(expiries).toEqual([1_000_000]);
    expect(timer.deadline).toBe(0n);
    clock.advance(1e9);
    expect(expiries).toHaveLength(1);
  });

  it("expires at once when the deadline has passed, and is disarmed by 0", () => {
    const { timer, clock, expiries } = rig(TIMER_MODE.TSC_DEADLINE);
    clock.advance(1000);
    timer.setDeadline(2500n);
    expect(expiries).toEqual([1000]);
    timer.setDeadline(1_000_000n);
    timer.setDeadline(0n);
    clock.advance(1e9);
    expect(expiries).toEqual([1000]);
  });

  it("ignores the initial count, as the other modes ignore the deadline", () => {
    const { timer, clock, expiries } = rig(TIMER_MODE.TSC_DEADLINE);
    timer.setInitialCount(1000);
    expect([timer.initialCount, timer.currentCount]).toEqual([0, 0]);
    timer.configure(TIMER_MODE.ONE_SHOT, false);
    timer.setDeadline(1000n);
    expect(timer.deadline).toBe(0n);
    clock.advance(1e9);
    expect(expiries).toEqual([]);
  });

  it("disarms when the mode is entered or left", () => {
    const { timer, clock, expiries } = rig(TIMER_MODE.ONE_SHOT);
    timer.setInitialCount(1000);
    timer.configure(TIMER_MODE.TSC_DEADLINE, false);
    timer.setDeadline(10_000n);
    timer.configure(TIMER_MODE.ONE_SHOT, false);
    clock.advance(1e9);
    expect(expiries).toEqual([]);
    expect(timer.deadline).toBe(0n);
  });

  it("follows a counter that the guest has set", () => {
    const it = rig(TIMER_MODE.TSC_DEADLINE);
    it.timer.setDeadline(2_500_000n);
    it.tscOffset = 2_000_000n;
    it.timer.tscChanged();
    it.clock.advance(1e9);
    expect(it.expiries).toEqual([200_000]);
  });

  it("never expires before its deadline, nor more than a nanosecond after", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e12 }), fc.integer({ min: 0, max: 1e9 }), (deadline, start) => {
        const { timer, clock, expiries } = rig(TIMER_MODE.TSC_DEADLINE);
        clock.advance(start);
        timer.setDeadline(BigInt(deadline));
        clock.advance(1e12);
        expect(expiries).toHaveLength(1);
        expect(expiries[0]! * 2.5).toBeGreaterThanOrEqual(deadline);
        expect(expiries[0]!).toBeLessThanOrEqual(Math.max(start, Math.ceil(deadline / 2.5) + 1));
      }),
    );
  });
});

describe("the count", () => {
  it("is the initial count less the ticks passed, whenever it is read", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 0xffff_ffff }), fc.array(fc.nat(1e8), { maxLength: 20 }), (initial, passes) => {
        const { timer, clock } = rig(TIMER_MODE.ONE_SHOT);
        timer.setInitialCount(initial);
        for (const ns of passes) {
          clock.advance(ns);
          expect(timer.currentCount).toBe(Math.max(initial - clock.now(), 0));
        }
      }),
    );
  });
});
