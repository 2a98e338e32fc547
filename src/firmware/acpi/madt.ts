// Multiple APIC Description Table (ACPI 6.5 §5.2.12).
import { ByteWriter } from "../byte-writer.ts";
import type { PlatformDescription } from "../platform.ts";
import { systemTable } from "./table.ts";

const LOCAL_APIC = 0;
const IO_APIC = 1;
const INTERRUPT_SOURCE_OVERRIDE = 2;
const LOCAL_APIC_NMI = 4;
const LOCAL_X2APIC = 9;
const LOCAL_X2APIC_NMI = 0x0a;

const PCAT_COMPAT = 1;
const ENABLED = 1;
const ALL_PROCESSORS = 0xff;
/** Identifier 255 is the xAPIC broadcast, so larger ones need the x2APIC entry (ACPI 6.5 §5.2.12.12). */
const LAST_XAPIC_ID = 254;

/** MPS INTI flags (ACPI 6.5 table 5.26): polarity in bits 0–1, trigger mode in bits 2–3. */
const ACTIVE_HIGH = 0x1;
const ACTIVE_LOW = 0x3;
const LEVEL = 0xc;

function writeProcessor(w: ByteWriter, uid: number, apicId: number): void {
  if (apicId <= LAST_XAPIC_ID && uid < ALL_PROCESSORS) w.u8(LOCAL_APIC).u8(8).u8(uid).u8(apicId).u32(ENABLED);
  else w.u8(LOCAL_X2APIC).u8(16).u16(0).u32(apicId).u32(ENABLED).u32(uid);
}

function writeOverride(w: ByteWriter, irq: number, gsi: number, flags: number): void {
  w.u8(INTERRUPT_SOURCE_OVERRIDE).u8(10).u8(0).u8(irq).u32(gsi).u16(flags);
}

/** The MADT of a platform: processors, one IO-APIC, the timer on GSI 2, the SCI's level and polarity, NMI on LINT1. */
export function madt(platform: PlatformDescription): Uint8Array {
  const w = new ByteWriter().u32(platform.localApicBase).u32(PCAT_COMPAT);
  platform.apicIds.forEach((apicId, uid) => writeProcessor(w, uid, apicId));
  const { id, base, gsiBase } = platform.ioApic;
  w.u8(IO_APIC).u8(12).u8(id).u8(0).u32(base).u32(gsiBase);
  writeOverride(w, 0, 2, 0);
  const { irq, polarity } = platform.power.sci;
  writeOverride(w, irq, irq, LEVEL | (polarity === "high" ? ACTIVE_HIGH : ACTIVE_LOW));
  w.u8(LOCAL_APIC_NMI).u8(6).u8(ALL_PROCESSORS).u16(0).u8(1);
  if (platform.apicIds.some((apicId) => apicId > LAST_XAPIC_ID)) {
    w.u8(LOCAL_X2APIC_NMI).u8(12).u16(0).u32(0xffff_ffff).u8(1).zero(3);
  }
  return systemTable("APIC", 5, w.finish());
}
