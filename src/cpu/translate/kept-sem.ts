// The vocabulary with registers in locals: what a meaning loads from the processor's state comes from a variable of the region, and
// what it stores goes into one, at the end of the instruction. Outside of small loops registers stay in the state: a value that passes
// through a local costs a move at each of the many ways out, which takes more code than storing it once.
//
// Values are known along straight lines: a register that has just been written is its expression, not a variable to be read again.
import { assert } from "../../support/assert.ts";
import type { Expr, Label, Stmt, Type } from "../ir/types.ts";
import type { World } from "../isa/sem.ts";
import { RIP_PAGE, ZERO } from "../state.ts";
import { KEPT_NUMBER, KeptSet, type KeptVariable, KeptVariables, noValues, RESIDENT } from "./kept-variables.ts";
import { SmallSem } from "./small-sem.ts";
import { isKept, type Register, registerAt } from "./state-slots.ts";

/** A meaning does something that cannot be part of a region; the instruction's complete handler is called instead. */
export class NotInlinable extends Error {}

const reasons = new Map<string, NotInlinable>();

/** To be thrown: one for each reason, since V8 takes longer to note where an error was made than to translate an instruction. */
export function notInlinable(why: string): NotInlinable {
  let error = reasons.get(why);
  if (!error) reasons.set(why, (error = new NotInlinable(why)));
  return error;
}

/** Parameters of a region's function: record, base, budget. Its results are the next record and what is left of the budget. */
const SIGNATURE = { name: "region", params: ["i32", "i32", "i32"], result: undefined, faults: true } as const;

/** The operator that loads a kept variable from the state. */
export const loadOf = ({ type }: KeptVariable): string => `${type}.load`;
/** The operator that stores a kept variable in the state. */
export const storeOf = ({ type }: KeptVariable): string => `${type}.store`;

const isJump = (s: Stmt): boolean => (s.k === "br" && s.c === undefined) || s.k === "ret";

/** A list of statements ends by going elsewhere. */
export function endsInJump(list: readonly Stmt[]): boolean {
  const last = list.at(-1);
  return last !== undefined && isJump(last);
}

/** Sem over variables. */
export abstract class KeptSem extends SmallSem {
  /** What the whole region keeps: the flags. */
  readonly kept: KeptVariables = new KeptVariables();
  /** Registers that the loop around the present place keeps; undefined where they stay in the state. */
  protected loopVariables: KeptVariables | undefined;
  /** Locals for registers, which all loops share, by number. */
  readonly #locals: (KeptVariable | undefined)[] = [];
  readonly #base: Expr;
  /** Offsets in the state of addresses that were computed from the base. */
  readonly #offsets = new Map<Expr, number>();
  #known = noValues();
  /** Variables written in the lists under construction, innermost last. */
  readonly #scopes: KeptSet[] = [];
  #scope = new KeptSet();
  /** Writes of the present instruction, made when it ends. */
  readonly #pending = new Map<KeptVariable, Expr>();
  /** How deep `#scopes` was when the instruction began. */
  #level = 0;
  /** Something of the present instruction has been written on the way here, or on some way. */
  #committed = false;
  #everCommitted = false;
  /** What follows in this list is never reached. */
  #dead = false;

  /** @param base host address of the processor's state: a constant takes no register, and none of the host's adds it */
  constructor(world: World, base: number) {
    super("region", world, SIGNATURE);
    this.#base = this.i32(base);
  }

  override base(): Expr {
    return this.#base;
  }

  // ── instructions ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Begins the next instruction. */
  protected beginInstruction(): void {
    assert(this.#pending.size === 0, "the instruction before has ended");
    this.#level = this.#scopes.length;
    this.#committed = this.#everCommitted = false;
  }

  /** Writes what the instruction has changed. */
  protected commit(): void {
    if (this.#pending.size === 0) return;
    for (const [v, e] of this.#pending) this.#put(v, e);
    this.#pending.clear();
    this.#committed = this.#everCommitted = true;
  }

  /** The statements of one instruction; when its meaning cannot be part of a region, what `instead` gives. */
  protected instruction(meaning: () => void, instead: (why: NotInlinable) => void): void {
    const known = this.#known.slice();
    this.beginInstruction();
    const level = this.#level;
    try {
      const list = this.collect(() => {
        meaning();
        this.commit();
      });
      this.append(list);
    } catch (error) {
      if (!(error instanceof NotInlinable)) throw error;
      this.#pending.clear();
      this.#known = known;
      this.#dead = false;
      this.#scope = this.#scopes[level] ?? this.#scope;
      this.#scopes.length = level;
      this.beginInstruction();
      instead(error);
    }
  }

  /** What follows in the present list is not reached. */
  protected noteDead(): void {
    this.#dead = true;
  }

  /** Whether what is being built depends on a condition of the instruction's meaning. */
  protected get isConditional(): boolean {
    return this.#scopes.length > this.#level;
  }

  protected get isDead(): boolean {
    return this.#dead;
  }

  /** Something of the instruction has been written. */
  protected noteChange(): void {
    this.#committed = this.#everCommitted = true;
  }

  /** Nothing of the instruction may have been changed when it is left half-way. */
  protected requireUnchanged(): void {
    if (this.#committed && !this.#dead) throw notInlinable("an exit after a change");
  }

  /** Forgets all values: control may have come from elsewhere. */
  protected forgetValues(): void {
    this.#known.fill(undefined);
  }

  // ── variables ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A variable for the state at `offset`. */
  protected keep(type: Type, offset: number, number: number, name: string): KeptVariable {
    const v = this.number(type, number, name);
    this.kept.used.push({ v, offset });
    return v;
  }

  /** A variable with a number and no place in the state. */
  protected number(type: Type, number: number, name: string): KeptVariable {
    return { type, index: this.declare(type, name).index, name, number };
  }

  #gpr(n: number): KeptVariable {
    const loop = this.loopVariables;
    return loop ? (loop.gpr[n] ??= this.#keepIn(loop, RESIDENT.gpr[n]!)) : RESIDENT.gpr[n]!;
  }

  #xmm(n: number): KeptVariable {
    const loop = this.loopVariables;
    return loop ? (loop.xmm[n] ??= this.#keepIn(loop, RESIDENT.xmm[n]!)) : RESIDENT.xmm[n]!;
  }

  #keepIn(loop: KeptVariables, { type, number, name, resident: offset = 0 }: KeptVariable): KeptVariable {
    const v = (this.#locals[number] ??= this.number(type, number, name ?? ""));
    loop.used.push({ v, offset });
    return v;
  }

  /** The variable's present value. */
  protected value(v: KeptVariable): Expr {
    return (this.#known[v.number] ??= v.resident === undefined ? this.get(v) : this.loadSlot(loadOf(v), v.resident));
  }

  #put(v: KeptVariable, e: Expr): void {
    if (v.resident === undefined) super.set(v, e);
    else this.storeSlot(storeOf(v), v.resident, e);
  }

  /** Gives the variable a value: at the end of the instruction, or at once where that depends on a condition. */
  protected assign(v: KeptVariable, e: Expr): void {
    if (this.#dead) return;
    this.#known[v.number] = e;
    this.#note(v);
    if (this.#scopes.length === this.#level) this.#pending.set(v, e);
    else {
      this.#put(v, e);
      this.#committed = this.#everCommitted = true;
    }
  }

  #note(v: KeptVariable): void {
    if (v.number < KEPT_NUMBER.gpr) this.kept.dirty.add(v);
    else this.loopVariables?.dirty.add(v);
    this.#scope.add(v);
  }

  /** Lets the variable's value be known; whoever calls this sees to it that the variable has it where anybody looks. */
  protected assume(v: KeptVariable, e: Expr): void {
    this.#known[v.number] = e;
    this.#note(v);
  }

  /** Lets the instruction's writes be known without making them part of it: for what is written before its end. */
  protected assignNow(v: KeptVariable, e: Expr): void {
    this.assume(v, e);
    this.#put(v, e);
  }

  // ── lists ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A list of the present instruction, and part of it: what it writes is written by it. */
  protected collect(body: () => unknown): Stmt[] {
    return super.nested(body);
  }

  protected override nested(body: () => unknown): Stmt[] {
    this.commit();
    const known = this.#known.slice();
    const committed = this.#committed;
    const dead = this.#dead;
    const level = this.#level;
    const scope = this.#open();
    const list = super.nested(body);
    this.#close(scope);
    this.#dead = dead;
    this.#level = level;
    for (let i = 0; i < list.length; i++) if (isJump(list[i]!)) list.length = i + 1;
    this.#known = known;
    if (endsInJump(list)) this.#committed = committed;
    else scope.forgetIn(known);
    return list;
  }

  #open(): KeptSet {
    this.#scopes.push(this.#scope);
    this.#scope = new KeptSet();
    return this.#scope;
  }

  #close(scope: KeptSet): void {
    const outer = this.#scopes.pop();
    assert(outer && scope === this.#scope, "lists end in order");
    outer.addAll(scope);
    this.#scope = outer;
  }

  /** Whatever was written inside may have happened behind it. */
  #enclosed(build: () => void): void {
    this.commit();
    const scope = this.#open();
    build();
    this.#close(scope);
    scope.forgetIn(this.#known);
    this.#committed = this.#everCommitted;
  }

  override block(body: (leave: Label) => void): void {
    this.#enclosed(() => super.block(body));
  }

  override loop(body: (leave: Label, again: Label) => void): void {
    this.commit();
    this.#known.fill(undefined);
    this.#enclosed(() => super.loop(body));
  }

  // ── state accesses ──────────────────────────────────────────────────────────────────────────────────────────────────────

  override add(a: Expr, b: Expr | number | bigint): Expr {
    const e = super.add(a, b);
    if (a.type !== "i32") return e;
    const offset = this.#offsetOf(a);
    if (offset === undefined) return e;
    const n = typeof b === "object" ? (b.op === "const" ? Number(b.imm) : undefined) : Number(b);
    if (n !== undefined) this.#offsets.set(e, offset + n);
    return e;
  }

  #offsetOf(address: Expr): number | undefined {
    return address === this.#base ? 0 : this.#offsets.get(address);
  }

  override load(op: string, addr: Expr, offset = 0): Expr {
    const state = this.#offsetOf(addr);
    if (state === undefined) return super.load(op, addr, offset);
    const at = state + offset;
    if (at === ZERO) return op.startsWith("i64") ? this.i64(0) : this.i32(0);
    if (at === RIP_PAGE) return this.instructionPage();
    const register = registerAt(at);
    if (register) return this.#read(op, register);
    if (isKept(at, 8)) return this.loadFlagSlot(op, at);
    return super.load(op, this.#base, at);
  }

  override store(op: string, addr: Expr, e: Expr, offset = 0): void {
    const state = this.#offsetOf(addr);
    if (state === undefined) return this.#dead ? undefined : this.storeElsewhere(op, addr, e, offset);
    const at = state + offset;
    const register = registerAt(at);
    if (register) return this.#write(op, register, e);
    if (isKept(at, 8)) return this.storeFlagSlot(op, at, e);
    this.storeOther(op, at, e);
  }

  /** State slots as they are in memory, whatever the region keeps. */
  protected loadSlot(op: string, offset: number): Expr {
    return super.load(op, this.#base, offset);
  }
  protected storeSlot(op: string, offset: number, e: Expr): void {
    super.store(op, this.#base, e, offset);
  }

  /** A store at an address that is not the state's base and a constant. */
  protected storeElsewhere(op: string, addr: Expr, e: Expr, offset: number): void {
    this.noteChange();
    this.storeHost(op, addr, e, offset);
  }

  /** A store that changes nothing when it is made again. */
  protected storeHost(op: string, address: Expr, e: Expr, offset = 0): void {
    super.store(op, address, e, offset);
  }

  #read(op: string, r: Register): Expr {
    return r.kind === "gpr" ? this.#readGpr(op, r) : this.#readXmm(op, r);
  }

  #readGpr(op: string, { number, byte }: Register): Expr {
    const { width, signed, type } = accessOf(op);
    const shifted = this.shrU(this.value(this.#gpr(number)), 8 * byte);
    const e = signed ? this.sext(shifted, width) : this.zext(shifted, width);
    return type === "i32" ? this.wrap(e) : e;
  }

  #readXmm(op: string, { number, byte }: Register): Expr {
    const vector = this.value(this.#xmm(number));
    if (op === "v128.load" && byte === 0) return vector;
    const { width, signed, type } = accessOf(op);
    if (byte % (width >> 3) !== 0 || type === "v128") throw notInlinable(op);
    if (width === 64) return this.opImm("i64x2.extract_lane", "i64", byte >> 3, vector);
    const shape = width === 32 ? "i32x4.extract_lane" : width === 16 ? "i16x8.extract_lane_u" : "i8x16.extract_lane_u";
    const lane = this.opImm(shape, "i32", byte / (width >> 3), vector);
    if (type === "i32") return lane;
    return signed ? this.sext(this.extU(lane), width) : this.extU(lane);
  }

  #write(op: string, r: Register, e: Expr): void {
    const wide = e.type === "i32" ? this.extU(e) : e;
    const { width } = accessOf(op);
    if (r.kind === "xmm") return this.#writeXmm(op, r, e);
    const v = this.#gpr(r.number);
    if (width === 64) return this.assign(v, wide);
    const shift = BigInt(8 * r.byte);
    const mask = ((1n << BigInt(width)) - 1n) << shift;
    this.assign(v, this.or(this.and(this.value(v), ~mask), this.shl(this.zext(wide, width), shift)));
  }

  #writeXmm(op: string, { number, byte }: Register, e: Expr): void {
    const v = this.#xmm(number);
    if (op === "v128.store" && byte === 0) return this.assign(v, e);
    const { width, type } = accessOf(op);
    if (byte % (width >> 3) !== 0 || type === "v128") throw notInlinable(op);
    const lane = byte / (width >> 3);
    const old = this.value(v);
    const narrow = width === 64 || e.type === "i32" ? e : this.wrap(e);
    const shape = { 64: "i64x2", 32: "i32x4", 16: "i16x8", 8: "i8x16" }[width as 64];
    this.assign(v, this.opImm(`${shape}.replace_lane`, "v128", lane, old, narrow));
  }

  /** Linear address of the page of the instruction. */
  protected abstract instructionPage(): Expr;
  protected abstract loadFlagSlot(op: string, offset: number): Expr;
  protected abstract storeFlagSlot(op: string, offset: number, e: Expr): void;
  /** A store to a slot that regions do not keep. */
  protected abstract storeOther(op: string, offset: number, e: Expr): void;
}

interface AccessShape {
  readonly width: number;
  readonly signed: boolean;
  readonly type: "i32" | "i64" | "v128";
}

const shapes = new Map<string, AccessShape>();

/** Width and signedness of a load or store by its name. */
function accessOf(op: string): AccessShape {
  const known = shapes.get(op);
  if (known) return known;
  const found = /^(i32|i64|v128)\.(?:load|store)(8|16|32)?(_s|_u)?$/.exec(op);
  if (!found) throw notInlinable(op);
  const type = found[1] as AccessShape["type"];
  const shape = { type, width: Number(found[2] ?? (type === "i32" ? 32 : type === "i64" ? 64 : 128)), signed: found[3] === "_s" };
  shapes.set(op, shape);
  return shape;
}
