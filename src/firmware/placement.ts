// Which guest RAM is still free while a boot is being planned. Keeps kernel, initrd and boot structures apart.
import { FOUR_GIB, type Gpa } from "../memory/gpa.ts";
import { BIOS_AREA, HIGH_MEMORY } from "./layout.ts";
import type { MemoryRange } from "./memory-map.ts";
import type { FirmwareTables } from "./tables.ts";

interface Span {
  readonly base: Gpa;
  readonly end: Gpa;
}

/** Bounds for a search: [min, max). */
export interface PlacementBounds {
  readonly min?: Gpa;
  readonly max?: Gpa;
}

/** Page 0 holds the real-mode interrupt table; nothing is placed there by search. */
const LOWEST: Gpa = 0x1000;

/** Free RAM in ascending order. */
export class Placement {
  #free: Span[];

  /** @param map what is RAM */
  constructor(map: readonly MemoryRange[]) {
    this.#free = map.filter(({ kind }) => kind === "ram").map(({ base, length }) => ({ base, end: base + length }));
  }

  /**
   * RAM and, for a kernel's own segments, the BIOS area around the tables: GNU ld puts the ELF headers of a kernel linked to
   * 1 MiB into the page below, and boot loaders load them.
   */
  static withBiosArea(tables: FirmwareTables): Placement {
    const placement = new Placement(tables.memoryMap);
    const above = placement.#free.findIndex(({ base }) => base === HIGH_MEMORY);
    const ram = placement.#free[above];
    if (ram !== undefined) placement.#free[above] = { base: BIOS_AREA, end: ram.end };
    for (const { gpa, bytes } of tables.writes) placement.take(gpa, bytes.length);
    return placement;
  }

  /** Takes exactly [base, base + length); false, changing nothing, unless all of it is free RAM. */
  take(base: Gpa, length: number): boolean {
    const end = base + length;
    const index = this.#free.findIndex((span) => span.base <= base && end <= span.end);
    const span = this.#free[index];
    if (span === undefined) return false;
    const rest = [
      { base: span.base, end: base },
      { base: end, end: span.end },
    ].filter((part) => part.base < part.end);
    this.#free.splice(index, 1, ...rest);
    return true;
  }

  /** Takes the highest aligned place within bounds (by default below 4 GiB), or undefined. */
  takeHighest(length: number, alignment: number, bounds: PlacementBounds = {}): Gpa | undefined {
    for (const { low, high } of this.#within(bounds).reverse()) {
      const base = Math.floor((high - length) / alignment) * alignment;
      if (base >= low && this.take(base, length)) return base;
    }
    return undefined;
  }

  /** Takes the lowest aligned place within bounds (by default below 4 GiB), or undefined. */
  takeLowest(length: number, alignment: number, bounds: PlacementBounds = {}): Gpa | undefined {
    for (const { low, high } of this.#within(bounds)) {
      const base = Math.ceil(low / alignment) * alignment;
      if (base + length <= high && this.take(base, length)) return base;
    }
    return undefined;
  }

  /** Bytes of the largest free range within bounds. */
  largest(bounds: PlacementBounds = {}): number {
    return Math.max(0, ...this.#within(bounds).map(({ low, high }) => high - low));
  }

  #within({ min = LOWEST, max = FOUR_GIB }: PlacementBounds): { low: Gpa; high: Gpa }[] {
    return this.#free
      .map(({ base, end }) => ({ low: Math.max(base, min), high: Math.min(end, max) }))
      .filter(({ low, high }) => low < high);
  }
}

/** End of the highest RAM below 4 GiB: what a kernel with 32-bit addresses can use. */
export function lowRamEnd(map: readonly MemoryRange[]): Gpa {
  return Math.max(0, ...map.filter(({ base, kind }) => kind === "ram" && base < FOUR_GIB).map(({ base, length }) => base + length));
}
