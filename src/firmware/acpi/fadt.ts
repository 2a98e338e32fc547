// Fixed ACPI Description Table, revision 6 (ACPI 6.5 §5.2.9), and the Firmware ACPI Control Structure (§5.2.10).
import { assert } from "../../support/assert.ts";
import type { Gpa } from "../../memory/gpa.ts";
import { ByteWriter } from "../byte-writer.ts";
import type { PlatformDescription } from "../platform.ts";
import { systemTable } from "./table.ts";

/** Fixed feature flags (ACPI 6.5 table 5.10). PWR_BUTTON = 0 says that there is a fixed power button. */
const WBINVD = 1 << 0;
const PROC_C1 = 1 << 2;
const SLP_BUTTON = 1 << 5;
const FIX_RTC = 1 << 6;
const TMR_VAL_EXT = 1 << 8;
const RESET_REG_SUP = 1 << 10;

/** IA-PC boot architecture flags (ACPI 6.5 table 5.11). */
const LEGACY_DEVICES = 1 << 0;
const I8042 = 1 << 1;
const VGA_NOT_PRESENT = 1 << 2;
const PCIE_ASPM_CONTROLS = 1 << 4;
const CMOS_RTC_NOT_PRESENT = 1 << 5;

/** Latencies beyond these mean "no C2" and "no C3" (ACPI 6.5 table 5.9). */
const NO_C2 = 101;
const NO_C3 = 1001;
const CENTURY_AT = 0x32;
const SYSTEM_IO = 1;
const FADT_BYTES = 276;

type AccessSize = 1 | 2 | 3;

/** A Generic Address Structure for I/O ports; port 0 stands for an absent register (ACPI 6.5 §5.2.3.2). */
function genericAddress(w: ByteWriter, port: number, bytes: number, access: AccessSize): void {
  if (port === 0) w.zero(12);
  else
    w.u8(SYSTEM_IO)
      .u8(bytes * 8)
      .u8(0)
      .u8(access)
      .u64(port);
}

function featureFlags(platform: PlatformDescription): number {
  const timer = platform.power.timerBits === 32 ? TMR_VAL_EXT : 0;
  return WBINVD | PROC_C1 | SLP_BUTTON | FIX_RTC | RESET_REG_SUP | timer;
}

function bootFlags(platform: PlatformDescription): number {
  let flags = PCIE_ASPM_CONTROLS;
  if (platform.serialPorts.length > 0 || platform.keyboard) flags |= LEGACY_DEVICES;
  if (platform.keyboard) flags |= I8042;
  if (!platform.vga) flags |= VGA_NOT_PRESENT;
  if (!platform.rtc) flags |= CMOS_RTC_NOT_PRESENT;
  return flags;
}

function writeRegisterPorts(w: ByteWriter, platform: PlatformDescription): void {
  const { pm1aEvent, pm1aControl, timer, gpe0 } = platform.power;
  w.u32(pm1aEvent).u32(0).u32(pm1aControl).u32(0).u32(0); // PM1a_EVT, PM1b_EVT, PM1a_CNT, PM1b_CNT, PM2_CNT
  w.u32(timer)
    .u32(gpe0?.base ?? 0)
    .u32(0); // PM_TMR, GPE0, GPE1
  w.u8(4)
    .u8(2)
    .u8(0)
    .u8(4)
    .u8(gpe0?.length ?? 0)
    .u8(0)
    .u8(0); // their lengths, GPE1_BASE
}

function writeExtendedPorts(w: ByteWriter, platform: PlatformDescription): void {
  const { pm1aEvent, pm1aControl, timer, gpe0 } = platform.power;
  genericAddress(w, pm1aEvent, 4, 2);
  genericAddress(w, 0, 4, 2);
  genericAddress(w, pm1aControl, 2, 2);
  genericAddress(w, 0, 2, 2);
  genericAddress(w, 0, 1, 1);
  genericAddress(w, timer, 4, 3);
  genericAddress(w, gpe0?.base ?? 0, gpe0?.length ?? 0, 1);
  genericAddress(w, 0, 0, 1);
}

/** The FADT of a platform, pointing at its FACS and DSDT. */
export function fadt(platform: PlatformDescription, facsAt: Gpa, dsdtAt: Gpa): Uint8Array {
  const { smi, sci, reset } = platform.power;
  const w = new ByteWriter().u32(facsAt).u32(dsdtAt);
  w.u8(0).u8(0).u16(sci.irq); // reserved, Preferred_PM_Profile, SCI_INT
  w.u32(smi?.port ?? 0)
    .u8(smi?.acpiEnable ?? 0)
    .u8(smi?.acpiDisable ?? 0)
    .u8(0)
    .u8(0); // SMI_CMD, ACPI_ENABLE, ACPI_DISABLE, S4BIOS_REQ, PSTATE_CNT
  writeRegisterPorts(w, platform);
  w.u8(0).u16(NO_C2).u16(NO_C3).u16(0).u16(0).u8(0).u8(0); // CST_CNT, P_LVL2_LAT, P_LVL3_LAT, FLUSH_SIZE, FLUSH_STRIDE, DUTY_OFFSET, DUTY_WIDTH
  w.u8(0)
    .u8(0)
    .u8(platform.rtc ? CENTURY_AT : 0)
    .u16(bootFlags(platform))
    .u8(0); // DAY_ALRM, MON_ALRM, CENTURY, IAPC_BOOT_ARCH
  w.u32(featureFlags(platform));
  genericAddress(w, reset.port, 1, 1);
  w.u8(reset.value).u16(0).u8(5); // RESET_VALUE, ARM_BOOT_ARCH, FADT Minor Version
  w.u64(0).u64(dsdtAt); // X_FIRMWARE_CTRL stays zero because FIRMWARE_CTRL is used
  writeExtendedPorts(w, platform);
  w.zero(24); // SLEEP_CONTROL_REG, SLEEP_STATUS_REG: hardware-reduced machines only
  w.ascii("Nido", 8, 0); // Hypervisor Vendor Identity
  const table = systemTable("FACP", 6, w.finish());
  assert(table.length === FADT_BYTES, "FADT length");
  return table;
}

/** The FACS: the global lock and the waking vectors, all zero at power-on. */
export function facs(): Uint8Array {
  return new ByteWriter().ascii("FACS", 4).u32(64).zero(24).u8(2).zero(31).finish();
}
