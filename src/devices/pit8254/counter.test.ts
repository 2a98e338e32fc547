import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  advance,
  latchCount,
  nextRise,
  outOf,
  powerOnCounter,
  readByte,
  setGate,
  writeControl,
  writeCount,
  type CounterState,
} from "./counter.ts";
import { nsOfTick, RW_BOTH, RW_LSB, RW_SHIFT, ticksAt } from "./spec.ts";

function program(mode: number, count: number, options: { gate?: boolean; bcd?: boolean } = {}): CounterState {
  const counter = powerOnCounter(options.gate ?? true, 0);
  writeControl(counter, (RW_LSB << RW_SHIFT) | (mode << 1) | (options.bcd === true ? 1 : 0));
  writeCount(counter, count);
  return counter;
}

/** OUT at each of the next `ticks` ticks, as the datasheet's waveforms draw it: "_" low, "#" high. */
function wave(counter: CounterState, ticks: number): string {
  let drawn = "";
  for (let tick = 0; tick < ticks; tick++) {
    advance(counter, counter.at + 1);
    drawn += outOf(counter) ? "#" : "_";
  }
  return drawn;
}

function element(counter: CounterState): number {
  const copy = structuredClone(counter);
  copy.latchedCount = [];
  latchCount(copy);
  return copy.latchedCount.reduceRight((sum, byte) => sum * 256 + byte, 0);
}

function elements(counter: CounterState, ticks: number): number[] {
  return Array.from({ length: ticks }, () => (advance(counter, counter.at + 1), element(counter)));
}

describe("8254 modes (8254 datasheet, Mode Definitions: the first tick after the write loads the count)", () => {
  it("mode 0: OUT is low until N + 1 ticks after the write, then stays high", () => {
    const counter = program(0, 4);
    expect(outOf(counter)).toBe(false);
    expect(wave(counter, 8)).toBe("____####");
  });

  it("mode 0: CE goes on past zero", () => {
    const counter = program(0, 2);
    expect(elements(counter, 4)).toEqual([2, 1, 0, 0xff]);
  });

  it("mode 0: GATE = 0 holds the count but not its loading", () => {
    const counter = program(0, 3, { gate: false });
    expect(elements(counter, 3)).toEqual([3, 3, 3]);
    setGate(counter, true);
    expect(wave(counter, 4)).toBe("__##");
  });

  it("mode 0: the first of two bytes stops counting and takes OUT low", () => {
    const counter = powerOnCounter(true, 0);
    writeControl(counter, RW_BOTH << RW_SHIFT);
    writeCount(counter, 2);
    writeCount(counter, 0);
    expect(wave(counter, 4)).toBe("__##");
    writeCount(counter, 3);
    expect(outOf(counter)).toBe(false);
    expect(wave(counter, 5)).toBe("_____");
    writeCount(counter, 0);
    expect(wave(counter, 5)).toBe("___##");
  });

  it("mode 1: a trigger starts a low pulse of N ticks and restarts it", () => {
    const counter = program(1, 3, { gate: false });
    expect(wave(counter, 3)).toBe("###");
    setGate(counter, true);
    expect(wave(counter, 5)).toBe("___##");
    setGate(counter, false);
    setGate(counter, true);
    expect(wave(counter, 2)).toBe("__");
    setGate(counter, false);
    setGate(counter, true);
    expect(wave(counter, 5)).toBe("___##");
  });

  it("mode 2: OUT is low for the last tick of every N", () => {
    expect(wave(program(2, 3), 10)).toBe("##_##_##_#");
    expect(elements(program(2, 3), 7)).toEqual([3, 2, 1, 3, 2, 1, 3]);
  });

  it("mode 2: a new count waits for the end of the cycle", () => {
    const counter = program(2, 4);
    expect(wave(counter, 2)).toBe("##");
    writeCount(counter, 2);
    expect(wave(counter, 7)).toBe("#_#_#_#");
  });

  it("mode 2: GATE low takes OUT high at once, GATE high reloads", () => {
    const counter = program(2, 3);
    expect(wave(counter, 3)).toBe("##_");
    setGate(counter, false);
    expect(outOf(counter)).toBe(true);
    expect(wave(counter, 4)).toBe("####");
    setGate(counter, true);
    expect(wave(counter, 6)).toBe("##_##_");
  });

  it("mode 3: even counts give equal halves, and CE counts by two", () => {
    expect(wave(program(3, 4), 9)).toBe("##__##__#");
    expect(elements(program(3, 4), 6)).toEqual([4, 2, 4, 2, 4, 2]);
  });

  it("mode 3: odd counts are high for (N + 1)/2 and low for (N - 1)/2", () => {
    expect(wave(program(3, 5), 11)).toBe("###__###__#");
    expect(elements(program(3, 5), 6)).toEqual([4, 2, 0, 4, 2, 4]);
  });

  it("mode 3: a new count is taken at the end of the half cycle", () => {
    const counter = program(3, 8);
    expect(wave(counter, 2)).toBe("##");
    writeCount(counter, 4);
    expect(wave(counter, 8)).toBe("##__##__");
  });

  it("mode 4: OUT strobes low for one tick N + 1 ticks after the write, once", () => {
    const counter = program(4, 3);
    expect(wave(counter, 8)).toBe("###_####");
    expect(wave(counter, 0x1_0000)).not.toContain("_");
    writeCount(counter, 1);
    expect(wave(counter, 3)).toBe("#_#");
  });

  it("mode 5: as mode 4, from a trigger", () => {
    const counter = program(5, 2, { gate: false });
    expect(wave(counter, 3)).toBe("###");
    setGate(counter, true);
    expect(wave(counter, 5)).toBe("##_##");
  });

  it("modes 6 and 7 are modes 2 and 3", () => {
    expect(wave(program(6, 3), 6)).toBe(wave(program(2, 3), 6));
    expect(wave(program(7, 5), 9)).toBe(wave(program(3, 5), 9));
  });

  it("counts decades in BCD, 0 being 10000", () => {
    expect(elements(program(2, 0x11, { bcd: true }), 3)).toEqual([0x11, 0x10, 0x09]);
    const counter = program(0, 0, { bcd: true });
    advance(counter, 10_000);
    expect(outOf(counter)).toBe(false);
    advance(counter, 10_001);
    expect(outOf(counter)).toBe(true);
    expect(elements(counter, 1)).toEqual([0x99]);
  });

  it("takes 0 for 65536", () => {
    const counter = program(2, 0);
    expect(nextRise(counter)).toBe(65_537);
  });
});

describe("lazy evaluation", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("count" as const), value: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.nat(255)) }),
    fc.record({ kind: fc.constant("gate" as const), value: fc.nat(1) }),
    fc.record({ kind: fc.constant("ticks" as const), value: fc.oneof(fc.nat(40), fc.nat(200_000)) }),
  );
  const apply = (counter: CounterState, kind: "count" | "gate" | "ticks", value: number, stride: number): boolean => {
    if (kind === "count") writeCount(counter, value);
    if (kind === "gate") setGate(counter, value === 1);
    let rose = false;
    if (kind !== "ticks") return rose;
    const end = counter.at + value;
    while (counter.at < end) rose = advance(counter, Math.min(end, counter.at + stride)) || rose;
    return rose;
  };

  it("gives the same state and the same verdict on edges in one stride as in many", () => {
    fc.assert(
      fc.property(
        fc.nat(7),
        fc.boolean(),
        fc.integer({ min: 1, max: 90 }),
        fc.array(step, { maxLength: 8 }),
        (mode, bcd, stride, steps) => {
          const [leap, walk] = [program(mode, 3, { bcd }), program(mode, 3, { bcd })];
          for (const { kind, value } of steps) {
            const rose = apply(leap, kind, value, Number.POSITIVE_INFINITY);
            expect(apply(walk, kind, value, stride)).toBe(rose);
            expect(walk).toEqual(leap);
          }
        },
      ),
      { numRuns: 80 },
    );
  });

  it("foretells the next rise exactly", () => {
    fc.assert(
      fc.property(fc.nat(5), fc.nat(60), fc.nat(100), (mode, count, ticks) => {
        const counter = program(mode, count + 2);
        advance(counter, ticks);
        const rise = nextRise(counter);
        const drawn = (outOf(counter) ? "#" : "_") + wave(counter, 300);
        expect(drawn.indexOf("_#")).toBe(rise === null ? -1 : rise - ticks - 1);
      }),
    );
  });
});

describe("the tick", () => {
  it("is 88/105 of a microsecond, without drift", () => {
    expect(ticksAt(1e9)).toBe(1_193_181);
    expect(ticksAt(88e9)).toBe(105_000_000);
    expect(nsOfTick(105_000_000)).toBe(88e9);
    expect(nsOfTick(1)).toBe(839);
  });

  it("begins at nsOfTick, for 100 days", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_309_090_909_090 }), (tick) => {
        expect(ticksAt(nsOfTick(tick))).toBe(tick);
        expect(ticksAt(nsOfTick(tick) - 1)).toBe(tick - 1);
      }),
    );
  });
});

describe("reads", () => {
  it("keep a latched count until it is read", () => {
    const counter = powerOnCounter(true, 0);
    writeControl(counter, (RW_BOTH << RW_SHIFT) | 4);
    writeCount(counter, 0x34);
    writeCount(counter, 0x12);
    advance(counter, 1);
    latchCount(counter);
    advance(counter, 100);
    latchCount(counter);
    expect([readByte(counter), readByte(counter)]).toEqual([0x34, 0x12]);
    expect([readByte(counter), readByte(counter)]).toEqual([0xd1, 0x11]);
  });
});
