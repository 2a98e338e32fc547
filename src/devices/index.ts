// Every device type there is, for whoever goes through them all: snapshots find a codec by its kind, documentation lists them. A board imports
// just the types that it uses.
import { acpiPm } from "./acpi-pm/index.ts";
import { debugcon } from "./debugcon/index.ts";
import type { DeviceType } from "./device.ts";
import { fwCfg } from "./fw-cfg/index.ts";
import { i8042 } from "./i8042/index.ts";
import { ioapic } from "./ioapic/index.ts";
import { isaDebugExit } from "./isa-debug-exit/index.ts";
import { pciHost } from "./pci-host/index.ts";
import { pic8259 } from "./pic8259/index.ts";
import { pit8254 } from "./pit8254/index.ts";
import { rtcCmos } from "./rtc-cmos/index.ts";
import { serial16550 } from "./serial16550/index.ts";
import { systemControl } from "./system-control/index.ts";
import { virtioBlkMmio, virtioBlkPci, virtioConsoleMmio, virtioConsolePci, virtioRngMmio, virtioRngPci } from "./virtio/index.ts";

/** A device type whose configuration is its own business. */
export type AnyDeviceType = Pick<DeviceType<never, object>, "kind" | "state">;

/** All device types. */
export const DEVICE_TYPES: readonly AnyDeviceType[] = [
  acpiPm,
  debugcon,
  fwCfg,
  i8042,
  ioapic,
  isaDebugExit,
  pciHost,
  pic8259,
  pit8254,
  rtcCmos,
  serial16550,
  systemControl,
  virtioBlkMmio,
  virtioBlkPci,
  virtioConsoleMmio,
  virtioConsolePci,
  virtioRngMmio,
  virtioRngPci,
];
