// Puts the segments of an ELF kernel where they ask to be.
import { addressText, kernelInvalid, memoryTooSmall, sizeText } from "./boot-request.ts";
import type { ElfSegment } from "./elf.ts";
import type { GuestWrite, GuestZero } from "./guest-write.ts";
import type { MemoryRange } from "./memory-map.ts";
import { lowRamEnd, type Placement } from "./placement.ts";

/** Bytes to place and ranges to clear. */
export interface LoadedSegments {
  readonly writes: readonly GuestWrite[];
  readonly zero: readonly GuestZero[];
  /** One past the highest address used. */
  readonly end: number;
}

/** Takes a kernel's range, or says why it cannot be had: not enough memory, or no memory at that address in any machine. */
export function takeForKernel(placement: Placement, map: readonly MemoryRange[], label: string, base: number, length: number): void {
  if (placement.take(base, length)) return;
  const ramEnd = lowRamEnd(map);
  const where = `${addressText(base)}–${addressText(base + length)}`;
  if (base + length > ramEnd && base + length <= 0xc000_0000) {
    throw memoryTooSmall(
      label,
      `it needs memory up to ${sizeText(base + length)}; the guest's usable memory below 4 GiB ends at ${Math.floor(ramEnd / 0x10_0000)} MiB`,
      {
        base,
        length,
        ramEnd,
      },
    );
  }
  throw kernelInvalid(label, `it loads to ${where}, which is not free memory on a PC`, { base, length });
}

/** Takes every segment's range. Throws KERNEL_INVALID or MEMORY_INVALID when one overlaps another or lies outside RAM. */
export function loadSegments(
  segments: readonly ElfSegment[],
  placement: Placement,
  map: readonly MemoryRange[],
  label: string,
): LoadedSegments {
  if (segments.length === 0) throw kernelInvalid(label, "it has no loadable segments");
  const sorted = segments.toSorted((a, b) => a.physical - b.physical);
  let end = 0;
  for (const { physical, memoryBytes } of sorted) {
    if (physical < end) throw kernelInvalid(label, `its segment at ${addressText(physical)} overlaps the one before it`);
    takeForKernel(placement, map, label, physical, memoryBytes);
    end = physical + memoryBytes;
  }
  const zero = sorted.map(({ physical, memoryBytes, bytes }) => ({ gpa: physical + bytes.length, length: memoryBytes - bytes.length }));
  return {
    writes: sorted.filter(({ bytes }) => bytes.length > 0).map(({ physical, bytes }) => ({ gpa: physical, bytes })),
    zero: zero.filter(({ length }) => length > 0),
    end,
  };
}
