// The PVH direct boot protocol: an ELF kernel with a 32-bit entry in a Xen note (Xen docs/misc/pvh.pandoc; start info as in
// xen/include/public/arch-x86/hvm/start_info.h, version 1).
//
//   hvm_start_info   0 magic  4 version  8 flags  12 nr_modules  16 modlist  24 cmdline  32 rsdp  40 memmap  48 entries  52 0
//   modlist entry    0 paddr  8 size  16 cmdline  24 reserved
//   memmap entry     0 addr   8 size  16 type  20 reserved
import type { Gpa } from "../memory/gpa.ts";
import {
  addressText,
  commandLineBytes,
  kernelInvalid,
  kernelLabel,
  type BootModule,
  type BootPlan,
  type BootRequest,
} from "./boot-request.ts";
import { ByteWriter } from "./byte-writer.ts";
import { bootGdt, protected32 } from "./cpu-start.ts";
import { loadSegments } from "./elf-load.ts";
import { readElf, type Elf } from "./elf.ts";
import type { GuestWrite } from "./guest-write.ts";
import { ImageView } from "./image-view.ts";
import { RANGE_TYPE, type MemoryRange } from "./memory-map.ts";
import { allModules, placeModule } from "./modules.ts";
import { Placement } from "./placement.ts";

const XEN_ELFNOTE_PHYS32_ENTRY = 18;
const HVM_START_MAGIC_VALUE = 0x336e_c578;
const START_INFO_VERSION = 1;
const START_INFO_BYTES = 56;
const MODULE_BYTES = 32;
const MEMMAP_BYTES = 24;
const PAGE = 0x1000;
const COMMAND_LINE_LIMIT = 0xffff;
/** Boot structures go below 1 MiB, where no kernel has its segments. */
const STRUCTURES = { max: 0xa_0000 };

/** The PVH entry address, or undefined when the file has no such note. */
export function pvhEntry(elf: Elf): number | undefined {
  const note = elf.notes.find(({ name, type }) => name === "Xen" && type === XEN_ELFNOTE_PHYS32_ENTRY);
  if (note === undefined || note.description.length < 4) return undefined;
  const { buffer, byteOffset } = note.description;
  return new DataView(buffer, byteOffset, 4).getUint32(0, true);
}

function memoryMapTable(map: readonly MemoryRange[]): Uint8Array {
  const w = new ByteWriter();
  for (const { base, length, kind } of map) w.u64(base).u64(length).u32(RANGE_TYPE[kind]).u32(0);
  return w.finish();
}

interface Structures {
  readonly startInfo: Gpa;
  readonly gdt: Gpa;
  readonly writes: readonly GuestWrite[];
}

/** Start info, module list, memory map, strings and the GDT, in one block: the fixed records first, the strings behind them. */
function structures(request: BootRequest, modules: readonly BootModule[], places: readonly GuestWrite[], placement: Placement): Structures {
  const map = request.tables.memoryMap;
  const texts = [request.commandLine ?? "", ...modules.map(({ text }) => text)].map((text) => commandLineBytes(text, COMMAND_LINE_LIMIT));
  const recordBytes = START_INFO_BYTES + modules.length * MODULE_BYTES + map.length * MEMMAP_BYTES;
  const total = recordBytes + texts.reduce((sum, text) => sum + text.length, 0);
  const at = placement.takeLowest(total, PAGE, STRUCTURES);
  const gdt = placement.takeLowest(32, PAGE, STRUCTURES);
  if (at === undefined || gdt === undefined)
    throw kernelInvalid(kernelLabel(request), "it leaves no room for boot structures below 640 KiB");

  const textAt: Gpa[] = [];
  let next = at + recordBytes;
  for (const text of texts) next = textAt[textAt.push(next) - 1]! + text.length;
  const moduleList = at + START_INFO_BYTES;
  const memoryMap = moduleList + modules.length * MODULE_BYTES;
  const w = new ByteWriter().u32(HVM_START_MAGIC_VALUE).u32(START_INFO_VERSION).u32(0).u32(modules.length);
  w.u64(modules.length > 0 ? moduleList : 0)
    .u64(textAt[0]!)
    .u64(request.tables.rsdp)
    .u64(memoryMap)
    .u32(map.length)
    .u32(0);
  places.forEach(({ gpa, bytes }, index) =>
    w
      .u64(gpa)
      .u64(bytes.length)
      .u64(textAt[index + 1]!)
      .u64(0),
  );
  w.bytes(memoryMapTable(map));
  for (const text of texts) w.bytes(text);
  return { startInfo: at, gdt, writes: [{ gpa: at, bytes: w.finish() }, bootGdt("protected32", gdt)] };
}

/** Plans the start of an ELF kernel with a PVH note. */
export function planPvh(request: BootRequest): BootPlan {
  const label = kernelLabel(request);
  const map = request.tables.memoryMap;
  const elf = readElf(new ImageView(request.kernel, label));
  const entry = pvhEntry(elf);
  if (entry === undefined) throw kernelInvalid(label, "its ELF notes name no PVH entry");
  const placement = Placement.withBiosArea(request.tables);
  const kernel = loadSegments(elf.segments, placement, map, label);
  if (!elf.segments.some(({ physical, memoryBytes }) => entry >= physical && entry < physical + memoryBytes)) {
    throw kernelInvalid(label, `its PVH entry ${addressText(entry)} lies outside its segments`);
  }
  const modules = allModules(request);
  const places = modules.map((module, index) => placeModule(placement, module, index));
  const { startInfo, gdt, writes } = structures(request, modules, places, placement);
  return {
    protocol: "pvh",
    zero: kernel.zero,
    writes: [...request.tables.writes, ...kernel.writes, ...places, ...writes],
    cpu: protected32({ rip: entry, general: { rbx: BigInt(startInfo) } }, gdt),
  };
}
