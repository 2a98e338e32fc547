// What an initrd is, and whether it is whole, as far as that can be told without unpacking it. Linux takes a sequence of cpio
// archives and compressed ones (Documentation/driver-api/early-userspace/buffer-format.rst), or an old-style file-system image.
import { VmError } from "../support/errors.ts";
import { sizeText } from "./boot-request.ts";

interface Format {
  readonly name: string;
  readonly at: number;
  readonly magic: readonly number[];
  /** Offset after the archive that starts at `at`, or undefined when it is cut short; absent = cannot be told. */
  readonly end?: (bytes: Uint8Array, at: number) => number | undefined;
}

const ascii = (text: string): number[] => Array.from(text, (letter) => letter.charCodeAt(0));

function u32(bytes: Uint8Array, at: number): number | undefined {
  if (at + 4 > bytes.length) return undefined;
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

const CPIO_HEADER = 110;
const TRAILER = "TRAILER!!!";

function hexField(bytes: Uint8Array, at: number): number {
  return Number.parseInt(String.fromCharCode(...bytes.subarray(at, at + 8)), 16);
}

function aligned(value: number): number {
  return Math.ceil(value / 4) * 4;
}

/** Walks "newc" members (header of 13 hex fields, name, data, each padded to 4) up to the trailer. */
function cpioEnd(bytes: Uint8Array, start: number): number | undefined {
  for (let at = start; at + CPIO_HEADER <= bytes.length;) {
    if (!matches(bytes, at, ascii("07070"))) return undefined;
    const [size, nameSize] = [hexField(bytes, at + 54), hexField(bytes, at + 94)];
    if (!(size >= 0 && nameSize > 0)) return undefined;
    const dataAt = start + aligned(at - start + CPIO_HEADER + nameSize);
    const end = dataAt + aligned(size);
    if (dataAt + size > bytes.length) return undefined;
    if (nameSize === TRAILER.length + 1 && matches(bytes, at + CPIO_HEADER, ascii(TRAILER))) return Math.min(end, bytes.length);
    at = end;
  }
  return undefined;
}

/** The legacy LZ4 frame that Linux uses: magic, then blocks of a 32-bit size and data, up to the end or another archive. */
function lz4End(bytes: Uint8Array, start: number): number | undefined {
  let at = start + 4;
  while (at < bytes.length) {
    const size = u32(bytes, at);
    if (size === undefined) return bytes.subarray(at).every((byte) => byte === 0) ? bytes.length : undefined;
    if (size === 0) return at;
    if (size === 0x184c_2102) at += 4;
    else if (at + 4 + size <= bytes.length) at += 4 + size;
    else return undefined;
  }
  return at;
}

const ZSTD_WINDOW = [0, 1, 2, 4];
const ZSTD_CONTENT = [0, 2, 4, 8];

/** A Zstandard frame: header, blocks with a 3-byte header each, optional checksum (RFC 8878 §3.1.1). */
function zstdEnd(bytes: Uint8Array, start: number): number | undefined {
  const descriptor = bytes[start + 4];
  if (descriptor === undefined) return undefined;
  const single = (descriptor & 0x20) !== 0;
  const content = descriptor >> 6 === 0 && single ? 1 : ZSTD_CONTENT[descriptor >> 6]!;
  let at = start + 5 + (single ? 0 : 1) + ZSTD_WINDOW[descriptor & 3]! + content;
  for (;;) {
    if (at + 3 > bytes.length) return undefined;
    const block = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    at += 3 + (((block >> 1) & 3) === 1 ? 1 : block >> 3);
    if (at > bytes.length) return undefined;
    if ((block & 1) !== 0) break;
  }
  at += (descriptor & 4) === 0 ? 0 : 4;
  return at <= bytes.length ? at : undefined;
}

/** An xz stream ends in "YZ"; what lies between cannot be told without unpacking, so only a whole rest is checked. */
function xzEnd(bytes: Uint8Array): number | undefined {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return matches(bytes, end - 2, ascii("YZ")) ? bytes.length : undefined;
}

const FORMATS: readonly Format[] = [
  { name: "a cpio archive", at: 0, magic: ascii("070701"), end: cpioEnd },
  { name: "a cpio archive", at: 0, magic: ascii("070702"), end: cpioEnd },
  { name: "LZ4 data", at: 0, magic: [0x02, 0x21, 0x4c, 0x18], end: lz4End },
  { name: "Zstandard data", at: 0, magic: [0x28, 0xb5, 0x2f, 0xfd], end: zstdEnd },
  { name: "xz data", at: 0, magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], end: xzEnd },
  { name: "gzip data", at: 0, magic: [0x1f, 0x8b] },
  { name: "gzip data", at: 0, magic: [0x1f, 0x9e] },
  { name: "bzip2 data", at: 0, magic: ascii("BZh") },
  { name: "LZMA data", at: 0, magic: [0x5d, 0x00, 0x00] },
  { name: "LZO data", at: 0, magic: [0x89, 0x4c, 0x5a, 0x4f] },
  { name: "an ext2 file system", at: 0x438, magic: [0x53, 0xef] },
  { name: "a Minix file system", at: 0x410, magic: [0x7f, 0x13] },
  { name: "a Minix file system", at: 0x410, magic: [0x8f, 0x13] },
  { name: "a romfs file system", at: 0, magic: ascii("-rom1fs-") },
  { name: "a cramfs file system", at: 0, magic: [0x45, 0x3d, 0xcd, 0x28] },
  { name: "a squashfs file system", at: 0, magic: ascii("hsqs") },
];

function matches(bytes: Uint8Array, at: number, magic: readonly number[]): boolean {
  return magic.every((byte, index) => bytes[at + index] === byte);
}

function invalid(label: string, why: string): VmError {
  return new VmError("INITRD_INVALID", `Cannot use ${label}: ${why}`);
}

/** Offset of the next archive after zero padding, or the length. */
function skipZeros(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] === 0) at++;
  return at;
}

/** Throws INITRD_INVALID for an initrd that Linux could not use: empty, of no known format, or cut short. */
export function checkInitrd(bytes: Uint8Array, name?: string): void {
  const label = name === undefined ? "the initrd" : `the initrd "${name}"`;
  if (bytes.length === 0) throw invalid(label, "it is empty");
  for (let start = 0; start < bytes.length;) {
    const format = FORMATS.find(({ at, magic }) => (at === 0 || start === 0) && matches(bytes, start + at, magic));
    if (format === undefined && start === 0)
      throw invalid(label, "it is neither a cpio archive, plain or compressed, nor a file-system image");
    if (format?.end === undefined) return;
    const end = format.end(bytes, start);
    if (end === undefined) {
      throw invalid(
        label,
        `the ${format.name.replace(/^an? /, "")} at offset ${start} is truncated or damaged; the file has ${sizeText(bytes.length)}`,
      );
    }
    start = skipZeros(bytes, end);
  }
}
