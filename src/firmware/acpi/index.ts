// The ACPI tables of a platform, placed: RSDP in the BIOS area, the others at the top of the RAM below 4 GiB.
import { assert } from "../../support/assert.ts";
import type { Gpa } from "../../memory/gpa.ts";
import { ByteWriter, checksum } from "../byte-writer.ts";
import type { GuestWrite } from "../guest-write.ts";
import { ACPI_RECLAIM_BYTES, RSDP } from "../layout.ts";
import type { AcpiArea } from "../memory-map.ts";
import type { PlatformDescription } from "../platform.ts";
import { dsdt } from "./dsdt.ts";
import { facs, fadt } from "./fadt.ts";
import { madt } from "./madt.ts";
import { mcfg } from "./mcfg.ts";
import { OEM_ID, systemTable } from "./table.ts";

/** The root pointer, revision 2 (ACPI 6.5 §5.2.5.3): the first checksum covers what ACPI 1.0 knew, the second everything. */
function rootPointer(rsdt: Gpa, xsdt: Gpa): Uint8Array {
  const w = new ByteWriter().ascii("RSD PTR ", 8).u8(0).ascii(OEM_ID, 6).u8(2);
  const rsdp = w.u32(rsdt).u32(36).u64(xsdt).u8(0).zero(3).finish();
  rsdp[8] = checksum(rsdp.subarray(0, 20));
  rsdp[32] = checksum(rsdp);
  return rsdp;
}

function rootTable(signature: "RSDT" | "XSDT", tables: readonly Gpa[]): Uint8Array {
  const w = new ByteWriter();
  for (const gpa of tables) {
    if (signature === "RSDT") w.u32(gpa);
    else w.u64(gpa);
  }
  return systemTable(signature, 1, w.finish());
}

/** Every ACPI table of a platform with its place; the RSDP lies at `layout.RSDP`. */
export function acpiTables(platform: PlatformDescription, area: AcpiArea): GuestWrite[] {
  const writes: GuestWrite[] = [{ gpa: area.nvs, bytes: facs() }];
  let next = area.tables;
  const place = (bytes: Uint8Array): Gpa => {
    const gpa = next;
    next = Math.ceil((gpa + bytes.length) / 64) * 64;
    writes.push({ gpa, bytes });
    return gpa;
  };
  const dsdtAt = place(dsdt(platform));
  const tables = [place(fadt(platform, area.nvs, dsdtAt)), place(madt(platform))];
  if (platform.pci?.ecam !== undefined) tables.push(place(mcfg(platform.pci.ecam, platform.pci.lastBus)));
  const rsdt = place(rootTable("RSDT", tables));
  const xsdt = place(rootTable("XSDT", tables));
  assert(next <= area.tables + ACPI_RECLAIM_BYTES, "ACPI tables fit their area");
  writes.push({ gpa: RSDP, bytes: rootPointer(rsdt, xsdt) });
  return writes;
}
