// Makes what engines run from the definitions. For the build, tests and tools; a machine starts from what the build left (program.ts).
import { assert } from "../../support/assert.ts";
import { buildTables } from "../decode/build-tables.ts";
import { enumerateHandlers, type HandlerSet } from "../isa/handlers.ts";
import { INSTRUCTIONS } from "../isa/index.ts";
import { EvaluatorProgram } from "./evaluator.ts";
import { HOT_KEYS } from "./hot-list.ts";
import { buildInterpreterModule, type HotCase, type ModuleOptions } from "./interpreter-module.ts";
import { HOT_REGION, INTERNAL_HANDLERS } from "./layout.ts";
import { EnginePlan, packPlan, PLAN_SECTION } from "./plan.ts";
import { InterpreterProgram } from "./program.ts";

/** All rows, made into handlers and a plan; takes about 100 milliseconds. The same rows give the same handler ids. */
export class ProgramGenerator {
  readonly set: HandlerSet;
  readonly plan: EnginePlan;
  readonly #hotCases: HotCase[] = [];
  #interpreter: InterpreterProgram | undefined;

  constructor() {
    this.set = enumerateHandlers(INSTRUCTIONS);
    const n = this.set.handlers.length + INTERNAL_HANDLERS;
    const ends = new Uint8Array(n);
    const hot = new Uint8Array(n * 2);
    const byKey = new Map(this.set.handlers.map((h) => [h.key, h]));
    for (const h of this.set.handlers) if (h.form.attributes.has("end")) ends[h.id] = 1;
    for (const [key, shape] of HOT_KEYS) {
      const handler = byKey.get(key);
      assert(handler, `the hot list names ${key}, which no row gives`);
      hot[handler.id * 2 + shape] = this.#hotCases.push({ handler, shape });
    }
    assert(this.#hotCases.length < HOT_REGION, "cases of the fast loop have 8 bits");
    // Any address or target may be a simple one.
    for (let i = 0; i < hot.length; i += 2) hot[i] ||= hot[i + 1]!;
    this.plan = new EnginePlan(buildTables(this.set), ends, hot);
  }

  /** The interpreter's WebAssembly bytes, with the plan in a custom section. */
  build(options: ModuleOptions = {}): Uint8Array {
    return buildInterpreterModule(this.set, this.#hotCases, { ...options, custom: { name: PLAN_SECTION, bytes: packPlan(this.plan) } });
  }

  /** The interpreter, generated and compiled at the first call. */
  interpreter(): InterpreterProgram {
    this.#interpreter ??= new InterpreterProgram(new WebAssembly.Module(this.build()));
    return this.#interpreter;
  }

  /** The evaluator over the same handlers. */
  evaluator(): EvaluatorProgram {
    return new EvaluatorProgram(this.set, this.plan);
  }
}
