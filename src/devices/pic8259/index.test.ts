import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { deviceContract } from "../../testing/device.contract.ts";
import { fakeWiring, inPort, outPort, type FakeWiring } from "../../testing/index.ts";
import { pic8259, type Pic8259 } from "./index.ts";

let wiring: FakeWiring;
let pic: Pic8259;

/** ICW1 to ICW4 of both controllers as a PC has them: vectors 20h and 28h, slave at IR2. */
function initialize(device: Pic8259, icw4 = 0x01): void {
  for (const [base, vector, cascade] of [
    [0x20, 0x20, 0x04],
    [0xa0, 0x28, 0x02],
  ] as const) {
    outPort(device, base, 0x11);
    outPort(device, base + 1, vector);
    outPort(device, base + 1, cascade);
    outPort(device, base + 1, icw4);
  }
}

const irr = (base = 0x20): number => (outPort(pic, base, 0x0a), inPort(pic, base));
const isr = (base = 0x20): number => (outPort(pic, base, 0x0b), inPort(pic, base));
const intr = (): boolean => wiring.line("intr").level;

beforeEach(() => {
  wiring = fakeWiring();
  pic = pic8259.create({}, wiring);
  initialize(pic);
});

describe("initialization", () => {
  it("asks for nothing before it is initialized", () => {
    const fresh = pic8259.create({}, fakeWiring());
    fresh.setIrq(0, true);
    expect(fresh.pending).toBe(false);
  });

  it("takes four words and then treats the odd port as the mask", () => {
    outPort(pic, 0x21, 0xa5);
    expect(inPort(pic, 0x21)).toBe(0xa5);
    outPort(pic, 0x20, 0x11);
    expect(inPort(pic, 0x21)).toBe(0);
    for (const word of [0x70, 0x04, 0x01]) outPort(pic, 0x21, word);
    pic.setIrq(1, true);
    expect(pic.acknowledge()).toBe(0x71);
  });

  it("skips ICW3 with SNGL and ICW4 without IC4", () => {
    outPort(pic, 0x20, 0x12);
    outPort(pic, 0x21, 0x40);
    outPort(pic, 0x21, 0xfb);
    expect(inPort(pic, 0x21)).toBe(0xfb);
    pic.setIrq(8, true);
    expect(pic.acknowledge()).toBe(0x42);
  });

  it("forgets edges: an input must fall and rise again", () => {
    pic.setIrq(3, true);
    initialize(pic);
    expect(intr()).toBe(false);
    pic.setIrq(3, false);
    pic.setIrq(3, true);
    expect(intr()).toBe(true);
  });
});

describe("priorities", () => {
  it("serves the lowest number first and nests higher ones", () => {
    pic.setIrq(4, true);
    pic.setIrq(1, true);
    expect(pic.acknowledge()).toBe(0x21);
    expect([isr(), irr(), intr()]).toEqual([0x02, 0x10, false]);
    pic.setIrq(0, true);
    expect(intr()).toBe(true);
    expect(pic.acknowledge()).toBe(0x20);
    outPort(pic, 0x20, 0x20);
    expect(isr()).toBe(0x02);
    outPort(pic, 0x20, 0x61);
    expect([isr(), intr()]).toEqual([0, true]);
    expect(pic.acknowledge()).toBe(0x24);
  });

  it("rotates on a non-specific EOI: the level served becomes the lowest", () => {
    for (const level of [3, 4]) pic.setIrq(level, true);
    expect(pic.acknowledge()).toBe(0x23);
    outPort(pic, 0x20, 0xa0);
    pic.setIrq(3, false);
    pic.setIrq(3, true);
    pic.setIrq(0, true);
    expect(
      [0, 1, 2].map(() => {
        const vector = pic.acknowledge();
        outPort(pic, 0x20, 0x20);
        return vector;
      }),
    ).toEqual([0x24, 0x20, 0x23]);
  });

  it("sets priority: level 5 lowest makes level 6 highest", () => {
    outPort(pic, 0x20, 0xc5);
    for (const level of [0, 5, 6, 7]) pic.setIrq(level, true);
    expect(
      [0, 1, 2, 3].map(() => {
        const vector = pic.acknowledge();
        outPort(pic, 0x20, 0x20);
        return vector;
      }),
    ).toEqual([0x26, 0x27, 0x20, 0x25]);
  });

  it("rotates on a specific EOI", () => {
    pic.setIrq(2 + 4, true);
    pic.acknowledge();
    outPort(pic, 0x20, 0xe6);
    pic.setIrq(7, true);
    pic.setIrq(0, true);
    expect([isr(), pic.acknowledge()]).toEqual([0, 0x27]);
  });

  it("in automatic EOI mode leaves nothing in service, and rotates when told", () => {
    initialize(pic, 0x03);
    outPort(pic, 0x20, 0x80);
    for (const level of [1, 3]) pic.setIrq(level, true);
    expect([pic.acknowledge(), isr()]).toEqual([0x21, 0]);
    pic.setIrq(1, false);
    pic.setIrq(1, true);
    expect(pic.acknowledge()).toBe(0x23);
    outPort(pic, 0x20, 0x00);
    pic.setIrq(4, true);
    expect([pic.acknowledge(), pic.acknowledge()]).toEqual([0x24, 0x21]);
  });

  it("in special mask mode lets lower levels through while a masked one is in service, and spares it from EOI", () => {
    pic.setIrq(1, true);
    pic.acknowledge();
    pic.setIrq(6, true);
    outPort(pic, 0x21, 0x02);
    expect(intr()).toBe(false);
    outPort(pic, 0x20, 0x68);
    expect(pic.acknowledge()).toBe(0x26);
    outPort(pic, 0x20, 0x20);
    expect(isr()).toBe(0x02);
    outPort(pic, 0x20, 0x48);
    outPort(pic, 0x20, 0x20);
    expect(isr()).toBe(0);
  });
});

describe("the cascade", () => {
  it("gives the slave's vector and needs both EOIs", () => {
    pic.setIrq(14, true);
    expect(pic.acknowledge()).toBe(0x2e);
    expect([isr(), isr(0xa0)]).toEqual([0x04, 0x40]);
    pic.setIrq(15, true);
    pic.setIrq(3, true);
    expect(intr()).toBe(false);
    outPort(pic, 0xa0, 0x20);
    outPort(pic, 0x20, 0x20);
    expect(pic.acknowledge()).toBe(0x2f);
  });

  it("locks the slave out while it is in service, unless specially fully nested", () => {
    pic.setIrq(14, true);
    pic.acknowledge();
    pic.setIrq(8, true);
    expect(intr()).toBe(false);
    pic.reset();
    initialize(pic, 0x11);
    pic.setIrq(14, true);
    pic.acknowledge();
    pic.setIrq(8, true);
    expect(intr()).toBe(true);
    expect(pic.acknowledge()).toBe(0x28);
  });

  it("raises a new edge at the master for each further request of the slave", () => {
    initialize(pic, 0x03);
    pic.setIrq(10, true);
    pic.setIrq(9, true);
    expect([pic.acknowledge(), pic.acknowledge()]).toEqual([0x29, 0x2a]);
    expect(intr()).toBe(false);
  });

  it("is not an input: request 2 leads nowhere", () => {
    pic.setIrq(2, true);
    expect(intr()).toBe(false);
  });
});

describe("spurious interrupts", () => {
  it("is level 7 without service when the request went away before the acknowledge", () => {
    pic.setIrq(5, true);
    pic.setIrq(5, false);
    expect(intr()).toBe(false);
    expect(pic.acknowledge()).toBe(0x27);
    expect([isr(), irr()]).toEqual([0, 0]);
  });

  it("is level 15 when the master passes the acknowledge on to a slave that has nothing", () => {
    outPort(pic, 0x20, 0x11);
    for (const word of [0x20, 0x01, 0x01]) outPort(pic, 0x21, word);
    outPort(pic, 0xa0, 0x11);
    for (const word of [0x28, 0x00, 0x01]) outPort(pic, 0xa1, word);
    pic.setIrq(0, true);
    expect(pic.acknowledge()).toBe(0x2f);
    expect([isr(), isr(0xa0)]).toEqual([0x01, 0]);
  });

  it("floats when the slave addressed is not there", () => {
    outPort(pic, 0x20, 0x11);
    for (const word of [0x20, 0x05, 0x01]) outPort(pic, 0x21, word);
    pic.setIrq(0, true);
    expect(pic.acknowledge()).toBe(0xff);
  });
});

describe("edge and level", () => {
  it("asks once an edge", () => {
    pic.setIrq(5, true);
    pic.acknowledge();
    outPort(pic, 0x20, 0x20);
    expect(intr()).toBe(false);
  });

  it("asks for as long as a level lasts", () => {
    outPort(pic, 0x4d0, 0x20);
    pic.setIrq(5, true);
    pic.acknowledge();
    outPort(pic, 0x20, 0x20);
    expect(intr()).toBe(true);
    pic.setIrq(5, false);
    expect(intr()).toBe(false);
  });

  it("keeps IRQ 0, 1, 2, 8 and 13 edge-triggered", () => {
    outPort(pic, 0x4d0, 0xffff, 2);
    expect(inPort(pic, 0x4d0, 2)).toBe(0xdef8);
  });
});

describe("polling", () => {
  it("acknowledges by a read", () => {
    outPort(pic, 0x20, 0x0c);
    expect(inPort(pic, 0x20)).toBe(0);
    pic.setIrq(3, true);
    outPort(pic, 0x20, 0x0c);
    expect(inPort(pic, 0x20)).toBe(0x83);
    expect([isr(), intr()]).toEqual([0x08, false]);
    expect(inPort(pic, 0x21)).toBe(0);
  });
});

describe("whatever the guest does", () => {
  const write = fc.record({ port: fc.constantFrom(0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1), value: fc.nat(255) });
  const change = fc.record({ irq: fc.nat(15), level: fc.boolean() });

  it("INTR means that the next vector comes from a request that is not masked", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(write, change), { maxLength: 60 }), (steps) => {
        const wires = fakeWiring();
        const device = pic8259.create({}, wires);
        initialize(device);
        for (const step of steps) {
          if ("irq" in step) device.setIrq(step.irq, step.level);
          else outPort(device, step.port, step.value);
          const { irr: requests, imr, isr: before } = device.state.master;
          expect(wires.line("intr").level).toBe(device.pending);
          if (!device.pending) continue;
          expect(requests & ~imr).not.toBe(0);
          device.acknowledge();
          expect(device.state.master.isr & before).toBe(before);
        }
      }),
    );
  });
});

deviceContract(pic8259, {}, (device) => {
  initialize(device);
  outPort(device, 0x4d0, 0x0c00, 2);
  for (const irq of [1, 4, 10, 12]) device.setIrq(irq, true);
  device.acknowledge();
});
