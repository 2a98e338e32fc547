// Small synthetic kernels and archives for tests of the loaders; what is in them is never executed.
import { ByteWriter } from "./byte-writer.ts";
import { HEADER } from "./linux-header.ts";

/** Header fields of a synthetic bzImage; the defaults are those of a relocatable 64-bit kernel with protocol 2.15. */
export interface ExampleLinux {
  readonly version?: number;
  readonly loadflags?: number;
  readonly xloadflags?: number;
  readonly relocatable?: boolean;
  readonly alignment?: number;
  readonly preferred?: number;
  readonly initBytes?: number;
  readonly initrdMax?: number;
  readonly commandLineMax?: number;
  readonly setupSectors?: number;
  readonly kernelBytes?: number;
}

/** A bzImage whose protected-mode code is filled with 90h. */
export function exampleLinux(fields: ExampleLinux = {}): Uint8Array {
  const sectors = fields.setupSectors ?? 4;
  const kernelBytes = fields.kernelBytes ?? 0x8000;
  const bytes = new Uint8Array((sectors + 1) * 512 + kernelBytes).fill(0x90, (sectors + 1) * 512);
  const view = new DataView(bytes.buffer);
  view.setUint8(HEADER.setup_sects, sectors);
  view.setUint32(HEADER.syssize, Math.ceil(kernelBytes / 16), true);
  view.setUint16(HEADER.boot_flag, 0xaa55, true);
  view.setUint16(HEADER.jump, 0x6aeb, true);
  view.setUint32(HEADER.header, 0x5372_6448, true);
  view.setUint16(HEADER.version, fields.version ?? 0x20f, true);
  view.setUint8(HEADER.loadflags, fields.loadflags ?? 1);
  view.setUint32(HEADER.code32_start, 0x10_0000, true);
  view.setUint32(HEADER.initrd_addr_max, fields.initrdMax ?? 0x7fff_ffff, true);
  view.setUint32(HEADER.kernel_alignment, fields.alignment ?? 0x20_0000, true);
  view.setUint8(HEADER.relocatable_kernel, (fields.relocatable ?? true) ? 1 : 0);
  view.setUint16(HEADER.xloadflags, fields.xloadflags ?? 0x3f, true);
  view.setUint32(HEADER.cmdline_size, fields.commandLineMax ?? 2047, true);
  view.setBigUint64(HEADER.pref_address, BigInt(fields.preferred ?? 0x100_0000), true);
  view.setUint32(HEADER.init_size, fields.initBytes ?? 0x100_0000, true);
  return bytes;
}

/** A segment of a synthetic ELF file. */
export interface ExampleSegment {
  readonly physical: number;
  readonly virtual?: bigint;
  readonly bytes: Uint8Array;
  readonly memoryBytes?: number;
}

/** What goes into a synthetic ELF file. */
export interface ExampleElf {
  readonly bits?: 32 | 64;
  readonly machine?: number;
  readonly entry?: bigint;
  readonly segments?: readonly ExampleSegment[];
  /** The entry in a Xen PHYS32_ENTRY note. */
  readonly pvhEntry?: number;
  readonly interpreter?: boolean;
}

/** An ELF note: name and description padded to 4 bytes. */
export function exampleNote(name: string, type: number, description: ArrayLike<number>): Uint8Array {
  const w = new ByteWriter()
    .u32(name.length + 1)
    .u32(description.length)
    .u32(type)
    .ascii(name, name.length)
    .u8(0)
    .align(4);
  return w.bytes(description).align(4).finish();
}

interface Piece {
  readonly type: number;
  readonly virtual: bigint;
  readonly physical: number;
  readonly bytes: Uint8Array;
  readonly memoryBytes: number;
}

function pieces(elf: ExampleElf): Piece[] {
  const loads = (elf.segments ?? []).map(({ physical, virtual, bytes, memoryBytes }) => ({
    type: 1,
    virtual: virtual ?? BigInt(physical),
    physical,
    bytes,
    memoryBytes: memoryBytes ?? bytes.length,
  }));
  const plain = (type: number, bytes: Uint8Array): Piece => ({ type, virtual: 0n, physical: 0, bytes, memoryBytes: bytes.length });
  if (elf.pvhEntry !== undefined) {
    const filler = exampleNote("Linux", 0x101, [1, 2, 3]);
    const entry = exampleNote("Xen", 18, new ByteWriter().u64(elf.pvhEntry).finish());
    loads.push(plain(4, new ByteWriter().bytes(filler).bytes(entry).finish()));
  }
  if (elf.interpreter === true) loads.push(plain(3, new TextEncoder().encode("/lib/ld.so\0")));
  return loads;
}

/** An ELF executable: header, program headers, then the segments' bytes one after another. */
export function exampleElf(elf: ExampleElf): Uint8Array {
  const wide = (elf.bits ?? 64) === 64;
  const parts = pieces(elf);
  const [headerBytes, entryBytes] = wide ? [64, 56] : [52, 32];
  const w = new ByteWriter()
    .u32(0x464c_457f)
    .u8(wide ? 2 : 1)
    .u8(1)
    .u8(1)
    .zero(9)
    .u16(2)
    .u16(elf.machine ?? (wide ? 62 : 3))
    .u32(1);
  const word = (value: number | bigint): ByteWriter => (wide ? w.u64(value) : w.u32(Number(value)));
  word(elf.entry ?? 0n);
  word(headerBytes);
  word(0);
  w.u32(0).u16(headerBytes).u16(entryBytes).u16(parts.length).u16(0).u16(0).u16(0);
  let offset = headerBytes + entryBytes * parts.length;
  for (const { type, virtual, physical, bytes, memoryBytes } of parts) {
    w.u32(type);
    if (wide) w.u32(7).u64(offset).u64(virtual).u64(physical).u64(bytes.length).u64(memoryBytes).u64(4);
    else w.u32(offset).u32(Number(virtual)).u32(physical).u32(bytes.length).u32(memoryBytes).u32(7).u32(4);
    offset += bytes.length;
  }
  for (const { bytes } of parts) w.bytes(bytes);
  return w.finish();
}

/** A multiboot header with its checksum; `addresses` are header, load, load end, bss end and entry address. */
export function exampleMultibootHeader(flags: number, addresses: readonly number[] = []): Uint8Array {
  const w = new ByteWriter()
    .u32(0x1bad_b002)
    .u32(flags)
    .u32((-0x1bad_b002 - flags) >>> 0);
  for (const address of addresses) w.u32(address);
  return w.finish();
}

/** A cpio archive in "newc" form with the given files and its trailer. */
export function exampleCpio(files: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const w = new ByteWriter();
  const member = (name: string, data: Uint8Array): void => {
    const hex = (value: number): string => value.toString(16).padStart(8, "0");
    const header = `070701${[0, 0x81a4, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0].map(hex).join("")}`;
    w.ascii(header, header.length).ascii(name, name.length).u8(0).align(4).bytes(data).align(4);
  };
  for (const [name, data] of Object.entries(files)) member(name, data);
  member("TRAILER!!!", new Uint8Array(0));
  return w.finish();
}
