// The interpreter as one WebAssembly module, generated from the definitions.
//
//   run(base, budget)          the loop: a br_table over the hottest handlers, call_indirect for the others
//   table                      complete handlers by id, (record, base) → record
//   exports                    `run` and every routine, by name
//
// The shape is the one that facts about V8 recommend: a small hot function that tiers up within milliseconds, everything else
// compiled lazily. `run` keeps record, base, TLB view and budget in locals.
import { Code } from "../../wasm/code.ts";
import { type FunctionType, ModuleBuilder } from "../../wasm/module-builder.ts";
import { emit, LocalPool } from "../ir/emit.ts";
import { Builder } from "../ir/builder.ts";
import type { Body, Callee, Label, Routine, Signature, Stmt } from "../ir/types.ts";
import { children } from "../ir/liveness.ts";
import { HOST_FUNCTIONS } from "../host-calls.ts";
import { buildHandler, type Handler, type HandlerSet } from "../isa/handlers.ts";
import { at, EXIT, type StateName, ZERO } from "../state.ts";
import { attend, resume, settle } from "./boundary.ts";
import { HotSem, type HotShape } from "./hot.ts";
import { internalHandlers } from "./internal.ts";
import { PROFILE, RECORD } from "./layout.ts";
import { ENGINE_ROUTINES } from "./routines.ts";

/** A case of the fast loop: a handler with a shape of address or branch. */
export interface HotCase {
  readonly handler: Handler;
  readonly shape: HotShape;
}

const HANDLER_TYPE = { params: ["i32", "i32"], result: "i32" } as const;

/** Routines that bodies call, directly or not, by name. */
function collectRoutines(roots: readonly Routine[], bodies: readonly Body[]): Map<string, { routine: Routine; body: Body }> {
  const found = new Map<string, { routine: Routine; body: Body }>();
  const visit = (stmts: readonly Stmt[]): void => {
    for (const s of stmts) {
      if (s.k === "call" && s.target.kind === "routine") add(s.target);
      for (const inner of children(s)) visit(inner);
    }
  };
  const add = (r: Routine): void => {
    if (found.has(r.name)) return;
    const entry = { routine: r, body: Builder.build(r) };
    found.set(r.name, entry);
    visit(entry.body.stmts);
  };
  roots.forEach(add);
  for (const b of bodies) visit(b.stmts);
  return found;
}

const signatureType = ({ params, result }: Signature): FunctionType => ({ params, result });

/** What a module has beyond what a guest needs. */
export interface ModuleOptions {
  /**
   * Count executed handlers at PROFILE, four counters a handler: plus 1 when the address has an index or segment, plus 2 when the
   * branch leaves its page. For measuring what the hot list should hold.
   */
  readonly profile?: boolean;
  /** Name the functions, for profilers. */
  readonly names?: boolean;
  /** A custom section to carry along. */
  readonly custom?: { readonly name: string; readonly bytes: Uint8Array };
}

/** Generates the module's bytes. The hottest cases come first. */
export function buildInterpreterModule(set: HandlerSet, hot: readonly HotCase[], options: ModuleOptions = {}): Uint8Array {
  const bodies = [...internalHandlers(), ...set.handlers.map((h) => buildHandler(h))];
  // Handler ids start behind the internal ones, see isa/handlers.ts.
  const routines = collectRoutines(ENGINE_ROUTINES, bodies);
  const m = new ModuleBuilder();
  m.importMemory("env", "memory", 1, 65536, true);
  const imports = new Map<string, number>();
  for (const f of HOST_FUNCTIONS) imports.set(f.name, m.importFunction("env", f.name, signatureType(f)));
  const run = m.declare();
  const routineIndex = new Map<string, number>();
  for (const name of routines.keys()) routineIndex.set(name, m.declare());
  const handlerIndex = bodies.map(() => m.declare());
  const resolve = (c: Callee): number => (c.kind === "host" ? imports.get(c.name) : routineIndex.get(c.name)) ?? fail(c.name);

  for (const { routine, body } of routines.values()) {
    const index = resolve(routine);
    m.define(index, signatureType(routine), ...compile(body, resolve));
    m.exportFunction(routine.name, index);
  }
  bodies.forEach((body, i) => m.define(handlerIndex[i]!, HANDLER_TYPE, ...compile(body, resolve)));
  const loop = new RunLoop(m.type(HANDLER_TYPE), resolve, hot, options.profile ?? false);
  m.define(run, { params: ["i32", "i32"], result: "i32" }, loop.locals.types, loop.code);
  m.exportFunction("run", run);
  m.table(handlerIndex);
  if (options.names) {
    m.nameFunction(run, "run");
    for (const [name, index] of routineIndex) m.nameFunction(index, name);
    bodies.forEach((body, i) => m.nameFunction(handlerIndex[i]!, body.signature.name));
  }
  if (options.custom) m.custom(options.custom.name, options.custom.bytes);
  return m.finish();
}

function fail(name: string): never {
  throw new Error(`Bug in Nido: nothing is called ${name}`);
}

function compile(body: Body, resolve: (c: Callee) => number): [locals: LocalPool["types"], code: Code] {
  const code = new Code();
  const locals = new LocalPool(body.signature.params.length);
  emit(body, { code, locals, params: body.params.map((_, i) => i), resolve });
  const result = body.signature.result;
  // Every path returns before this; the validator does not know.
  if (result !== undefined) code.unreachable();
  return [locals.types, code];
}

/** Locals of the loop; `budget` is what is left of `given`. Hot cases take further ones behind them. */
const LOCAL = { base: 0, given: 1, record: 2, view: 3, budget: 4, next: 5 } as const;
const PARAMETERS = 2;

/** Labels that hot cases branch to. */
interface LoopLabels {
  readonly cold: Label;
  readonly again: Label;
  readonly out: Label;
}

/**
 * run(base, budget) → EXIT reason.
 *
 *   record = resume(base)
 *   loop outer
 *     if record = 0 return exit
 *     if attention: one instruction through its complete handler, then attend; continue
 *     loop again { br_table hot … cold: record = table[record.cold](record, base) }
 */
class RunLoop {
  readonly code: Code = new Code();
  readonly locals: LocalPool = new LocalPool(PARAMETERS);
  readonly #resolve: (c: Callee) => number;
  readonly #handlerType: number;

  constructor(handlerType: number, resolve: (c: Callee) => number, hot: readonly HotCase[], profile: boolean) {
    this.#handlerType = handlerType;
    this.#resolve = resolve;
    const c = this.code;
    this.#pin();
    c.localGet(LOCAL.given).localSet(LOCAL.budget);
    this.#call(resume, LOCAL.base).localSet(LOCAL.record);
    c.loop(); // outer
    c.localGet(LOCAL.record).op("i32.eqz").if();
    this.#account();
    this.#load("exit").return().end();
    this.#attentive();
    this.#fast(hot, profile);
    c.br(1); // outer
    c.end(); // out
    this.#leave();
    c.end(); // outer
    c.unreachable();
  }

  /** Takes the loop's own locals out of the pool. */
  #pin(): void {
    this.locals.reset();
    for (let i = PARAMETERS; i <= LOCAL.next; i++) this.locals.alloc("i32");
  }

  #call(r: Routine, ...locals: number[]): Code {
    for (const local of locals) this.code.localGet(local);
    return this.code.call(this.#resolve(r));
  }

  #load(name: StateName): Code {
    return this.code.localGet(LOCAL.base).memory("i32.load", at(name));
  }

  /** The record's complete handler. */
  #complete(): Code {
    const c = this.code.localGet(LOCAL.record).localGet(LOCAL.base);
    return c.localGet(LOCAL.record).memory("i32.load16_u", RECORD.cold).callIndirect(this.#handlerType);
  }

  #countDown(): Code {
    return this.code.localGet(LOCAL.budget).i32(1).op("i32.sub").localTee(LOCAL.budget).i32(0);
  }

  #attentive(): void {
    this.#load("attention").if();
    this.#complete().localSet(LOCAL.next);
    this.#call(attend, LOCAL.base, LOCAL.record, LOCAL.next).localSet(LOCAL.record);
    this.#countDown().op("i32.lt_s").if();
    this.#leave();
    this.code.end().br(1).end();
  }

  /** Ends within the block `out`, behind which the budget is used up. */
  #fast(hot: readonly HotCase[], profile: boolean): void {
    const c = this.code;
    this.#load("tlbView").localSet(LOCAL.view);
    c.block(); // out
    c.block(); // attention or slow: `next` decides
    c.loop(); // again
    if (profile) this.#count();
    c.block(); // cold
    this.#hotCases(hot);
    c.end(); // cold
    this.#complete().localTee(LOCAL.next).op("i32.eqz").brIf(1);
    this.#load("attention").brIf(1);
    c.localGet(LOCAL.next).localSet(LOCAL.record);
    this.#load("tlbView").localSet(LOCAL.view);
    this.#countDown().op("i32.ge_s").brIf(0);
    c.br(2); // out
    c.end(); // again
    c.end(); // attention or slow
    this.#call(attend, LOCAL.base, LOCAL.record, LOCAL.next).localSet(LOCAL.record);
  }

  #hotCases(hot: readonly HotCase[]): void {
    const c = this.code;
    const labels: LoopLabels = { cold: { kind: "block" }, again: { kind: "loop" }, out: { kind: "block" } };
    const outer = [undefined, labels.out, undefined, labels.again, labels.cold];
    for (let i = 0; i < hot.length; i++) c.block();
    c.localGet(LOCAL.record).memory("i32.load8_u", RECORD.hot);
    // Case 0 is "none"; case n is hot[n - 1], whose code follows the n-th innermost end.
    c.brTable([hot.length, ...hot.map((_, i) => i)], hot.length);
    hot.forEach((h, i) => {
      c.end();
      this.#hotCase(h, labels, [...outer, ...Array.from({ length: hot.length - 1 - i }, () => undefined)]);
    });
  }

  #hotCase(h: HotCase, labels: LoopLabels, outer: readonly (Label | undefined)[]): void {
    const body = buildHandler(h.handler, (name) => new HotSem(name, labels, h.shape));
    this.#pin();
    const params = [LOCAL.record, LOCAL.base, LOCAL.view, LOCAL.budget];
    emit(body, { code: this.code, locals: this.locals, params, resolve: this.#resolve, outer });
  }

  #count(): void {
    const c = this.code;
    const field = (name: "index" | "seg"): Code => c.localGet(LOCAL.record).memory("i32.load8_u", RECORD[name]).i32(ZERO).op("i32.ne");
    c.localGet(LOCAL.record).memory("i32.load16_u", RECORD.cold).i32(2).op("i32.shl");
    field("index");
    field("seg").op("i32.or").op("i32.or");
    c.localGet(LOCAL.record).memory("i64.load", RECORD.imm).i64(4096n).op("i64.ge_u").i32(1).op("i32.shl").op("i32.or");
    c.i32(3).op("i32.shl").localGet(LOCAL.base).op("i32.add");
    c.localTee(LOCAL.next).localGet(LOCAL.next).memory("i64.load", PROFILE).i64(1n).op("i64.add").memory("i64.store", PROFILE);
  }

  /** Adds the instructions of this run to `retired`. */
  #account(): void {
    const c = this.code.localGet(LOCAL.base).localGet(LOCAL.base).memory("i64.load", at("retired"));
    c.localGet(LOCAL.given).localGet(LOCAL.budget).op("i32.sub").op("i64.extend_i32_u").op("i64.add").memory("i64.store", at("retired"));
  }

  /** The budget is used up: the address of the record becomes `rip`. */
  #leave(): void {
    this.#account();
    this.#call(settle, LOCAL.base, LOCAL.record);
    this.code.i32(EXIT.budget).return();
  }
}
