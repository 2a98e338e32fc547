// Where devices are plugged in: two buses, and a list of what is on them by name.
import { MmioBus } from "../../bus/mmio-bus.ts";
import { PortBus } from "../../bus/port-bus.ts";
import { UNCONNECTED, type Line } from "../../bus/line.ts";
import type { Clock, Codec, Device, DeviceType, Log } from "../../devices/device.ts";
import type { GuestMemory } from "../../memory/guest-memory.ts";

/** What every device may use. */
export interface ChassisResources {
  readonly memory: GuestMemory;
  readonly clock: Clock;
  readonly log: Log;
}

/** A device in its place: name and codec are what a snapshot needs. */
export interface Unit {
  /** Unique on its board: "serial0". */
  readonly name: string;
  readonly device: Device;
  readonly state: Codec<object>;
}

const SILENT: Log = { warnOnce: () => {} };

/** A board's buses and the devices on them. */
export class Chassis {
  readonly resources: ChassisResources;
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  readonly units: Unit[] = [];

  constructor(resources: ChassisResources) {
    this.resources = resources;
    // Every guest probes for devices that are not there, and nobody wants to read about it. To watch a bus there is its `onAccess`.
    this.ports = new PortBus(SILENT);
    this.mmio = new MmioBus(SILENT);
  }

  /** Makes a device and claims its registers. Lines that are not named lead nowhere. Throws CONFIG_INVALID when an address is taken. */
  plug<C, S extends object, D extends Device<S>>(
    name: string,
    type: DeviceType<C, S, D>,
    config: C,
    lines: Readonly<Record<string, Line>> = {},
  ): D {
    const device = type.create(config, { ...this.resources, line: (pin) => lines[pin] ?? UNCONNECTED });
    for (const region of device.ports ?? []) this.ports.claim(region);
    for (const region of device.mmio ?? []) this.mmio.claim(region);
    this.units.push({ name, device, state: type.state });
    return device;
  }

  /** Power-on state of every device. */
  reset(): void {
    for (const { device } of this.units) device.reset();
  }

  /** Resolves when no device has work under way. */
  async quiesce(): Promise<void> {
    await Promise.all(this.units.map(({ device }) => device.pause?.() ?? Promise.resolve()));
  }
}
