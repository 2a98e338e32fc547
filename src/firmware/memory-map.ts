// The address map that firmware reports (INT 15h E820h, ACPI 6.5 §15.1). Holes are left out, as §15.2 asks: video memory,
// option ROMs and PCI windows are not listed.
import { FOUR_GIB, type Gpa } from "../memory/gpa.ts";
import { VmError } from "../support/errors.ts";
import { ACPI_NVS_BYTES, ACPI_RECLAIM_BYTES, BIOS_AREA, EBDA, CONVENTIONAL_END, HIGH_MEMORY } from "./layout.ts";

/** What a range of the memory map is for. */
export type MemoryKind = "ram" | "reserved" | "acpi" | "nvs";

/** One range of the memory map. */
export interface MemoryRange {
  readonly base: Gpa;
  readonly length: number;
  readonly kind: MemoryKind;
}

/** RAM sizes in bytes, as GuestMemory has them: from 0 up, and from 4 GiB up. */
export interface RamSize {
  readonly lowSize: number;
  readonly highSize: number;
}

/** Where the ACPI tables and the FACS go. */
export interface AcpiArea {
  readonly tables: Gpa;
  readonly nvs: Gpa;
}

/** Address range types of ACPI 6.5 table 15.1; multiboot and PVH use the same numbers. */
export const RANGE_TYPE: Readonly<Record<MemoryKind, number>> = { ram: 1, reserved: 2, acpi: 3, nvs: 4 };

const SMALLEST_LOW_RAM = 0x20_0000;

/** The ACPI area at the top of the RAM below 4 GiB. Throws MEMORY_INVALID below 2 MiB of RAM. */
export function acpiArea(ram: RamSize): AcpiArea {
  if (ram.lowSize < SMALLEST_LOW_RAM) {
    throw new VmError("MEMORY_INVALID", `Guest memory of ${ram.lowSize} bytes is too small: firmware tables alone need 2 MiB`, {
      data: { bytes: ram.lowSize },
    });
  }
  const nvs = ram.lowSize - (ram.lowSize % ACPI_NVS_BYTES) - ACPI_NVS_BYTES;
  return { tables: nvs - ACPI_RECLAIM_BYTES, nvs };
}

/** The memory map in ascending order. `reserved` names further ranges the board reserves, such as a firmware ROM. */
export function memoryMap(ram: RamSize, reserved: readonly Omit<MemoryRange, "kind">[] = []): MemoryRange[] {
  const area = acpiArea(ram);
  const map: MemoryRange[] = [
    { base: 0, length: EBDA, kind: "ram" },
    { base: EBDA, length: CONVENTIONAL_END - EBDA, kind: "reserved" },
    { base: BIOS_AREA, length: HIGH_MEMORY - BIOS_AREA, kind: "reserved" },
    { base: HIGH_MEMORY, length: area.tables - HIGH_MEMORY, kind: "ram" },
    { base: area.tables, length: ACPI_RECLAIM_BYTES, kind: "acpi" },
    { base: area.nvs, length: ACPI_NVS_BYTES, kind: "nvs" },
    ...reserved.map(({ base, length }): MemoryRange => ({ base, length, kind: "reserved" })),
  ];
  if (ram.highSize > 0) map.push({ base: FOUR_GIB, length: ram.highSize, kind: "ram" });
  return map.sort((a, b) => a.base - b.base);
}
