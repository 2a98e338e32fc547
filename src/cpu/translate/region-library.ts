// The regions of one image, as far as a translator's thread knows them: those that were kept, and those that it has made.
import type { RegionShape } from "../engine/region-shape.ts";
import type { KeptRegion, RegionArchive } from "./region-archive.ts";
import { RegionImports } from "./region-module.ts";

/** How much is remembered to be kept: regions, and bytes of them. */
export const KEEP: { readonly regions: number; readonly bytes: number } = { regions: 4096, bytes: 24 << 20 };
/** Starts in a row that do not use a region, after which it is not kept any more. */
const OLDEST = 12;

/** Regions by number. */
export class RegionLibrary {
  readonly imports: RegionImports;
  readonly #regions = new Map<number, KeptRegion>();
  readonly #kept: number;
  #next = 0;
  #bytes = 0;

  constructor({ imports, regions }: RegionArchive = { imports: [], regions: [] }) {
    this.imports = new RegionImports(imports);
    for (const region of regions) this.#put(region);
    this.#kept = regions.length;
  }

  /** Whether any have been made in this start. */
  get hasNew(): boolean {
    return this.#next > this.#kept;
  }

  /** Takes a region in. → its number */
  add(shape: RegionShape, body: Uint8Array): number {
    return this.#put({ shape, body, age: 0 });
  }

  #put(region: KeptRegion): number {
    const bytes = bytesOf(region);
    if (this.#regions.size < 2 * KEEP.regions && this.#bytes + bytes <= 2 * KEEP.bytes) {
      this.#regions.set(this.#next, region);
      this.#bytes += bytes;
    }
    return this.#next++;
  }

  /** All of them, with their numbers. */
  get regions(): ReadonlyMap<number, KeptRegion> {
    return this.#regions;
  }

  /** What is to be kept: first what has been used, in this order, then what lately was not. Each region once, and no more than KEEP. */
  archive(used: readonly number[]): RegionArchive {
    const isUsed = new Set(used);
    const covered = new Set(used.flatMap((id) => this.#regions.get(id)?.shape.keys ?? []));
    // What begins where another one serves is not needed.
    const isNeeded = ({ shape, age }: KeptRegion): boolean => age < OLDEST && !covered.has(shape.keys[0] ?? 0);
    const others = [...this.#regions].filter(([id, region]) => !isUsed.has(id) && isNeeded(region));
    const regions: KeptRegion[] = [];
    const seen = new Set<string>();
    let left = KEEP.bytes;
    const keep = (region: KeptRegion | undefined, age: number): void => {
      if (region === undefined || regions.length === KEEP.regions) return;
      const identity = identityOf(region.shape);
      left -= bytesOf(region);
      if (left < 0 || seen.has(identity)) return;
      seen.add(identity);
      regions.push({ ...region, age });
    };
    for (const id of isUsed) keep(this.#regions.get(id), 0);
    for (const [, region] of others) keep(region, region.age + 1);
    return { imports: this.imports.list, regions };
  }
}

function bytesOf({ shape, body }: KeptRegion): number {
  return shape.bytes.length + shape.records.length + body.length + 24 * shape.parameters.length + 8 * shape.ranges.length + 128;
}

/** Equal for regions that were made of the same code in the same way. */
function identityOf({ mode, entries, pages, ranges, bytes }: RegionShape): string {
  let hash = 0;
  for (const b of bytes) hash = Math.imul(hash ^ b, 0x0100_0193);
  return [mode, entries, pages, ranges.flatMap((r) => [r.delta, r.length]), hash].join();
}
