// The interpreter as it was generated: its compiled module and the plan that comes with it. Nothing of the definitions is loaded here;
// engine/generator.ts is what makes modules from them.
import { assert } from "../../support/assert.ts";
import { type Executor, type HostFunctions, WasmExecutor } from "./executor.ts";
import { type EnginePlan, PLAN_SECTION, unpackPlan } from "./plan.ts";

/** What runs guest code, before it has a guest; serves any number of processors. */
export interface EngineProgram {
  readonly kind: "evaluator" | "interpreter";
  readonly plan: EnginePlan;
  /** An executor over a machine's memory. */
  execute(memory: WebAssembly.Memory, functions: HostFunctions): Executor;
}

/** The generated interpreter. */
export class InterpreterProgram implements EngineProgram {
  readonly kind = "interpreter";
  readonly plan: EnginePlan;
  readonly #module: WebAssembly.Module;

  /** @param module what engine/generator.ts made. Throws unless it carries its plan. */
  constructor(module: WebAssembly.Module) {
    const [plan] = WebAssembly.Module.customSections(module, PLAN_SECTION);
    assert(plan, "the interpreter's module carries no plan: build the package again");
    this.plan = unpackPlan(new Uint8Array(plan));
    this.#module = module;
  }

  execute(memory: WebAssembly.Memory, functions: HostFunctions): Executor {
    return new WasmExecutor(this.#module, memory, functions);
  }
}
