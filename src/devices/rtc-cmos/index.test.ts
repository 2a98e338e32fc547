import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deviceContract } from "../../testing/device.contract.ts";
import { FakeClock, fakeWiring, inPort, outPort, type FakeWiring } from "../../testing/index.ts";
import { rtcCmos, type RtcCmos, type RtcConfig } from "./index.ts";

const MIB = 0x10_0000;
const CONFIG: RtcConfig = { lowMemory: 128 * MIB };
const NEW_YEAR = Date.UTC(1999, 11, 31, 23, 59, 58, 900);

function make(wallMs = NEW_YEAR, config: RtcConfig = CONFIG): { rtc: RtcCmos; wiring: FakeWiring; irq: () => boolean } {
  const wiring = fakeWiring(new FakeClock(wallMs));
  return { rtc: rtcCmos.create(config, wiring), wiring, irq: () => wiring.line("irq").level };
}

const read = (rtc: RtcCmos, register: number): number => (outPort(rtc, 0x70, register), inPort(rtc, 0x71));
const write = (rtc: RtcCmos, register: number, value: number): void => (outPort(rtc, 0x70, register), outPort(rtc, 0x71, value));
/** Century, year, month, day, day of week, hours, minutes, seconds. */
const time = (rtc: RtcCmos): number[] => [0x32, 9, 8, 7, 6, 4, 2, 0].map((register) => read(rtc, register));
const ms = (value: number): number => value * 1e6;

describe("time", () => {
  it("shows the wall clock in BCD and rolls over the century", () => {
    const { rtc, wiring } = make();
    expect(time(rtc)).toEqual([0x19, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x58]);
    wiring.clock.advance(ms(1100));
    expect(time(rtc)).toEqual([0x20, 0x00, 0x01, 0x01, 7, 0x00, 0x00, 0x00]);
  });

  it("shows leap days", () => {
    const { rtc, wiring } = make(Date.UTC(2024, 1, 28, 23, 59, 59));
    wiring.clock.advance(ms(1000));
    expect(time(rtc).slice(1, 4)).toEqual([0x24, 0x02, 0x29]);
  });

  it.each([
    [0, 0x12],
    [1, 0x01],
    [11, 0x11],
    [12, 0x92],
    [13, 0x81],
    [23, 0x91],
  ])("shows hour %i in the 12-hour format", (hour, byte) => {
    const { rtc } = make(Date.UTC(2020, 0, 1, hour));
    write(rtc, 0x0b, 0x00);
    expect(read(rtc, 4)).toBe(byte);
    write(rtc, 0x0b, 0x06);
    expect(read(rtc, 4)).toBe(hour);
  });

  it("stands still while SET is 1 and goes on from what was written, in the fraction of the second it had", () => {
    const { rtc, wiring } = make();
    write(rtc, 0x0b, 0x82);
    wiring.clock.advance(ms(5000));
    expect(read(rtc, 0)).toBe(0x58);
    for (const [register, value] of [
      [0x32, 0x20],
      [9, 0x38],
      [8, 0x01],
      [7, 0x19],
      [6, 5],
      [4, 0x03],
      [2, 0x14],
      [0, 0x07],
    ] as const)
      write(rtc, register, value);
    write(rtc, 0x0b, 0x02);
    expect(time(rtc)).toEqual([0x20, 0x38, 0x01, 0x19, 5, 0x03, 0x14, 0x07]);
    wiring.clock.advance(ms(99));
    expect(read(rtc, 0)).toBe(0x07);
    wiring.clock.advance(ms(1));
    expect(read(rtc, 0)).toBe(0x08);
  });

  it("updates half a second after the divider is released (MC146818A datasheet, Divider control)", () => {
    const { rtc, wiring } = make();
    write(rtc, 0x0a, 0x76);
    wiring.clock.advance(ms(3210));
    expect(read(rtc, 0)).toBe(0x58);
    write(rtc, 0x0a, 0x26);
    wiring.clock.advance(ms(499));
    expect(read(rtc, 0)).toBe(0x58);
    wiring.clock.advance(ms(2));
    expect(read(rtc, 0)).toBe(0x59);
  });

  it("keeps any moment that is written, in all formats", () => {
    const moment = fc.date({ min: new Date("1900-01-01T00:00:00Z"), max: new Date("2099-12-31T23:59:59Z"), noInvalidDate: true });
    fc.assert(
      fc.property(moment, fc.constantFrom(0, 2, 4, 6), fc.constantFrom(0, 2, 4, 6), (when, writing, reading) => {
        const source = make(when.getTime());
        write(source.rtc, 0x0b, writing);
        const { rtc, wiring } = make();
        write(rtc, 0x0b, 0x80 | writing);
        for (const register of [0x32, 9, 8, 7, 6, 4, 2, 0]) write(rtc, register, read(source.rtc, register));
        write(rtc, 0x0b, writing);
        for (const each of [source.rtc, rtc]) write(each, 0x0b, reading);
        expect(time(rtc)).toEqual(time(source.rtc));
        for (const each of [source.wiring, wiring]) each.clock.advance(ms(86_400_000));
        expect(time(rtc).slice(0, 6)).toEqual(time(source.rtc).slice(0, 6));
      }),
      { numRuns: 50 },
    );
  });
});

describe("UIP (MC146818A datasheet, Update Cycle)", () => {
  it("rises 244 us before the update cycle of 1984 us, at whose end the second changes", () => {
    const { rtc, wiring } = make(Date.UTC(2020, 0, 1));
    wiring.clock.advanceTo(1e9 - 2_229_000);
    expect(read(rtc, 0x0a)).toBe(0x26);
    wiring.clock.advanceTo(1e9 - 2_227_000);
    expect([read(rtc, 0x0a), read(rtc, 0)]).toEqual([0xa6, 0x00]);
    wiring.clock.advanceTo(1e9 - 1000);
    expect([read(rtc, 0x0a), read(rtc, 0)]).toEqual([0xa6, 0x00]);
    wiring.clock.advanceTo(1e9);
    expect([read(rtc, 0x0a), read(rtc, 0)]).toEqual([0x26, 0x01]);
  });

  it("stays 0 while SET is 1", () => {
    const { rtc, wiring } = make(Date.UTC(2020, 0, 1));
    write(rtc, 0x0b, 0x82);
    wiring.clock.advanceTo(1e9 - 1_000_000);
    expect(read(rtc, 0x0a)).toBe(0x26);
  });
});

describe("interrupts", () => {
  it("update: raises IRQ 8 each second until register C is read", () => {
    const { rtc, wiring, irq } = make(Date.UTC(2020, 0, 1));
    write(rtc, 0x0b, 0x12);
    wiring.clock.advance(ms(999));
    expect(irq()).toBe(false);
    wiring.clock.advance(ms(2));
    expect(irq()).toBe(true);
    expect([read(rtc, 0x0c), read(rtc, 0x0c), irq()]).toEqual([0xd0, 0x00, false]);
    wiring.clock.advance(ms(1000));
    expect(irq()).toBe(true);
  });

  it("periodic: 1024 Hz from rate 6, exactly, and only one at a time", () => {
    const { rtc, wiring, irq } = make();
    write(rtc, 0x0b, 0x42);
    let count = 0;
    while (wiring.clock.now() < 1e9) {
      wiring.clock.advanceTo(Math.min(wiring.clock.nextAt, 1e9));
      if (irq()) count += read(rtc, 0x0c) >> 7;
    }
    expect(count).toBe(1024);
    const { rises } = wiring.line("irq");
    wiring.clock.advance(ms(500));
    expect(wiring.line("irq").rises).toBe(rises + 1);
  });

  it.each([
    [1, 256],
    [2, 128],
    [3, 8192],
    [8, 256],
    [15, 2],
  ])("periodic: rate %i is %i Hz", (rate, hertz) => {
    const { rtc, wiring } = make();
    write(rtc, 0x0a, 0x20 | rate);
    write(rtc, 0x0b, 0x42);
    expect(wiring.clock.nextAt).toBe(Math.ceil(1e9 / hertz));
  });

  it("flags rise without being enabled, and then interrupt as soon as they are", () => {
    const { rtc, wiring, irq } = make();
    wiring.clock.advance(ms(2000));
    expect(irq()).toBe(false);
    write(rtc, 0x0b, 0x42);
    expect(irq()).toBe(true);
    // AF too: the alarm bytes are 00:00:00, and a midnight has passed.
    expect(read(rtc, 0x0c)).toBe(0xf0);
  });

  it("alarm: at the time set, with don't-care bytes", () => {
    const { rtc, wiring, irq } = make(Date.UTC(2020, 0, 1, 10, 20, 30));
    write(rtc, 1, 0x15);
    write(rtc, 3, 0xff);
    write(rtc, 5, 0xc0);
    write(rtc, 0x0b, 0x22);
    wiring.clock.advance(ms(44_999));
    expect(irq()).toBe(false);
    wiring.clock.advance(ms(2));
    expect(irq()).toBe(true);
    expect(read(rtc, 0x0c) & 0xa0).toBe(0xa0);
  });

  it("alarm: once a day, even when the host sleeps through it", () => {
    const { rtc, wiring, irq } = make(Date.UTC(2020, 0, 1, 10, 0, 0));
    for (const [register, value] of [
      [1, 0x00],
      [3, 0x30],
      [5, 0x09],
    ] as const)
      write(rtc, register, value);
    write(rtc, 0x0b, 0x22);
    wiring.clock.advance(ms(23.4 * 3_600_000));
    expect(irq()).toBe(false);
    wiring.clock.jump(ms(3_600_000));
    expect(irq()).toBe(true);
  });

  it("alarm: never for bytes that no time shows", () => {
    const { rtc, wiring } = make();
    write(rtc, 1, 0x7f);
    write(rtc, 0x0b, 0x22);
    expect(wiring.clock.armed).toBe(0);
  });

  it("SET going high clears UIE", () => {
    const { rtc } = make();
    write(rtc, 0x0b, 0x12);
    write(rtc, 0x0b, 0x92);
    expect(read(rtc, 0x0b)).toBe(0x82);
  });

  it("the RESET pin disables interrupts and keeps time and RAM", () => {
    const { rtc, wiring, irq } = make();
    write(rtc, 0x40, 0x5a);
    write(rtc, 9, 0x42);
    write(rtc, 0x0b, 0x72);
    wiring.clock.advance(ms(1500));
    expect(irq()).toBe(true);
    rtc.resetPin();
    expect([irq(), read(rtc, 0x0b), read(rtc, 0x0c), read(rtc, 0x40), read(rtc, 9)]).toEqual([false, 0x02, 0, 0x5a, 0x43]);
  });
});

describe("ports and RAM", () => {
  it("masks NMI with bit 7 of the index", () => {
    const { rtc, wiring } = make();
    outPort(rtc, 0x70, 0x8d);
    expect([wiring.line("nmi-mask").level, inPort(rtc, 0x71), inPort(rtc, 0x70)]).toEqual([true, 0x80, 0xff]);
    outPort(rtc, 0x70, 0x0d);
    expect(wiring.line("nmi-mask").level).toBe(false);
  });

  it("takes index and data in one word", () => {
    const { rtc } = make();
    outPort(rtc, 0x70, 0x5a40, 2);
    expect(read(rtc, 0x40)).toBe(0x5a);
  });

  it("tells the sizes of memory, with a checksum", () => {
    const { rtc } = make(NEW_YEAR, { lowMemory: 3072 * MIB, highMemory: 5120 * MIB, bytes: [[0x3d, 0x12]] });
    const word = (register: number): number => read(rtc, register) | (read(rtc, register + 1) << 8);
    expect([word(0x15), word(0x17), word(0x30), word(0x34)]).toEqual([640, 0xffff, 0xffff, (3072 - 16) * 16]);
    expect([word(0x5b), read(rtc, 0x5d), read(rtc, 0x3d)]).toEqual([0x4000, 1, 0x12]);
    const sum = Array.from({ length: 0x1e }, (_, index) => read(rtc, 0x10 + index)).reduce((total, byte) => total + byte, 0);
    expect((read(rtc, 0x2e) << 8) | read(rtc, 0x2f)).toBe(sum);
  });
});

deviceContract(rtcCmos, CONFIG, (rtc, wiring) => {
  write(rtc, 0x40, 0x55);
  write(rtc, 0x09, 0x33);
  write(rtc, 0x06, 0x02);
  write(rtc, 0x0b, 0x42);
  outPort(rtc, 0x70, 0x8b);
  wiring.clock.advance(ms(1234));
});
