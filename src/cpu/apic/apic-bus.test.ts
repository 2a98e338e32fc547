import { describe, expect, it } from "vitest";
import { BROADCAST, DELIVERY, type InterruptMessage } from "../../bus/interrupt-message.ts";
import { ApicBus, msiMessage, type ApicTarget } from "./apic-bus.ts";

interface Fake extends ApicTarget {
  readonly taken: number[];
  accepting: boolean;
  arbitrationPriority: number;
}

function fake(id: number): Fake {
  const taken: number[] = [];
  return {
    taken,
    accepting: true,
    arbitrationPriority: 0,
    matches: (destination, logical) => destination === BROADCAST || (logical ? (destination & (1 << id)) !== 0 : destination === id),
    receive: ({ vector }) => taken.push(vector) > 0,
  };
}

function bus(count: number): { bus: ApicBus; apics: Fake[] } {
  const apics = Array.from({ length: count }, (_, id) => fake(id));
  const made = new ApicBus();
  for (const apic of apics) made.attach(apic);
  return { bus: made, apics };
}

const message = (over: Partial<InterruptMessage>): InterruptMessage => ({
  destination: BROADCAST,
  logical: false,
  delivery: DELIVERY.FIXED,
  vector: 0x40,
  level: false,
  ...over,
});
const taken = (apics: readonly Fake[]): number[] => apics.map((apic) => apic.taken.length);

describe("ApicBus", () => {
  it("hands a fixed message to every destination, and says whether any took it", () => {
    const { bus: wires, apics } = bus(4);
    expect(wires.deliver(message({ destination: 0b1010, logical: true }))).toBe(true);
    expect(taken(apics)).toEqual([0, 1, 0, 1]);
    expect(wires.deliver(message({ destination: 9 }))).toBe(false);
  });

  it("leaves out the sender of an all-excluding-self message", () => {
    const { bus: wires, apics } = bus(3);
    wires.deliverToOthers(message({}), apics[1]!);
    expect(taken(apics)).toEqual([1, 0, 1]);
  });

  it("gives a lowest-priority message to the one APIC with the lowest arbitration priority (SDM 3A §11.6.2.4)", () => {
    const { bus: wires, apics } = bus(4);
    [0x30, 0x20, 0x10, 0x00].forEach((priority, id) => void (apics[id]!.arbitrationPriority = priority));
    apics[3]!.accepting = false;
    expect(wires.deliver(message({ delivery: DELIVERY.LOWEST_PRIORITY }))).toBe(true);
    expect(taken(apics)).toEqual([0, 0, 1, 0]);
    wires.deliver(message({ delivery: DELIVERY.LOWEST_PRIORITY, destination: 0b0011, logical: true }));
    expect(taken(apics)).toEqual([0, 1, 1, 0]);
  });

  it("spreads vectors over equals", () => {
    const { bus: wires, apics } = bus(4);
    for (let vector = 0x40; vector < 0x60; vector++) wires.deliver(message({ delivery: DELIVERY.LOWEST_PRIORITY, vector }));
    expect(taken(apics)).toEqual([8, 8, 8, 8]);
  });
});

describe("message signalled interrupts (SDM 3A §11.11)", () => {
  it("read as messages", () => {
    expect(msiMessage(0xfee0_3000, 0x4041)).toEqual(message({ destination: 3, vector: 0x41 }));
    expect(msiMessage(0xfeef_f00c, 0x0141)).toEqual(
      message({ destination: 0xff, logical: true, delivery: DELIVERY.LOWEST_PRIORITY, vector: 0x41 }),
    );
    expect(msiMessage(0xfeef_f000, 0xc441)).toEqual(message({ destination: BROADCAST, delivery: DELIVERY.NMI, vector: 0x41, level: true }));
    expect(msiMessage(0xfed0_0000, 0x41)).toBeUndefined();
    expect(msiMessage(0xfef0_0000, 0x41)).toBeUndefined();
  });

  it("reach the APIC they name", () => {
    const { bus: wires, apics } = bus(2);
    expect(wires.deliverMsi(0xfee0_1000, 0x55)).toBe(true);
    expect(apics[1]!.taken).toEqual([0x55]);
    expect(wires.deliverMsi(0x1000, 0x55)).toBe(false);
  });
});
