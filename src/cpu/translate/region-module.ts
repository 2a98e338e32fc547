// Modules of regions. All of them have the same imports in the same order, so that a region's function can be put into any of them,
// also the next time.
import type { ValueType } from "../../wasm/code.ts";
import { ModuleBuilder } from "../../wasm/module-builder.ts";
import { VIEW } from "../engine/layout.ts";
import { CPU_BASE } from "../engine/processor.ts";
import { REGION_TYPE, regionName } from "../engine/region-shape.ts";

/**
 * Pages of WebAssembly's that hold the first processor's state: where a memory is known to have them, V8's baseline compiler accesses the
 * state without an index.
 */
const STATE_PAGES = (CPU_BASE + VIEW.user) >>> 16;

/** A function that regions call. */
export interface RegionImport {
  readonly name: string;
  readonly params: readonly ValueType[];
  readonly result: ValueType | undefined;
}

/** What regions import, in the order in which it was met. */
export class RegionImports {
  readonly #list: RegionImport[] = [];
  readonly #indices = new Map<string, number>();

  /** @param known what earlier regions import */
  constructor(known: readonly RegionImport[] = []) {
    for (const i of known) this.indexOf(i);
  }

  get list(): readonly RegionImport[] {
    return this.#list;
  }

  /** Function index of a callee, in every module made from now on. */
  indexOf({ name, params, result }: RegionImport): number {
    const known = this.#indices.get(name);
    if (known !== undefined) return known;
    const index = this.#list.push({ name, params, result }) - 1;
    this.#indices.set(name, index);
    return index;
  }
}

/** A module that exports the regions' functions as `0`, `1`, …; their numbers are in their names. */
export function moduleOf(imports: RegionImports, regions: readonly { readonly id: number; readonly body: Uint8Array }[]): Uint8Array {
  const m = new ModuleBuilder();
  m.importMemory("env", "memory", STATE_PAGES, 65536, true);
  for (const { name, params, result } of imports.list) m.importFunction("env", name, { params, result });
  regions.forEach(({ id, body }, n) => {
    const index = m.declare();
    m.defineBody(index, REGION_TYPE, body);
    m.exportFunction(String(n), index);
    m.nameFunction(index, regionName(id));
  });
  return m.finish();
}
