// Driving a device's registers by address, as a bus would, without a bus.
import type { Device, PortRegion, Width } from "../devices/device.ts";
import { assert } from "../support/assert.ts";

function portRegion(device: Device, port: number): PortRegion {
  const region = device.ports?.find(({ base, length }) => port >= base && port < base + length);
  assert(region !== undefined, `the device has no port ${port.toString(16)}h`);
  return region;
}

/** Reads a port of a device (IN). */
export function inPort(device: Device, port: number, width: Width = 1): number {
  const region = portRegion(device, port);
  return region.read(port - region.base, width);
}

/** Writes a port of a device (OUT). */
export function outPort(device: Device, port: number, value: number, width: Width = 1): void {
  const region = portRegion(device, port);
  region.write(port - region.base, width, value);
}
