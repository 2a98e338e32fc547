import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { VmError } from "../../support/errors.ts";
import { lineTo } from "../line.ts";
import { MmioBus } from "../mmio-bus.ts";
import { PortBus } from "../port-bus.ts";
import type { IoHandler, Width } from "../region.ts";
import { assignResources } from "./assign.ts";
import { PciBus } from "./bus.ts";
import { ecamRegion } from "./ecam.ts";
import { PciFunction, type PciFunctionState } from "./function.ts";
import { ConfigMechanism1 } from "./mechanism1.ts";
import { MSI_ENABLE } from "./msi.ts";
import * as spec from "./spec.ts";

const SILENT = { warnOnce: (): void => {} };
const MSIX_TABLE = 0x100;
const MSIX_PBA = 0x180;

class Registers implements IoHandler {
  readonly seen: [number, number, number][] = [];
  read(offset: number, width: Width): number {
    return offset * 0x10 + width;
  }
  write(offset: number, width: Width, value: number): void {
    this.seen.push([offset, width, value]);
  }
}

class Board {
  readonly ports = new PortBus(SILENT);
  readonly mmio = new MmioBus(SILENT);
  readonly levels = [false, false, false, false];
  readonly messages: [number, number][] = [];
  readonly bus = new PciBus({
    ports: this.ports,
    mmio: this.mmio,
    intx: [0, 1, 2, 3].map((wire) => lineTo((level) => void (this.levels[wire] = level))) as never,
    deliverMsi: (address, data) => void this.messages.push([address, data]),
  });
}

const IDENTITY = {
  vendorId: 0x1234,
  deviceId: 0x5678,
  revision: 9,
  classCode: 0x01_02_03,
  subsystemVendorId: 0xabcd,
  subsystemId: 0xef01,
  interruptPin: 1,
};

function withBars(): { fn: PciFunction; io: Registers; mem: Registers; big: Registers } {
  const fn = new PciFunction("test", IDENTITY);
  const [io, mem, big] = [new Registers(), new Registers(), new Registers()];
  fn.addBar({ index: 0, kind: "io", size: 0x20, handler: io });
  fn.addBar({ index: 1, kind: "mem32", size: 0x1000, handler: mem });
  fn.addBar({ index: 2, kind: "mem64", size: 0x4000, prefetchable: true, handler: big });
  return { fn, io, mem, big };
}

let board: Board;
beforeEach(() => {
  board = new Board();
});

describe("the configuration header (PCI 3.0 §6.1, §6.2)", () => {
  it("identifies the function and keeps it read-only", () => {
    const { fn } = withBars();
    expect([0, 8, 0x2c, 0x3c].map((at) => fn.readConfig(at, 4))).toEqual([0x5678_1234, 0x0102_0309, 0xef01_abcd, 0x0000_0100]);
    for (let at = 0; at < 256; at += 4) fn.writeConfig(at, 4, 0xffff_ffff);
    expect([0, 8, 0x2c].map((at) => fn.readConfig(at, 4))).toEqual([0x5678_1234, 0x0102_0309, 0xef01_abcd]);
  });

  it("lets software write what it may of the command register, and only the enables that mean something", () => {
    const bare = new PciFunction("bare", IDENTITY);
    bare.writeConfig(spec.COMMAND, 2, 0xffff);
    expect(bare.readConfig(spec.COMMAND, 2)).toBe(0x0544);
    const { fn } = withBars();
    fn.writeConfig(spec.COMMAND, 2, 0xffff);
    expect(fn.readConfig(spec.COMMAND, 2)).toBe(0x0547);
  });

  it("reads the same by byte, word and dword", () => {
    const { fn } = withBars();
    fn.writeConfig(spec.INTERRUPT_LINE, 1, 0x0b);
    for (let at = 0; at < 256; at += 4) {
      const dword = fn.readConfig(at, 4);
      expect(fn.readConfig(at, 2) + fn.readConfig(at + 2, 2) * 0x1_0000).toBe(dword);
      expect([0, 1, 2, 3].reduce((sum, i) => sum + fn.readConfig(at + i, 1) * 2 ** (8 * i), 0)).toBe(dword);
    }
  });
});

describe("base address registers (PCI 3.0 §6.2.5.1)", () => {
  it("tell their size and kind", () => {
    const { fn } = withBars();
    for (const at of [0x10, 0x14, 0x18, 0x1c, 0x20, 0x24]) fn.writeConfig(at, 4, 0xffff_ffff);
    expect([0x10, 0x14, 0x18, 0x1c, 0x20, 0x24].map((at) => fn.readConfig(at, 4))).toEqual([
      0xffff_ffe1, 0xffff_f000, 0xffff_c00c, 0xffff_ffff, 0, 0,
    ]);
  });

  it("decode only while the command register enables them (§6.2.2)", () => {
    const { fn, io, mem } = withBars();
    board.bus.attach(3, fn);
    fn.writeConfig(0x10, 4, 0xc000);
    fn.writeConfig(0x14, 4, 0xfeb0_0000);
    expect([board.ports.read(0xc004, 2), board.mmio.read(0xfeb0_0010, 4)]).toEqual([0xffff, 0xffff_ffff]);
    fn.writeConfig(spec.COMMAND, 2, spec.COMMAND_IO);
    expect([board.ports.read(0xc004, 2), board.mmio.read(0xfeb0_0010, 4)]).toEqual([0x42, 0xffff_ffff]);
    fn.writeConfig(spec.COMMAND, 2, spec.COMMAND_MEMORY);
    board.mmio.write(0xfeb0_0ffc, 4, 7);
    board.ports.write(0xc000, 1, 7);
    expect(board.ports.read(0xc004, 2)).toBe(0xffff);
    expect([mem.seen, io.seen]).toEqual([[[0xffc, 4, 7]], []]);
  });

  it("move when rewritten, above 4 GiB too", () => {
    const { fn } = withBars();
    board.bus.attach(3, fn);
    fn.writeConfig(spec.COMMAND, 2, spec.COMMAND_MEMORY);
    fn.writeConfig(0x18, 4, 0xfe00_0000);
    expect(board.mmio.read(0xfe00_3ffc, 4)).toBe(0x3ffc4);
    fn.writeConfig(0x1c, 4, 0x12);
    expect([board.mmio.read(0xfe00_3ffc, 4), board.mmio.read(0x12_fe00_0008, 4)]).toEqual([0xffff_ffff, 0x84]);
  });

  it("decode nothing while software sizes them with decoding left on", () => {
    const { fn } = withBars();
    board.bus.attach(3, fn);
    fn.writeConfig(spec.COMMAND, 2, 3);
    for (const at of [0x10, 0x14, 0x18]) fn.writeConfig(at, 4, 0xffff_ffff);
    expect([board.ports.read(0xffe0, 4), board.mmio.read(0xffff_f000, 4), board.mmio.read(0xffff_c000, 4)]).toEqual([
      0xffff_ffff, 0xffff_ffff, 0xffff_ffff,
    ]);
  });

  it("go nowhere on reset, and come back with restored state", () => {
    const { fn } = withBars();
    board.bus.attach(3, fn);
    fn.writeConfig(0x10, 4, 0xc000);
    fn.writeConfig(spec.COMMAND, 2, spec.COMMAND_IO);
    const saved = structuredClone(fn.state);
    fn.reset();
    expect(board.ports.read(0xc000, 1)).toBe(0xff);
    fn.resync(saved);
    expect(board.ports.read(0xc000, 1)).toBe(1);
  });

  it("are placed by firmware's allocation without overlap", () => {
    const { fn } = withBars();
    board.bus.attach(1, fn);
    board.bus.attach(2, withBars().fn);
    assignResources(board.bus, {
      ports: { base: 0xc001, end: 0x1_0000 },
      memory: { base: 0xe000_0000, end: 0xe000_e000 },
      irq: (device, pin) => device * 4 + pin,
    });
    const at = (device: number, offset: number): number => board.bus.read(device, 0, offset, 4);
    expect([at(1, 0x10), at(1, 0x14), at(1, 0x18), at(1, 0x1c)]).toEqual([0xc021, 0xe000_0000, 0xe000_400c, 0]);
    expect([at(2, 0x10), at(2, 0x14), at(2, 0x18), at(2, 0x1c)]).toEqual([0xc041, 0xe000_8000, 0x0000_000c, 0]);
    expect([at(1, spec.COMMAND) & 7, board.bus.read(2, 0, spec.INTERRUPT_LINE, 1)]).toEqual([7, 9]);
    expect(board.ports.read(0xc022, 1)).toBe(0x21);
  });
});

describe("the interrupt pin (PCI 3.0 §2.2.6)", () => {
  it("reaches the swizzled wire, shared with others", () => {
    const [a, b] = [withBars().fn, withBars().fn];
    board.bus.attach(1, a);
    board.bus.attach(5, b);
    a.setIntx(true);
    b.setIntx(true);
    expect(board.levels).toEqual([false, true, false, false]);
    a.setIntx(false);
    expect(board.levels[1]).toBe(true);
    b.setIntx(false);
    expect(board.levels[1]).toBe(false);
  });

  it("shows in Status, and stays low while Interrupt Disable is set (§6.2.2)", () => {
    const { fn } = withBars();
    board.bus.attach(0, fn);
    fn.writeConfig(spec.COMMAND, 2, spec.COMMAND_INTX_DISABLE);
    fn.setIntx(true);
    expect([board.levels[0], fn.readConfig(spec.STATUS, 2) & spec.STATUS_INTERRUPT]).toEqual([false, spec.STATUS_INTERRUPT]);
    fn.writeConfig(spec.COMMAND, 2, 0);
    expect(board.levels[0]).toBe(true);
    fn.reset();
    expect(board.levels[0]).toBe(false);
  });
});

describe("MSI (PCI 3.0 §6.8.1)", () => {
  const CAP = spec.DEVICE_SPECIFIC;

  it("is found through the capabilities list (§6.7)", () => {
    const fn = new PciFunction("msi", IDENTITY);
    fn.addMsi({ vectors: 4, address64: true, masking: true });
    expect(fn.readConfig(spec.STATUS, 2) & spec.STATUS_CAPABILITIES).toBe(spec.STATUS_CAPABILITIES);
    expect(fn.readConfig(spec.CAPABILITIES_POINTER, 1)).toBe(CAP);
    expect(fn.readConfig(CAP, 4)).toBe(0x0184_0005);
  });

  it("has its registers where the form says (figure 6-9)", () => {
    for (const [address64, data] of [
      [false, 8],
      [true, 12],
    ] as const) {
      board = new Board();
      const fn = new PciFunction("msi", IDENTITY);
      const cap = fn.addMsi({ vectors: 1, address64, masking: false });
      board.bus.attach(4, fn);
      fn.writeConfig(spec.COMMAND, 2, spec.COMMAND_MASTER);
      fn.writeConfig(CAP + 4, 4, 0xfee0_1003);
      if (address64) fn.writeConfig(CAP + 8, 4, 1);
      fn.writeConfig(CAP + data, 2, 0x4041);
      fn.writeConfig(CAP + 2, 2, MSI_ENABLE);
      cap.notify(0);
      expect(board.messages).toEqual([[0xfee0_1000 + (address64 ? 2 ** 32 : 0), 0x4041]]);
    }
  });

  it("varies the low bits of the data over the messages allotted (§6.8.1.6)", () => {
    const fn = new PciFunction("msi", IDENTITY);
    const cap = fn.addMsi({ vectors: 4, address64: false, masking: false });
    board.bus.attach(4, fn);
    fn.writeConfig(spec.COMMAND, 2, spec.COMMAND_MASTER);
    fn.writeConfig(CAP + 4, 4, 0xfee0_0000);
    fn.writeConfig(CAP + 8, 2, 0x43);
    fn.writeConfig(CAP + 2, 2, MSI_ENABLE | (1 << 4));
    [0, 1, 2, 3].forEach((vector) => cap.notify(vector));
    expect(board.messages.map(([, data]) => data)).toEqual([0x42, 0x43, 0x42, 0x43]);
    fn.writeConfig(CAP + 2, 2, MSI_ENABLE | (5 << 4));
    expect(cap.allotted).toBe(4);
  });

  it("holds masked messages back and sends them when unmasked (§6.8.1.10)", () => {
    const fn = new PciFunction("msi", IDENTITY);
    const cap = fn.addMsi({ vectors: 2, address64: false, masking: true });
    board.bus.attach(4, fn);
    fn.writeConfig(spec.COMMAND, 2, spec.COMMAND_MASTER);
    fn.writeConfig(CAP + 2, 2, MSI_ENABLE | (1 << 4));
    fn.writeConfig(CAP + 12, 4, 0xffff_ffff);
    expect(fn.readConfig(CAP + 12, 4)).toBe(3);
    cap.notify(1);
    cap.notify(1);
    expect([board.messages.length, fn.readConfig(CAP + 16, 4)]).toEqual([0, 2]);
    fn.resync(structuredClone(fn.state));
    fn.writeConfig(CAP + 12, 4, 1);
    expect([board.messages, fn.readConfig(CAP + 16, 4)]).toEqual([[[0, 1]], 0]);
  });

  it("replaces the pin while enabled, and needs bus mastering (§6.8)", () => {
    const fn = new PciFunction("msi", IDENTITY);
    const cap = fn.addMsi({ vectors: 1, address64: false, masking: false });
    board.bus.attach(4, fn);
    fn.writeConfig(CAP + 2, 2, MSI_ENABLE);
    fn.setIntx(true);
    cap.notify(0);
    expect([board.levels[0], board.messages]).toEqual([false, []]);
    fn.writeConfig(CAP + 2, 2, 0);
    expect(board.levels[0]).toBe(true);
  });
});

describe("MSI-X (PCI 3.0 §6.8.2)", () => {
  const CAP = spec.DEVICE_SPECIFIC;
  function make(vectors = 3) {
    const fn = new PciFunction("msix", IDENTITY);
    const msix = fn.addMsix({ vectors, bar: 1, tableOffset: MSIX_TABLE, pbaOffset: MSIX_PBA });
    fn.addBar({ index: 1, kind: "mem32", size: 0x1000, handler: msix });
    board.bus.attach(4, fn);
    fn.writeConfig(0x14, 4, 0xe000_0000);
    fn.writeConfig(spec.COMMAND, 2, spec.COMMAND_MASTER | spec.COMMAND_MEMORY);
    const entry = (vector: number, ...dwords: number[]): void =>
      dwords.forEach((dword, i) => board.mmio.write(0xe000_0000 + MSIX_TABLE + 16 * vector + 4 * i, 4, dword));
    return { fn, msix, entry, pba: () => board.mmio.read(0xe000_0000 + MSIX_PBA, 4) };
  }

  it("says where table and pending bits are (§6.8.2.3 to §6.8.2.5)", () => {
    const { fn } = make();
    expect([0, 4, 8].map((at) => fn.readConfig(CAP + at, 4))).toEqual([0x0002_0011, MSIX_TABLE | 1, MSIX_PBA | 1]);
  });

  it("starts with every vector masked, and sends the entry's message once it is not", () => {
    const { fn, msix, entry, pba } = make();
    fn.writeConfig(CAP + 2, 2, 0x8000);
    expect(board.mmio.read(0xe000_0000 + MSIX_TABLE + 12, 4)).toBe(1);
    entry(2, 0xfee0_2000, 5, 0x1234_5678);
    msix.notify(2);
    expect([board.messages, pba()]).toEqual([[], 4]);
    entry(2, 0xfee0_2000, 5, 0x1234_5678, 0);
    expect([board.messages, pba()]).toEqual([[[0x5_fee0_2000, 0x1234_5678]], 0]);
    msix.notify(2);
    msix.notify(3);
    expect(board.messages.length).toBe(2);
  });

  it("holds everything back under the function mask (§6.8.2.3)", () => {
    const { fn, msix, entry } = make(70);
    entry(69, 0xfee0_0000, 0, 69, 0);
    fn.writeConfig(CAP + 2, 2, 0xc000);
    msix.notify(69);
    expect(board.mmio.read(0xe000_0000 + MSIX_PBA + 8, 4)).toBe(0);
    fn.writeConfig(CAP + 2, 2, 0x8000);
    expect(board.messages).toEqual([[0xfee0_0000, 69]]);
  });

  it("keeps table and pending bits through a restore, and refuses another function's", () => {
    const { fn, msix, entry } = make();
    fn.writeConfig(CAP + 2, 2, 0x8000);
    entry(1, 0xfee0_0000, 0, 0x31);
    msix.notify(1);
    const saved = structuredClone(fn.state);
    fn.reset();
    expect(msix.enabled).toBe(false);
    fn.resync(saved);
    entry(1, 0xfee0_0000, 0, 0x31, 0);
    expect(board.messages).toEqual([[0xfee0_0000, 0x31]]);
    expect(() => fn.resync({ ...saved, msixTable: new Uint8Array(16) })).toThrow(VmError);
    const strange = saved.config.slice();
    strange[spec.VENDOR_ID]! ^= 1;
    expect(() => fn.resync({ ...saved, config: strange })).toThrow(/register 0h/);
  });

  it("survives every access to table and configuration space, and its state can always be restored", () => {
    const access = fc.record({
      config: fc.boolean(),
      offset: fc.nat(0xfff),
      width: fc.constantFrom<Width>(1, 2, 4),
      value: fc.nat(0xffff_ffff),
      vector: fc.nat(4),
    });
    fc.assert(
      fc.property(fc.array(access, { maxLength: 40 }), (accesses) => {
        board = new Board();
        const { fn, msix } = make();
        for (const { config, offset, width, value, vector } of accesses) {
          if (config) fn.writeConfig(offset % 256, width, value);
          else msix.write(offset, width, value);
          msix.notify(vector);
          expect(fn.readConfig(offset % 256, width)).toBeLessThanOrEqual(0xffff_ffff);
          expect(msix.read(offset, width)).toBeGreaterThanOrEqual(0);
        }
        const saved: PciFunctionState = structuredClone(fn.state);
        fn.resync(saved);
        expect(fn.state).toEqual(saved);
      }),
      { numRuns: 100 },
    );
  });
});

describe("configuration mechanism 1 (PCI 3.0 §3.2.2.3.2)", () => {
  function make() {
    const state = { configAddress: 0 };
    const mechanism = new ConfigMechanism1(board.bus, () => state);
    return { mechanism, data: mechanism.data };
  }

  it("reaches every width and offset of the function addressed", () => {
    board.bus.attach(7, withBars().fn);
    const { mechanism, data } = make();
    mechanism.address = 0x8000_0000 | (7 << 11) | 0x2c;
    expect(data.read(0, 4)).toBe(0xef01_abcd);
    expect([data.read(2, 2), data.read(1, 2), data.read(3, 1)]).toEqual([0xef01, 0x01ab, 0xef]);
    mechanism.address = 0x8000_0000 | (7 << 11) | 0x3c;
    data.write(0, 1, 0x0b);
    expect(data.read(0, 2)).toBe(0x010b);
  });

  it("reads all-ones for absent devices, functions and buses, and when disabled", () => {
    board.bus.attach(7, withBars().fn);
    const { mechanism, data } = make();
    for (const address of [0x8000_0000 | (6 << 11), 0x8000_0000 | (7 << 11) | (1 << 8), 0x8001_0000 | (7 << 11), 7 << 11]) {
      mechanism.address = address;
      data.write(0, 4, 0);
      expect([data.read(0, 4), data.read(1, 2), data.read(3, 1)]).toEqual([0xffff_ffff, 0xffff, 0xff]);
    }
  });

  it("keeps only the defined bits of CONFIG_ADDRESS", () => {
    const { mechanism } = make();
    mechanism.address = 0xffff_ffff;
    expect(mechanism.address).toBe(0x80ff_fffc);
  });

  it("finds further functions through the multifunction bit (§6.2.1)", () => {
    board.bus.attach(1, withBars().fn);
    expect(board.bus.read(1, 0, spec.HEADER_TYPE, 1)).toBe(0);
    board.bus.attach(1, new PciFunction("second", { ...IDENTITY, deviceId: 0x9abc }), 1);
    expect([board.bus.read(1, 0, spec.HEADER_TYPE, 1), board.bus.read(1, 1, spec.DEVICE_ID, 2)]).toEqual([0x80, 0x9abc]);
    expect([board.bus.freeDevice(), board.bus.freeDevice(1)]).toEqual([0, 2]);
  });
});

describe("memory-mapped configuration space (PCI FW 3.2 §4.1)", () => {
  it("shows the 256 bytes of each function, and all-ones beyond and where there is none", () => {
    const { fn } = withBars();
    board.bus.attach(31, fn);
    board.mmio.claim(ecamRegion(board.bus, 0xb000_0000));
    const at = 0xb000_0000 + (31 << 15);
    expect([
      board.mmio.read(at, 4),
      board.mmio.read(at + 0x2e, 2),
      board.mmio.read(at + 0x100, 4),
      board.mmio.read(at + 0x1000, 4),
    ]).toEqual([0x5678_1234, 0xef01, 0xffff_ffff, 0xffff_ffff]);
    board.mmio.write(at + spec.INTERRUPT_LINE, 1, 0x21);
    board.mmio.write(at + 0x100 + spec.INTERRUPT_LINE, 1, 0x99);
    expect(fn.readConfig(spec.INTERRUPT_LINE, 1)).toBe(0x21);
  });
});
