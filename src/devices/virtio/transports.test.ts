import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { FakeWiring, fakeWiring } from "../../testing/fake-wiring.ts";
import { restore, save } from "../../testing/restore.ts";
import { MmioDriverTransport, PciDriverTransport, TestPciBus, VirtioDriver, type DriverTransport } from "../../testing/virtio-driver.ts";
import { deviceContract } from "../../testing/device.contract.ts";
import type { Device, DeviceType, Width } from "../device.ts";
import { virtioBlkMmio, virtioBlkPci, virtioConsoleMmio, virtioConsolePci, virtioRngMmio, virtioRngPci } from "./index.ts";
import * as spec from "./spec.ts";

const RANDOM = { random: (into: Uint8Array): void => void into.fill(0x5a) };
const BASE = 0xfeb0_0000;
const READY = spec.STATUS_ACKNOWLEDGE | spec.STATUS_DRIVER | spec.STATUS_FEATURES_OK;

interface Rig {
  readonly device: Device;
  readonly transport: DriverTransport;
  readonly wiring: FakeWiring;
  /** Whether the interrupt is asserted. */
  interrupting(): boolean;
}

const RIGS: Record<string, () => Rig> = {
  mmio: () => {
    const wiring = fakeWiring();
    const device = virtioRngMmio.create({ base: BASE, device: RANDOM }, wiring);
    return { device, wiring, transport: new MmioDriverTransport(device.mmio[0]!), interrupting: () => wiring.line("interrupt").level };
  },
  pci: () => {
    const wiring = fakeWiring();
    const device = virtioRngPci.create(RANDOM, wiring);
    const board = new TestPciBus();
    board.bus.attach(1, device.pci);
    return { device, wiring, transport: new PciDriverTransport(device.pci, board), interrupting: () => board.levels[1]! };
  },
};

describe.each(Object.entries(RIGS))("a virtio device over %s", (_, make) => {
  let rig: Rig;
  let driver: VirtioDriver;
  beforeEach(() => {
    rig = make();
    driver = new VirtioDriver(rig.transport, rig.wiring.memory);
  });
  const { STATUS_DEVICE_NEEDS_RESET: NEEDS_RESET, STATUS_DRIVER_OK: DRIVER_OK, STATUS_FEATURES_OK: FEATURES_OK } = spec;

  it("goes through initialisation step by step (VIRTIO 1.3 §3.1.1)", () => {
    const { transport } = rig;
    expect(transport.status).toBe(0);
    expect(driver.negotiate(spec.F_EVENT_IDX)).toBe(spec.F_VERSION_1 | spec.F_EVENT_IDX);
    expect(transport.status).toBe(READY);
    driver.setQueues(8);
    transport.status = READY | DRIVER_OK;
    expect(transport.status).toBe(READY | DRIVER_OK);
    driver.queue(0).offer(16);
    transport.notify(0);
    expect(driver.queue(0).collect()).toEqual([{ head: 0, written: 16, bytes: new Uint8Array(16).fill(0x5a) }]);
  });

  it("refuses FEATURES_OK for features it did not offer, and without VERSION_1 (§2.2.2, §6.1)", () => {
    const { transport } = rig;
    for (const features of [0n, 1n << 29n, spec.F_VERSION_1 | (1n << 63n), spec.F_VERSION_1 | (1n << 34n)]) {
      transport.status = 0;
      transport.status = 3;
      transport.setDriverFeatures(features);
      transport.status = READY;
      expect(transport.status & FEATURES_OK).toBe(0);
      transport.status = READY | DRIVER_OK;
      expect(transport.status & DRIVER_OK).toBe(0);
    }
  });

  it("keeps the features once they are agreed (§3.1.1 step 5)", () => {
    const { transport } = rig;
    driver.negotiate();
    transport.setDriverFeatures(spec.F_VERSION_1 | spec.F_EVENT_IDX);
    driver.setQueues(8);
    transport.status = READY | DRIVER_OK;
    driver.queue(0).offer(1);
    transport.notify(0);
    // With EVENT_IDX and used_event 0 the first buffer would interrupt, the second not.
    driver.queue(0).offer(1);
    rig.transport.takeInterrupts();
    transport.notify(0);
    expect(rig.interrupting()).toBe(true);
  });

  it("consumes nothing before DRIVER_OK, and everything then (§3.1.1)", () => {
    driver.negotiate();
    driver.setQueues(8);
    driver.queue(0).offer(4);
    rig.transport.notify(0);
    expect(driver.queue(0).usedIndex).toBe(0);
    rig.transport.status = READY | DRIVER_OK;
    expect(driver.queue(0).usedIndex).toBe(1);
  });

  it("interrupts, and stops when the cause is acknowledged", () => {
    driver.start();
    expect(rig.interrupting()).toBe(false);
    driver.queue(0).offer(4);
    rig.transport.notify(0);
    expect([rig.interrupting(), rig.transport.takeInterrupts(), rig.interrupting(), rig.transport.takeInterrupts()]).toEqual([
      true,
      spec.ISR_QUEUE,
      false,
      0,
    ]);
  });

  it("asks for a reset when the driver breaks a rule, and works again after it (§2.1.2)", () => {
    driver.start();
    driver.queue(0).offerHead(99);
    rig.transport.notify(0);
    expect([rig.transport.status, rig.transport.takeInterrupts()]).toEqual([READY | DRIVER_OK | NEEDS_RESET, spec.ISR_CONFIG]);
    driver.queue(0).offer(4);
    rig.transport.notify(0);
    expect(driver.queue(0).usedIndex).toBe(0);
    expect([...rig.wiring.log.messages.values()]).toEqual([expect.stringContaining("descriptor index")]);
    driver.start();
    expect(rig.transport.status).toBe(READY | DRIVER_OK);
    driver.queue(0).offer(4);
    rig.transport.notify(0);
    expect(driver.queue(0).usedIndex).toBe(1);
  });

  it("forgets everything on reset (§2.4)", () => {
    const fresh = save(
      { state: { kind: "", version: 1, encode: (state: object) => structuredClone(state), decode: () => ({}) } },
      make().device,
    ) as { virtio?: unknown };
    driver.start();
    driver.queue(0).offer(4);
    rig.transport.notify(0);
    rig.transport.status = 0;
    const state = structuredClone(rig.device.state) as { virtio?: unknown };
    expect(state.virtio ?? state).toEqual(fresh.virtio ?? fresh);
    expect(rig.interrupting()).toBe(false);
  });

  it("keeps status bits until a reset (§2.1.1)", () => {
    driver.start();
    rig.transport.status = 1;
    expect(rig.transport.status).toBe(READY | DRIVER_OK);
    rig.transport.status = READY | DRIVER_OK | spec.STATUS_FAILED;
    expect(rig.transport.status & spec.STATUS_FAILED).toBe(spec.STATUS_FAILED);
  });

  it("has no queue beyond its last", () => {
    expect([rig.transport.queueSizeMax(0), rig.transport.queueSizeMax(1), rig.transport.queueSizeMax(0xffff)]).toEqual([64, 0, 0]);
    driver.start();
    rig.transport.notify(0xffff);
    expect(rig.transport.status).toBe(READY | DRIVER_OK);
  });

  it("keeps work back while paused, and does it on resume", async () => {
    driver.start();
    await rig.device.pause?.();
    driver.queue(0).offer(4);
    rig.transport.notify(0);
    expect(driver.queue(0).usedIndex).toBe(0);
    rig.device.resume?.();
    expect(driver.queue(0).usedIndex).toBe(1);
  });
});

describe("registers of the memory-mapped transport", () => {
  it("identify the device (§4.2.2, table 4.1)", () => {
    const device = virtioRngMmio.create({ base: BASE, device: RANDOM }, fakeWiring());
    const region = device.mmio[0]!;
    expect([region.base, region.length, region.read(0, 4), region.read(4, 4), region.read(8, 4)]).toEqual([BASE, 0x200, 0x7472_6976, 2, 4]);
    // A shared memory region that does not exist has length -1.
    expect([region.read(0xb0, 4), region.read(0xb4, 4)]).toEqual([0xffff_ffff, 0xffff_ffff]);
  });

  it("are accessed by aligned 32 bits only (§4.2.2.2)", () => {
    const region = virtioRngMmio.create({ base: BASE, device: RANDOM }, fakeWiring()).mmio[0]!;
    expect([region.read(0, 1), region.read(0, 2), region.read(2, 4)]).toEqual([0xff, 0xffff, 0xffff_ffff]);
    region.write(0x70, 1, 1);
    expect(region.read(0x70, 4)).toBe(0);
  });

  it("take a queue back when QueueReady is cleared (§4.2.2.2)", () => {
    const wiring = fakeWiring();
    const region = virtioRngMmio.create({ base: BASE, device: RANDOM }, wiring).mmio[0]!;
    const driver = new VirtioDriver(new MmioDriverTransport(region), wiring.memory);
    driver.start();
    driver.transport.queueSizeMax(0);
    expect(region.read(0x44, 4)).toBe(1);
    region.write(0x44, 4, 0);
    driver.queue(0).offer(1);
    driver.transport.notify(0);
    expect([region.read(0x44, 4), driver.queue(0).usedIndex]).toEqual([0, 0]);
  });
});

describe("the PCI transport", () => {
  function make() {
    const wiring = fakeWiring();
    const device = virtioRngPci.create(RANDOM, wiring);
    const board = new TestPciBus();
    board.bus.attach(1, device.pci);
    const transport = new PciDriverTransport(device.pci, board);
    return { wiring, device, board, transport, driver: new VirtioDriver(transport, wiring.memory) };
  }

  it("has the IDs of a modern device (§4.1.2)", () => {
    const { device } = make();
    expect([0, 8, 0x2c].map((at) => device.pci.readConfig(at, 4))).toEqual([0x1044_1af4, 0x00ff_0001, 0x1100_1af4]);
  });

  it("sends a message per queue and for configuration changes (§4.1.5.1)", () => {
    const { board, transport, driver } = make();
    transport.enableMsix(2);
    driver.negotiate();
    driver.setQueues(8);
    transport.setCommon(0x10, 2, 0);
    transport.setCommon(0x16, 2, 0);
    transport.setCommon(0x1a, 2, 1);
    transport.status = READY | spec.STATUS_DRIVER_OK;
    driver.queue(0).offer(1);
    transport.notify(0);
    expect([board.messages, board.levels[1]]).toEqual([[[0xfee0_0000, 1]], false]);
    driver.queue(0).offerHead(99);
    transport.notify(0);
    expect([board.messages[1], transport.takeInterrupts()]).toEqual([[0xfee0_0000, 0], spec.ISR_CONFIG]);
  });

  it("reads back no vector for one it does not have (§4.1.5.1.2.1)", () => {
    const { transport } = make();
    transport.setCommon(0x10, 2, 1);
    expect(transport.common(0x10, 2)).toBe(1);
    transport.setCommon(0x10, 2, 2);
    expect(transport.common(0x10, 2)).toBe(spec.NO_VECTOR);
    transport.setCommon(0x16, 2, 0);
    transport.setCommon(0x1a, 2, 77);
    expect(transport.common(0x1a, 2)).toBe(spec.NO_VECTOR);
  });

  it("reaches the structures through configuration space alone (§4.1.4.9)", () => {
    const { device, transport } = make();
    const { capability } = transport.structures.get(5)!;
    const access = (offset: number, length: number, value?: number): number => {
      device.pci.writeConfig(capability + 4, 1, 4);
      device.pci.writeConfig(capability + 8, 4, offset);
      device.pci.writeConfig(capability + 12, 4, length);
      if (value !== undefined) device.pci.writeConfig(capability + 16, length as Width, value);
      return device.pci.readConfig(capability + 16, length as Width);
    };
    expect(access(0x14, 1, 1)).toBe(1);
    expect([transport.status, access(0x12, 2)]).toEqual([1, 1]);
    // Lengths, offsets and BARs that are none have no effect.
    device.pci.writeConfig(capability + 12, 4, 3);
    device.pci.writeConfig(capability + 16, 4, 0xff);
    device.pci.writeConfig(capability + 12, 4, 4);
    device.pci.writeConfig(capability + 8, 4, 0xffff_fffc);
    device.pci.writeConfig(capability + 16, 4, 0xff);
    device.pci.writeConfig(capability + 4, 1, 7);
    device.pci.writeConfig(capability + 16, 4, 0xff);
    expect(transport.status).toBe(1);
  });

  it("touches no queue without bus mastering (PCI 3.0 §6.2.2)", () => {
    const { device, transport, driver } = make();
    driver.start();
    device.pci.writeConfig(4, 2, 2);
    driver.queue(0).offer(1);
    transport.notify(0);
    expect(driver.queue(0).usedIndex).toBe(0);
    device.pci.writeConfig(4, 2, 6);
    transport.notify(0);
    expect(driver.queue(0).usedIndex).toBe(1);
  });

  it("goes on after a restore where it was", () => {
    const first = make();
    first.transport.enableMsix(2);
    first.driver.start(spec.F_EVENT_IDX);
    first.transport.setCommon(0x16, 2, 0);
    first.transport.setCommon(0x1a, 2, 1);
    const second = make();
    restore(virtioRngPci, second.device, structuredClone(save(virtioRngPci, first.device)));
    second.wiring.memory.u8.set(first.wiring.memory.u8);
    const { board } = second;
    // The rings are where the first driver put them.
    const driver = new VirtioDriver(second.transport, second.wiring.memory);
    driver.setQueues();
    driver.queue(0).offer(3);
    second.transport.notify(0);
    expect([driver.queue(0).collect().length, board.messages]).toEqual([1, [[0xfee0_0000, 1]]]);
    expect(second.device.state).not.toEqual(make().device.state);
  });

  it("survives any register write to any BAR and to configuration space", () => {
    const write = fc.record({
      where: fc.constantFrom("config", 1, 4, 4, 4),
      offset: fc.oneof(fc.nat(0x40), fc.nat(0x3fff), fc.constantFrom(0x3000, 0x1000, 0x2000)),
      width: fc.constantFrom<Width>(1, 2, 4),
      value: fc.oneof(fc.nat(0xff), fc.constantFrom(0x1000, 0x2000, 0xffff, 0xffff_ffff), fc.nat(0xffff_ffff)),
    });
    fc.assert(
      fc.property(fc.array(write, { maxLength: 60 }), (writes) => {
        const { device, driver } = make();
        driver.start();
        for (const { where, offset, width, value } of writes) {
          if (where === "config") device.pci.writeConfig(offset % 256, width, value);
          else device.pci.bar(where as number)!.handler.write(offset, width, value);
          expect(device.pci.bar(4)!.handler.read(offset, width)).toBeGreaterThanOrEqual(0);
        }
        expect(virtioRngPci.state.decode(save(virtioRngPci, device), 1)).toEqual(device.state);
        device.reset();
        expect(save(virtioRngPci, device)).toEqual(save(virtioRngPci, virtioRngPci.create(RANDOM, fakeWiring())));
      }),
      { numRuns: 60 },
    );
  });
});

// Every type on both transports: a disturbed device is one whose driver got to FEATURES_OK and set its queues up.
const DISK = { sectorSize: 512, sectors: 8, readOnly: false, read: async () => {}, write: async () => {}, flush: async () => {} };
const MMIO_TYPES: readonly [DeviceType<never, object>, unknown][] = [
  [virtioRngMmio as never, { base: BASE, device: RANDOM }],
  [virtioBlkMmio as never, { base: BASE, device: { disk: DISK } }],
  [virtioConsoleMmio as never, { base: BASE, device: { ports: [{ console: true }, { name: "org.nido.exec" }] } }],
];
for (const [type, config] of MMIO_TYPES) {
  deviceContract(type, config as never, (device, wiring) => {
    new VirtioDriver(new MmioDriverTransport(device.mmio![0]!), wiring.memory).start();
  });
}
const PCI_TYPES: readonly [DeviceType<never, object>, unknown][] = [
  [virtioRngPci as never, RANDOM],
  [virtioBlkPci as never, { disk: DISK }],
  [virtioConsolePci as never, { ports: [{ console: true }, { name: "org.nido.exec" }] }],
];
for (const [type, config] of PCI_TYPES) {
  deviceContract(type, config as never, (device, wiring) => {
    const board = new TestPciBus();
    const { pci } = device as ReturnType<typeof virtioRngPci.create>;
    board.bus.attach(1, pci);
    new VirtioDriver(new PciDriverTransport(pci, board), wiring.memory).start();
  });
}
