import { describe, expect, it } from "vitest";
import type { Width } from "../../devices/device.ts";
import { IOREDTBL, IOREGSEL, IOWIN } from "../../devices/ioapic/spec.ts";
import { FakeWiring } from "../../testing/fake-wiring.ts";
import { MemoryByteStore } from "../../disk/byte-store.ts";
import { raw } from "../../disk/raw/index.ts";
import { MmioDriverTransport, VirtioDriver } from "../../testing/virtio-driver.ts";
import { COMMAND_PORTS } from "../command-channel.ts";
import { BOARDS, type Board, type BoardRequest } from "./index.ts";

interface Rig {
  readonly board: Board;
  readonly wiring: FakeWiring;
  readonly said: string[];
  readonly interruptLine: { level: boolean };
}

async function rig(name: keyof typeof BOARDS, extra: Partial<BoardRequest> = {}): Promise<Rig> {
  const wiring = new FakeWiring();
  const said: string[] = [];
  const interruptLine = { level: false };
  const board = BOARDS[name]({
    memory: wiring.memory,
    clock: wiring.clock,
    log: wiring.log,
    pins: { setInterruptLine: (level) => void (interruptLine.level = level), nmi: () => said.push("nmi"), tscOffset: () => 0n },
    events: {
      powerOff: () => said.push("powerOff"),
      reset: () => said.push("reset"),
      debugExit: (value) => said.push(`debugExit ${value}`),
      serialOut: (byte) => said.push(`serial ${byte}`),
      serialRoom: () => said.push("room"),
      debugOut: (byte) => said.push(`debug ${byte}`),
      diskFailed: (index, error) => said.push(`disk ${index}: ${String(error)}`),
    },
    devices: ["debugcon", "isa-debug-exit"],
    disks: [await raw.open(new MemoryByteStore(4096), { writable: true })],
    commandPorts: COMMAND_PORTS,
    random: (into) => void into.fill(7),
    ...extra,
  });
  board.initialise();
  return { board, wiring, said, interruptLine };
}

/** Leads IO-APIC pin `pin` to `vector` and enables the local APIC as Linux does. */
function redirect({ board }: Rig, pin: number, low: number): void {
  const [registers] = board.interrupts.ioApic.mmio;
  registers!.write(IOREGSEL, 4, IOREDTBL + 2 * pin);
  registers!.write(IOWIN, 4, low);
}

const LEVEL = 0x8000;

describe.each(["microvm", "pc"] as const)("board %s", (name) => {
  const out = ({ board }: Rig, port: number, value: number, width: Width = 1): void => board.chassis.ports.write(port, width, value);
  const input = ({ board }: Rig, port: number, width: Width = 1): number => board.chassis.ports.read(port, width);

  it("has at its ports what the firmware tables say", async () => {
    const made = await rig(name);
    const { power, serialPorts } = made.board.platform;
    expect(input(made, power.pm1aControl, 2) & 1).toBe(1);
    made.wiring.clock.advance(1e9);
    expect(input(made, power.timer, 4)).toBe(3_579_545);
    expect(input(made, serialPorts[0]!.port + 5) & 0x60).toBe(0x60);
    out(made, power.gpe0!.base + 2, 0x5aa5, 2);
    expect(input(made, power.gpe0!.base + 2, 2)).toBe(0x5aa5);
    expect(made.wiring.log.messages.size).toBe(0);
  });

  it("hands the guest's wishes on", async () => {
    const made = await rig(name);
    const { power } = made.board.platform;
    out(made, power.pm1aControl, (power.s5SleepType << 10) | 0x2000, 2);
    out(made, power.reset.port, power.reset.value);
    out(made, 0x64, 0xfe);
    out(made, 0x92, 0x01);
    out(made, 0xf4, 3);
    out(made, 0x402, 65);
    out(made, 0x3f8, 66);
    expect(made.said).toEqual(["powerOff", "reset", "reset", "reset", "debugExit 3", "debug 65", "serial 66"]);
  });

  it("brings ISA interrupts to the 8259 pair and to the IO-APIC, the timer's to pin 2", async () => {
    const made = await rig(name);
    const { localApic } = made.board.interrupts;
    redirect(made, 4, 0x41);
    redirect(made, 2, 0x42);
    out(made, 0x3fb, 3);
    out(made, 0x3fc, 0x08);
    out(made, 0x3f9, 0x02);
    expect(made.interruptLine.level).toBe(true);
    expect(localApic.acknowledge()).toBe(0x41);
    localApic.write(0xb0, 4, 0);
    for (const value of [0x34, 0x00, 0x10]) out(made, value === 0x34 ? 0x43 : 0x40, value);
    made.wiring.clock.advance(5e6);
    expect(localApic.acknowledge()).toBe(0x42);
    localApic.write(0xb0, 4, 0);
    // The same two at the 8259, which the virtual wire leads to the processor.
    for (const [port, value] of [
      [0x20, 0x11],
      [0x21, 0x30],
      [0x21, 4],
      [0x21, 1],
      [0x21, 0xee],
    ] as const)
      out(made, port, value);
    out(made, 0x3f9, 0x00);
    out(made, 0x3f9, 0x02);
    expect(localApic.acknowledge()).toBe(0x34);
  });

  it("has a serial line, a keyboard controller and a clock that work together with the guest's timer", async () => {
    const made = await rig(name);
    made.board.serial.receive(Uint8Array.of(0x71));
    out(made, 0x3fc, 0x02);
    expect([input(made, 0x3fd) & 1, input(made, 0x3f8)]).toEqual([1, 0x71]);
    out(made, 0x61, 0x01);
    out(made, 0x43, 0xb0);
    out(made, 0x42, 0x00);
    out(made, 0x42, 0x10);
    expect(input(made, 0x61) & 0x20).toBe(0);
    made.wiring.clock.advance(4e6);
    expect(input(made, 0x61) & 0x20).toBe(0x20);
    out(made, 0x64, 0xaa);
    expect(input(made, 0x60)).toBe(0x55);
    out(made, 0x70, 0x0b);
    expect(input(made, 0x71)).toBe(0x02);
  });

  it("can be set up any number of times, with the same result", async () => {
    const made = await rig(name);
    const states = (): unknown => structuredClone(made.board.chassis.units.map(({ name: unit, device }) => [unit, device.state]));
    const before = states();
    out(made, 0x43, 0x34);
    out(made, 0x21, 0xff);
    made.board.initialise();
    made.board.initialise();
    expect(states()).toEqual(before);
    expect(new Set(made.board.chassis.units.map((unit) => unit.name)).size).toBe(made.board.chassis.units.length);
  });
});

describe("board microvm", () => {
  it("has a PCI bus with nothing but the bridges, for kernels that miss one", async () => {
    const { ports } = (await rig("microvm")).board.chassis;
    const vendors = Array.from({ length: 32 }, (_, device) => {
      ports.write(0xcf8, 4, (0x8000_0000 | (device << 11)) >>> 0);
      return ports.read(0xcfc, 2);
    });
    expect(vendors).toEqual([0x8086, 0x8086, ...Array.from({ length: 30 }, () => 0xffff)]);
  });

  it("has its virtio devices where ACPI says, interrupting on the pins it says, however many there are", async () => {
    const disks = await Promise.all(Array.from({ length: 16 }, () => raw.open(new MemoryByteStore(512), { writable: true })));
    const made = await rig("microvm", { disks });
    const { virtioMmio } = made.board.platform;
    const read = (base: number): number => made.board.chassis.mmio.read(base, 4);
    expect(virtioMmio).toHaveLength(18);
    expect(virtioMmio.map(({ base }) => read(base))).toEqual(Array.from({ length: 18 }, () => 0x7472_6976));
    expect(virtioMmio.map(({ base }) => read(base + 8))).toEqual([...Array.from({ length: 16 }, () => 2), 4, 3]);
    const console = virtioMmio[17]!;
    redirect(made, console.gsi, 0x51 | LEVEL);
    const { mmio } = made.board.chassis;
    const registers = {
      read: (at: number, width: Width) => mmio.read(console.base + at, width),
      write: (at: number, width: Width, value: number) => mmio.write(console.base + at, width, value),
    };
    new VirtioDriver(new MmioDriverTransport(registers), made.wiring.memory).start();
    made.board.commands!.resize(80, 24);
    expect(made.board.interrupts.localApic.acknowledge()).toBe(0x51);
  });
});

describe("board pc", () => {
  const config = ({ board }: Rig, device: number, register: number): number => {
    board.chassis.ports.write(0xcf8, 4, (0x8000_0000 | (device << 11) | register) >>> 0);
    return board.chassis.ports.read(0xcfc, 4);
  };

  it("has its devices on PCI with addresses in the windows that ACPI says, by both configuration mechanisms", async () => {
    const made = await rig("pc");
    expect([0, 1, 2, 3, 4, 5].map((device) => config(made, device, 0))).toEqual([
      0x1237_8086, 0x7000_8086, 0x1042_1af4, 0x1044_1af4, 0x1043_1af4, 0xffff_ffff,
    ]);
    const { pci } = made.board.platform;
    expect(made.board.chassis.mmio.read(pci!.ecam! + (2 << 15), 4)).toBe(0x1042_1af4);
    const [window] = pci!.memoryWindows;
    for (const device of [2, 3, 4]) {
      const bar = config(made, device, 0x20);
      expect(bar & 0xf).toBe(0xc);
      expect(bar - 0xc).toBeGreaterThanOrEqual(window!.base);
      expect(bar).toBeLessThan(window!.base + window!.length);
      expect(config(made, device, 4) & 0x6).toBe(0x6);
      expect(config(made, device, 0x3c) & 0xff).toBe([10, 11, 10, 11][device % 4]);
    }
  });

  it("leads INTx to the IO-APIC pin and to the ISA interrupt that ACPI says", async () => {
    const made = await rig("pc");
    const { ports, mmio } = made.board.chassis;
    const slot = 4;
    redirect(made, 16 + (slot % 4), 0x61 | LEVEL);
    const registers = config(made, slot, 0x20) - 0xc;
    const common = (offset: number, width: Width, value: number): void => mmio.write(registers + offset, width, value);
    for (const status of [1, 3]) common(0x14, 1, status);
    common(8, 4, 1);
    common(0xc, 4, 1);
    for (const status of [0xb, 0xf]) common(0x14, 1, status);
    for (const [port, value] of [
      [0x20, 0x11],
      [0x21, 0x30],
      [0x21, 4],
      [0x21, 1],
      [0x21, 0xfb],
      [0xa0, 0x11],
      [0xa1, 0x38],
      [0xa1, 2],
      [0xa1, 1],
      [0xa1, 0xf3],
    ] as const)
      ports.write(port, 1, value);
    made.board.commands!.resize(80, 24);
    expect(made.board.interrupts.pic.acknowledge()).toBe(0x38 + 2);
    expect(made.board.interrupts.localApic.acknowledge()).toBe(0x61);
  });
});

describe("clocks of a board", () => {
  it("agree with one another over a minute within 0.1 %", async () => {
    const made = await rig("microvm");
    const { ports } = made.board.chassis;
    const { localApic } = made.board.interrupts;
    const { clock } = made.wiring;
    localApic.write(0x3e0, 4, 0xb);
    localApic.write(0x380, 4, 0xffff_ffff);
    for (const [port, value] of [
      [0x43, 0x34],
      [0x40, 0x9c],
      [0x40, 0x2e],
    ] as const)
      ports.write(port, 1, value);
    const rtcSeconds = (): number => {
      const register = (index: number): number => {
        ports.write(0x70, 1, index);
        const bcd = ports.read(0x71, 1);
        return (bcd >> 4) * 10 + (bcd & 15);
      };
      return register(4) * 3600 + register(2) * 60 + register(0);
    };
    // The interval timer interrupts through the 8259, once every 11932 counts.
    let ticks = 0;
    for (const [port, value] of [
      [0x20, 0x11],
      [0x21, 0x30],
      [0x21, 4],
      [0x21, 3],
      [0x21, 0xfe],
    ] as const)
      ports.write(port, 1, value);
    const began = { pm: ports.read(0x608, 4), apic: localApic.read(0x390, 4), rtc: rtcSeconds(), ns: clock.now() };
    while (clock.now() < 60e9 + began.ns) {
      clock.advance(1e6);
      if (made.interruptLine.level && made.board.interrupts.localApic.acknowledge() === 0x30) ticks++;
    }
    const seconds = {
      pm: ((ports.read(0x608, 4) - began.pm) >>> 0) / 3_579_545,
      apic: (began.apic - localApic.read(0x390, 4)) / 25e6,
      pit: (ticks * 11_932) / 1_193_182,
      rtc: rtcSeconds() - began.rtc,
    };
    for (const elapsed of [seconds.pm, seconds.apic, seconds.pit]) expect(Math.abs(elapsed - 60)).toBeLessThan(0.06);
    expect(seconds.rtc).toBe(60);
  });
});
