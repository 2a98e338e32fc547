// Runs routines and handlers by the evaluator: slow, and the judge of the others.
import { assert } from "../../support/assert.ts";
import { Builder } from "../ir/builder.ts";
import { evaluate, type Value } from "../ir/evaluate.ts";
import type { Body, Routine, Signature } from "../ir/types.ts";
import { buildHandler, type HandlerSet } from "../isa/handlers.ts";
import { at, EXIT } from "../state.ts";
import { attend, resume, settle } from "./boundary.ts";
import type { Executor, HostFunctions } from "./executor.ts";
import { internalHandlers } from "./internal.ts";
import { INTERNAL_HANDLERS, RECORD } from "./layout.ts";
import type { EnginePlan } from "./plan.ts";
import type { EngineProgram } from "./program.ts";
import { ENGINE_ROUTINES } from "./routines.ts";

const DEFINITIONS: ReadonlyMap<string, Routine> = new Map(ENGINE_ROUTINES.map((r) => [r.name, r]));

/** The routine itself, or the one of that name. */
function definitionOf(signature: Signature | Routine): Routine {
  const routine = "build" in signature ? signature : DEFINITIONS.get(signature.name);
  assert(routine, `no routine is called ${signature.name}`);
  return routine;
}

/** Handlers as the evaluator runs them. */
export class EvaluatorProgram implements EngineProgram {
  readonly kind = "evaluator";
  readonly plan: EnginePlan;
  readonly #set: HandlerSet;

  constructor(set: HandlerSet, plan: EnginePlan) {
    this.#set = set;
    this.plan = plan;
  }

  execute(memory: WebAssembly.Memory, functions: HostFunctions): Executor {
    return new EvaluatorExecutor(this.#set, memory, functions);
  }
}

class EvaluatorExecutor implements Executor {
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

  #body(routine: Signature): Body {
    const known = this.#bodies.get(routine.name) ?? Builder.build(definitionOf(routine));
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

  call(routine: Signature, ...args: (number | bigint)[]): number | bigint | undefined {
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
