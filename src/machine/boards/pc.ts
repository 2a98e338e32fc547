// The board "pc": the 440FX with its PIIX, and virtio devices as PCI functions with MSI-X.
//
//   C000_0000  base address registers     E000_0000  memory-mapped configuration space, bus 0
//   FEC0_0000  IO-APIC                    FEE0_0000  local APIC
//
//   PCI wire   A   B   C   D
//   IO-APIC    16  17  18  19
//   8259A      10  11  10  11
import { assignResources, ecamRegion } from "../../bus/pci/index.ts";
import type { Line } from "../../bus/line.ts";
import type { DeviceType, IoHandler } from "../../devices/device.ts";
import { FIRST_FREE_DEVICE, pciHost, type PciHost } from "../../devices/pci-host/index.ts";
import { PIRQ_TARGETS, PIRQRCA } from "../../devices/pci-host/spec.ts";
import {
  virtioBlkPci,
  virtioConsolePci,
  virtioRngPci,
  type VirtioDevice,
  type VirtioPci,
  type VirtioPciState,
} from "../../devices/virtio/index.ts";
import type { PciHost as PciHostDescription } from "../../firmware/platform.ts";
import { assert } from "../../support/assert.ts";
import type { Board, BoardRequest } from "./board.ts";
import { Chassis } from "./chassis.ts";
import { identityOf } from "./identity.ts";
import { InterruptControllers } from "./interrupt-controllers.ts";
import { LEGACY_PLATFORM, plugLegacyDevices } from "./legacy-devices.ts";
import { plugVirtioDevices, type VirtioSlots } from "./virtio-devices.ts";

const MEMORY_WINDOW = { base: 0xc000_0000, length: 0x2000_0000 };
const ECAM = 0xe000_0000;
/** Ports that base address registers are placed in; below them lies what ISA devices use. */
const BAR_PORTS = { base: 0xc000, end: 0x1_0000 };
const GSIS = [16, 17, 18, 19] as const;
const IRQS = [10, 11, 10, 11] as const;
const ISA_BRIDGE = 1;

const PCI: PciHostDescription = {
  lastBus: 0,
  ioWindows: [
    { base: 0, length: 0xcf8 },
    { base: 0xd00, length: 0xf300 },
  ],
  memoryWindows: [MEMORY_WINDOW],
  ecam: ECAM,
  intxGsis: GSIS,
  intxIrqs: IRQS,
};

/** Builds the board. */
export function pc(request: BoardRequest): Board {
  const chassis = new Chassis(request);
  const interrupts = new InterruptControllers(chassis, request.pins, () => request.events.reset());
  const { serial, power } = plugLegacyDevices(chassis, interrupts, request, { keyboard: true, resetPort: null });
  const host = plugPciHost(chassis, interrupts, power.resetControl);
  const commands = plugVirtioDevices(pciSlots(chassis, host), request);
  return {
    chassis,
    interrupts,
    serial,
    commands,
    // No mouse hangs on the i8042, but a port for it is there, and Linux warns when ACPI does not name it.
    platform: { ...LEGACY_PLATFORM, keyboard: true, mouse: true, virtioMmio: [], pci: PCI, system: identityOf("pc", request.random) },
    initialise: () => {
      chassis.reset();
      interrupts.initialise();
      initialisePci(host);
    },
  };
}

function plugPciHost(chassis: Chassis, interrupts: InterruptControllers, resetControl: IoHandler): PciHost {
  const { ports, mmio } = chassis;
  const lines: Record<string, Line> = {};
  ["inta", "intb", "intc", "intd"].forEach((name, wire) => (lines[name] = interrupts.pin(GSIS[wire]!)));
  for (const irq of PIRQ_TARGETS) lines[`irq${irq}`] = interrupts.isa(irq);
  const deliverMsi = (address: number, data: number): void => void interrupts.bus.deliverMsi(address, data);
  const host = chassis.plug("pci-host", pciHost, { ports, mmio, deliverMsi, resetControl }, lines);
  mmio.claim(ecamRegion(host.bus, ECAM));
  return host;
}

/** Plugs devices into one slot after the other. */
function pciSlots(chassis: Chassis, host: PciHost): VirtioSlots {
  const place = <C, S extends object, D extends VirtioDevice<S>>(
    name: string,
    type: DeviceType<C, VirtioPciState<S>, VirtioPci<S, D>>,
    config: C,
  ): D => {
    const slot = host.bus.freeDevice(FIRST_FREE_DEVICE);
    assert(slot !== undefined, "a board's devices fit on its bus");
    const { pci, device } = chassis.plug(name, type, config);
    host.bus.attach(slot, pci);
    return device;
  };
  return {
    block: (name, config) => void place(name, virtioBlkPci, config),
    console: (name, config) => place(name, virtioConsolePci, config),
    entropy: (name, config) => void place(name, virtioRngPci, config),
  };
}

/** What firmware does at power-on: interrupt routes for guests that use the 8259 pair, then addresses for every function. */
function initialisePci({ bus }: PciHost): void {
  IRQS.forEach((irq, wire) => bus.write(ISA_BRIDGE, 0, PIRQRCA + wire, 1, irq));
  assignResources(bus, {
    ports: BAR_PORTS,
    memory: { base: MEMORY_WINDOW.base, end: MEMORY_WINDOW.base + MEMORY_WINDOW.length },
    irq: (device, pin) => IRQS[(device + pin - 1) % IRQS.length]!,
  });
}
