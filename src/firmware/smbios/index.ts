// System Management BIOS 3.0: the structure table with a 64-bit entry point and a 2.1 entry point for older guests
// (DSP0134 3.0 §5.2). Both point at the same table and give its version.
import { ByteWriter, checksum } from "../byte-writer.ts";
import type { GuestWrite } from "../guest-write.ts";
import { SMBIOS2_ENTRY, SMBIOS3_ENTRY, SMBIOS_TABLE } from "../layout.ts";
import type { RamSize } from "../memory-map.ts";
import type { PlatformDescription } from "../platform.ts";
import {
  biosInformation,
  bootInformation,
  chassis,
  endOfTable,
  mappedRanges,
  memoryArray,
  memoryDevice,
  processor,
  systemInformation,
} from "./structures.ts";

const MAJOR = 3;
const MINOR = 0;

function entryPoint3(tableBytes: number): Uint8Array {
  const w = new ByteWriter().ascii("_SM3_", 5).u8(0).u8(24).u8(MAJOR).u8(MINOR).u8(0).u8(1).u8(0);
  const entry = w.u32(tableBytes).u64(SMBIOS_TABLE).finish();
  entry[5] = checksum(entry);
  return entry;
}

/** The 2.1 entry point holds an older "intermediate" anchor with a checksum of its own at 10h. */
function entryPoint2(structures: readonly Uint8Array[], tableBytes: number): Uint8Array {
  const largest = Math.max(...structures.map((bytes) => bytes.length));
  const w = new ByteWriter().ascii("_SM_", 4).u8(0).u8(31).u8(MAJOR).u8(MINOR).u16(largest).u8(0).zero(5);
  w.ascii("_DMI_", 5)
    .u8(0)
    .u16(tableBytes)
    .u32(SMBIOS_TABLE)
    .u16(structures.length)
    .u8((MAJOR << 4) | MINOR);
  const entry = w.finish();
  entry[0x15] = checksum(entry.subarray(0x10));
  entry[4] = checksum(entry);
  return entry;
}

/** The SMBIOS table of a platform and its two entry points, placed in the BIOS area. */
export function smbiosTables(platform: PlatformDescription, ram: RamSize): GuestWrite[] {
  const { system } = platform;
  const bytes = ram.lowSize + ram.highSize;
  const structures = [
    biosInformation(system.version),
    systemInformation(system),
    chassis(system),
    processor(system, platform.apicIds.length),
    memoryArray(bytes),
    memoryDevice(system, bytes),
    ...mappedRanges(ram),
    bootInformation(),
    endOfTable(),
  ];
  const w = new ByteWriter();
  for (const each of structures) w.bytes(each);
  const table = w.finish();
  return [
    { gpa: SMBIOS3_ENTRY, bytes: entryPoint3(table.length) },
    { gpa: SMBIOS2_ENTRY, bytes: entryPoint2(structures, table.length) },
    { gpa: SMBIOS_TABLE, bytes: table },
  ];
}
