// The interpreter as one WebAssembly module, generated from the definitions.
//
//   run(base, budget)          the loop: a br_table over the hottest handlers, call_indirect for the others
//   table                      complete handlers by id, (record, base) → record
//   regions                    a second table, for translated regions: (record, base, budget) → record, budget
//   exports                    `run`, `complete` (one handler), `regions`, and every routine, by name
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
import { CUT, makeFlagsWhole } from "../isa/flags.ts";
import { attend, resume, settle } from "./boundary.ts";
import { HotSem, type HotShape } from "./hot.ts";
import { internalHandlers } from "./internal.ts";
import { FLAT_SEGMENTS, HOT_REGION, PROFILE, RECORD, RECORD_FLAGS, REGIONS, SAMPLES, SAMPLES_MAX } from "./layout.ts";
import { REGION_TYPE } from "./region-shape.ts";
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
   * Count executed handlers at PROFILE, eight counters a handler: plus 1 when the address has an index or segment, plus 2 when the
   * branch leaves its page, plus 4 when the address is of 16 bits or in CS, FS or GS. For measuring what the hot list should hold.
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
  const complete = m.declare();
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
  const types = { handler: m.type(HANDLER_TYPE), region: m.type(REGION_TYPE) };
  m.define(complete, HANDLER_TYPE, [], completeHandler(types.handler));
  m.exportFunction("complete", complete);
  m.exportTable("regions", REGIONS);
  const loop = new RunLoop(types, resolve, hot, options.profile ?? false);
  m.define(run, { params: ["i32", "i32"], result: "i32" }, loop.locals.types, loop.code);
  m.exportFunction("run", run);
  m.table(handlerIndex);
  if (options.names) {
    m.nameFunction(run, "run");
    m.nameFunction(complete, "complete");
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

/** (record, base) → next record: the record's complete handler. */
function completeHandler(type: number): Code {
  return new Code().localGet(0).localGet(1).localGet(0).memory("i32.load16_u", RECORD.cold).callIndirect(type);
}

/**
 * Locals of the loop. `budget` + `reserve` is what is left of `given`, but that instructions are counted when their block is left: at a record
 * `budget` is too large by what stands before it in its block (RECORD.n - 1). `entries` and `translated` count what regions did. Hot cases take
 * further ones behind them.
 */
const LOCAL = { base: 0, given: 1, record: 2, view: 3, budget: 4, next: 5, reserve: 6, left: 7, entries: 8, translated: 9 } as const;
const PARAMETERS = 2;
/** Instructions between two samples: this many, and up to as many more. */
const SAMPLE_EVERY = 4096;
/** One of so many samples at regions is noted. */
const REGION_SAMPLES = 8;

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
 *     loop again { br_table hot … region: record, budget = regions[record.imm](…) · cold: record = table[record.cold](record, base) }
 *
 * The budget is dealt out in parts. When one is used up the record that a branch has just led to is noted as a sample.
 */
class RunLoop {
  readonly code: Code = new Code();
  readonly locals: LocalPool = new LocalPool(PARAMETERS);
  readonly #resolve: (c: Callee) => number;
  readonly #types: { readonly handler: number; readonly region: number };

  constructor(
    types: { readonly handler: number; readonly region: number },
    resolve: (c: Callee) => number,
    hot: readonly HotCase[],
    profile: boolean,
  ) {
    this.#types = types;
    this.#resolve = resolve;
    const c = this.code;
    this.#pin();
    c.localGet(LOCAL.given).localSet(LOCAL.reserve);
    this.#deal();
    this.#call(resume, LOCAL.base).localTee(LOCAL.record).if();
    this.#countFrom().end();
    c.loop(); // outer
    c.localGet(LOCAL.record).op("i32.eqz").if();
    this.#account();
    this.#load("exit").return().end();
    this.#attentive();
    this.#fast(hot, profile);
    c.br(1); // outer
    c.end(); // out
    c.localGet(LOCAL.reserve).if();
    this.#sample();
    this.#deal();
    c.localGet(LOCAL.budget).i32(0).op("i32.ge_s").brIf(1); // outer
    c.end();
    this.#leave();
    c.end(); // outer
    c.unreachable();
  }

  /** Takes the loop's own locals out of the pool. */
  #pin(): void {
    this.locals.reset();
    for (let i = PARAMETERS; i <= LOCAL.translated; i++) this.locals.alloc("i32");
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
    return c.localGet(LOCAL.record).memory("i32.load16_u", RECORD.cold).callIndirect(this.#types.handler);
  }

  /** Moves a part of the reserve into the budget: as much as the address of the record says, for samples at no fixed distance. */
  #deal(): void {
    const c = this.code;
    c.localGet(LOCAL.record)
      .i32(RECORD.size)
      .op("i32.div_u")
      .i32(SAMPLE_EVERY - 1)
      .op("i32.and");
    c.i32(SAMPLE_EVERY).op("i32.add").localTee(LOCAL.next);
    c.localGet(LOCAL.reserve).localGet(LOCAL.next).localGet(LOCAL.reserve).op("i32.lt_u").op("select").localTee(LOCAL.next);
    c.localGet(LOCAL.budget).op("i32.add").localSet(LOCAL.budget);
    c.localGet(LOCAL.reserve).localGet(LOCAL.next).op("i32.sub").localSet(LOCAL.reserve);
  }

  /** Notes the record, and where it is; seldom if it is translated. */
  #sample(): void {
    const c = this.code;
    c.localGet(LOCAL.record).memory("i32.load8_u", RECORD.hot).i32(HOT_REGION).op("i32.ne");
    // The reserve shrinks by numbers as good as any.
    c.localGet(LOCAL.reserve)
      .i32(REGION_SAMPLES - 1)
      .op("i32.and")
      .op("i32.eqz")
      .op("i32.or");
    this.#load("sampleCount").i32(SAMPLES_MAX).op("i32.lt_u").op("i32.and");
    c.localGet(LOCAL.view).i32(0).op("i32.ne").op("i32.and").if();
    const slot = (): Code => this.#load("sampleCount").i32(4).op("i32.shl").localGet(LOCAL.base).op("i32.add");
    slot();
    c.localGet(LOCAL.base).memory("i64.load", at("ripPage")).localGet(LOCAL.record).memory("i64.load16_u", RECORD.offset).op("i64.add");
    c.memory("i64.store", SAMPLES);
    slot()
      .localGet(LOCAL.record)
      .memory("i32.store", SAMPLES + 8);
    slot();
    this.#load("tlbView");
    this.#load("mode")
      .op("i32.or")
      .memory("i32.store", SAMPLES + 12);
    c.localGet(LOCAL.base);
    this.#load("sampleCount").i32(1).op("i32.add").memory("i32.store", at("sampleCount"));
    c.end();
  }

  #n(): Code {
    return this.code.localGet(LOCAL.record).memory("i32.load16_u", RECORD.n);
  }

  /** The block of `record`, up to and with it, has been executed. */
  #countTo(): void {
    this.code.localGet(LOCAL.budget);
    this.#n().op("i32.sub").localSet(LOCAL.budget);
  }

  /** Goes on at `record`, wherever in its block that is. */
  #countFrom(): Code {
    this.code.localGet(LOCAL.budget);
    return this.#n().op("i32.add").i32(1).op("i32.sub").localSet(LOCAL.budget);
  }

  /** Takes back what `#countFrom` did: `budget` is what is left at `record`. */
  #countBefore(): void {
    this.code.localGet(LOCAL.budget);
    this.#n().op("i32.sub").i32(1).op("i32.add").localSet(LOCAL.budget);
  }

  /** After `attend`, which gave a record or 0. */
  #countFromAny(): void {
    this.code.localGet(LOCAL.record).if();
    this.#countFrom().end();
  }

  #attentive(): void {
    this.#load("attention").if();
    this.#complete().localSet(LOCAL.next);
    this.#countTo();
    this.#call(attend, LOCAL.base, LOCAL.record, LOCAL.next).localSet(LOCAL.record);
    // Without a record `exit` says why, which comes before the budget.
    this.code.localGet(LOCAL.budget).i32(0).op("i32.lt_s").localSet(LOCAL.next);
    this.#countFromAny();
    this.code.localGet(LOCAL.next).localGet(LOCAL.record).i32(0).op("i32.ne").op("i32.and").if();
    this.#leave();
    this.code.end().br(1).end();
  }

  /** Ends within the block `out`, behind which the budget is used up. */
  #fast(hot: readonly HotCase[], profile: boolean): void {
    const c = this.code;
    this.#load("hotView").localSet(LOCAL.view);
    c.block(); // out
    c.block(); // attention or slow: `next` decides
    c.loop(); // again
    if (profile) this.#count();
    c.block(); // cold
    this.#hotCases(hot);
    c.end(); // cold
    this.#complete().localTee(LOCAL.next).op("i32.eqz").brIf(1);
    this.#load("attention").brIf(1);
    this.#countTo();
    c.localGet(LOCAL.next).localSet(LOCAL.record);
    this.#load("hotView").localSet(LOCAL.view);
    this.#countFrom().localGet(LOCAL.budget).i32(0).op("i32.ge_s").brIf(0);
    // Not where a branch leads: no place for a sample.
    c.i32(0).localSet(LOCAL.view).br(2); // out
    c.end(); // again
    c.end(); // attention or slow
    this.#countTo();
    this.#call(attend, LOCAL.base, LOCAL.record, LOCAL.next).localSet(LOCAL.record);
    this.#countFromAny();
  }

  #hotCases(hot: readonly HotCase[]): void {
    const c = this.code;
    const labels: LoopLabels = { cold: { kind: "block" }, again: { kind: "loop" }, out: { kind: "block" } };
    const outer = [undefined, labels.out, undefined, labels.again, labels.cold];
    const n = hot.length;
    for (let i = 0; i < n + 1; i++) c.block();
    c.localGet(LOCAL.record).memory("i32.load8_u", RECORD.hot);
    // Case 0 is "none"; case n is hot[n - 1], whose code follows the n-th innermost end; the region's follows the last.
    c.brTable(
      Array.from({ length: HOT_REGION }, (_, i) => (i === 0 || i > n ? n + 1 : i - 1)),
      n,
    );
    hot.forEach((h, i) => {
      c.end();
      this.#hotCase(h, labels, [...outer, ...Array.from({ length: n - i }, () => undefined)]);
    });
    c.end();
    this.#region();
  }

  /** Regions one after the other, as long as one leads to the next. Within `cold`, `again`, slow and `out`. */
  #region(): void {
    const c = this.code;
    this.#countBefore();
    c.loop();
    c.localGet(LOCAL.record).localGet(LOCAL.base).localGet(LOCAL.budget);
    c.localGet(LOCAL.record).memory("i32.load", RECORD.imm).callIndirect(this.#types.region, 1);
    c.localSet(LOCAL.left).localSet(LOCAL.next);
    c.localGet(LOCAL.entries).i32(1).op("i32.add").localSet(LOCAL.entries);
    c.localGet(LOCAL.translated).localGet(LOCAL.budget).op("i32.add").localGet(LOCAL.left).op("i32.sub").localSet(LOCAL.translated);
    c.localGet(LOCAL.left).localSet(LOCAL.budget);
    c.block(); // no region comes next
    c.localGet(LOCAL.next).op("i32.eqz").brIf(0);
    this.#load("attention").brIf(0);
    c.localGet(LOCAL.left).i32(0).op("i32.lt_s").brIf(0);
    c.localGet(LOCAL.next).memory("i32.load8_u", RECORD.hot).i32(HOT_REGION).op("i32.ne").brIf(0);
    c.localGet(LOCAL.next).localSet(LOCAL.record).br(1);
    c.end().end();
    this.#load("flagKind").i32(CUT.shift).op("i32.shr_u").if();
    this.#call(makeFlagsWhole, LOCAL.base);
    c.end();
    this.#behindRegions();
  }

  /** Goes on with what is no region, or with nothing. */
  #behindRegions(): void {
    const c = this.code;
    c.localGet(LOCAL.next).op("i32.eqz").if();
    this.#load("currentRecord").localSet(LOCAL.record).end();
    c.localGet(LOCAL.next).op("i32.eqz");
    this.#load("attention").op("i32.or").if();
    // The region has counted what it executed, with the record that led out of it.
    c.localGet(LOCAL.budget);
    this.#n().op("i32.add").localSet(LOCAL.budget).br(3).end(); // slow
    c.localGet(LOCAL.next).localSet(LOCAL.record);
    this.#countFrom();
    c.localGet(LOCAL.left).i32(0).op("i32.lt_s").brIf(3); // out
    this.#load("hotView").localSet(LOCAL.view);
    c.br(1); // again
  }

  #hotCase(h: HotCase, labels: LoopLabels, outer: readonly (Label | undefined)[]): void {
    const body = buildHandler(h.handler, (name, world) => new HotSem(name, world, labels, h.shape));
    this.#pin();
    const params = [LOCAL.record, LOCAL.base, LOCAL.view, LOCAL.budget];
    emit(body, { code: this.code, locals: this.locals, params, resolve: this.#resolve, outer });
  }

  #count(): void {
    const c = this.code;
    const field = (name: "index" | "seg"): Code => c.localGet(LOCAL.record).memory("i32.load8_u", RECORD[name]).i32(ZERO).op("i32.ne");
    c.localGet(LOCAL.record).memory("i32.load16_u", RECORD.cold).i32(3).op("i32.shl");
    field("index");
    field("seg").op("i32.or").op("i32.or");
    c.localGet(LOCAL.record).memory("i64.load", RECORD.imm).i64(4096n).op("i64.ge_u").i32(1).op("i32.shl").op("i32.or");
    const flags = (): Code => c.localGet(LOCAL.record).memory("i32.load8_u", RECORD.flags);
    c.i32(FLAT_SEGMENTS);
    flags().i32(RECORD_FLAGS.segShift).op("i32.shr_u").op("i32.shr_u").i32(1).op("i32.and").op("i32.eqz");
    flags().i32(RECORD_FLAGS.address16).op("i32.and").i32(1).op("i32.shr_u").op("i32.or").i32(2).op("i32.shl").op("i32.or");
    c.i32(3).op("i32.shl").localGet(LOCAL.base).op("i32.add");
    c.localTee(LOCAL.next).localGet(LOCAL.next).memory("i64.load", PROFILE).i64(1n).op("i64.add").memory("i64.store", PROFILE);
  }

  /** Adds the instructions of this run to `retired`. */
  #account(): void {
    const c = this.code.localGet(LOCAL.base).localGet(LOCAL.base).memory("i64.load", at("retired"));
    c.localGet(LOCAL.given)
      .localGet(LOCAL.budget)
      .op("i32.sub")
      .localGet(LOCAL.reserve)
      .op("i32.sub")
      .op("i64.extend_i32_u")
      .op("i64.add")
      .memory("i64.store", at("retired"));
    this.#add("regionEntries", LOCAL.entries);
    this.#add("regionInstructions", LOCAL.translated);
  }

  #add(name: StateName, local: number): void {
    const c = this.code.localGet(LOCAL.base).localGet(LOCAL.base).memory("i64.load", at(name));
    c.localGet(local).op("i64.extend_i32_u").op("i64.add").memory("i64.store", at(name));
  }

  /** The budget is used up: the address of the record becomes `rip`. */
  #leave(): void {
    this.#countBefore();
    this.#account();
    this.#call(settle, LOCAL.base, LOCAL.record);
    this.code.i32(EXIT.budget).return();
  }
}
