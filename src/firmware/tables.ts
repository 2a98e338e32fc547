// All tables a board's firmware would leave in memory, built from one description.
import type { Gpa } from "../memory/gpa.ts";
import { acpiTables } from "./acpi/index.ts";
import type { GuestWrite } from "./guest-write.ts";
import { RSDP } from "./layout.ts";
import { acpiArea, memoryMap, type MemoryRange, type RamSize } from "./memory-map.ts";
import type { AddressWindow, PlatformDescription } from "./platform.ts";
import { smbiosTables } from "./smbios/index.ts";

/** The firmware's view of a machine: its memory map, and the tables to write. */
export interface FirmwareTables {
  readonly memoryMap: readonly MemoryRange[];
  /** Address of the ACPI root pointer. */
  readonly rsdp: Gpa;
  readonly writes: readonly GuestWrite[];
}

/**
 * Builds memory map, ACPI and SMBIOS tables. `reserved` names further ranges that are no RAM for the guest, such as a
 * firmware ROM. Throws MEMORY_INVALID below 2 MiB of RAM.
 */
export function firmwareTables(platform: PlatformDescription, ram: RamSize, reserved: readonly AddressWindow[] = []): FirmwareTables {
  const area = acpiArea(ram);
  return {
    memoryMap: memoryMap(ram, reserved),
    rsdp: RSDP,
    writes: [...acpiTables(platform, area), ...smbiosTables(platform, ram)],
  };
}
