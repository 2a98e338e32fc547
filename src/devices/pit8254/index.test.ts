import { describe, expect, it } from "vitest";
import { VmError } from "../../support/errors.ts";
import { deviceContract } from "../../testing/device.contract.ts";
import { fakeWiring, inPort, outPort, restore, save, type FakeWiring } from "../../testing/index.ts";
import { pit8254, type Pit8254 } from "./index.ts";
import { nsOfTick } from "./spec.ts";

const HZ_100 = 11_932;

function make(): { pit: Pit8254; wiring: FakeWiring } {
  const wiring = fakeWiring();
  return { pit: pit8254.create({}, wiring), wiring };
}

function program(pit: Pit8254, control: number, count: number): void {
  outPort(pit, 0x43, control);
  outPort(pit, 0x40 + (control >> 6), count & 0xff);
  outPort(pit, 0x40 + (control >> 6), count >> 8);
}

describe("IRQ 0", () => {
  it("rises every count ticks in mode 2, at exact times, without drift over a minute", () => {
    const { pit, wiring } = make();
    program(pit, 0x34, HZ_100);
    const irq = wiring.line("irq");
    const before = irq.rises;
    wiring.clock.advance(1e9);
    const rises = irq.changes.filter(({ level, atNs }) => level && atNs > 0).map(({ atNs }) => atNs);
    expect(rises.slice(0, 3)).toEqual([1, 2, 3].map((cycle) => nsOfTick(1 + cycle * HZ_100)));
    expect(irq.rises - before).toBe(99);
    wiring.clock.advance(59e9);
    expect(irq.rises - before).toBe(Math.floor(((60e9 * 21) / 17_600 - 1) / HZ_100));
  });

  it("makes one edge of the ticks missed while the host was late, and goes on in phase", () => {
    const { pit, wiring } = make();
    program(pit, 0x34, HZ_100);
    const irq = wiring.line("irq");
    const before = irq.rises;
    wiring.clock.jump(nsOfTick(1 + 50 * HZ_100 + 100));
    expect(irq.rises - before).toBe(1);
    expect(irq.level).toBe(true);
    wiring.clock.advanceTo(nsOfTick(1 + 51 * HZ_100));
    expect(irq.rises - before).toBe(2);
    expect(irq.changes.at(-1)?.atNs).toBe(nsOfTick(1 + 51 * HZ_100));
  });

  it("gives one edge N + 1 ticks after the write in mode 0, and is taken low by the next count", () => {
    const { pit, wiring } = make();
    program(pit, 0x30, 1000);
    const irq = wiring.line("irq");
    wiring.clock.advance(1e9);
    expect(irq.changes).toEqual([{ level: true, atNs: nsOfTick(1001) }]);
    program(pit, 0x30, 1000);
    expect(irq.level).toBe(false);
  });

  it("gives one edge after the strobe in mode 4, which one-shot timers use", () => {
    const { pit, wiring } = make();
    program(pit, 0x38, 1000);
    const irq = wiring.line("irq");
    const before = irq.rises;
    wiring.clock.advance(1e9);
    expect(irq.rises - before).toBe(1);
    expect(irq.changes.at(-1)?.atNs).toBe(nsOfTick(1002));
    expect(wiring.clock.armed).toBe(0);
  });

  it("is not lost when a register access sees the rise before the timer fires", () => {
    const { pit, wiring } = make();
    program(pit, 0x34, HZ_100);
    const irq = wiring.line("irq");
    const before = irq.rises;
    wiring.clock.arm(nsOfTick(1 + HZ_100) - 1, () => {});
    wiring.clock.jump(nsOfTick(1 + HZ_100));
    inPort(pit, 0x40);
    expect(irq.rises - before).toBe(1);
  });
});

describe("ports", () => {
  it("reads count and status back, status first (8254 datasheet, Read-Back Command)", () => {
    const { pit, wiring } = make();
    program(pit, 0xb6, 0x1234);
    pit.setGate(2, true);
    outPort(pit, 0x43, 0xe8);
    expect(inPort(pit, 0x42)).toBe(0x80 | 0x40 | 0x36);
    wiring.clock.advanceTo(nsOfTick(1));
    outPort(pit, 0x43, 0xc8);
    expect([inPort(pit, 0x42), inPort(pit, 0x42), inPort(pit, 0x42)]).toEqual([0xb6, 0x34, 0x12]);
  });

  it("latches the counters chosen and no others", () => {
    const { pit, wiring } = make();
    program(pit, 0x34, 1000);
    program(pit, 0x74, 1000);
    wiring.clock.advanceTo(nsOfTick(1));
    outPort(pit, 0x43, 0xd2);
    wiring.clock.advanceTo(nsOfTick(11));
    expect([inPort(pit, 0x40), inPort(pit, 0x41)]).toEqual([1000 & 0xff, 990 & 0xff]);
  });

  it("floats at the control word register", () => {
    expect(inPort(make().pit, 0x43)).toBe(0xff);
  });

  it("lets GATE 2 time a one-shot that OUT 2 shows, as kernels calibrate with", () => {
    const { pit, wiring } = make();
    pit.setGate(2, true);
    program(pit, 0xb0, 59_659);
    wiring.clock.advanceTo(nsOfTick(59_659));
    expect(pit.out(2)).toBe(false);
    wiring.clock.advanceTo(nsOfTick(59_660));
    expect(pit.out(2)).toBe(true);
  });
});

describe("restore", () => {
  it("refuses a state from the future and a cycle without end", () => {
    const { pit, wiring } = make();
    program(pit, 0x34, 1000);
    wiring.clock.advance(1e6);
    const saved = save(pit8254, pit) as { counters: Record<string, number>[] };
    for (const damage of [{ at: 1e9 }, { left: 0 }, { left: 2000 }]) {
      const damaged = structuredClone(saved);
      Object.assign(damaged.counters[0]!, damage);
      expect(() => restore(pit8254, pit8254.create({}, wiring), damaged)).toThrow(VmError);
    }
  });
});

deviceContract(pit8254, {}, (pit, wiring) => {
  program(pit, 0x36, 5000);
  pit.setGate(2, true);
  wiring.clock.advance(5e6);
});
