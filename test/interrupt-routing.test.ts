// The way of an interrupt across modules: device pin, IO-APIC, APIC bus, local APIC, and the EOI back.
import { describe, expect, it } from "vitest";
import { ApicBus } from "../src/cpu/apic/apic-bus.ts";
import { LocalApic } from "../src/cpu/apic/local-apic.ts";
import { REG } from "../src/cpu/apic/registers.ts";
import { ioapic, type IoApic } from "../src/devices/ioapic/index.ts";
import { IOREDTBL, IOREGSEL, IOWIN, RTE_LEVEL, RTE_LOGICAL, RTE_REMOTE_IRR } from "../src/devices/ioapic/spec.ts";
import { fakeWiring } from "../src/testing/fake-wiring.ts";

const LOWEST = 0x100;

interface Board {
  readonly apics: LocalApic[];
  readonly io: IoApic;
  readonly bus: ApicBus;
  readonly started: string[];
}

function board(processors: number): Board {
  const wiring = fakeWiring();
  const bus = new ApicBus();
  const started: string[] = [];
  const io = ioapic.create({ deliver: (message) => bus.deliver(message) }, wiring);
  const apics = Array.from({ length: processors }, (_, id) => {
    const apic: LocalApic = new LocalApic(
      { id, bootstrap: id === 0, x2apic: true, physicalBits: 40, tscHz: 1e9, timerHz: 1e9 },
      {
        clock: wiring.clock,
        tscNow: () => 0n,
        setInterruptLine: () => {},
        nmi: () => void started.push(`${id} nmi`),
        init: () => void started.push(`${id} init`),
        startUp: (vector) => void started.push(`${id} at ${vector}`),
        acknowledgePic: () => 0x08,
        deliver: (message) => bus.deliver(message),
        deliverToOthers: (message) => bus.deliverToOthers(message, apic),
        endOfInterrupt: (vector) => io.endOfInterrupt(vector),
      },
    );
    apic.write(REG.SVR * 16, 4, 0x1ff);
    apic.write(REG.LDR * 16, 4, (1 << id) << 24);
    bus.attach(apic);
    return apic;
  });
  return { apics, io, bus, started };
}

function redirect(io: IoApic, pin: number, low: number, destination: number): void {
  for (const [register, value] of [
    [IOREDTBL + 2 * pin + 1, destination << 24],
    [IOREDTBL + 2 * pin, low],
  ] as const) {
    io.mmio[0]!.write(IOREGSEL, 4, register);
    io.mmio[0]!.write(IOWIN, 4, value >>> 0);
  }
}

describe("level-triggered pin", () => {
  it("interrupts again after each EOI while a device holds it, and is quiet when none does", () => {
    const {
      apics: [apic],
      io,
    } = board(1);
    redirect(io, 10, 0x61 | RTE_LEVEL, 0);
    io.setPin(10, true);
    for (let round = 0; round < 3; round++) {
      expect(apic!.acknowledge()).toBe(0x61);
      expect(apic!.pending()).toBe(false);
      expect(io.state.low[10]! & RTE_REMOTE_IRR).toBe(RTE_REMOTE_IRR);
      if (round === 2) io.setPin(10, false);
      apic!.write(REG.EOI * 16, 4, 0);
      expect(apic!.pending()).toBe(round < 2);
    }
    expect(io.state.low[10]! & RTE_REMOTE_IRR).toBe(0);
  });
});

describe("lowest priority", () => {
  it("goes to the processor with the least important task", () => {
    const { apics, io } = board(4);
    [0x50, 0x40, 0x20, 0x30].forEach((priority, id) => apics[id]!.write(REG.TPR * 16, 4, priority));
    redirect(io, 4, 0x71 | LOWEST | RTE_LOGICAL, 0xff);
    io.setPin(4, true);
    expect(apics.map((apic) => apic.pending())).toEqual([false, false, true, false]);
    redirect(io, 5, 0x72 | LOWEST | RTE_LOGICAL, 0b0011);
    io.setPin(5, true);
    expect(apics.map((apic) => apic.pending())).toEqual([false, true, true, false]);
  });
});

describe("8259A through the IO-APIC (MP 1.4 §3.6.2.3)", () => {
  it("takes its vector from the INTA cycle", () => {
    const {
      apics: [apic],
      io,
    } = board(1);
    redirect(io, 0, 0x700, 0);
    io.setPin(0, true);
    expect(apic!.acknowledge()).toBe(0x08);
  });
});

describe("processors", () => {
  it("start as the INIT-SIPI-SIPI sequence says (SDM 3A §9.4.4.1)", () => {
    const { apics, started } = board(3);
    for (const command of [0xc_4500, 0xc_4699, 0xc_4699]) apics[0]!.write(REG.ICR_LOW * 16, 4, command);
    expect(started).toEqual(["1 init", "2 init", "1 at 153", "2 at 153"]);
  });

  it("interrupt one another by logical and physical destination", () => {
    const { apics, bus } = board(3);
    apics[0]!.write(REG.ICR_HIGH * 16, 4, 0b110 << 24);
    apics[0]!.write(REG.ICR_LOW * 16, 4, 0x4000 | 0x800 | 0x55);
    expect(apics.map((apic) => apic.pending())).toEqual([false, true, true]);
    expect(bus.deliverMsi(0xfee0_0000, 0x56)).toBe(true);
    expect(apics[0]!.acknowledge()).toBe(0x56);
  });
});
