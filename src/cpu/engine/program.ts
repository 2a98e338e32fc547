// Everything about the instruction set that does not depend on a machine: handlers, decoder tables, the generated module.
import { buildTables, type DecodeTables } from "../decode/tables.ts";
import type { Decoder } from "../decode/decoder.ts";
import { enumerateHandlers, type HandlerSet, INTERNAL_HANDLERS } from "../isa/handlers.ts";
import { INSTRUCTIONS } from "../isa/index.ts";
import { ZERO } from "../state.ts";
import { HOT_KEYS } from "./hot-list.ts";
import { buildInterpreterModule, type HotCase, type ModuleOptions } from "./interpreter-module.ts";

/** Rows made into what engines run. Takes some hundred milliseconds to build and serves any number of processors. */
export class InterpreterProgram {
  readonly set: HandlerSet;
  readonly tables: DecodeTables;
  readonly #ends: Uint8Array;
  /** Case of the fast loop by handler id × 2 + shape. */
  readonly #hot: Uint8Array;
  readonly #hotCases: HotCase[] = [];
  #module: WebAssembly.Module | undefined;

  /** @param binary the module generated at build time; generated now when absent */
  constructor(binary?: Uint8Array) {
    this.set = enumerateHandlers(INSTRUCTIONS);
    this.tables = buildTables(this.set);
    const n = this.set.handlers.length + INTERNAL_HANDLERS;
    this.#ends = new Uint8Array(n);
    this.#hot = new Uint8Array(n * 2);
    const byKey = new Map(this.set.handlers.map((h) => [h.key, h]));
    for (const h of this.set.handlers) if (h.form.attributes.has("end")) this.#ends[h.id] = 1;
    for (const [key, shape] of HOT_KEYS) {
      const handler = byKey.get(key);
      if (!handler) throw new Error(`Bug in Nido: the hot list names ${key}, which no row gives`);
      this.#hot[handler.id * 2 + shape] = this.#hotCases.push({ handler, shape });
    }
    if (binary) this.#module = new WebAssembly.Module(binary);
  }

  /** The interpreter's WebAssembly bytes. */
  build(options: ModuleOptions = {}): Uint8Array {
    return buildInterpreterModule(this.set, this.#hotCases, options);
  }

  /** The compiled module. */
  module(): WebAssembly.Module {
    this.#module ??= new WebAssembly.Module(this.build());
    return this.#module;
  }

  /** Whether a handler's instruction never goes on with the next one in memory. */
  endsBlock(handler: number): boolean {
    return this.#ends[handler] === 1;
  }

  /** Case of the fast loop for what `d` has just decoded, 0 for none. */
  hot(d: Decoder, samePage: boolean): number {
    if (d.address32 || d.address16) return 0;
    const simple = d.relative ? samePage : d.index === ZERO && d.seg === ZERO;
    return this.#hot[d.handler * 2 + (simple ? 0 : 1)] ?? 0;
  }
}
