// The board "microvm": a PC without keyboard and with nothing on its PCI bus. Virtio devices are memory-mapped, and a guest learns of them from ACPI.
//
//   FEB0_0000  virtio devices, 200h bytes each, on IO-APIC pins 16..23 in turn
//   FEC0_0000  IO-APIC          FEE0_0000  local APIC
import type { DeviceType, IoHandler } from "../../devices/device.ts";
import { pciHost } from "../../devices/pci-host/index.ts";
import {
  MMIO_LENGTH,
  virtioBlkMmio,
  virtioConsoleMmio,
  virtioRngMmio,
  type VirtioDevice,
  type VirtioMmio,
  type VirtioMmioConfig,
} from "../../devices/virtio/index.ts";
import type { VirtioMmio as VirtioMmioPlace } from "../../firmware/platform.ts";
import type { Board, BoardRequest } from "./board.ts";
import { Chassis } from "./chassis.ts";
import { identityOf } from "./identity.ts";
import { InterruptControllers } from "./interrupt-controllers.ts";
import { LEGACY_PLATFORM, plugLegacyDevices } from "./legacy-devices.ts";
import { plugVirtioDevices, type VirtioSlots } from "./virtio-devices.ts";

const VIRTIO_BASE = 0xfeb0_0000;
const FIRST_PIN = 16;
const PINS = 8;

/** Builds the board. */
export function microvm(request: BoardRequest): Board {
  const chassis = new Chassis(request);
  const interrupts = new InterruptControllers(chassis, request.pins, () => request.events.reset());
  const { serial, power } = plugLegacyDevices(chassis, interrupts, request, { keyboard: false, resetPort: null });
  plugEmptyBus(chassis, power.resetControl);
  const virtioMmio: VirtioMmioPlace[] = [];
  const commands = plugVirtioDevices(mmioSlots(chassis, interrupts, virtioMmio), request);
  return {
    chassis,
    interrupts,
    serial,
    commands,
    platform: { ...LEGACY_PLATFORM, keyboard: false, mouse: false, virtioMmio, system: identityOf("microvm", request.random) },
    initialise: () => {
      chassis.reset();
      interrupts.initialise();
    },
  };
}

/** Linux calls it a fatal error to find no way to PCI's configuration space, and then runs as well as ever. ACPI does not mention the bus. */
function plugEmptyBus(chassis: Chassis, resetControl: IoHandler): void {
  const { ports, mmio } = chassis;
  chassis.plug("pci-host", pciHost, { ports, mmio, deliverMsi: () => {}, resetControl });
}

/** Places one device after the other, and notes where in `places`. */
function mmioSlots(chassis: Chassis, interrupts: InterruptControllers, places: VirtioMmioPlace[]): VirtioSlots {
  const place = <C, S extends object, D extends VirtioDevice<S>>(
    name: string,
    type: DeviceType<VirtioMmioConfig<C>, VirtioMmio<S, D>["state"], VirtioMmio<S, D>>,
    device: C,
  ): D => {
    const index = places.length;
    const at = { base: VIRTIO_BASE + index * MMIO_LENGTH, length: MMIO_LENGTH, gsi: FIRST_PIN + (index % PINS) };
    places.push(at);
    return chassis.plug(name, type, { base: at.base, device }, { interrupt: interrupts.pin(at.gsi) }).device;
  };
  return {
    block: (name, config) => void place(name, virtioBlkMmio, config),
    console: (name, config) => place(name, virtioConsoleMmio, config),
    entropy: (name, config) => void place(name, virtioRngMmio, config),
  };
}
