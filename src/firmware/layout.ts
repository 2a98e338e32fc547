// Where firmware tables and boot structures lie in guest-physical memory.
//
//   00_1000  GDT of the boot protocols               F_0000  RSDP
//   00_7000  boot_params ("zero page")               F_0040  SMBIOS 3 entry point
//   00_9000  identity page tables, 6 pages           F_0060  SMBIOS 2.1 entry point
//   02_0000  command line (32- and 64-bit entry)     F_1000  SMBIOS structures
//   09_0000  16-bit setup code, heap, command line   F_E000  real-mode services (16-bit entry only)
//   09_FC00  extended BIOS data area
//
// The remaining ACPI tables lie in the last 128 KiB of the RAM below 4 GiB: 124 KiB reclaimable, 4 KiB NVS.
import type { Gpa } from "../memory/gpa.ts";

/** The 32-bit GDT that boot protocols hand over. */
export const BOOT_GDT: Gpa = 0x1000;
/** `struct boot_params` of the Linux boot protocol, one page. */
export const BOOT_PARAMS: Gpa = 0x7000;
/** PML4, PDPT and four page directories. */
export const PAGE_TABLES: Gpa = 0x9000;
/** The kernel's command line for the 32- and 64-bit entries, 64 KiB at most. */
export const COMMAND_LINE: Gpa = 0x2_0000;
/** The setup code of the 16-bit entry. */
export const REAL_MODE_SETUP: Gpa = 0x9_0000;
/** Extended BIOS data area: the top KiB of conventional memory. */
export const EBDA: Gpa = 0x9_fc00;
/** End of conventional memory. */
export const CONVENTIONAL_END: Gpa = 0xa_0000;
/** Start of the system BIOS area, which the memory map reserves up to 1 MiB. */
export const BIOS_AREA: Gpa = 0xe_0000;
/** The Root System Description Pointer, in the area that ACPI 6.5 §5.2.5.1 tells an OS to search. */
export const RSDP: Gpa = 0xf_0000;
/** The SMBIOS 3 (64-bit) entry point. */
export const SMBIOS3_ENTRY: Gpa = 0xf_0040;
/** The SMBIOS 2.1 (32-bit) entry point. */
export const SMBIOS2_ENTRY: Gpa = 0xf_0060;
/** The SMBIOS structure table. */
export const SMBIOS_TABLE: Gpa = 0xf_1000;
/** Real-mode interrupt services for the 16-bit Linux entry, F000:E000. */
export const REAL_MODE_SERVICES: Gpa = 0xf_e000;
/** 1 MiB: where extended memory starts. */
export const HIGH_MEMORY: Gpa = 0x10_0000;
/** Bytes of ACPI reclaimable memory below the NVS page. */
export const ACPI_RECLAIM_BYTES = 0x1_f000;
/** Bytes of ACPI NVS memory at the very top of the RAM below 4 GiB. */
export const ACPI_NVS_BYTES = 0x1000;
