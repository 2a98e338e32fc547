import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { BROADCAST, DELIVERY, type InterruptMessage } from "../../bus/interrupt-message.ts";
import { deviceContract } from "../../testing/device.contract.ts";
import { fakeWiring } from "../../testing/fake-wiring.ts";
import { ioapic, type IoApic } from "./index.ts";
import {
  EOIR,
  IOAPICID,
  IOAPICVER,
  IOREDTBL,
  IOREGSEL,
  IOWIN,
  RTE_DELIVERY_STATUS,
  RTE_LEVEL,
  RTE_LOGICAL,
  RTE_MASKED,
  RTE_REMOTE_IRR,
} from "./spec.ts";

interface Rig {
  readonly device: IoApic;
  readonly sent: InterruptMessage[];
  taking: boolean;
}

function rig(): Rig {
  const sent: InterruptMessage[] = [];
  const self: Rig = {
    sent,
    taking: true,
    device: ioapic.create({ deliver: (message) => self.taking && sent.push(message) > 0 }, fakeWiring()),
  };
  return self;
}

function set(device: IoApic, register: number, value: number): void {
  device.mmio[0]!.write(IOREGSEL, 4, register);
  device.mmio[0]!.write(IOWIN, 4, value);
}

function get(device: IoApic, register: number): number {
  device.mmio[0]!.write(IOREGSEL, 4, register);
  return device.mmio[0]!.read(IOWIN, 4);
}

const low = (pin: number): number => IOREDTBL + 2 * pin;
const high = (pin: number): number => IOREDTBL + 2 * pin + 1;

deviceContract(ioapic, { deliver: () => true }, (device) => {
  set(device, IOAPICID, 0x0300_0000);
  set(device, low(4), 0x41);
  set(device, high(9), 0x0200_0000);
  set(device, low(9), 0x51 | RTE_LEVEL);
  // Remote IRR stays; levels are the driver's and outlast a reset, so they must be low for a comparison with power-on.
  device.setPin(9, true);
  device.setPin(9, false);
});

describe("registers (82093AA datasheet §3.1)", () => {
  it("identify themselves", () => {
    const { device } = rig();
    expect(get(device, IOAPICVER)).toBe(0x0017_0020);
    set(device, IOAPICID, 0xffff_ffff);
    expect(get(device, IOAPICID)).toBe(0x0f00_0000);
    expect(get(device, 0x40)).toBe(0);
    expect(get(device, low(0))).toBe(RTE_MASKED);
  });

  it("hold what can be written of an entry", () => {
    const { device } = rig();
    set(device, low(23), 0xffff_ffff);
    set(device, high(23), 0xffff_ffff);
    expect(get(device, low(23))).toBe(0x0001_afff);
    expect(get(device, high(23))).toBe(0xff00_0000);
  });

  it("answer the window at full width alone", () => {
    const { device } = rig();
    device.mmio[0]!.write(IOREGSEL, 1, low(2));
    device.mmio[0]!.write(IOWIN, 1, 0);
    expect(device.mmio[0]!.read(IOWIN, 1)).toBe(0);
    expect(device.mmio[0]!.read(IOWIN, 4)).toBe(RTE_MASKED);
  });
});

describe("edge-triggered pins", () => {
  it("send one message a rise", () => {
    const { device, sent } = rig();
    set(device, high(4), 0x0300_0000);
    set(device, low(4), 0x41);
    device.setPin(4, true);
    device.setPin(4, true);
    device.setPin(4, false);
    device.setPin(4, true);
    expect(sent).toEqual([1, 2].map(() => ({ destination: 3, logical: false, delivery: DELIVERY.FIXED, vector: 0x41, level: false })));
    expect(get(device, low(4))).toBe(0x41);
  });

  it("lose edges while masked", () => {
    const { device, sent } = rig();
    set(device, low(4), 0x41 | RTE_MASKED);
    device.setPin(4, true);
    set(device, low(4), 0x41);
    expect(sent).toEqual([]);
  });

  it("carry the other delivery modes and destinations", () => {
    const { device, sent } = rig();
    const expected: [number, number, Partial<InterruptMessage>][] = [
      [0x700, 0, { delivery: DELIVERY.EXT_INT, vector: 0, destination: 0 }],
      [0x400 | RTE_LEVEL, 0xff00_0000, { delivery: DELIVERY.NMI, destination: BROADCAST, level: false }],
      [0x500, 0x0100_0000, { delivery: DELIVERY.INIT, destination: 1 }],
      [0x961, 0xff00_0000, { delivery: DELIVERY.LOWEST_PRIORITY, logical: true, destination: 0xff, vector: 0x61 }],
    ];
    expected.forEach(([entry, destination], pin) => {
      set(device, high(pin), destination);
      set(device, low(pin), entry);
      device.setPin(pin, true);
    });
    expect(sent).toMatchObject(expected.map(([, , message]) => message));
    expect(0x961 & RTE_LOGICAL).toBe(RTE_LOGICAL);
  });
});

describe("level-triggered pins", () => {
  const armed = (): Rig => {
    const it = rig();
    set(it.device, low(9), 0x51 | RTE_LEVEL);
    it.device.setPin(9, true);
    return it;
  };

  it("set remote IRR when the message is taken, and send again after EOI while asserted", () => {
    const { device, sent } = armed();
    expect(sent).toHaveLength(1);
    expect(sent[0]?.level).toBe(true);
    expect(get(device, low(9))).toBe(0x51 | RTE_LEVEL | RTE_REMOTE_IRR);
    device.setPin(9, false);
    device.setPin(9, true);
    expect(sent).toHaveLength(1);
    device.endOfInterrupt(0x52);
    expect(sent).toHaveLength(1);
    device.endOfInterrupt(0x51);
    expect(sent).toHaveLength(2);
    device.setPin(9, false);
    device.mmio[0]!.write(EOIR, 4, 0x51);
    expect(get(device, low(9))).toBe(0x51 | RTE_LEVEL);
    expect(sent).toHaveLength(2);
  });

  it("send when a mask goes while the pin is asserted", () => {
    const { device, sent } = rig();
    device.setPin(9, true);
    set(device, low(9), 0x51 | RTE_LEVEL | RTE_MASKED);
    expect(sent).toHaveLength(0);
    set(device, low(9), 0x51 | RTE_LEVEL);
    expect(sent).toHaveLength(1);
    set(device, low(9), 0x51 | RTE_LEVEL);
    expect(sent).toHaveLength(1);
  });

  it("forget remote IRR when made edge-triggered", () => {
    const { device, sent } = armed();
    set(device, low(9), 0x51 | RTE_MASKED);
    set(device, low(9), 0x51 | RTE_LEVEL);
    expect(sent).toHaveLength(2);
  });

  it("stay pending until somebody takes the message", () => {
    const it = rig();
    it.taking = false;
    set(it.device, low(9), 0x51 | RTE_LEVEL);
    it.device.setPin(9, true);
    expect(get(it.device, low(9))).toBe(0x51 | RTE_LEVEL | RTE_DELIVERY_STATUS);
    it.taking = true;
    set(it.device, low(9), 0x51 | RTE_LEVEL);
    expect(it.sent).toHaveLength(1);
    expect(get(it.device, low(9))).toBe(0x51 | RTE_LEVEL | RTE_REMOTE_IRR);
  });

  it("never have two messages between EOIs, and none missing while asserted", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("high", "low", "eoi", "mask", "unmask"), { maxLength: 60 }), (steps) => {
        const { device, sent } = rig();
        let inService = false;
        let asserted = false;
        let masked = true;
        for (const step of steps) {
          if (step === "high" || step === "low") {
            asserted = step === "high";
            device.setPin(7, asserted);
          } else if (step === "eoi") {
            inService = false;
            device.endOfInterrupt(0x61);
          } else {
            masked = step === "mask";
            set(device, low(7), 0x61 | RTE_LEVEL | (masked ? RTE_MASKED : 0));
          }
          const expected: number = !inService && asserted && !masked ? 1 : 0;
          expect(sent.splice(0)).toHaveLength(expected);
          inService ||= expected === 1;
        }
      }),
    );
  });
});
