import { describe, expect, it } from "vitest";
import { Nap } from "./nap.ts";

/** A host that records what it was asked for. */
function recording(): { readonly asked: string[]; readonly host: ConstructorParameters<typeof Nap>[0]; now: number; fire: () => void } {
  const self = {
    asked: [] as string[],
    now: 0,
    fire: (): void => {},
    host: {
      clock: { nowNs: () => self.now, wallClockMs: () => 0 },
      scheduleSoon: (task: () => void) => {
        self.asked.push("soon");
        self.fire = task;
      },
      scheduleAfter: (delayNs: number, task: () => void) => {
        self.asked.push(`after ${delayNs}`);
        self.fire = task;
        return { cancel: () => self.asked.push("cancel") };
      },
    },
  };
  return self;
}

describe("Nap", () => {
  it("polls for short waits only as long as it has credit, and earns a hundredth of the time", () => {
    const self = recording();
    const nap = new Nap(self.host, () => {});
    const poll = (): void => {
      nap.start(500_000);
      self.now += 50e6;
      self.fire();
    };
    for (let round = 0; round < 5; round++) poll();
    expect(self.asked).toEqual(["soon", "soon", "soon", "soon", "after 500000"]);
    self.now += 1e9;
    poll();
    poll();
    expect(self.asked.slice(5)).toEqual(["soon", "after 500000"]);
  });

  it("sleeps through long waits, for ever if need be, and wakes early when told", () => {
    const self = recording();
    let overs = 0;
    const nap = new Nap(self.host, () => void overs++);
    nap.start(Number.POSITIVE_INFINITY);
    nap.wake();
    nap.wake();
    expect(self.asked).toEqual(["after 3600000000000", "cancel", "soon"]);
    self.fire();
    expect(overs).toBe(1);
    nap.wake();
    expect(self.asked).toHaveLength(3);
  });
});
