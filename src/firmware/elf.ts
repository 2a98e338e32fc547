// Executable and Linkable Format, as much as loading a kernel needs: header, program headers, notes (ELF gABI 4.1; notes as in
// the gABI's "Note Section"). Everything is bounded by the file.
import { addressText, kernelInvalid } from "./boot-request.ts";
import type { ImageView } from "./image-view.ts";

/** A loadable segment: file bytes, then zeros up to `memoryBytes`. */
export interface ElfSegment {
  readonly physical: number;
  readonly virtual: number;
  readonly memoryBytes: number;
  readonly bytes: Uint8Array;
}

/** One ELF note. */
export interface ElfNote {
  readonly name: string;
  readonly type: number;
  readonly description: Uint8Array;
}

/** What an ELF file says about itself. */
export interface Elf {
  readonly bits: 32 | 64;
  readonly entry: number;
  readonly dynamic: boolean;
  readonly segments: readonly ElfSegment[];
  readonly notes: readonly ElfNote[];
}

const PT_LOAD = 1;
const PT_INTERP = 3;
const PT_NOTE = 4;
const EM_386 = 3;
const EM_X86_64 = 62;
/** Linux has five, Xen a handful; this bounds the work a hostile file can ask for. */
const MOST_SEGMENTS = 128;
const MOST_NOTES = 1024;

const MACHINES: Readonly<Record<number, string>> = {
  2: "SPARC",
  8: "MIPS",
  20: "PowerPC",
  21: "64-bit PowerPC",
  22: "S/390",
  40: "32-bit ARM",
  43: "64-bit SPARC",
  50: "Itanium",
  183: "arm64",
  243: "RISC-V",
  258: "LoongArch",
};

interface ProgramHeader {
  readonly type: number;
  readonly offset: number;
  readonly virtual: number;
  readonly physical: number;
  readonly fileBytes: number;
  readonly memoryBytes: number;
  readonly alignment: number;
}

/** True when a file starts with the ELF magic number. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/** What is wrong with an ELF file for an x86 machine ("an ELF file for arm64"), or undefined when it is for x86. */
export function foreignElf(bytes: Uint8Array): string | undefined {
  if (bytes[5] === 2) return "an ELF file for a big-endian machine";
  if (bytes.length < 20) return undefined;
  const machine = bytes[18]! | (bytes[19]! << 8);
  if (machine === EM_386 || machine === EM_X86_64) return undefined;
  return `an ELF file for ${MACHINES[machine] ?? `machine type ${machine}`}`;
}

function programHeader32(view: ImageView, at: number): ProgramHeader {
  const field = (offset: number): number => view.u32(at + offset, "an ELF program header");
  return {
    type: field(0),
    offset: field(4),
    virtual: field(8),
    physical: field(12),
    fileBytes: field(16),
    memoryBytes: field(20),
    alignment: field(28),
  };
}

/** Virtual addresses of 64-bit kernels lie in the upper half: kept modulo 2^48, which is enough to find an entry's segment. */
function programHeader64(view: ImageView, at: number): ProgramHeader {
  const field = (offset: number): number => view.u64(at + offset, "an ELF program header");
  return {
    type: view.u32(at, "an ELF program header"),
    offset: field(8),
    virtual: address48(view, at + 16),
    physical: field(24),
    fileBytes: field(32),
    memoryBytes: field(40),
    alignment: field(48),
  };
}

function address48(view: ImageView, at: number): number {
  return view.u32(at, "an ELF address") + view.u16(at + 4, "an ELF address") * 0x1_0000_0000;
}

function programHeaders(view: ImageView, bits: 32 | 64): ProgramHeader[] {
  const wide = bits === 64;
  const table = wide ? view.u64(32, "the ELF header") : view.u32(28, "the ELF header");
  const size = view.u16(wide ? 54 : 42, "the ELF header");
  const count = view.u16(wide ? 56 : 44, "the ELF header");
  if (count > 0 && size < (wide ? 56 : 32)) throw kernelInvalid(view.label, `its ELF program headers have ${size} bytes each`);
  view.need(table, size * count, "the ELF program header table");
  return Array.from({ length: count }, (_, index) => (wide ? programHeader64 : programHeader32)(view, table + index * size));
}

function segment(view: ImageView, header: ProgramHeader): ElfSegment {
  const { physical, virtual, memoryBytes, fileBytes, offset } = header;
  if (fileBytes > memoryBytes)
    throw kernelInvalid(view.label, `its ELF segment at ${addressText(physical)} has more bytes in the file than in memory`);
  return { physical, virtual, memoryBytes, bytes: view.slice(offset, fileBytes, `the ELF segment for address ${addressText(physical)}`) };
}

function readNotes(view: ImageView, header: ProgramHeader, into: ElfNote[]): void {
  const end = header.offset + header.fileBytes;
  view.need(header.offset, header.fileBytes, "the ELF notes");
  const align = (value: number): number => Math.ceil(value / (header.alignment === 8 ? 8 : 4)) * (header.alignment === 8 ? 8 : 4);
  for (let at = header.offset; at + 12 <= end && into.length < MOST_NOTES;) {
    const nameBytes = view.u32(at, "an ELF note");
    const descriptionBytes = view.u32(at + 4, "an ELF note");
    const descriptionAt = at + align(12 + nameBytes);
    if (descriptionAt + descriptionBytes > end)
      throw kernelInvalid(view.label, `an ELF note at offset ${addressText(at)} runs past the notes' end`);
    const name = String.fromCharCode(...view.slice(at + 12, Math.min(nameBytes, 32), "an ELF note")).replace(/\0.*$/s, "");
    into.push({ name, type: view.u32(at + 8, "an ELF note"), description: view.slice(descriptionAt, descriptionBytes, "an ELF note") });
    at = descriptionAt + align(descriptionBytes);
  }
}

/** Reads an ELF file for x86. Throws KERNEL_INVALID for one that is truncated, inconsistent or for another machine. */
export function readElf(view: ImageView): Elf {
  const foreign = foreignElf(view.bytes);
  if (foreign !== undefined) throw kernelInvalid(view.label, `it is ${foreign}, not for x86`);
  const elfClass = view.u8(4, "the ELF header");
  if (elfClass !== 1 && elfClass !== 2) throw kernelInvalid(view.label, `its ELF class is ${elfClass}, neither 32 nor 64 bits`);
  const bits = elfClass === 1 ? 32 : 64;
  const headers = programHeaders(view, bits);
  const loads = headers.filter(({ type, memoryBytes }) => type === PT_LOAD && memoryBytes > 0);
  if (loads.length > MOST_SEGMENTS)
    throw kernelInvalid(view.label, `it has ${loads.length} ELF segments; at most ${MOST_SEGMENTS} are loaded`);
  const notes: ElfNote[] = [];
  for (const header of headers) if (header.type === PT_NOTE) readNotes(view, header, notes);
  return {
    bits,
    entry: bits === 32 ? view.u32(24, "the ELF header") : address48(view, 24),
    dynamic: headers.some(({ type }) => type === PT_INTERP),
    segments: loads.map((header) => segment(view, header)),
    notes,
  };
}
