// What runs routines and handlers for a processor, and the one that runs the generated module.
import { assert } from "../../support/assert.ts";
import type { RoutineCaller } from "../assist/context.ts";
import type { Signature } from "../ir/types.ts";

/** Functions that generated code imports, by name (host-calls.ts). */
export type HostFunctions = Readonly<Record<string, (...values: never[]) => unknown>>;

/** What runs a processor's routines and handlers. */
export interface Executor extends RoutineCaller {
  /** Runs about `budget` instructions → EXIT reason. */
  run(base: number, budget: number): number;
  /** What translated regions are made of: the table that they go into and the functions that they import. */
  readonly linkage?: Linkage;
}

/** The interpreter's side of translated code. */
export interface Linkage {
  readonly table: WebAssembly.Table;
  /** Exported functions by name. */
  readonly functions: Readonly<Record<string, unknown>>;
}

const REGIONS_TABLE = "regions";

type Exports = Readonly<Record<string, (...values: (number | bigint)[]) => number | bigint | undefined>>;

/** Runs the generated module. */
export class WasmExecutor implements Executor {
  readonly #exports: Exports;
  readonly linkage: Linkage;

  constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, functions: HostFunctions) {
    const instance = new WebAssembly.Instance(module, { env: { memory, ...functions } });
    this.#exports = instance.exports as Exports;
    const { [REGIONS_TABLE]: table, ...others } = instance.exports;
    this.linkage = { table: table as WebAssembly.Table, functions: others };
  }

  call(routine: Signature, ...args: (number | bigint)[]): number | bigint | undefined {
    const f = this.#exports[routine.name];
    assert(f, `the engine does not export ${routine.name}`);
    return f(...args);
  }

  run(base: number, budget: number): number {
    return this.#exports["run"]!(base, budget) as number;
  }
}
