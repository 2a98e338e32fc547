// A region as one routine: blocks in structured control flow, entry with its checks, exits that store what was kept in locals.
//
//   done ┌─ checks: pages, segments; else next = the copy of the entry's record
//        │  load the flags
//        │  leave ┌─ exit ┌─ loop… ┌─ pad… ┌─ root: to the entry's block, and to whatever else is reached by number
//        │        │       │        │       │  the blocks
//        │        │       │        │       └─
//        │        │       │        └─ at = the address in the region that execution goes on from
//        │        │       └─ store the registers that the loop changed
//        │        └─ target: its linear address
//        │  store the flags
//        │  next = enter(target)
//        └─ → next, budget
//
// Each way out has a pad of its own, where nothing else leads: V8's baseline compiler emits moves of all locals at a branch to where
// others lead too, and does so on the way that is taken.
import { hostFunction } from "../ir/builder.ts";
import type { Body, Expr, HostFunction, Label, Stmt, Variable } from "../ir/types.ts";
import { children } from "../ir/liveness.ts";
import { JUMP_CACHE, RECORD } from "../engine/layout.ts";
import { enter, jumpSlot } from "../engine/lookup.ts";
import { SEEN } from "../engine/region-shape.ts";
import type { Operands } from "../isa/instruction.ts";
import type { World } from "../isa/sem.ts";
import { at as slot, RIP_PAGE, ZERO } from "../state.ts";
import { isCalledByChoice, keepsToItself, mayWrite } from "./called.ts";
import type { Block, RegionGraph } from "./graph.ts";
import type { GuestInstruction } from "./guest-instruction.ts";
import type { FlagConstant } from "./flag-sem.ts";
import { loadOf, notInlinable, storeOf } from "./kept-sem.ts";
import { KeptVariables } from "./kept-variables.ts";
import { type InstructionPart, NO_PARAMETERS, type RegionParameters } from "./parameters.ts";
import { EntrySem } from "./region-entry.ts";
import { LEAVE, type LeaveCause, type RegionSem, type StatePlace } from "./region-sem.ts";
import { type IndirectMap, nodeOf, ROOT, throughRoot } from "./rooted-flow.ts";
import { structure, type Structure } from "./structure.ts";

/** The complete handler of a record, in the interpreter's module: (record, base) → next record, or 0. */
export const complete: HostFunction = hostFunction("complete", ["i32", "i32"], "i32");

/** For each called instruction a region has a record, and one that goes on behind it. */
export const SIDE_SIZE: number = 2 * RECORD.size;

/** What a region has not executed of a block, and why (LEAVE), in one number. */
const BACK = { instructions: 0xffff, cause: 16 } as const;

/** Bits of the budget that are zero when a call that leads out is left to the interpreter: one time in 32. */
const NOTED = 0xf8;

/** Statements in one instruction beyond which its handler is called. */
const MAX_STATEMENTS = 160;
/** … of the x87, whose ways beside the ordinary one are many. */
const MAX_X87_STATEMENTS = 400;

/** Instructions of a loop, at most, whose registers are kept in locals. */
const MOST_IN_LOOP = 200;

/** A loop that keeps registers in locals. */
interface Loop {
  readonly kept: KeptVariables;
  /** Leads to where its registers are stored, and out. */
  readonly exit: Label;
}

/** A way out of the region: where execution goes on, and what was not executed of the block (BACK). */
interface Pad {
  readonly label: Label;
  readonly delta: number;
  readonly back: number;
  readonly loop: Loop | undefined;
  /** What flag variables still have to get. */
  readonly flags: readonly FlagConstant[];
}

/** Whether flags are stored or loaded, and as what: as everybody knows them, or as regions pass them on (isa/flags.ts, CUT). */
type FlagForm = "none" | "whole" | "cut";

/** A list that stores what is kept, or loads it, filled in when it is known what that is. */
interface Late {
  readonly body: Stmt[];
  readonly loop: Loop | undefined;
  readonly flags: FlagForm;
}

/** A region ready to be emitted. */
export interface RegionBody {
  readonly body: Body;
  /** Variables of the body that hold the results, in order: next record, budget. */
  readonly results: readonly [Variable, Variable];
  /** Behind SEEN and the parameters: the number of the root's way, plus 1, for each delta from some on; in whole records. */
  readonly map: Uint8Array;
  /** Behind the map: instructions whose handlers are called, in the order of their side records. */
  readonly called: readonly GuestInstruction[];
  /** Why each of them is called. */
  readonly reasons: readonly string[];
}

/** Builds a region's routine. @param parameters numbers that it finds in its records instead of holding them */
export function buildRegion(graph: RegionGraph, world: World, place: StatePlace, parameters: RegionParameters = NO_PARAMETERS): RegionBody {
  return new RegionBuilder(graph, world, place, parameters).build();
}

class RegionBuilder extends EntrySem {
  readonly #graph: RegionGraph;
  readonly #parameters: RegionParameters;
  /** Nodes that the root leads to, in the order of their numbers. */
  readonly #ways: readonly number[];
  /** Edges of the nodes; those to nodes that are reached by number lead to the root. */
  readonly #successors: readonly (readonly number[])[];
  /** Nodes that are reached by way of the root only. */
  readonly #byNumber: ReadonlySet<number>;
  readonly #map: IndirectMap;
  readonly #structure: Structure;
  readonly #forward: readonly Label[];
  readonly #again: readonly Label[];
  readonly #leave: Label = { kind: "block" };
  readonly #exit: Label = { kind: "block" };
  readonly #budget: Variable;
  /** Delta at which execution goes on, and what was not executed of the block (BACK). */
  readonly #at: Variable;
  readonly #back: Variable;
  readonly #target: Variable;
  readonly #view: Variable;
  /** Where the root leads, by number. */
  readonly #way: Variable;
  /** Delta at which the region was entered. */
  readonly #entry: Variable;
  readonly #called: GuestInstruction[] = [];
  readonly #reasons: string[] = [];
  readonly #spills: Late[] = [];
  readonly #reloads: Late[] = [];
  readonly #pads: Pad[] = [];
  /** Loops that keep registers, by their headers. */
  readonly #loops = new Map<number, Loop>();
  #block!: Block;
  #index = 0;
  #executed = 0;

  constructor(graph: RegionGraph, world: World, place: StatePlace, parameters: RegionParameters) {
    super(world, place, graph.pages);
    this.#graph = graph;
    this.#parameters = parameters;
    const flow = throughRoot(graph);
    this.#ways = flow.ways;
    this.#successors = flow.successors;
    this.#byNumber = flow.byNumber;
    this.#map = flow.map;
    this.#structure = structure(this.#successors, [0, ...graph.blocks.map((b) => b.instructions.length)], MOST_IN_LOOP);
    this.#forward = this.#successors.map(() => ({ kind: "block" }) as const);
    this.#again = this.#successors.map(() => ({ kind: "loop" }) as const);
    this.#budget = { type: "i32", index: 2 };
    this.#at = this.declare("i32", "at");
    this.#back = this.declare("i32", "back");
    this.#target = this.declare("i64", "target");
    this.#view = this.declare("i32", "view");
    this.#way = this.declare("i32", "way");
    this.#entry = this.declare("i32", "entry");
    this.set(this.#way, super.load("i32.load8_u", this.entryRecord, RECORD.a));
    this.set(this.#entry, this.add(this.page, super.load("i32.load16_u", this.entryRecord, RECORD.offset)));
    this.set(this.#at, this.get(this.#entry));
    this.set(this.#back, this.i32(0));
  }

  build(): RegionBody {
    const blocks = this.nested(() => {
      this.forgetValues();
      this.#tree(ROOT);
    });
    const tail = this.#tail();
    const checks = this.checks();
    const padded = this.#padded(blocks);
    for (const { body, loop, flags } of this.#spills) body.push(...this.collect(() => this.#spill(loop, flags)));
    for (const { body, loop, flags } of this.#reloads) body.push(...this.collect(() => this.#reload(loop, flags)));
    for (const { body: list, build } of this.#late) list.push(...this.collect(build));
    const exit: Stmt = { k: "block", label: this.#exit, body: padded };
    const leave: Stmt = { k: "block", label: this.#leave, body: [exit, ...tail.target] };
    const done: Stmt = {
      k: "block",
      label: this.done,
      body: [...checks, ...this.collect(() => this.#reload(undefined, "cut")), leave, ...tail.store],
    };
    this.append([done]);
    return {
      body: this.finish(),
      results: [this.nextRecord, this.#budget],
      called: this.#called,
      reasons: this.#reasons,
      map: this.#map.bytes,
    };
  }

  /** The blocks, with the ways out around them. */
  #padded(blocks: Stmt[]): Stmt[] {
    let list = blocks;
    for (const { label, delta, back, loop, flags } of this.#pads) {
      const out = this.collect(() => {
        for (const { v, e } of flags) this.set(v, e);
        this.#setExit(delta, back);
        this.br(loop?.exit ?? this.#exit);
      });
      list = [{ k: "block", label, body: list }, ...out];
    }
    for (const loop of this.#loops.values()) {
      const out = this.collect(() => {
        this.#spillHere(loop, "none");
        this.br(this.#exit);
      });
      list = [{ k: "block", label: loop.exit, body: list }, ...out];
    }
    return list;
  }

  /** Leaves the region, when `c`. */
  #out(delta: number, back: number, loop: Loop | undefined, { c, flags = [] }: { c?: Expr | undefined; flags?: Pad["flags"] } = {}): void {
    const label: Label = { kind: "block" };
    this.#pads.push({ label, delta, back, loop, flags });
    this.br(label, c);
  }

  // ── control flow ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #tree(n: number): void {
    const merges = this.#structure.children[n]!.filter((c) => this.#structure.isMerge[c]);
    if (!this.#structure.isLoopHeader[n]) return this.#within(n, merges, 0);
    const loop = this.#loopOf(n);
    if (loop && this.#structure.loop[n] === n) this.#reloadHere(loop, "none");
    const list = this.nested(() => {
      this.forgetValues();
      const isOver = this.ltS(this.get(this.#budget), 0);
      // Whoever leads to the root says where that is.
      if (n === ROOT) this.br(loop?.exit ?? this.#exit, isOver);
      else this.#out(this.#graph.blocks[n - 1]!.delta, 0, loop, { c: isOver });
      this.#within(n, merges, 0);
    });
    this.append([{ k: "loop", label: this.#again[n]!, body: list }]);
  }

  /** The loop that a node is in, if it keeps registers. */
  #loopOf(n: number): Loop | undefined {
    const header = this.#structure.loop[n]!;
    if (header === -1) return undefined;
    let loop = this.#loops.get(header);
    if (!loop) this.#loops.set(header, (loop = { kept: new KeptVariables(), exit: { kind: "block" } }));
    return loop;
  }

  get #loop(): Loop | undefined {
    return this.#loopOf(this.#index);
  }

  /** The block in front of the merges that it dominates, the last of which stands outermost. */
  #within(n: number, merges: readonly number[], from: number): void {
    const merge = merges[from];
    if (merge === undefined) return n === ROOT ? this.#root() : this.#node(n);
    const list = this.nested(() => this.#within(n, merges, from + 1));
    this.append([{ k: "block", label: this.#forward[merge]!, body: list }]);
    this.forgetValues();
    this.#tree(merge);
  }

  #root(): void {
    const go = (to: number): void => {
      if (this.#structure.isMerge[to]) this.br(this.#forward[to]!);
      else this.#tree(to);
      this.noteDead();
    };
    const [only, ...others] = this.#ways;
    if (others.length === 0 && only !== undefined) return go(only);
    const cases = this.#ways.map((to) => this.nested(() => go(to)));
    const last = cases.pop() ?? [];
    this.append([{ k: "switch", on: this.get(this.#way), cases, other: last }]);
    this.noteDead();
  }

  #node(n: number): void {
    const block = this.#graph.blocks[n - 1]!;
    this.#enterBlock(n, 0);
    const count = block.instructions.length;
    if (count > 0) this.set(this.#budget, this.sub(this.get(this.#budget), count));
    for (const [i, instruction] of block.instructions.entries()) {
      this.#enterBlock(n, i);
      this.current = instruction;
      const isLast = i === count - 1;
      if (isLast && block.flow.kind === "leave") return this.#callHandler(instruction, false, "goes elsewhere");
      const goesOn = !isLast || block.flow.kind === "next" || block.flow.kind === "conditional";
      if (isCalledByChoice(instruction.handler)) this.#callByChoice(instruction, goesOn);
      else
        this.instruction(
          () => this.#meaning(instruction),
          (why) => this.#callHandler(instruction, goesOn, why.message),
        );
      this.#enterBlock(n, i);
      if (this.isDead) return;
    }
    const { flow } = block;
    this.settleAllFlags();
    if (flow.kind === "next" || flow.kind === "conditional") this.toDelta(flow.next);
  }

  #enterBlock(n: number, executed: number): void {
    this.#index = n;
    this.#block = this.#graph.blocks[n - 1]!;
    this.#executed = executed;
    this.loopVariables = this.#loopOf(n)?.kept;
  }

  #meaning({ handler }: GuestInstruction): void {
    const { attributes } = handler.form;
    const list = this.collect(() => {
      if (attributes.has("cpl0")) this.requireCpl0();
      for (const unit of ["fpu", "sse"] as const) if (attributes.has(unit)) this.requireUnit(unit);
      handler.instruction.sem(this, handler.operands as Operands, handler.form);
      this.commit();
    });
    const most = attributes.has("fpu") ? MAX_X87_STATEMENTS : MAX_STATEMENTS;
    if (this.current.flow === "next" && size(list) > most) throw notInlinable("large");
    this.append(list);
  }

  #callByChoice(i: GuestInstruction, goesOn: boolean): void {
    this.beginInstruction();
    this.#callHandler(i, goesOn, "called by choice");
  }

  override toDelta(delta: number): void {
    if (this.isDead) return;
    const block = this.#graph.at.get(delta);
    if (block === undefined) return this.#toOutside(delta);
    this.#toNode(nodeOf(block), delta);
    this.noteDead();
  }

  #toNode(to: number, delta: number): void {
    const { position, isMerge, loop } = this.#structure;
    if (loop[to] !== loop[this.#index]) this.#spillHere(this.#loop, "none");
    if (this.#byNumber.has(to)) {
      this.#setExit(delta, 0);
      this.set(this.#way, this.i32(this.#ways.indexOf(to)));
      this.br(this.#again[ROOT]!);
    } else if (position[to]! <= position[this.#index]!) this.br(this.#again[to]!);
    else if (isMerge[to]) this.br(this.#forward[to]!);
    else this.#inside(to);
  }

  /** The target's code here, where nothing else leads to it. */
  #inside(to: number): void {
    const [index, block, executed, current, kept] = [this.#index, this.#block, this.#executed, this.current, this.loopVariables];
    this.#tree(to);
    [this.#index, this.#block, this.#executed, this.current, this.loopVariables] = [index, block, executed, current, kept];
  }

  #toOutside(delta: number): void {
    this.#out(delta, 0, this.#loop);
    this.noteDead();
  }

  #setExit(delta: number, back: number): void {
    this.set(this.#at, this.i32(delta));
    this.set(this.#back, this.i32(back));
  }

  /** Now and then the interpreter executes a call that leads out, and notes where to: the region may be made again. */
  override indirectTarget(ip: Expr): Expr {
    const target = super.indirectTarget(ip);
    const { flow } = this.#block;
    if (this.current.handler.instruction.name !== "CALL" || flow.kind !== "indirect") return target;
    this.if(this.not(this.and(this.get(this.#budget), NOTED)), () => {
      const isOther = (flow.likely ?? []).map((delta) => this.ne(target, this.linearOfDelta(delta)));
      this.atInstruction(isOther.reduce((all, one) => this.and(all, one), this.i32(1)));
    });
    return target;
  }

  override toLinear(linear: Expr): void {
    if (this.isDead) return;
    if (this.#block.flow.kind === "return") {
      for (const point of this.#graph.returns.get(this.#index - 1) ?? []) {
        this.if(this.eq(linear, this.linearOfDelta(point)), () => this.toDelta(point));
      }
    }
    const { flow } = this.#block;
    for (const likely of (flow.kind === "indirect" && flow.likely) || []) {
      if (this.#graph.at.has(likely)) this.if(this.eq(linear, this.linearOfDelta(likely)), () => this.toDelta(likely));
    }
    this.#spillHere(this.#loop, "none");
    if (this.#successors[this.#index]!.includes(ROOT)) this.#toMapped(linear);
    this.set(this.#target, linear);
    this.set(this.#back, this.i32(0));
    this.br(this.#leave);
  }

  /** To the block at `linear`, if it is one of those that the root knows. */
  #toMapped(linear: Expr): void {
    const { from, bytes } = this.#map;
    if (bytes.length === 0) return;
    const at = this.sub(linear, this.linearOfDelta(from));
    this.if(this.ltU(at, BigInt(bytes.length)), () => {
      const offset = this.wrap(at);
      const number = this.load("i32.load8_u", this.add(this.side, offset), this.#mapAt);
      this.if(number, () => {
        this.set(this.#way, this.sub(number, 1));
        this.set(this.#at, this.add(offset, from));
        this.set(this.#back, this.i32(0));
        this.br(this.#again[ROOT]!);
      });
    });
  }

  override atInstruction(c?: Expr, cause: LeaveCause = LEAVE.instruction): void {
    if (this.isDead || (c?.op === "const" && c.imm === 0)) return;
    this.requireUnchanged();
    const flags = this.settleForExit();
    const left = this.#block.instructions.length - this.#executed;
    const isAlways = c === undefined || c.op === "const";
    this.#out(this.current.delta, left | (cause << BACK.cause), this.#loop, { c: isAlways ? undefined : c, flags });
    if (isAlways) this.noteDead();
  }

  // ── addresses ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  override view(): Expr {
    return this.place.view === undefined ? this.get(this.#view) : this.i32(this.place.view);
  }

  get #mapAt(): number {
    return SEEN.size + this.#parameters.size;
  }

  protected override parameter(part: InstructionPart): Expr | undefined {
    const n = this.#parameters.slotOf(this.current, part);
    return n === undefined ? undefined : super.load("i64.load", this.side, SEEN.size + n);
  }

  // ── complete handlers ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Executes an instruction by its complete handler; leaves unless that goes on with the next one. */
  #callHandler(i: GuestInstruction, goesOn: boolean, why: string): void {
    this.settleAllFlags();
    this.#reasons.push(why);
    const side = this.add(this.side, this.#mapAt + this.#map.bytes.length + SIDE_SIZE * (this.#called.push(i) - 1));
    const isSeparate = goesOn && keepsToItself(i.handler);
    if (isSeparate) this.#storeAddress(i);
    else {
      this.noteFlagsRead();
      this.#spillHere(this.#loop, "whole");
    }
    this.storeSlot("i64.store", slot("ripPage"), this.linearOfDelta(i.delta & ~0xfff));
    this.storeSlot("i32.store", slot("currentRecord"), side);
    const next = this.callUnchecked(complete, side, this.base());
    this.forgetUnit();
    const left = this.#block.instructions.length - this.#executed - 1;
    const leave = (): void => {
      if (isSeparate) this.#spillHere(this.#loop, "whole");
      if (left > 0) this.set(this.#budget, this.add(this.get(this.#budget), left));
      this.count("regionHandlerExits");
      this.set(this.nextRecord, next);
      this.br(this.done);
    };
    if (!goesOn) {
      leave();
      return this.noteDead();
    }
    const interrupted = this.ne(this.loadSlot("i32.load", slot("attention")), 0);
    const goneOn = this.or(this.ne(next, this.add(side, RECORD.size)), interrupted);
    const isElsewhere = isSeparate || this.place.view === undefined ? goneOn : this.or(goneOn, this.isOtherView(this.place.view));
    this.if(mayWrite(i.handler) ? this.or(isElsewhere, this.load("i32.load", this.side, SEEN.stale)) : isElsewhere, leave);
    if (isSeparate) return;
    this.forgetValues();
    this.#reloadHere(this.#loop, "whole");
  }

  /** Stores the registers that a called instruction finds its operand with. */
  #storeAddress({ base, index }: GuestInstruction): void {
    if (!this.#loop) return;
    for (const offset of [base, index]) {
      if (offset !== ZERO && offset !== RIP_PAGE) this.storeSlot("i64.store", offset, this.reg(offset >> 3, 64));
    }
  }

  override callUnchecked(...args: Parameters<RegionSem["callUnchecked"]>): Expr {
    return args[0] === complete || args[0] === enter ? this.callDirectly(...args) : super.callUnchecked(...args);
  }

  protected override later(build: () => void): void {
    const body: Stmt[] = [];
    this.#late.push({ body, build });
    this.append([{ k: "block", label: { kind: "block" }, body }]);
  }
  readonly #late: { readonly body: Stmt[]; readonly build: () => void }[] = [];

  /** Stores what a loop keeps, and the flags if they are to be. */
  #spillHere(loop: Loop | undefined, flags: FlagForm): void {
    if (loop || flags !== "none") this.#spills.push({ body: this.#laterList(), loop, flags });
  }

  #reloadHere(loop: Loop | undefined, flags: FlagForm): void {
    this.#reloads.push({ body: this.#laterList(), loop, flags });
  }

  #laterList(): Stmt[] {
    const body: Stmt[] = [];
    this.append([{ k: "block", label: { kind: "block" }, body }]);
    return body;
  }

  // ── entry and exits ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #tail(): { target: Stmt[]; store: Stmt[] } {
    const target = this.collect(() => {
      this.set(this.#target, this.add(this.origin, this.extS(this.get(this.#at))));
      this.if(this.get(this.#back), () => {
        this.set(this.#budget, this.add(this.get(this.#budget), this.and(this.get(this.#back), BACK.instructions)));
        this.if(
          this.shrU(this.get(this.#back), BACK.cause),
          () => this.count("regionInstructionExits"),
          () => this.count("regionMemoryExits"),
        );
      });
    });
    const store = this.collect(() => {
      this.#spillHere(undefined, "cut");
      this.if(this.#isRefused(), () => {
        this.storeSlot("i64.store", slot("ripPage"), this.add(this.origin, this.extS(this.and(this.get(this.#entry), ~0xfff))));
        this.set(this.nextRecord, this.entryCopy);
        this.br(this.done);
      });
      const target = this.get(this.#target);
      const linear = this.long ? target : this.zext(target, 32);
      // As `enter` does, without a call where the jump cache knows.
      const entry = jumpSlot(this, this.base(), linear);
      const key = this.xor(linear, this.loadSlot("i64.load", slot("jumpTag")));
      this.if(this.eq(this.load("i64.load", entry, JUMP_CACHE), key), () => {
        this.storeSlot("i64.store", slot("ripPage"), this.and(linear, ~0xfffn));
        this.set(this.nextRecord, this.load("i32.load", entry, JUMP_CACHE + 8));
        this.br(this.done);
      });
      this.set(this.nextRecord, this.callUnchecked(enter, this.base(), linear));
    });
    return { target, store };
  }

  /** The entry's own instruction is one that the region could not execute: its copy can, and entering again would not. */
  #isRefused(): Expr {
    const isEntry = this.eq(this.get(this.#at), this.get(this.#entry));
    return this.and(isEntry, this.ne(this.get(this.#back), 0));
  }

  #reload(loop: Loop | undefined, flags: FlagForm): void {
    const lists = [...(loop?.kept.used ?? []), ...(flags === "none" ? [] : this.kept.used)];
    for (const { v, offset } of lists) this.set(v, this.loadSlot(loadOf(v), offset));
    if (flags !== "none" && this.place.view === undefined) this.set(this.#view, this.loadSlot("i32.load", slot("tlbView")));
  }

  #spill(loop: Loop | undefined, form: FlagForm): void {
    this.forgetValues();
    for (const { v, offset } of loop?.kept.used ?? []) {
      if (loop?.kept.dirty.has(v)) this.storeSlot(storeOf(v), offset, this.get(v));
    }
    const flags = this.flagVariables;
    if (form === "none" || !flags || !this.kept.dirty.has(flags.kind)) return;
    if (form === "cut") this.storeCutFlags();
    else this.storeFlags();
    this.forgetValues();
  }
}

function size(list: readonly Stmt[]): number {
  let n = list.length;
  for (const s of list) for (const inner of children(s)) n += size(inner);
  return n;
}
