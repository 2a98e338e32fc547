// The two ways of running routines: the generated module, and the evaluator.
import { assert } from "../../support/assert.ts";
import { Builder } from "../ir/builder.ts";
import { evaluate, type Value } from "../ir/evaluate.ts";
import type { Body, Routine } from "../ir/types.ts";
import type { RoutineCaller } from "../assist/context.ts";
import { buildHandler, type HandlerSet, INTERNAL_HANDLERS } from "../isa/handlers.ts";
import { at, EXIT } from "../state.ts";
import { attend, resume, settle } from "./boundary.ts";
import { internalHandlers } from "./internal.ts";
import { RECORD } from "./layout.ts";

/** Functions that generated code imports, by name (host-calls.ts). */
export type HostFunctions = Readonly<Record<string, (...values: never[]) => unknown>>;

/** What runs a processor's routines and handlers. */
export interface Executor extends RoutineCaller {
  /** Runs about `budget` instructions → EXIT reason. */
  run(base: number, budget: number): number;
}

type Exports = Readonly<Record<string, (...values: (number | bigint)[]) => number | bigint | undefined>>;

/** Runs the generated module. */
export class WasmExecutor implements Executor {
  readonly #exports: Exports;

  constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, functions: HostFunctions) {
    const instance = new WebAssembly.Instance(module, { env: { memory, ...functions } });
    this.#exports = instance.exports as Exports;
  }

  call(routine: Routine, ...args: (number | bigint)[]): number | bigint | undefined {
    const f = this.#exports[routine.name];
    assert(f, `the engine does not export ${routine.name}`);
    return f(...args);
  }

  run(base: number, budget: number): number {
    return this.#exports["run"]!(base, budget) as number;
  }
}

/** Runs the same routines by the evaluator. */
export class EvaluatorExecutor implements Executor {
  readonly #bodies = new Map<string, Body>();
  readonly #handlers = new Map<number, Body>();
  readonly #set: HandlerSet;
  readonly #view: DataView;
  readonly #u8: Uint8Array;
  readonly #functions: HostFunctions;
  readonly #internal: readonly Body[] = internalHandlers();

  constructor(set: HandlerSet, memory: WebAssembly.Memory, functions: HostFunctions) {
    this.#set = set;
    this.#view = new DataView(memory.buffer);
    this.#u8 = new Uint8Array(memory.buffer);
    this.#functions = functions;
  }

  #body(routine: Routine): Body {
    const known = this.#bodies.get(routine.name) ?? Builder.build(routine);
    this.#bodies.set(routine.name, known);
    return known;
  }

  #evaluate(body: Body, args: readonly Value[]): Value | undefined {
    return evaluate(body, args, {
      view: this.#view,
      u8: this.#u8,
      body: (routine) => this.#body(routine),
      host: (name, values) => this.#functions[name]!(...(values as never[])) as Value | undefined,
    });
  }

  call(routine: Routine, ...args: (number | bigint)[]): number | bigint | undefined {
    return this.#evaluate(
      this.#body(routine),
      args.map((a) => (typeof a === "bigint" ? BigInt.asUintN(64, a) : a)),
    );
  }

  #handler(id: number): Body {
    if (id < INTERNAL_HANDLERS) return this.#internal[id]!;
    const known = this.#handlers.get(id) ?? buildHandler(this.#set.handlers[id - INTERNAL_HANDLERS]!);
    this.#handlers.set(id, known);
    return known;
  }

  run(base: number, budget: number): number {
    const load = (name: Parameters<typeof at>[0]): number => this.#view.getInt32(base + at(name), true);
    let left = budget;
    let record = this.call(resume, base) as number;
    while (record !== 0) {
      const next = this.#evaluate(this.#handler(this.#view.getUint16(record + RECORD.cold, true)), [record, base]) as number;
      record = next === 0 || load("attention") !== 0 ? (this.call(attend, base, record, next) as number) : next;
      if (--left < 0 && record !== 0) {
        this.call(settle, base, record);
        this.#retire(base, budget - left);
        return EXIT.budget;
      }
    }
    this.#retire(base, budget - left);
    return load("exit");
  }

  #retire(base: number, n: number): void {
    this.#view.setBigUint64(base + at("retired"), this.#view.getBigUint64(base + at("retired"), true) + BigInt(n), true);
  }
}
