// The SMBIOS 3.0 structures a machine reports (DSP0134 3.0 §7). Lengths are those of version 3.0.
import { FOUR_GIB, type Gpa } from "../../memory/gpa.ts";
import { BIOS_AREA } from "../layout.ts";
import type { RamSize } from "../memory-map.ts";
import type { SystemIdentity } from "../platform.ts";
import { structure } from "./structure.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const OTHER = 1;
const SAFE = 3;
const NONE = 3;
const NO_HANDLE = 0xffff;

/** Handles of the structures that others refer to. */
const CHASSIS = 0x0300;
const MEMORY_ARRAY = 0x1000;

/** Linux 6.3 and later trusts PCI windows over the memory map only from BIOSes dated 2023 or later. */
const BIOS_DATE = "11/01/2026";

/** BIOS information (§7.1): ACPI is supported; extension byte 2 says this is a virtual machine. */
export function biosInformation(version: string): Uint8Array {
  return structure(0, 0x0000, (w, strings) => {
    w.u8(strings.number("Nido"))
      .u8(strings.number(version))
      .u16(BIOS_AREA / 16)
      .u8(strings.number(BIOS_DATE))
      .u8(1);
    w.u64(1n << 3n)
      .u8(0x01)
      .u8(0x10)
      .u8(0)
      .u8(0)
      .u8(0xff)
      .u8(0xff); // characteristics not supported; ACPI; virtual machine
  });
}

/** System information (§7.2). The first three fields of the UUID are stored little-endian (§7.2.1). */
export function systemInformation(system: SystemIdentity): Uint8Array {
  const uuid = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map((at) => system.uuid[at] ?? 0);
  return structure(1, 0x0100, (w, strings) => {
    w.u8(strings.number(system.manufacturer)).u8(strings.number(system.product)).u8(strings.number(system.version));
    w.u8(strings.number(system.serial)).bytes(uuid).u8(6).u8(0).u8(strings.number(system.product)); // wake-up by power switch
  });
}

/** Chassis (§7.4): "other", everything safe. */
export function chassis(system: SystemIdentity): Uint8Array {
  return structure(3, CHASSIS, (w, strings) => {
    w.u8(strings.number(system.manufacturer)).u8(OTHER).u8(strings.number(system.version)).u8(0).u8(0);
    w.u8(SAFE).u8(SAFE).u8(SAFE).u8(NONE).u32(0).u8(0).u8(0).u8(0).u8(0).u8(0);
  });
}

/** One processor package with all cores (§7.5); counts beyond 255 use the 16-bit fields. */
export function processor(system: SystemIdentity, cores: number): Uint8Array {
  const short = Math.min(cores, 0xff);
  return structure(4, 0x0400, (w, strings) => {
    w.u8(strings.number("CPU 0")).u8(3).u8(OTHER).u8(strings.number(system.manufacturer)).u64(0);
    w.u8(strings.number(system.version)).u8(0).u16(0).u16(0).u16(0).u8(0x41).u8(OTHER); // populated, enabled
    w.u16(NO_HANDLE).u16(NO_HANDLE).u16(NO_HANDLE).u8(0).u8(0).u8(0);
    w.u8(short)
      .u8(short)
      .u8(short)
      .u16(1 << 2)
      .u16(OTHER); // 64-bit capable
    w.u16(cores).u16(cores).u16(cores);
  });
}

/** The memory array of the system board (§7.17). */
export function memoryArray(bytes: number): Uint8Array {
  const kib = bytes / KIB;
  const extended = kib >= 0x8000_0000;
  return structure(16, MEMORY_ARRAY, (w) => {
    w.u8(OTHER)
      .u8(3)
      .u8(6)
      .u32(extended ? 0x8000_0000 : kib)
      .u16(0xfffe)
      .u16(1)
      .u64(extended ? bytes : 0); // system memory, multi-bit ECC
  });
}

/** Memory device size (§7.18.2): MiB below 32 GiB - 1 MiB, KiB with bit 15 when not whole MiB, 7FFFh = extended. */
function deviceSize(bytes: number): { size: number; extended: number } {
  const mib = Math.floor(bytes / MIB);
  if (mib >= 0x7fff) return { size: 0x7fff, extended: mib };
  if (bytes % MIB === 0) return { size: mib, extended: 0 };
  const kib = Math.floor(bytes / KIB);
  return kib < 0x8000 ? { size: 0x8000 | kib, extended: 0 } : { size: mib, extended: 0 };
}

/** The one memory module (§7.18). */
export function memoryDevice(system: SystemIdentity, bytes: number): Uint8Array {
  const { size, extended } = deviceSize(bytes);
  return structure(17, 0x1100, (w, strings) => {
    w.u16(MEMORY_ARRAY).u16(0xfffe).u16(0xffff).u16(0xffff).u16(size).u8(0x09).u8(0).u8(strings.number("DIMM 0")).u8(0); // DIMM
    w.u8(0x07)
      .u16(1 << 1)
      .u16(0)
      .u8(strings.number(system.manufacturer))
      .u8(0)
      .u8(0)
      .u8(0)
      .u8(0); // type RAM, detail other
    w.u32(extended).u16(0).u16(0).u16(0).u16(0);
  });
}

/** Where a range of RAM appears (§7.20): in KiB, or in bytes beyond 4 TiB. `index` tells the structures apart. */
function mappedRange(index: number, base: Gpa, bytes: number): Uint8Array {
  const last = base + bytes - 1;
  const wide = last / KIB >= 0xffff_ffff;
  return structure(19, 0x1300 + index, (w) => {
    w.u32(wide ? 0xffff_ffff : base / KIB)
      .u32(wide ? 0xffff_ffff : Math.floor(last / KIB))
      .u16(MEMORY_ARRAY)
      .u8(1);
    w.u64(wide ? base : 0).u64(wide ? last : 0);
  });
}

/** One mapped range below 4 GiB and, when there is such RAM, one above. */
export function mappedRanges(ram: RamSize): Uint8Array[] {
  const low = mappedRange(0, 0, ram.lowSize);
  return ram.highSize === 0 ? [low] : [low, mappedRange(1, FOUR_GIB, ram.highSize)];
}

/** Boot status (§7.33): no errors. */
export function bootInformation(): Uint8Array {
  return structure(32, 0x2000, (w) => w.zero(6).u8(0));
}

/** The end of the table (§7.45). */
export function endOfTable(): Uint8Array {
  return structure(127, 0x7f00, () => undefined);
}
