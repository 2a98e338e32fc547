// Where a Linux kernel and its initrd go (LINUX boot "Memory Layout", "Details of Header Fields": pref_address, init_size,
// kernel_alignment, initrd_addr_max, xloadflags).
import { FOUR_GIB, type Gpa } from "../memory/gpa.ts";
import { VmError } from "../support/errors.ts";
import { addressText, memoryTooSmall, sizeText, type BootRequest } from "./boot-request.ts";
import { takeForKernel } from "./elf-load.ts";
import type { GuestWrite } from "./guest-write.ts";
import type { ImageView } from "./image-view.ts";
import { checkInitrd } from "./initrd.ts";
import { HIGH_MEMORY } from "./layout.ts";
import type { LinuxHeader } from "./linux-header.ts";
import { lowRamEnd, type Placement } from "./placement.ts";

const PAGE = 0x1000;
/** Kernels before 2.10 do not say what they need to unpack; they do it in place. */
const UNPACKED_RATIO = 4;

/** A Linux kernel with what its header says and what is planned for it so far. */
export interface LinuxBoot {
  readonly request: BootRequest;
  readonly view: ImageView;
  readonly header: LinuxHeader;
  readonly placement: Placement;
}

/** An initrd with its place, or undefined without one. */
export type PlacedInitrd = GuestWrite | undefined;

/** Where the protected-mode code goes for the 32- and 64-bit entries, with the range it unpacks into taken. */
export function placeKernel({ request, view, header, placement }: LinuxBoot): Gpa {
  const map = request.tables.memoryMap;
  if (header.preferred === undefined) {
    const at = header.relocatable ? Math.ceil(HIGH_MEMORY / header.alignment) * header.alignment : HIGH_MEMORY;
    takeForKernel(
      placement,
      map,
      view.label,
      at,
      Math.max(header.kernelBytes, Math.min(header.kernelBytes * UNPACKED_RATIO, lowRamEnd(map) - at)),
    );
    return at;
  }
  if (!header.relocatable) {
    takeForKernel(placement, map, view.label, HIGH_MEMORY, header.kernelBytes);
    takeUnpacked(header, header.preferred, HIGH_MEMORY + header.kernelBytes, placement, request, view.label);
    return HIGH_MEMORY;
  }
  const at = placement.takeLowest(header.initBytes, Math.max(header.alignment, PAGE), { min: Math.max(header.preferred, HIGH_MEMORY) });
  if (at === undefined) {
    throw memoryTooSmall(
      view.label,
      `it needs ${sizeText(header.initBytes)} from ${addressText(header.preferred)} on; the guest's usable memory below 4 GiB ends at ${Math.floor(lowRamEnd(map) / 0x10_0000)} MiB`,
      { address: header.preferred, bytes: header.initBytes },
    );
  }
  return at;
}

/** Takes the range a kernel unpacks into as far as it lies behind the code already placed. */
export function takeUnpacked(header: LinuxHeader, from: Gpa, taken: Gpa, placement: Placement, request: BootRequest, label: string): void {
  const start = Math.max(from, taken);
  const end = from + header.initBytes;
  if (end > start) takeForKernel(placement, request.tables.memoryMap, label, start, end - start);
}

/** Places the initrd as high as the kernel allows; above 4 GiB only when there is no room below and the kernel can. */
export function placeInitrd({ request, header, placement }: LinuxBoot, entry: "16" | "32" | "64"): PlacedInitrd {
  const { initrd, initrdName } = request;
  if (initrd === undefined) return undefined;
  checkInitrd(initrd, initrdName);
  const bounds = { min: HIGH_MEMORY, max: Math.min(header.initrdMax + 1, FOUR_GIB) };
  const low = placement.takeHighest(initrd.length, PAGE, bounds);
  const above = entry === "64" && header.above4g;
  const gpa = low ?? (above ? placement.takeHighest(initrd.length, PAGE, { min: FOUR_GIB, max: Number.MAX_SAFE_INTEGER }) : undefined);
  if (gpa !== undefined) return { gpa, bytes: initrd };
  const free = placement.largest(bounds);
  const label = initrdName === undefined ? "the initrd" : `the initrd "${initrdName}"`;
  throw new VmError(
    "INITRD_INVALID",
    `Cannot use ${label}: it has ${sizeText(initrd.length)}, and beside the kernel ${Math.floor(free / 0x10_0000)} MiB of guest memory are free in one piece`,
    {
      data: { bytes: initrd.length, free },
    },
  );
}
