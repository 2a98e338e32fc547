// The setup header of a Linux bzImage (LINUX boot "The Real-Mode Kernel Header"), read from an untrusted file.
import { addressText, kernelInvalid, sizeText } from "./boot-request.ts";
import type { ImageView } from "./image-view.ts";

/** File offsets of the header's fields, in the protocol's spelling. */
export const HEADER = {
  setup_sects: 0x1f1,
  syssize: 0x1f4,
  vid_mode: 0x1fa,
  boot_flag: 0x1fe,
  jump: 0x200,
  header: 0x202,
  version: 0x206,
  kernel_version: 0x20e,
  type_of_loader: 0x210,
  loadflags: 0x211,
  code32_start: 0x214,
  ramdisk_image: 0x218,
  ramdisk_size: 0x21c,
  heap_end_ptr: 0x224,
  cmd_line_ptr: 0x228,
  initrd_addr_max: 0x22c,
  kernel_alignment: 0x230,
  relocatable_kernel: 0x234,
  xloadflags: 0x236,
  cmdline_size: 0x238,
  pref_address: 0x258,
  init_size: 0x260,
} as const;

/** loadflags: protected-mode code loads at 1 MiB; the heap may be used. */
export const LOADED_HIGH: number = 1 << 0;
export const CAN_USE_HEAP: number = 1 << 7;
/** xloadflags: a 64-bit entry at 200h; kernel, initrd and command line may lie above 4 GiB. */
const XLF_KERNEL_64 = 1 << 0;
const XLF_CAN_BE_LOADED_ABOVE_4G = 1 << 1;

const HDRS = 0x5372_6448;
const SECTOR = 512;
const OLDEST = 0x202;
const DEFAULT_SETUP_SECTS = 4;
const DEFAULT_INITRD_MAX = 0x37ff_ffff;
const DEFAULT_COMMAND_LINE = 255;
/** Kernels before 2.04 give syssize in 16 bits, which tells nothing about a bzImage. */
const RELIABLE_SYSSIZE = 0x204;
const PARAGRAPH = 16;
/** The header may reach to here in boot_params, where other fields follow. */
const HEADER_LIMIT = 0x290;

/** What a bzImage says about itself; fields its protocol version lacks have their documented defaults. */
export interface LinuxHeader {
  readonly version: number;
  /** Boot sector and setup code; the protected-mode code follows. */
  readonly setupBytes: number;
  /** One past the last byte of the header. */
  readonly headerEnd: number;
  readonly kernelBytes: number;
  readonly loadedHigh: boolean;
  readonly entry64: boolean;
  readonly above4g: boolean;
  readonly relocatable: boolean;
  readonly alignment: number;
  /** Where the kernel wants to run, or undefined before 2.10. */
  readonly preferred: number | undefined;
  /** Memory it needs from there on before it can read the memory map. */
  readonly initBytes: number;
  /** Highest address an initrd may occupy. */
  readonly initrdMax: number;
  /** Longest command line without its null. */
  readonly commandLineMax: number;
}

/** True when a file carries the signatures of a bzImage. */
export function isLinux(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER.version + 2) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint16(HEADER.boot_flag, true) === 0xaa55 && view.getUint32(HEADER.header, true) === HDRS;
}

/** A protocol version as the protocol's text writes it: 2.15. */
export function versionText(version: number): string {
  return `${version >> 8}.${String(version & 0xff).padStart(2, "0")}`;
}

function checkVersion(view: ImageView): number {
  const version = view.u16(HEADER.version, "the Linux setup header");
  if (version >> 8 !== 2) throw kernelInvalid(view.label, `its Linux header is damaged (boot protocol version ${addressText(version)})`);
  if (version < OLDEST)
    throw kernelInvalid(view.label, `its Linux boot protocol ${versionText(version)} is too old; 2.02 is the oldest supported`);
  return version;
}

/** The protected-mode code's size. Its last paragraph may be cut short: older build tools did not pad the file. */
function kernelSize(view: ImageView, version: number, setupBytes: number): number {
  const present = view.length - setupBytes;
  if (present <= 0) throw kernelInvalid(view.label, `the file is truncated: it ends inside the ${setupBytes} bytes of Linux setup code`);
  if (version < RELIABLE_SYSSIZE) return present;
  const declared = view.u32(HEADER.syssize, "the Linux setup header") * PARAGRAPH;
  if (present <= declared - PARAGRAPH) {
    throw kernelInvalid(
      view.label,
      `the file is truncated: the Linux kernel in it has ${sizeText(setupBytes + declared)}, the file ${sizeText(view.length)}`,
      {
        expected: setupBytes + declared,
        fileBytes: view.length,
      },
    );
  }
  return Math.min(declared, present);
}

function headerEnd(view: ImageView): number {
  return Math.min(HEADER.header + view.u8(HEADER.jump + 1, "the Linux setup header"), HEADER_LIMIT, view.length);
}

/** Reads the setup header. Throws KERNEL_INVALID for one that is too old, truncated or damaged. */
export function readLinuxHeader(view: ImageView): LinuxHeader {
  const version = checkVersion(view);
  const since = <T>(first: number, read: () => T, otherwise: T): T => (version >= first ? read() : otherwise);
  const u32 = (at: number): number => view.u32(at, "the Linux setup header");
  const setupBytes = ((view.u8(HEADER.setup_sects, "the Linux setup header") || DEFAULT_SETUP_SECTS) + 1) * SECTOR;
  const kernelBytes = kernelSize(view, version, setupBytes);
  const xloadflags = since(0x20c, () => view.u16(HEADER.xloadflags, "the Linux setup header"), 0);
  const alignment = since(0x205, () => u32(HEADER.kernel_alignment), 0);
  const header: LinuxHeader = {
    version,
    setupBytes,
    headerEnd: headerEnd(view),
    kernelBytes,
    loadedHigh: (view.u8(HEADER.loadflags, "the Linux setup header") & LOADED_HIGH) !== 0,
    entry64: (xloadflags & XLF_KERNEL_64) !== 0,
    above4g: (xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G) !== 0,
    relocatable: since(0x205, () => view.u8(HEADER.relocatable_kernel, "the Linux setup header") !== 0, false),
    alignment: Math.max(alignment, 1),
    preferred: since(0x20a, () => view.u64(HEADER.pref_address, "the Linux setup header"), undefined),
    initBytes: Math.max(
      since(0x20a, () => u32(HEADER.init_size), 0),
      kernelBytes,
    ),
    initrdMax: since(0x203, () => u32(HEADER.initrd_addr_max), DEFAULT_INITRD_MAX),
    commandLineMax: since(0x206, () => u32(HEADER.cmdline_size), DEFAULT_COMMAND_LINE),
  };
  if (header.relocatable && !Number.isInteger(Math.log2(header.alignment))) {
    throw kernelInvalid(view.label, `its Linux header is damaged (kernel alignment ${addressText(header.alignment)})`);
  }
  return header;
}
