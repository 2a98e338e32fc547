// `struct boot_params`, the "zero page" (LINUX zero-page; the setup header in LINUX boot "The Real-Mode Kernel Header").
import type { Gpa } from "../memory/gpa.ts";
import { RANGE_TYPE } from "./memory-map.ts";
import { HIGH_MEMORY } from "./layout.ts";
import { HEADER } from "./linux-header.ts";
import type { LinuxBoot, PlacedInitrd } from "./linux-placement.ts";

/** Offsets of boot_params fields outside the setup header. */
const PARAMS = {
  ext_mem_k: 0x002,
  orig_video_mode: 0x006,
  orig_video_cols: 0x007,
  orig_video_lines: 0x00e,
  orig_video_isVGA: 0x00f,
  orig_video_points: 0x010,
  acpi_rsdp_addr: 0x070,
  ext_ramdisk_image: 0x0c0,
  ext_ramdisk_size: 0x0c4,
  alt_mem_k: 0x1e0,
  e820_entries: 0x1e8,
  e820_table: 0x2d0,
} as const;

const PARAMS_BYTES = 0x1000;
const E820_MAX = 128;
const E820_BYTES = 20;
const HEADER_START = HEADER.setup_sects;
const UNDEFINED_LOADER = 0xff;
const NORMAL_VIDEO = 0xffff;

/** Where the pieces that boot_params points at were placed. */
export interface LinuxPlaces {
  readonly loadedAt: Gpa;
  readonly commandLine: Gpa;
  readonly initrd: PlacedInitrd;
}

/** Fields of the setup header that a boot loader writes, whether in boot_params or in the 16-bit setup code itself. */
export function writeLoaderFields(view: DataView, commandLine: Gpa, initrd: PlacedInitrd): void {
  view.setUint16(HEADER.vid_mode, NORMAL_VIDEO, true);
  view.setUint8(HEADER.type_of_loader, UNDEFINED_LOADER);
  view.setUint32(HEADER.cmd_line_ptr, commandLine, true);
  view.setUint32(HEADER.ramdisk_image, (initrd?.gpa ?? 0) % 0x1_0000_0000, true);
  view.setUint32(HEADER.ramdisk_size, initrd?.bytes.length ?? 0, true);
}

/** Text mode 3: 80 by 25 characters of 16 lines on a VGA. */
function writeTextMode(view: DataView): void {
  view.setUint8(PARAMS.orig_video_mode, 3);
  view.setUint8(PARAMS.orig_video_cols, 80);
  view.setUint8(PARAMS.orig_video_lines, 25);
  view.setUint8(PARAMS.orig_video_isVGA, 1);
  view.setUint16(PARAMS.orig_video_points, 16, true);
}

function writeMemoryMap(view: DataView, { request }: LinuxBoot): void {
  const map = request.tables.memoryMap.slice(0, E820_MAX);
  view.setUint8(PARAMS.e820_entries, map.length);
  map.forEach(({ base, length, kind }, index) => {
    const at = PARAMS.e820_table + index * E820_BYTES;
    view.setBigUint64(at, BigInt(base), true);
    view.setBigUint64(at + 8, BigInt(length), true);
    view.setUint32(at + 16, RANGE_TYPE[kind], true);
  });
  const extended = map.find(({ base, kind }) => base === HIGH_MEMORY && kind === "ram");
  const kib = Math.floor((extended?.length ?? 0) / 1024);
  view.setUint16(PARAMS.ext_mem_k, Math.min(kib, 0xffff), true);
  view.setUint32(PARAMS.alt_mem_k, kib, true);
}

/** The zero page: the file's own setup header, the loader's fields, memory map, RSDP and initrd. */
export function bootParams(boot: LinuxBoot, { loadedAt, commandLine, initrd }: LinuxPlaces): Uint8Array {
  const bytes = new Uint8Array(PARAMS_BYTES);
  bytes.set(boot.view.slice(HEADER_START, boot.header.headerEnd - HEADER_START, "the Linux setup header"), HEADER_START);
  const view = new DataView(bytes.buffer);
  writeLoaderFields(view, commandLine, initrd);
  view.setUint32(HEADER.code32_start, loadedAt, true);
  view.setUint32(PARAMS.ext_ramdisk_image, Math.floor((initrd?.gpa ?? 0) / 0x1_0000_0000), true);
  view.setBigUint64(PARAMS.acpi_rsdp_addr, BigInt(boot.request.tables.rsdp), true);
  if (boot.request.vgaText === true) writeTextMode(view);
  writeMemoryMap(view, boot);
  return bytes;
}
