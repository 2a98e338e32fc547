import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { BROADCAST, DELIVERY, type InterruptMessage } from "../../bus/interrupt-message.ts";
import { VmError } from "../../support/errors.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { LOCAL_APIC_STATE } from "./apic-state.ts";
import { LocalApic } from "./local-apic.ts";
import { BASE_BSP, BASE_EN, BASE_EXTD, DEFAULT_BASE, MSR, REG } from "./registers.ts";
import type { LocalApicConfig } from "./wiring.ts";

const PAGE = BigInt(DEFAULT_BASE);
const ENABLE = 0x1ff;

interface Rig {
  readonly apic: LocalApic;
  readonly clock: FakeClock;
  readonly events: string[];
  readonly sent: { others: boolean; message: InterruptMessage }[];
  intr: boolean;
  picVector: number;
  set(register: number, value: number): void;
  get(register: number): number;
}

function rig(config: Partial<LocalApicConfig> = {}, clock: FakeClock = new FakeClock()): Rig {
  const events: string[] = [];
  const sent: Rig["sent"] = [];
  const apic: LocalApic = new LocalApic(
    { id: 0, bootstrap: true, x2apic: true, physicalBits: 40, tscHz: 1e9, timerHz: 1e9, ...config },
    {
      clock,
      tscNow: () => BigInt(Math.floor(clock.now())),
      setInterruptLine: (level) => void (self.intr = level),
      nmi: () => void events.push("nmi"),
      init: () => void events.push("init"),
      startUp: (vector) => void events.push(`start-up ${vector}`),
      acknowledgePic: () => self.picVector,
      deliver: (message) => sent.push({ others: false, message }) > 0,
      deliverToOthers: (message) => sent.push({ others: true, message }) > 0,
      endOfInterrupt: (vector) => void events.push(`eoi ${vector}`),
    },
  );
  const self: Rig = {
    apic,
    clock,
    events,
    sent,
    intr: false,
    picVector: 8,
    set: (register, value) => apic.write(register * 16, 4, value),
    get: (register) => apic.read(register * 16, 4),
  };
  return self;
}

function enabled(config: Partial<LocalApicConfig> = {}): Rig {
  const it = rig(config);
  it.set(REG.SVR, ENABLE);
  return it;
}

function x2(config: Partial<LocalApicConfig> = {}): Rig {
  const it = enabled(config);
  expect(it.apic.writeMsr(MSR.IA32_APIC_BASE, PAGE | BigInt(BASE_EN | BASE_EXTD))).toBe(true);
  return it;
}

const message = (over: Partial<InterruptMessage>): InterruptMessage => ({
  destination: BROADCAST,
  logical: false,
  delivery: DELIVERY.FIXED,
  vector: 0x40,
  level: false,
  ...over,
});

describe("power-on state (SDM 3A §11.4.7.1)", () => {
  it("is xAPIC mode, software-disabled, with every local vector masked", () => {
    const { apic, get } = rig({ id: 5 });
    expect(apic.mmioBase).toBe(DEFAULT_BASE);
    expect(get(REG.ID)).toBe(0x0500_0000);
    expect(get(REG.VERSION) & 0xff).toBe(0x14);
    expect((get(REG.VERSION) >>> 16) & 0xff).toBe(6);
    expect(get(REG.SVR)).toBe(0xff);
    expect(get(REG.DFR)).toBe(0xffff_ffff);
    expect([REG.LVT_CMCI, REG.LVT_TIMER, REG.LVT_LINT0, REG.LVT_ERROR].map(get)).toEqual([0x1_0000, 0x1_0000, 0x1_0000, 0x1_0000]);
  });

  it("refuses fixed interrupts and keeps local vectors masked while software-disabled (§11.4.7.2)", () => {
    const { apic, set, get } = rig();
    expect(apic.accept(0x40, false)).toBe(false);
    set(REG.LVT_ERROR, 0x33);
    expect(get(REG.LVT_ERROR)).toBe(0x1_0033);
    set(REG.SVR, ENABLE);
    set(REG.LVT_ERROR, 0x33);
    expect(get(REG.LVT_ERROR)).toBe(0x33);
    set(REG.SVR, 0xff);
    expect(get(REG.LVT_ERROR)).toBe(0x1_0033);
  });
});

describe("priorities (SDM 3A §11.8.3)", () => {
  it("delivers the highest vector first and lower classes only after EOI", () => {
    const it = enabled();
    it.apic.accept(0x41, false);
    it.apic.accept(0x62, false);
    expect(it.intr).toBe(true);
    expect(it.apic.acknowledge()).toBe(0x62);
    expect(it.get(REG.PPR)).toBe(0x60);
    expect(it.intr).toBe(false);
    it.apic.accept(0x6f, false);
    expect(it.intr).toBe(false);
    it.apic.accept(0x70, false);
    expect(it.apic.acknowledge()).toBe(0x70);
    it.set(REG.EOI, 0);
    expect(it.intr).toBe(false);
    it.set(REG.EOI, 0);
    expect(it.apic.acknowledge()).toBe(0x6f);
    it.set(REG.EOI, 0);
    expect(it.apic.acknowledge()).toBe(0x41);
  });

  it("holds back classes up to the task priority, also through CR8 (§11.8.6)", () => {
    const it = enabled();
    it.apic.writeCr8(4);
    expect(it.get(REG.TPR)).toBe(0x40);
    expect(it.get(REG.PPR)).toBe(0x40);
    it.apic.accept(0x4f, false);
    expect(it.intr).toBe(false);
    it.apic.accept(0x50, false);
    expect(it.intr).toBe(true);
    it.set(REG.TPR, 0x53);
    expect(it.apic.readCr8()).toBe(5);
    expect(it.get(REG.PPR)).toBe(0x53);
    expect(it.intr).toBe(false);
    it.apic.writeCr8(0);
    expect(it.intr).toBe(true);
  });

  it("gives the spurious vector when the task priority overtook the request (§11.9), without putting it in service", () => {
    const it = enabled();
    it.apic.accept(0x50, false);
    it.set(REG.TPR, 0xf0);
    expect(it.apic.acknowledge()).toBe(0xff);
    expect(it.get(REG.ISR + 7)).toBe(0);
    expect(enabled().apic.acknowledge()).toBe(-1);
  });

  it("takes each accepted vector exactly once, in falling order within what the handlers let through", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 16, max: 255 }), { minLength: 1, maxLength: 40 }), (vectors) => {
        const it = enabled();
        for (const vector of vectors) it.apic.accept(vector, false);
        const taken: number[] = [];
        while (it.intr) {
          taken.push(it.apic.acknowledge());
          it.set(REG.EOI, 0);
        }
        expect(taken).toEqual([...vectors].sort((a, b) => b - a));
      }),
    );
  });

  it("raises INTR exactly when the highest request is in a class above the processor priority", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("accept"), value: fc.integer({ min: 16, max: 255 }) }),
      fc.record({ kind: fc.constant("tpr"), value: fc.integer({ min: 0, max: 255 }) }),
      fc.record({ kind: fc.constantFrom("acknowledge", "eoi"), value: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const it = enabled();
        const requested = new Set<number>();
        const inService = new Set<number>();
        let task = 0;
        const highest = (set: Set<number>): number => Math.max(-1, ...set);
        const deliverable = (): boolean => highest(requested) >> 4 > Math.max(highest(inService) >> 4, task >> 4, 0);
        for (const { kind, value } of steps) {
          if (kind === "accept") {
            requested.add(value);
            it.apic.accept(value, false);
          } else if (kind === "tpr") {
            task = value;
            it.set(REG.TPR, value);
          } else if (kind === "eoi") {
            inService.delete(highest(inService));
            it.set(REG.EOI, 0);
          } else if (deliverable()) {
            const vector = highest(requested);
            requested.delete(vector);
            inService.add(vector);
            expect(it.apic.acknowledge()).toBe(vector);
          }
          expect(it.intr).toBe(deliverable());
        }
      }),
    );
  });
});

describe("level-triggered interrupts and EOI (SDM 3A §11.8.5)", () => {
  it("broadcasts the EOI of level-triggered vectors only", () => {
    const it = enabled();
    it.apic.accept(0x50, true);
    it.apic.accept(0x60, false);
    expect(it.get(REG.TMR + 2)).toBe(1 << 16);
    it.apic.acknowledge();
    it.set(REG.EOI, 0);
    expect(it.events).toEqual([]);
    it.apic.acknowledge();
    it.set(REG.EOI, 0);
    expect(it.events).toEqual(["eoi 80"]);
    it.set(REG.EOI, 0);
    expect(it.events).toHaveLength(1);
  });

  it("keeps the EOI to itself when SVR bit 12 says so", () => {
    const it = enabled();
    it.set(REG.SVR, ENABLE | (1 << 12));
    it.apic.accept(0x50, true);
    it.apic.acknowledge();
    it.set(REG.EOI, 0);
    expect(it.events).toEqual([]);
  });
});

describe("LINT pins (SDM 3A §11.5.1)", () => {
  it("passes the 8259A through LINT0 in virtual-wire mode", () => {
    const it = rig();
    it.apic.setLint0(true);
    expect(it.intr).toBe(false);
    it.apic.enterVirtualWireMode();
    expect(it.intr).toBe(true);
    it.picVector = 0x0c;
    it.set(REG.TPR, 0xff);
    expect(it.apic.acknowledge()).toBe(0x0c);
    it.apic.setLint0(false);
    expect(it.intr).toBe(false);
    it.apic.setLint1(true);
    it.apic.setLint1(true);
    expect(it.events).toEqual(["nmi"]);
  });

  it("is not there between pins and processor while disabled by IA32_APIC_BASE (§11.4.3)", () => {
    const it = rig();
    expect(it.apic.writeMsr(MSR.IA32_APIC_BASE, PAGE)).toBe(true);
    it.apic.setLint0(true);
    expect(it.intr).toBe(true);
    expect(it.apic.acknowledge()).toBe(8);
    it.apic.setLint1(true);
    expect(it.events).toEqual(["nmi"]);
    expect(it.apic.mmioBase).toBe(-1);
    expect(it.apic.matches(BROADCAST, false)).toBe(false);
  });

  it("holds remote IRR of a level-triggered LINT0 from acceptance to EOI", () => {
    const it = enabled();
    it.set(REG.LVT_LINT0, 0x8051);
    it.apic.setLint0(true);
    expect(it.get(REG.LVT_LINT0)).toBe(0xc051);
    expect(it.apic.acknowledge()).toBe(0x51);
    expect(it.intr).toBe(false);
    it.set(REG.EOI, 0);
    expect(it.apic.acknowledge()).toBe(0x51);
    it.apic.setLint0(false);
    it.set(REG.EOI, 0);
    expect(it.get(REG.LVT_LINT0)).toBe(0x8051);
    expect(it.intr).toBe(false);
  });

  it("takes one edge-triggered fixed interrupt a rise", () => {
    const it = enabled();
    it.set(REG.LVT_LINT0, 0x51);
    it.apic.setLint0(true);
    it.apic.setLint0(true);
    expect(it.apic.acknowledge()).toBe(0x51);
    it.set(REG.EOI, 0);
    expect(it.intr).toBe(false);
  });
});

describe("local events", () => {
  it("masks the performance entry after its interrupt", () => {
    const it = enabled();
    it.set(REG.LVT_PERFORMANCE, 0x400);
    it.apic.signal("performance");
    it.apic.signal("performance");
    expect(it.events).toEqual(["nmi"]);
    expect(it.get(REG.LVT_PERFORMANCE)).toBe(0x1_0400);
    it.set(REG.LVT_THERMAL, 0x61);
    it.apic.signal("thermal");
    expect(it.apic.acknowledge()).toBe(0x61);
  });
});

describe("error status (SDM 3A §11.5.3)", () => {
  it("is latched by a write, and one interrupt is raised until then", () => {
    const it = enabled();
    it.set(REG.LVT_ERROR, 0x45);
    it.set(REG.ICR_LOW, 0x4000 | 0x0f);
    expect(it.sent).toEqual([]);
    expect(it.get(REG.ESR)).toBe(0);
    expect(it.apic.acknowledge()).toBe(0x45);
    it.set(REG.EOI, 0);
    it.apic.accept(0x05, false);
    expect(it.intr).toBe(false);
    it.set(REG.ESR, 0);
    expect(it.get(REG.ESR)).toBe(0x60);
    it.apic.read(0x3f0, 4);
    expect(it.intr).toBe(true);
    it.set(REG.ESR, 0);
    expect(it.get(REG.ESR)).toBe(0x80);
    it.set(REG.ESR, 0);
    expect(it.get(REG.ESR)).toBe(0);
  });
});

describe("interrupt command register (SDM 3A §11.6.1)", () => {
  it("sends to an 8-bit destination, FFh being everyone", () => {
    const it = enabled();
    it.set(REG.ICR_HIGH, 0x0300_0000);
    it.set(REG.ICR_LOW, 0x4051);
    it.set(REG.ICR_HIGH, 0xff00_0000);
    it.set(REG.ICR_LOW, 0x4400);
    it.set(REG.ICR_LOW, 0x4800 | 0x61);
    expect(it.sent.map(({ message }) => message)).toEqual([
      message({ destination: 3, vector: 0x51 }),
      message({ destination: BROADCAST, delivery: DELIVERY.NMI, vector: 0 }),
      message({ destination: 0xff, logical: true, vector: 0x61 }),
    ]);
  });

  it("knows the shorthands and what they may carry (table 11-3)", () => {
    const it = enabled();
    it.set(REG.ICR_LOW, 0x4_0000 | 0x4052);
    expect(it.apic.acknowledge()).toBe(0x52);
    it.set(REG.ICR_LOW, 0x4_0000 | 0x4400);
    it.set(REG.ICR_LOW, 0x8_0000 | 0x4500);
    expect(it.sent).toEqual([]);
    it.set(REG.ICR_LOW, 0x8_0000 | 0x4053);
    it.set(REG.ICR_LOW, 0xc_0000 | 0x4500);
    expect(it.sent).toEqual([
      { others: false, message: message({ vector: 0x53 }) },
      { others: true, message: message({ delivery: DELIVERY.INIT, vector: 0 }) },
    ]);
  });

  it("sends no INIT level de-assert and no reserved modes", () => {
    const it = enabled();
    for (const low of [0x8500, 0x4351, 0x4751]) it.set(REG.ICR_LOW, low);
    expect(it.sent).toEqual([]);
  });

  it("reads back idle", () => {
    const it = enabled();
    it.set(REG.ICR_LOW, 0x5051);
    expect(it.get(REG.ICR_LOW)).toBe(0x4051);
  });
});

describe("messages", () => {
  it("start a waiting processor once, and again only after INIT (SDM 3A §9.4.3)", () => {
    const it = rig({ id: 1, bootstrap: false });
    it.apic.receive(message({ delivery: DELIVERY.START_UP, vector: 0x9a }));
    it.apic.receive(message({ delivery: DELIVERY.START_UP, vector: 0x9b }));
    it.apic.receive(message({ delivery: DELIVERY.INIT, vector: 0 }));
    it.apic.receive(message({ delivery: DELIVERY.START_UP, vector: 0x9c }));
    expect(it.events).toEqual(["start-up 154", "init", "start-up 156"]);
  });

  it("of INIT clear the registers but not mode, base and identity (§11.4.7.3)", () => {
    const it = x2({ id: 0x123 });
    it.apic.writeMsr(MSR.X2APIC_FIRST + REG.TPR, 0x20n);
    it.apic.accept(0x80, false);
    it.apic.receive(message({ delivery: DELIVERY.INIT }));
    expect(it.intr).toBe(false);
    expect(it.apic.readMsr(MSR.X2APIC_FIRST + REG.ID)).toBe(0x123n);
    expect(it.apic.readMsr(MSR.X2APIC_FIRST + REG.TPR)).toBe(0n);
    expect(it.apic.readMsr(MSR.X2APIC_FIRST + REG.SVR)).toBe(0xffn);
  });

  it("of ExtINT fetch the vector from the 8259A, past the priorities", () => {
    const it = enabled();
    it.set(REG.TPR, 0xff);
    it.picVector = 0x0f;
    it.apic.receive(message({ delivery: DELIVERY.EXT_INT, vector: 0 }));
    expect(it.intr).toBe(true);
    expect(it.apic.acknowledge()).toBe(0x0f);
    expect(it.intr).toBe(false);
  });
});

describe("destinations (SDM 3A §11.6.2.2)", () => {
  it("match flat and cluster logical IDs", () => {
    const it = enabled({ id: 2 });
    it.set(REG.LDR, 0x0400_0000);
    expect([0x04, 0xff, 0x03].map((destination) => it.apic.matches(destination, true))).toEqual([true, true, false]);
    it.set(REG.DFR, 0x0fff_ffff);
    it.set(REG.LDR, 0x2400_0000);
    expect([0x24, 0x2c, 0x14, 0x23, 0xff].map((destination) => it.apic.matches(destination, true))).toEqual([
      true,
      true,
      false,
      false,
      true,
    ]);
    expect([2, 3, BROADCAST].map((destination) => it.apic.matches(destination, false))).toEqual([true, false, true]);
  });

  it("match the logical ID that comes from the x2APIC ID (§11.12.10.2)", () => {
    const it = x2({ id: 0x123 });
    expect(it.apic.readMsr(MSR.X2APIC_FIRST + REG.LDR)).toBe(0x0012_0008n);
    expect([0x0012_0008, 0x0012_ffff, 0x0011_0008, 0x0012_fff7].map((destination) => it.apic.matches(destination >>> 0, true))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect([0x123, 0x23].map((destination) => it.apic.matches(destination, false))).toEqual([true, false]);
  });
});

describe("IA32_APIC_BASE (SDM 3A §11.12.5, figure 11-27)", () => {
  const modes = { disabled: 0, xapic: BASE_EN, x2apic: BASE_EN | BASE_EXTD, invalid: BASE_EXTD } as const;
  const path: Readonly<Record<"disabled" | "xapic" | "x2apic", readonly (keyof typeof modes)[]>> = {
    disabled: ["disabled"],
    xapic: [],
    x2apic: ["x2apic"],
  };
  const legal = new Set([
    "disabled>disabled",
    "disabled>xapic",
    "xapic>xapic",
    "xapic>disabled",
    "xapic>x2apic",
    "x2apic>x2apic",
    "x2apic>disabled",
  ]);

  for (const from of ["disabled", "xapic", "x2apic"] as const) {
    for (const to of ["disabled", "xapic", "x2apic", "invalid"] as const) {
      it(`${legal.has(`${from}>${to}`) ? "allows" : "refuses"} ${from} to ${to}`, () => {
        const { apic } = rig();
        for (const step of path[from]) apic.writeMsr(MSR.IA32_APIC_BASE, PAGE | BigInt(modes[step]));
        expect(apic.writeMsr(MSR.IA32_APIC_BASE, PAGE | BigInt(modes[to]))).toBe(legal.has(`${from}>${to}`));
      });
    }
  }

  it("refuses reserved bits, and x2APIC mode where CPUID has none", () => {
    const { apic } = rig({ x2apic: false });
    for (const value of [PAGE | 1n, PAGE | 0x200n, 1n << 40n, PAGE | BigInt(BASE_EN | BASE_EXTD)])
      expect(apic.writeMsr(MSR.IA32_APIC_BASE, value)).toBe(false);
    expect(apic.readMsr(MSR.IA32_APIC_BASE)).toBe(PAGE | BigInt(BASE_EN | BASE_BSP));
  });

  it("moves the page", () => {
    const { apic } = rig();
    apic.writeMsr(MSR.IA32_APIC_BASE, 0x12_3456_7000n | BigInt(BASE_EN));
    expect(apic.mmioBase).toBe(0x12_3456_7000);
  });

  it("keeps most registers on the way to x2APIC mode, none on the way through disabled", () => {
    const it = enabled();
    it.set(REG.ICR_HIGH, 0x0300_0000);
    it.set(REG.LVT_ERROR, 0x71);
    it.apic.writeMsr(MSR.IA32_APIC_BASE, PAGE | BigInt(modes.x2apic));
    expect(it.apic.readMsr(MSR.X2APIC_FIRST + REG.LVT_ERROR)).toBe(0x71n);
    expect(it.apic.readMsr(MSR.X2APIC_FIRST + REG.ICR_LOW)).toBe(0n);
    it.apic.writeMsr(MSR.IA32_APIC_BASE, PAGE);
    it.apic.writeMsr(MSR.IA32_APIC_BASE, PAGE | BigInt(modes.xapic));
    expect(it.get(REG.LVT_ERROR)).toBe(0x1_0000);
    expect(it.get(REG.SVR)).toBe(0xff);
  });
});

describe("x2APIC MSRs (SDM 3A §11.12.1.2 and §11.12.1.3)", () => {
  const at = (register: number): number => MSR.X2APIC_FIRST + register;

  it("are not there in xAPIC mode", () => {
    const { apic } = enabled();
    expect(apic.readMsr(at(REG.ID))).toBeUndefined();
    expect(apic.writeMsr(at(REG.TPR), 0n)).toBe(false);
  });

  it("refuse reserved registers, read-only registers and reserved bits", () => {
    const { apic } = x2();
    const unreadable = [REG.APR, REG.DFR, REG.RRD, REG.ICR_HIGH, REG.EOI, REG.SELF_IPI, 0x3a, 0xff];
    expect(unreadable.filter((register) => apic.readMsr(at(register)) !== undefined)).toEqual([]);
    const unwritable = [REG.ID, REG.VERSION, REG.LDR, REG.PPR, REG.ISR, REG.CURRENT_COUNT, REG.DFR, 0x3a, 0xff];
    expect(unwritable.filter((register) => apic.writeMsr(at(register), 0n) !== false)).toEqual([]);
    expect(apic.writeMsr(at(REG.TPR), 0x100n)).toBe(false);
    expect(apic.writeMsr(at(REG.TPR), 1n << 32n)).toBe(false);
    expect(apic.writeMsr(at(REG.EOI), 1n)).toBe(false);
    expect(apic.writeMsr(at(REG.ESR), 1n)).toBe(false);
    expect(apic.writeMsr(at(REG.DIVIDE), 0x4n)).toBe(false);
    expect(apic.writeMsr(0x900, 0n)).toBeUndefined();
  });

  it("send with one 64-bit write, and to oneself", () => {
    const it = x2();
    expect(it.apic.writeMsr(at(REG.ICR_LOW), 0x0000_0123_0000_4051n)).toBe(true);
    expect(it.sent[0]?.message).toEqual(message({ destination: 0x123, vector: 0x51 }));
    expect(it.apic.readMsr(at(REG.ICR_LOW))).toBe(0x0000_0123_0000_4051n);
    expect(it.apic.writeMsr(at(REG.SELF_IPI), 0x77n)).toBe(true);
    expect(it.apic.acknowledge()).toBe(0x77);
    expect(it.apic.readMsr(at(REG.ISR + 3))).toBe(1n << 23n);
    expect(it.apic.writeMsr(at(REG.EOI), 0n)).toBe(true);
    expect(it.apic.readMsr(at(REG.ISR + 3))).toBe(0n);
    expect(it.apic.mmioBase).toBe(-1);
  });
});

describe("the register page", () => {
  it("takes aligned 32-bit writes, and gives parts of a register to narrower reads", () => {
    const { apic } = enabled();
    apic.write(REG.TPR * 16, 1, 0x20);
    apic.write(REG.TPR * 16 + 4, 4, 0x20);
    expect(apic.read(REG.TPR * 16, 4)).toBe(0);
    expect(apic.read(REG.VERSION * 16 + 2, 1)).toBe(6);
    expect(apic.read(REG.VERSION * 16 + 4, 4)).toBe(0);
    expect(apic.read(REG.VERSION * 16 + 3, 2)).toBe(0);
  });

  it("answers every access with a 32-bit value and stays restorable", () => {
    const access = fc.record({
      offset: fc.nat(0xfff),
      width: fc.constantFrom<1 | 2 | 4>(1, 2, 4, 4, 4),
      value: fc.option(fc.nat(0xffff_ffff), { nil: undefined }),
      aligned: fc.boolean(),
      pass: fc.constantFrom(0, 10, 1e6),
    });
    fc.assert(
      fc.property(fc.array(access, { maxLength: 80 }), (list) => {
        const one = enabled();
        for (const { offset, width, value, aligned, pass } of list) {
          const place = aligned ? offset & 0x3f0 : offset;
          if (value === undefined) {
            const read = one.apic.read(place, width);
            expect(Number.isInteger(read) && read >= 0 && read < 2 ** (8 * width)).toBe(true);
          } else one.apic.write(place, width, value);
          one.clock.advance(pass);
        }
        const other = rig({}, one.clock);
        Object.assign(other.apic.state, LOCAL_APIC_STATE.decode(LOCAL_APIC_STATE.encode(one.apic.state), 1));
        other.apic.resync();
        expect(other.apic.state).toEqual(one.apic.state);
        expect(other.intr).toBe(one.intr);
        for (let register = 0; register < 0x40; register++) expect(other.get(register)).toBe(one.get(register));
      }),
      { numRuns: 200 },
    );
  });

  it("refuses impossible restored state", () => {
    const damage: ((state: LocalApic["state"]) => void)[] = [
      (state) => void (state.registers[(REG.IRR * 16) >> 2] = 1),
      (state) => void (state.registers[REG.TPR * 4 + 1] = 1),
      (state) => void (state.registers[REG.LVT_TIMER * 4 + 2] = 0),
      (state) => void (state.base = 0x123),
      (state) => void (state.timer.sinceNs = 1),
    ];
    for (const change of damage) {
      const { apic } = rig();
      change(apic.state);
      expect(() => apic.resync()).toThrow(VmError);
    }
  });

  it("comes back from reset as from power-on", () => {
    const it = x2();
    it.apic.accept(0x40, true);
    it.apic.writeMsr(MSR.X2APIC_FIRST + REG.INITIAL_COUNT, 1000n);
    it.apic.reset();
    expect(it.apic.state).toEqual(rig().apic.state);
    expect(it.intr).toBe(false);
    expect(it.clock.armed).toBe(0);
  });
});
