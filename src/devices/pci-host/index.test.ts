import { beforeEach, describe, expect, it } from "vitest";
import { MmioBus } from "../../bus/mmio-bus.ts";
import { PciFunction } from "../../bus/pci/index.ts";
import { PortBus } from "../../bus/port-bus.ts";
import { inPort, outPort } from "../../testing/access.ts";
import { deviceContract } from "../../testing/device.contract.ts";
import { FakeWiring, fakeWiring } from "../../testing/fake-wiring.ts";
import { restore, save } from "../../testing/restore.ts";
import { pciHost, type PciHost } from "./index.ts";

const SILENT = { warnOnce: (): void => {} };
const buses = () => ({ ports: new PortBus(SILENT), mmio: new MmioBus(SILENT), deliverMsi: () => {} });

let wiring: FakeWiring;
let host: PciHost;
let device: PciFunction;
beforeEach(() => {
  wiring = fakeWiring();
  host = pciHost.create(buses(), wiring);
  device = new PciFunction("test", { vendorId: 1, deviceId: 2, revision: 3, classCode: 4, interruptPin: 1 });
  host.bus.attach(6, device);
});

const address = (slot: number, register: number): number => 0x8000_0000 + (slot << 11) + register;
function configRead(slot: number, register: number, width: 1 | 2 | 4 = 4): number {
  outPort(host, 0xcf8, address(slot, register & ~3), 4);
  return inPort(host, 0xcfc + (register & 3), width);
}
function configWrite(slot: number, register: number, width: 1 | 2 | 4, value: number): void {
  outPort(host, 0xcf8, address(slot, register & ~3), 4);
  outPort(host, 0xcfc + (register & 3), value, width);
}

describe("the PCI host", () => {
  it("begins with a 440FX and a PIIX3", () => {
    expect([configRead(0, 0), configRead(0, 8), configRead(1, 0), configRead(1, 8), configRead(2, 0)]).toEqual([
      0x1237_8086, 0x0600_0002, 0x7000_8086, 0x0601_0000, 0xffff_ffff,
    ]);
  });

  it("latches CONFIG_ADDRESS by dword only (PCI 3.0 §3.2.2.3.2)", () => {
    outPort(host, 0xcf8, 0x8000_3004, 4);
    outPort(host, 0xcf8, 0xff, 1);
    outPort(host, 0xcfa, 0xffff, 2);
    expect([inPort(host, 0xcf8, 4), inPort(host, 0xcf8, 1), inPort(host, 0xcf8, 2)]).toEqual([0x8000_3004, 0xff, 0xffff]);
  });

  it("leaves the reset control register at CF9h to its owner", () => {
    const seen: [number, number, number][] = [];
    host = pciHost.create({ ...buses(), resetControl: { read: () => 4, write: (...access) => void seen.push(access) } }, wiring);
    outPort(host, 0xcf9, 6, 1);
    outPort(host, 0xcf8, 0x8000_0000, 4);
    outPort(host, 0xcf9, 6, 2);
    expect([seen, inPort(host, 0xcf9, 1), inPort(host, 0xcfa, 1)]).toEqual([[[0, 1, 6]], 4, 0xff]);
  });

  it("drives the wire that a device's pin is swizzled to", () => {
    device.setIntx(true);
    expect(["inta", "intb", "intc", "intd"].map((name) => wiring.line(name).level)).toEqual([false, false, true, false]);
    device.setIntx(false);
    expect(wiring.line("intc").level).toBe(false);
  });

  it("routes wires to ISA interrupts as software says (82371SB datasheet, PIRQRC)", () => {
    device.setIntx(true);
    expect(wiring.line("irq11").level).toBe(false);
    configWrite(1, 0x62, 1, 11);
    expect(wiring.line("irq11").level).toBe(true);
    configWrite(1, 0x62, 1, 10);
    expect([wiring.line("irq11").level, wiring.line("irq10").level]).toEqual([false, true]);
    // Interrupts 0 to 2, 8 and 13 are reserved.
    configWrite(1, 0x62, 1, 13);
    expect(wiring.line("irq10").level).toBe(false);
    configWrite(1, 0x62, 1, 0x8a);
    expect([wiring.line("irq10").level, configRead(1, 0x60)]).toEqual([false, 0x808a_8080]);
  });

  it("keeps an ISA interrupt up while one of the wires on it is", () => {
    const other = new PciFunction("other", { vendorId: 1, deviceId: 2, revision: 3, classCode: 4, interruptPin: 1 });
    host.bus.attach(7, other);
    configWrite(1, 0x60, 4, 0x0909_0909);
    device.setIntx(true);
    other.setIntx(true);
    device.setIntx(false);
    expect(wiring.line("irq9").level).toBe(true);
    other.setIntx(false);
    expect(wiring.line("irq9").level).toBe(false);
  });

  it("takes routes back on reset, and restores them", () => {
    configWrite(1, 0x62, 1, 11);
    device.setIntx(true);
    const saved = structuredClone(save(pciHost, host));
    host.reset();
    expect(wiring.line("irq11").level).toBe(false);
    restore(pciHost, host, saved);
    expect(wiring.line("irq11").level).toBe(true);
  });
});

deviceContract(pciHost, buses(), (victim) => {
  outPort(victim, 0xcf8, 0x8000_0860, 4);
  outPort(victim, 0xcfc, 0x0a, 1);
});
