// Tells what a kernel file is. Files that cannot be booted are named, so that the error can say what they are.
import { foreignElf, isElf, readElf } from "./elf.ts";
import { VmError } from "../support/errors.ts";
import type { BootProtocol } from "./boot-request.ts";
import { ImageView } from "./image-view.ts";
import { isLinux } from "./linux-header.ts";
import { multibootHeader } from "./multiboot.ts";
import { pvhEntry } from "./pvh.ts";

/** What a file is: the protocol that boots it, or "unsupported", and a noun phrase such as "an arm64 Linux Image". */
export interface ImageKind {
  readonly protocol: BootProtocol | "unsupported";
  readonly description: string;
}

interface Signature {
  readonly at: number;
  /** Text or bytes at that offset. */
  readonly magic: string | readonly number[];
  readonly description: string;
}

/** Known files, most specific first: a Linux image of another machine may also be a PE file. */
const SIGNATURES: readonly Signature[] = [
  { at: 0x38, magic: "ARM\x64", description: "a Linux Image for arm64" },
  { at: 0x24, magic: [0x18, 0x28, 0x6f, 0x01], description: "a Linux zImage for 32-bit ARM" },
  { at: 0x38, magic: "RSC\x05", description: "a Linux Image for RISC-V" },
  { at: 0x04, magic: "zimg", description: "a compressed EFI Linux image for another machine" },
  { at: 0, magic: [0x27, 0x05, 0x19, 0x56], description: "a U-Boot image" },
  { at: 0, magic: [0xd0, 0x0d, 0xfe, 0xed], description: "a device tree or FIT image" },
  { at: 0, magic: "MZ", description: "an EFI or Windows program" },
  { at: 0, magic: [0x1f, 0x8b], description: "gzip data; unpack it first" },
  { at: 0, magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], description: "xz data; unpack it first" },
  { at: 0, magic: [0x28, 0xb5, 0x2f, 0xfd], description: "Zstandard data; unpack it first" },
  { at: 0, magic: "BZh", description: "bzip2 data; unpack it first" },
  { at: 0, magic: [0x02, 0x21, 0x4c, 0x18], description: "LZ4 data; unpack it first" },
  { at: 0, magic: [0x04, 0x22, 0x4d, 0x18], description: "LZ4 data; unpack it first" },
  { at: 0, magic: [0x5d, 0x00, 0x00], description: "LZMA data; unpack it first" },
  { at: 0, magic: "PK\x03\x04", description: "a ZIP archive" },
  { at: 0, magic: [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], description: "a 7-Zip archive" },
  { at: 0, magic: "!<arch>\n", description: "an ar archive or Debian package" },
  { at: 257, magic: "ustar", description: "a tar archive" },
  { at: 0, magic: "070701", description: "a cpio archive, such as an initrd" },
  { at: 0, magic: "QFI\xfb", description: "a qcow2 disk image" },
  { at: 0, magic: "KDMV", description: "a VMDK disk image" },
  { at: 0, magic: "vhdxfile", description: "a VHDX disk image" },
  { at: 0x40, magic: [0x7f, 0x10, 0xda, 0xbe], description: "a VDI disk image" },
  { at: 0x8001, magic: "CD001", description: "an ISO 9660 image" },
  { at: 0, magic: [0xcf, 0xfa, 0xed, 0xfe], description: "a Mach-O program" },
  { at: 0, magic: "#!", description: "a script" },
  { at: 510, magic: [0x55, 0xaa], description: "a boot sector or disk image" },
];

const MULTIBOOT2_MAGIC = [0xd6, 0x50, 0x52, 0xe8];
const MULTIBOOT2_SEARCH = 32_768;

function hasAt(bytes: Uint8Array, at: number, magic: string | readonly number[]): boolean {
  for (let index = 0; index < magic.length; index++) {
    const expected = typeof magic === "string" ? magic.charCodeAt(index) : magic[index];
    if (bytes[at + index] !== expected) return false;
  }
  return true;
}

function isMultiboot2(bytes: Uint8Array): boolean {
  for (let at = 0; at < Math.min(bytes.length, MULTIBOOT2_SEARCH); at += 8) if (hasAt(bytes, at, MULTIBOOT2_MAGIC)) return true;
  return false;
}

function unsupported(description: string): ImageKind {
  return { protocol: "unsupported", description };
}

/** What an ELF file is. A damaged one is given to the loader that its header points to, which says what is wrong. */
function elfKind(bytes: Uint8Array): ImageKind {
  const foreign = foreignElf(bytes);
  if (foreign !== undefined) return unsupported(foreign);
  const multiboot = multibootHeader(bytes) !== undefined;
  try {
    const elf = readElf(new ImageView(bytes, "the file"));
    if (pvhEntry(elf) !== undefined) return { protocol: "pvh", description: "an ELF kernel with a PVH note" };
    if (multiboot) return { protocol: "multiboot", description: "a multiboot ELF kernel" };
    if (elf.dynamic) return unsupported("an ELF program for an operating system");
  } catch (error) {
    if (!VmError.is(error, "KERNEL_INVALID")) throw error;
    return multiboot
      ? { protocol: "multiboot", description: "a damaged multiboot ELF kernel" }
      : { protocol: "pvh", description: "a damaged ELF file" };
  }
  if (isMultiboot2(bytes)) return unsupported("a multiboot 2 kernel; only multiboot 1 is supported");
  return unsupported("an ELF file with neither a PVH note nor a multiboot header");
}

function looksLikeText(bytes: Uint8Array): boolean {
  const head = bytes.subarray(0, 256);
  return head.every((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 9 || byte === 10 || byte === 13);
}

/** Tells what a file is from its bytes alone; never throws. */
export function detect(bytes: Uint8Array): ImageKind {
  if (bytes.length === 0) return unsupported("an empty file");
  if (isLinux(bytes)) return { protocol: "linux", description: "a Linux bzImage" };
  if (isElf(bytes)) return elfKind(bytes);
  if (multibootHeader(bytes) !== undefined) return { protocol: "multiboot", description: "a multiboot kernel" };
  const known = SIGNATURES.find(({ at, magic }) => hasAt(bytes, at, magic));
  if (known !== undefined) return unsupported(known.description);
  if (isMultiboot2(bytes)) return unsupported("a multiboot 2 kernel; only multiboot 1 is supported");
  return unsupported(looksLikeText(bytes) ? "a text file" : "none of the kernel formats known");
}
