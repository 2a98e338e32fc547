import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TimerQueue, type QueuedTimer } from "./timer-queue.ts";

describe("TimerQueue", () => {
  it("fires in order of time, then of arrival, and forgets what was cancelled, whatever the sequence", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("add"), at: fc.integer({ min: 0, max: 50 }) }),
      fc.record({ kind: fc.constant("cancel"), at: fc.nat(200) }),
      fc.record({ kind: fc.constant("fire"), at: fc.integer({ min: 0, max: 60 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const queue = new TimerQueue();
        let model: { readonly at: number; readonly id: number }[] = [];
        const handles: QueuedTimer[] = [];
        const fired: number[] = [];
        const expected: number[] = [];
        for (const { kind, at } of steps) {
          if (kind === "add") {
            const id = handles.length;
            handles.push(queue.add(at, () => fired.push(id)));
            model.push({ at, id });
          } else if (kind === "cancel") {
            handles[at]?.cancel();
            model = model.filter(({ id }) => id !== at);
          } else {
            queue.fireDue(at);
            const due = model.filter((timer) => timer.at <= at).sort((a, b) => a.at - b.at || a.id - b.id);
            expected.push(...due.map(({ id }) => id));
            model = model.filter((timer) => timer.at > at);
          }
          expect(queue.nextAt).toBe(Math.min(Number.POSITIVE_INFINITY, ...model.map((timer) => timer.at)));
        }
        expect(fired).toEqual(expected);
      }),
    );
  });

  it("leaves timers that are added while it fires for the next time, also those that are due", () => {
    const queue = new TimerQueue();
    let rounds = 0;
    const again = (): void => {
      rounds++;
      queue.add(0, again);
    };
    queue.add(0, again);
    queue.fireDue(10);
    expect(rounds).toBe(1);
    queue.fireDue(10);
    expect(rounds).toBe(2);
  });

  it("does not fire what another timer cancelled on its way", () => {
    const queue = new TimerQueue();
    let fired = false;
    const others: QueuedTimer[] = [];
    queue.add(1, () => others.forEach((other) => other.cancel()));
    others.push(queue.add(2, () => (fired = true)));
    queue.fireDue(5);
    expect([fired, queue.nextAt]).toEqual([false, Number.POSITIVE_INFINITY]);
  });
});
