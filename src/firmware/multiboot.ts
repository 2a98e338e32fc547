// Multiboot 1 (Multiboot Specification 0.6.96): the header in the first 8 KiB, ELF kernels and flat binaries that give their
// addresses in the header ("a.out kludge"), modules and the memory map. Video modes are not set: bit 2 is accepted as a wish.
import {
  addressText,
  commandLineBytes,
  kernelInvalid,
  kernelLabel,
  type BootModule,
  type BootPlan,
  type BootRequest,
} from "./boot-request.ts";
import type { Gpa } from "../memory/gpa.ts";
import { ByteWriter } from "./byte-writer.ts";
import { bootGdt, protected32 } from "./cpu-start.ts";
import { loadSegments } from "./elf-load.ts";
import { isElf, readElf, type ElfSegment } from "./elf.ts";
import type { GuestWrite } from "./guest-write.ts";
import { ImageView } from "./image-view.ts";
import { RANGE_TYPE, type MemoryRange } from "./memory-map.ts";
import { allModules, placeModule } from "./modules.ts";
import { Placement } from "./placement.ts";

const HEADER_MAGIC = 0x1bad_b002;
const LOADER_MAGIC = 0x2bad_b002n;
const SEARCH_BYTES = 8192;
const HAS_ADDRESSES = 1 << 16;
/** Bits 0–15 are demands; of them, page-aligned modules, memory information and video are known (§3.1.2). */
const UNKNOWN_DEMANDS = 0xfff8;

/** Multiboot information flags (§3.3). */
const INFO_MEMORY = 1 << 0;
const INFO_CMDLINE = 1 << 2;
const INFO_MODS = 1 << 3;
const INFO_MMAP = 1 << 6;
const INFO_BOOT_LOADER_NAME = 1 << 9;

const INFO_BYTES = 116;
const MODULE_BYTES = 16;
const MMAP_BYTES = 24;
const PAGE = 0x1000;
const TEXT_LIMIT = 0xffff;
const MIB = 0x10_0000;

/** Offset of the multiboot header in a file, or undefined: 4-byte aligned, magic, flags and checksum summing to zero (§3.1). */
export function multibootHeader(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, SEARCH_BYTES));
  for (let at = 0; at + 12 <= view.byteLength; at += 4) {
    if (view.getUint32(at, true) !== HEADER_MAGIC) continue;
    if (((HEADER_MAGIC + view.getUint32(at + 4, true) + view.getUint32(at + 8, true)) & 0xffff_ffff) === 0) return at;
  }
  return undefined;
}

interface MultibootKernel {
  readonly entry: number;
  readonly segments: readonly ElfSegment[];
}

/** A flat binary: header_addr says where the header's own file offset lands, everything else follows from it (§3.1.3). */
function flatKernel(view: ImageView, header: number): MultibootKernel {
  const field = (index: number): number => view.u32(header + 12 + 4 * index, "the multiboot address fields");
  const [headerAddress, loadAddress, loadEnd, bssEnd, entry] = [field(0), field(1), field(2), field(3), field(4)];
  const from = header - (headerAddress - loadAddress);
  if (headerAddress < loadAddress || from < 0) {
    throw kernelInvalid(view.label, `its multiboot header puts address ${addressText(loadAddress)} before the start of the file`);
  }
  const fileBytes = loadEnd === 0 ? view.length - from : loadEnd - loadAddress;
  if (fileBytes < 0)
    throw kernelInvalid(
      view.label,
      `its multiboot load address ${addressText(loadAddress)} lies beyond the load end ${addressText(loadEnd)}`,
    );
  const bytes = view.slice(from, fileBytes, `the code for address ${addressText(loadAddress)}`);
  const end = Math.max(loadAddress + fileBytes, bssEnd);
  return { entry, segments: [{ physical: loadAddress, virtual: loadAddress, memoryBytes: end - loadAddress, bytes }] };
}

/** An ELF kernel. Kernels linked high give a virtual entry address; boot loaders translate it through its segment. */
function elfKernel(view: ImageView): MultibootKernel {
  const { entry, segments } = readElf(view);
  const home = segments.find(({ virtual, memoryBytes }) => entry >= virtual && entry < virtual + memoryBytes);
  return { entry: home === undefined ? entry : entry - home.virtual + home.physical, segments };
}

function readKernel(view: ImageView): MultibootKernel {
  const header = multibootHeader(view.bytes);
  if (header === undefined) throw kernelInvalid(view.label, "it has no multiboot header in its first 8 KiB");
  const flags = view.u32(header + 4, "the multiboot header");
  if ((flags & UNKNOWN_DEMANDS) !== 0) {
    throw kernelInvalid(view.label, `its multiboot header demands features that do not exist (flags ${addressText(flags)})`, { flags });
  }
  if ((flags & HAS_ADDRESSES) !== 0) return flatKernel(view, header);
  if (isElf(view.bytes)) return elfKernel(view);
  throw kernelInvalid(view.label, "its multiboot header gives no load addresses and it is not an ELF file");
}

function memoryMapTable(map: readonly MemoryRange[]): Uint8Array {
  const w = new ByteWriter();
  for (const { base, length, kind } of map)
    w.u32(MMAP_BYTES - 4)
      .u64(base)
      .u64(length)
      .u32(RANGE_TYPE[kind]);
  return w.finish();
}

/** KiB of RAM from `base` up to the first hole. */
function kibFrom(map: readonly MemoryRange[], base: Gpa): number {
  const range = map.find((each) => each.kind === "ram" && each.base === base);
  return range === undefined ? 0 : Math.floor(range.length / 1024);
}

interface Texts {
  readonly at: readonly Gpa[];
  readonly bytes: Uint8Array;
}

function layTexts(texts: readonly Uint8Array[], base: Gpa): Texts {
  const w = new ByteWriter();
  const at = texts.map((text) => base + w.bytes(text).length - text.length);
  return { at, bytes: w.finish() };
}

/** The information structure with what it points at, in one block (§3.3); texts are command line, loader name, module strings. */
function informationBlock(request: BootRequest, at: Gpa, places: readonly GuestWrite[], texts: readonly Uint8Array[]): Uint8Array {
  const map = request.tables.memoryMap;
  const modulesAt = at + INFO_BYTES;
  const mapAt = modulesAt + places.length * MODULE_BYTES;
  const mapBytes = memoryMapTable(map);
  const laid = layTexts(texts, mapAt + mapBytes.length);
  const text = (index: number): Gpa => laid.at[index]!;
  const flags = INFO_MEMORY | INFO_CMDLINE | INFO_MMAP | INFO_BOOT_LOADER_NAME | (places.length > 0 ? INFO_MODS : 0);
  const w = new ByteWriter().u32(flags).u32(kibFrom(map, 0)).u32(kibFrom(map, MIB)).u32(0).u32(text(0));
  w.u32(places.length)
    .u32(places.length > 0 ? modulesAt : 0)
    .zero(16)
    .u32(mapBytes.length)
    .u32(mapAt)
    .zero(12)
    .u32(text(1));
  w.zero(INFO_BYTES - w.length);
  places.forEach(({ gpa, bytes }, index) =>
    w
      .u32(gpa)
      .u32(gpa + bytes.length)
      .u32(text(index + 2))
      .u32(0),
  );
  return w.bytes(mapBytes).bytes(laid.bytes).finish();
}

function information(
  request: BootRequest,
  modules: readonly BootModule[],
  places: readonly GuestWrite[],
  placement: Placement,
): GuestWrite {
  const texts = [request.commandLine ?? "", "Nido", ...modules.map(({ text }) => text)].map((text) => commandLineBytes(text, TEXT_LIMIT));
  const total = informationBlock(request, 0, places, texts).length;
  const gpa = placement.takeLowest(total, PAGE);
  if (gpa === undefined) throw kernelInvalid(kernelLabel(request), "it leaves no room for the multiboot information");
  return { gpa, bytes: informationBlock(request, gpa, places, texts) };
}

/** Plans the start of a multiboot kernel. An initrd becomes the first module. */
export function planMultiboot(request: BootRequest): BootPlan {
  const label = kernelLabel(request);
  const map = request.tables.memoryMap;
  const placement = Placement.withBiosArea(request.tables);
  const { entry, segments } = readKernel(new ImageView(request.kernel, label));
  const kernel = loadSegments(segments, placement, map, label);
  if (!segments.some(({ physical, memoryBytes }) => entry >= physical && entry < physical + memoryBytes)) {
    throw kernelInvalid(label, `its entry ${addressText(entry)} lies outside what it loads`);
  }
  const modules = allModules(request);
  const places = modules.map((module, index) => placeModule(placement, module, index));
  const info = information(request, modules, places, placement);
  const gdt = placement.takeLowest(32, PAGE);
  if (gdt === undefined) throw kernelInvalid(label, "it leaves no room for a descriptor table");
  return {
    protocol: "multiboot",
    zero: kernel.zero,
    writes: [...request.tables.writes, ...kernel.writes, ...places, info, bootGdt("protected32", gdt)],
    cpu: protected32({ rip: entry, general: { rax: LOADER_MAGIC, rbx: BigInt(info.gpa) } }, gdt),
  };
}
