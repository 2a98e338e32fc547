// Snapshot and restore of one device, as the snapshot layer does it.
import type { Codec, Device, DeviceType } from "../devices/device.ts";

/** The device's state in its saved form. */
export function save<S extends object>(type: { readonly state: Codec<S> }, device: Device<S>): unknown {
  return type.state.encode(device.state);
}

/** Puts a saved form into a device and re-drives its outputs. Throws VmError STATE_INVALID when the form is damaged. */
export function restore<C, S extends object, D extends Device<S>>(type: DeviceType<C, S, D>, device: D, saved: unknown): void {
  Object.assign(device.state, type.state.decode(saved, type.state.version));
  device.resync?.();
}
