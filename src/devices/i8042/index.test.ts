import { beforeEach, describe, expect, it } from "vitest";
import { deviceContract } from "../../testing/device.contract.ts";
import { fakeWiring, inPort, outPort, type FakeWiring } from "../../testing/index.ts";
import { i8042, type I8042 } from "./index.ts";
import { BYTE_NS } from "./spec.ts";
import { translate } from "./translate.ts";

let wiring: FakeWiring;
let controller: I8042;

const command = (value: number, ...data: number[]): void => {
  outPort(controller, 0x64, value);
  for (const byte of data) outPort(controller, 0x60, byte);
};
const status = (): number => inPort(controller, 0x64);
const data = (): number => inPort(controller, 0x60);

/** Sends a byte to the keyboard and collects what comes back within 5 ms. */
function exchange(...bytes: number[]): number[] {
  const answers: number[] = [];
  for (const byte of bytes) {
    outPort(controller, 0x60, byte);
    for (let slot = 0; slot < 8; slot++) {
      wiring.clock.advance(BYTE_NS);
      if ((status() & 1) !== 0) answers.push(data());
    }
  }
  return answers;
}

beforeEach(() => {
  wiring = fakeWiring();
  controller = i8042.create({}, wiring);
  controller.reset();
});

describe("the controller", () => {
  it("passes its self test and then shows SYS", () => {
    expect(status()).toBe(0x10);
    command(0xaa);
    expect([status(), data(), status()]).toEqual([0x1d, 0x55, 0x1c]);
  });

  it("keeps the command byte and its RAM", () => {
    command(0x60, 0x47);
    command(0x7f, 0x99);
    command(0x20);
    expect(data()).toBe(0x47);
    command(0x3f);
    expect(data()).toBe(0x99);
  });

  it("reports whether the last write was a command", () => {
    command(0x60);
    expect(status() & 0x08).toBe(0x08);
    outPort(controller, 0x60, 0x03);
    expect(status() & 0x08).toBe(0);
  });

  it("disables and enables its interfaces in the command byte", () => {
    command(0xad);
    command(0xa7);
    command(0x20);
    expect(data()).toBe(0x33);
    command(0xae);
    command(0xa8);
    command(0x20);
    expect(data()).toBe(0x03);
  });

  it.each([
    [0xa4, 0xf1],
    [0xa9, 0x00],
    [0xab, 0x00],
    [0xc0, 0xb0],
    [0xe0, 0x03],
  ])("answers command %i with %i", (asked, answer) => {
    command(asked);
    expect([status() & 1, data()]).toEqual([1, answer]);
  });

  it("ignores commands it does not know, with one line in the log", () => {
    command(0xb7);
    command(0xb7);
    expect(status() & 1).toBe(0);
    expect(wiring.log.messages.size).toBe(1);
  });
});

describe("A20 and reset", () => {
  it("drives A20 from the output port, high after power-on", () => {
    const a20 = wiring.line("a20");
    expect(a20.level).toBe(true);
    command(0xd1, 0xdd);
    expect(a20.level).toBe(false);
    command(0xdf);
    expect(a20.level).toBe(true);
    command(0xdd);
    expect(a20.level).toBe(false);
    command(0xd0);
    expect(data() & 0x03).toBe(0x01);
  });

  it("pulses reset on FEh and on an output port without its reset bit, and on nothing else", () => {
    const reset = wiring.line("reset");
    command(0xff);
    command(0xd1, 0x03);
    expect(reset.rises).toBe(0);
    command(0xfe);
    expect([reset.rises, reset.level]).toEqual([1, false]);
    command(0xd1, 0x02);
    expect(reset.rises).toBe(2);
  });
});

describe("interrupts", () => {
  it("raises IRQ 1 for a byte of the keyboard until it is read, when enabled", () => {
    command(0xd2, 0x1c);
    expect([wiring.line("irq1").level, wiring.line("irq12").level]).toEqual([true, false]);
    expect(data()).toBe(0x1c);
    expect(wiring.line("irq1").level).toBe(false);
    command(0x60, 0x00);
    command(0xd2, 0x1c);
    expect(wiring.line("irq1").level).toBe(false);
  });

  it("raises IRQ 12 for the auxiliary loopback that drivers probe with", () => {
    command(0xd3, 0x5a);
    expect([status() & 0x21, wiring.line("irq12").level, data()]).toEqual([0x21, true, 0x5a]);
  });

  it("says at once that no auxiliary device answers", () => {
    command(0xd4, 0xf2);
    expect([status() & 0x61, data()]).toEqual([0x61, 0xfe]);
  });

  it("says at once that no keyboard answers when there is none", () => {
    controller = i8042.create({ keyboard: false }, wiring);
    outPort(controller, 0x60, 0xf2);
    expect([status() & 0x61, data()]).toEqual([0x41, 0xfe]);
    expect(controller.type([0x1c])).toBe(false);
  });
});

describe("the keyboard", () => {
  it("resets, identifies itself and takes LEDs, rate and scan code set, as drivers probe it", () => {
    expect(exchange(0xff)).toEqual([0xfa, 0xaa]);
    expect(exchange(0xf2)).toEqual([0xfa, 0xab, 0x83]);
    expect(exchange(0xed, 0x07)).toEqual([0xfa, 0xfa]);
    expect(exchange(0xf3, 0x00)).toEqual([0xfa, 0xfa]);
    expect(exchange(0xf0, 0x00)).toEqual([0xfa, 0xfa, 0x02]);
    expect(exchange(0xf0, 0x03, 0xf0, 0x00)).toEqual([0xfa, 0xfa, 0xfa, 0xfa, 0x03]);
    expect(exchange(0xf4)).toEqual([0xfa]);
    expect(exchange(0xee)).toEqual([0xee]);
    expect(controller.state.keyboard.leds).toBe(7);
  });

  it("asks for a byte again that it does not understand, and repeats its own last one", () => {
    expect(exchange(0xef)).toEqual([0xfe]);
    expect(exchange(0xf2)).toEqual([0xfa, 0xab, 0x83]);
    expect(exchange(0xfe)).toEqual([0x83]);
  });

  it("sends bytes at the pace of the wire, with an edge for each, and shows one byte to any number of reads", () => {
    expect(controller.type([0xe0, 0x75])).toBe(true);
    expect([data(), data(), status() & 1]).toEqual([0xe0, 0xe0, 0]);
    expect(wiring.line("irq1").level).toBe(false);
    wiring.clock.advance(BYTE_NS);
    expect([wiring.line("irq1").rises, data()]).toEqual([2, 0x75]);
  });

  it("holds its bytes while its clock is disabled", () => {
    command(0xad);
    controller.type([0x1c]);
    expect(status() & 1).toBe(0);
    command(0xae);
    expect(data()).toBe(0x1c);
  });

  it("drops keys while it is disabled and when 16 bytes wait", () => {
    expect(exchange(0xf5)).toEqual([0xfa]);
    expect(controller.type([0x1c])).toBe(false);
    exchange(0xf4);
    for (let key = 0; key < 17; key++) expect(controller.type([0x1c])).toBe(true);
    expect(controller.type([0x1c])).toBe(false);
  });

  it("never queues more than it can hold, however many commands come", () => {
    for (let count = 0; count < 100; count++) outPort(controller, 0x60, 0xf2);
    expect(controller.state.queue.length).toBeLessThanOrEqual(16);
  });
});

describe("translation to set 1", () => {
  it("gives make and break codes, and AB 41 as identity", () => {
    command(0x60, 0x43);
    controller.type([0x1c, 0xf0, 0x1c]);
    const make = data();
    wiring.clock.advance(BYTE_NS);
    expect([make, data()]).toEqual([0x1e, 0x9e]);
    expect(exchange(0xf2)).toEqual([0xfa, 0xab, 0x41]);
  });

  it("knows the keys: Escape, Return, space, left shift, F7, SysRq", () => {
    expect([0x76, 0x5a, 0x29, 0x12, 0x83, 0x84].map((code) => translate(code, false))).toEqual([0x01, 0x1c, 0x39, 0x2a, 0x41, 0x54]);
  });

  it("maps the codes 01h to 7Fh one to one, and leaves answers and prefixes alone", () => {
    expect(new Set(Array.from({ length: 0x7f }, (_, index) => translate(index + 1, false))).size).toBe(0x7f);
    expect([0xfa, 0xaa, 0xe0, 0xe1, 0xee].map((byte) => translate(byte, false))).toEqual([0xfa, 0xaa, 0xe0, 0xe1, 0xee]);
  });
});

deviceContract(i8042, {}, (device) => {
  outPort(device, 0x64, 0x60);
  outPort(device, 0x60, 0x43);
  outPort(device, 0x64, 0xdd);
  outPort(device, 0x60, 0xf2);
  device.type([0xf0, 0x1c]);
});
