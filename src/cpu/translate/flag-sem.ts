// The vocabulary with lazy flags in locals.
//
// An instruction leaves its operands as they are, cut to its width; the region extends and derives what the state wants
// (isa/flags.ts) only when it is left. What set the flags is known along straight lines, so that a compare and the branch behind it
// become one comparison.
//
// flagKind holds then what CUT describes. Deferred: CF, OF and AF are still to be worked out from result, A, B and C, in the way whose number
// stands in place of flagKind.
import type { Expr, Routine, Type } from "../ir/types.ts";
import {
  CUT,
  extendedFlag,
  getAf,
  getArithmetic,
  getCf,
  getCondition,
  getOf,
  KIND,
  KIND_BIT,
  setArithmetic,
  wholeResult,
} from "../isa/flags.ts";
import { lastSerial } from "../ir/fold.ts";
import { defer, type Deferred } from "./deferred.ts";
import { endsInJump, KeptSem, type NotInlinable, notInlinable, storeOf } from "./kept-sem.ts";
import { KEPT_NUMBER, KeptSet, type KeptVariable } from "./kept-variables.ts";
import { FLAG_SLOTS } from "./state-slots.ts";

/** What set the flags last, on the way here. Values are cut to the width. */
type KnownFlags =
  | { readonly kind: "subtract" | "add"; readonly width: number; readonly a: Expr; readonly b: Expr; readonly result: Expr }
  | { readonly kind: "logic"; readonly width: number; readonly result: Expr }
  | { readonly kind: "explicit"; readonly width: number; readonly result: Expr; readonly cf: Expr; readonly of: Expr; readonly af: Expr };

/** The locals that hold flags. */
export interface FlagVariables {
  readonly result: KeptVariable;
  readonly a: KeptVariable;
  readonly b: KeptVariable;
  readonly c: KeptVariable;
  readonly kind: KeptVariable;
}

/** A flag variable that is to get a constant. */
export interface FlagConstant {
  readonly v: KeptVariable;
  readonly e: Expr;
}

/** Routines about flags, which become part of the region. */
const INLINED: ReadonlySet<Routine> = new Set([getCf, getOf, getAf, getArithmetic, getCondition, setArithmetic]);

/** KeptSem with flags. */
export abstract class FlagSem extends KeptSem {
  #flags: FlagVariables | undefined;
  #knownFlags: KnownFlags | undefined;
  /** Flags of instructions before, and of this one, that are not in the variables yet: nobody has looked since. */
  #late: (() => void) | undefined;
  #latest: (() => void) | undefined;
  /** How often flags have been set. */
  #sets = 0;

  /** The flags' variables, once something uses them. */
  get flagVariables(): FlagVariables | undefined {
    return this.#flags;
  }

  #variables(): FlagVariables {
    this.#flags ??= this.#newVariables();
    return this.#flags;
  }

  #newVariables(): FlagVariables {
    const f = {
      result: this.keep("i64", FLAG_SLOTS.result, KEPT_NUMBER.flags, "flagResult"),
      a: this.keep("i64", FLAG_SLOTS.a, KEPT_NUMBER.flags + 1, "flagA"),
      b: this.keep("i64", FLAG_SLOTS.b, KEPT_NUMBER.flags + 2, "flagB"),
      c: this.number("i64", KEPT_NUMBER.flags + 3, "flagC"),
      kind: this.keep("i32", FLAG_SLOTS.kind, KEPT_NUMBER.flags + 4, "flagKind"),
    };
    for (const v of Object.values(f)) this.#allFlags.add(v);
    return f;
  }
  readonly #allFlags = new KeptSet();

  protected override beginInstruction(): void {
    super.beginInstruction();
    this.#late = this.#latest ?? this.#late;
    this.#latest = undefined;
    this.#since = lastSerial();
  }
  /** The last expression of the instruction before. */
  #since = 0;
  /** Ways to work out what is deferred, by their text. */
  readonly #ways = new Map<string, { readonly number: number; readonly how: Deferred }>();

  protected override instruction(meaning: () => void, instead: (why: NotInlinable) => void): void {
    const [known, late] = [this.#knownFlags, this.#latest ?? this.#late];
    const constants = this.#constants;
    super.instruction(meaning, (why) => {
      this.#constants = constants;
      this.#knownFlags = known;
      this.#late = late;
      this.#latest = undefined;
      this.#returns = undefined;
      instead(why);
    });
  }

  /**
   * Puts the flags as they were before the instruction into their variables: before control may leave. Those that are constants are left
   * to whoever leaves: → them.
   */
  protected settleForExit(): readonly FlagConstant[] {
    const late = this.#late;
    this.#late = undefined;
    this.#defersConstants = true;
    late?.();
    this.#defersConstants = false;
    return this.#constants;
  }
  #constants: readonly FlagConstant[] = [];
  #defersConstants = false;

  /** Puts all flags into their variables, with what the instruction has set so far, which is then part of the state. */
  protected settleAllFlags(): void {
    const [late, latest] = [this.#late, this.#latest];
    this.#late = undefined;
    this.#latest = undefined;
    if (this.#constants.length > 0) this.#settleConstants();
    late?.();
    if (latest === undefined) return;
    latest();
    this.noteChange();
  }

  #settleConstants(): void {
    const constants = this.#constants;
    this.#constants = [];
    for (const { v, e } of constants) super.set(v, e);
  }

  #assign(v: KeptVariable, e: Expr): void {
    if (this.#constants.some((c) => c.v === v)) this.#constants = this.#constants.filter((c) => c.v !== v);
    if (!this.#defersConstants || e.op !== "const") return this.assignNow(v, e);
    this.assume(v, e);
    this.#constants = [...this.#constants, { v, e }];
  }

  protected override forgetValues(): void {
    super.forgetValues();
    this.#knownFlags = undefined;
  }

  protected override nested(body: () => unknown): ReturnType<KeptSem["nested"]> {
    this.settleAllFlags();
    const known = this.#knownFlags;
    const sets = this.#sets;
    const list = super.nested(() => {
      body();
      this.settleAllFlags();
    });
    // A list that goes elsewhere leaves what holds behind it alone.
    this.#knownFlags = this.#sets !== sets && !endsInJump(list) ? undefined : known;
    return list;
  }

  override block(body: Parameters<KeptSem["block"]>[0]): void {
    this.settleAllFlags();
    const sets = this.#sets;
    super.block(body);
    if (this.#sets !== sets) this.#knownFlags = undefined;
  }

  override loop(body: Parameters<KeptSem["loop"]>[0]): void {
    this.settleAllFlags();
    this.#knownFlags = undefined;
    super.loop(body);
    this.#knownFlags = undefined;
  }

  #set(known: KnownFlags | undefined, write: (f: FlagVariables) => void): void {
    const f = this.#variables();
    this.kept.dirty.addAll(this.#allFlags);
    this.#knownFlags = known;
    this.#latest = () => write(f);
    this.#sets++;
  }

  #kind(kind: number, width: number, derived: boolean): number {
    return kind | ((64 - width) << CUT.shift) | (derived ? CUT.derived : 0);
  }

  // ── setting ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #setPair(kind: "subtract" | "add", width: number, a: Expr, b: Expr, result: Expr): void {
    this.#set({ kind, width, a, b, result }, (f) => {
      this.#assign(f.a, a);
      this.#assign(f.b, b);
      this.#assign(f.kind, this.i32(this.#kind(KIND[kind], width, true)));
    });
  }

  override flagsAdd(width: number, a: Expr, b: Expr, result: Expr): void {
    this.#setPair("add", width, this.zext(a, width), this.zext(b, width), result);
  }

  override flagsSub(width: number, a: Expr, b: Expr, result: Expr): void {
    this.#setPair("subtract", width, this.zext(a, width), this.zext(b, width), result);
  }

  override flagsLogic(width: number, value: Expr): void {
    const result = this.zext(value, width);
    this.#set({ kind: "logic", width, result }, (f) => {
      this.#assign(f.a, result);
      this.#assign(f.b, this.i64(0));
      this.#assign(f.kind, this.i32(this.#kind(KIND.subtract, width, true)));
    });
  }

  override flagsExplicit(width: number, value: Expr, flags: { cf?: Expr; of?: Expr; af?: Expr }): void {
    const zero = this.i32(0);
    const { cf = zero, of = zero, af = zero } = flags;
    const result = this.zext(value, width);
    const how = defer([cf, of, af], result, this.#since);
    const isConstant = [cf, of, af].every((e) => e.op === "const");
    if (how && !isConstant) return this.#deferExplicit(width, how, { cf, of, af });
    this.#set({ kind: "explicit", width, result, cf, of, af }, (f) => {
      this.#assign(f.result, result);
      this.#assign(f.kind, this.#explicitKind(this.i32(this.#kind(KIND.explicit, width, false)), cf, of, af));
    });
  }

  #deferExplicit(width: number, how: Deferred, flags: { readonly cf: Expr; readonly of: Expr; readonly af: Expr }): void {
    const known = this.#ways.get(how.text);
    const number = known?.number ?? this.#ways.size;
    if (!known) this.#ways.set(how.text, { number, how });
    const [result, ...others] = how.leaves as [Expr, ...Expr[]];
    this.#set({ kind: "explicit", width, result, ...flags }, (f) => {
      this.#assign(f.result, result);
      const places = [f.a, f.b, f.c] as const;
      others.forEach((e, i) => this.#assign(places[i as 0], e.type === "i32" ? this.extU(e) : e));
      this.#assign(f.kind, this.i32(this.#kind(number, width, false) | CUT.deferred));
    });
  }

  /** flagKind as the state has it. */
  #stateKind(): Expr {
    this.settleAllFlags();
    const kind = this.value(this.#variables().kind);
    if (kind.op === "const" && Number(kind.imm) >= 0) return this.and(kind, CUT.kind);
    const result = this.declare("i32");
    super.set(result, this.and(kind, CUT.kind));
    this.later(() => {
      if (this.#ways.size === 0) return;
      const isDeferred = this.ltS(this.get(this.#variables().kind), 0);
      this.if(isDeferred, () => {
        const number = this.get(result);
        const ways = [...this.#ways.values()].map(
          ({ how }) =>
            (): void =>
              super.set(result, this.#workOut(how)),
        );
        this.switch(number, ways, () => {});
      });
    });
    return this.get(result);
  }

  /** The kind with flags that were deferred, from what was kept instead. */
  #workOut(how: Deferred): Expr {
    const f = this.#variables();
    const leaves = new Map(how.leaves.map((e, i) => [e, this.#kept(e, [f.result, f.a, f.b, f.c][i as 0]!)]));
    const again = (e: Expr): Expr => {
      if (e.op === "const") return e;
      return leaves.get(e) ?? this.again(e, e.args.map(again));
    };
    const [cf, of, af] = how.roots.map(again) as [Expr, Expr, Expr];
    return this.#explicitKind(this.i32(KIND.explicit), cf, of, af);
  }

  #kept({ type }: Expr, v: KeptVariable): Expr {
    return type === "i32" ? this.wrap(this.get(v)) : this.get(v);
  }

  /** A list of statements here that is written when the region is complete. */
  protected abstract later(build: () => void): void;

  #explicitKind(base: Expr, cf: Expr, of: Expr, af: Expr): Expr {
    const carry = this.or(base, this.shl(cf, KIND_BIT.cf));
    return this.or(this.or(carry, this.shl(of, KIND_BIT.of)), this.shl(af, KIND_BIT.af));
  }

  override flagsCarry(flags: { cf: Expr; of?: Expr; af?: Expr }): void {
    const zero = this.i32(0);
    const { cf, of = zero, af = zero } = flags;
    const known = this.#knownFlags;
    if (known) return this.flagsExplicit(known.width, known.result, { cf, of, af });
    const result = this.#wholeResult();
    const flips = this.and(this.#stateKind(), (1 << KIND_BIT.sfFlip) | (1 << KIND_BIT.pfFlip));
    const kind = this.#explicitKind(this.or(flips, KIND.explicit), cf, of, af);
    this.#set(undefined, (f) => {
      this.#assign(f.result, result);
      this.#assign(f.kind, kind);
    });
  }

  // ── the state's form ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A kept value as the state has it: sign-extended. */
  #extended(e: Expr): Expr {
    return extendedFlag(this, this.value(this.#variables().kind), e);
  }

  #wholeResult(): Expr {
    this.settleAllFlags();
    const f = this.#variables();
    return wholeResult(this, this.value(f.kind), { result: this.value(f.result), a: this.value(f.a), b: this.value(f.b) });
  }

  /** Stores the flags as another region takes them over; only in a list that is written when the region is complete. */
  protected storeCutFlags(): void {
    const f = this.#variables();
    const cut = (): void => {
      for (const { v, offset } of this.kept.used) this.storeSlot(storeOf(v), offset, this.get(v));
    };
    if (this.#ways.size === 0) cut();
    else this.if(this.ltS(this.get(f.kind), 0), () => this.storeFlags(), cut);
  }

  /** Stores the flags as everybody knows them. */
  protected storeFlags(): void {
    for (const { offset, e } of this.#flagState()) this.storeSlot(e.type === "i64" ? "i64.store" : "i32.store", offset, e);
  }

  /** From now on the region's variables are stored wherever flags are: what they hold may be cut. */
  protected noteFlagsRead(): void {
    this.#variables();
    this.kept.dirty.addAll(this.#allFlags);
  }

  /** What the state's slots get: by offset. */
  #flagState(): readonly { readonly offset: number; readonly e: Expr }[] {
    const f = this.#variables();
    return [
      { offset: FLAG_SLOTS.result, e: this.#wholeResult() },
      { offset: FLAG_SLOTS.a, e: this.#extended(this.value(f.a)) },
      { offset: FLAG_SLOTS.b, e: this.#extended(this.value(f.b)) },
      { offset: FLAG_SLOTS.kind, e: this.#stateKind() },
    ];
  }

  protected override loadFlagSlot(op: string, offset: number): Expr {
    this.settleAllFlags();
    const f = this.#variables();
    if (offset === FLAG_SLOTS.kind && op === "i32.load") return this.#stateKind();
    if (offset === FLAG_SLOTS.result) {
      const e = this.#wholeResult();
      if (op === "i64.load") return e;
      if (op === "i32.load8_u") return this.and(this.wrap(e), 0xff);
    }
    if (offset === FLAG_SLOTS.a && op === "i64.load") return this.#extended(this.value(f.a));
    if (offset === FLAG_SLOTS.b && op === "i64.load") return this.#extended(this.value(f.b));
    throw notInlinable(`${op} of flags`);
  }

  /** Meanings that write the slots themselves write the result and the kind, both; the kind says that nothing needs extending. */
  protected override storeFlagSlot(op: string, offset: number, e: Expr): void {
    this.settleAllFlags();
    const f = this.#variables();
    this.#sets++;
    this.#knownFlags = undefined;
    if (offset === FLAG_SLOTS.kind && op === "i32.store") return this.assign(f.kind, e);
    if (offset === FLAG_SLOTS.result && op === "i64.store") return this.assign(f.result, e);
    throw notInlinable(`${op} of flags`);
  }

  // ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #sign(width: number, e: Expr): Expr {
    if (width >= 32) return this.ltS(width === 32 ? this.wrap(e) : e, 0);
    return this.wrap(this.and(this.shrU(e, width - 1), 1n));
  }

  /** a < b (or a <= b) as signed numbers of `width` bits. */
  #lessSigned(width: number, a: Expr, b: Expr, orEqual: boolean): Expr {
    const [x, y] =
      width === 64 ? [a, b] : width === 32 ? [this.wrap(a), this.wrap(b)] : ([this.sext(a, width), this.sext(b, width)] as const);
    return orEqual ? this.leS(x, y) : this.ltS(x, y);
  }

  #isZero(known: KnownFlags): Expr {
    if (known.kind === "subtract") return this.eq(known.a, known.b);
    return this.not(known.result);
  }

  #overflow(known: KnownFlags): Expr {
    if (known.kind === "logic") return this.i32(0);
    if (known.kind === "explicit") return known.of;
    const { a, b, result, width } = known;
    const differ = known.kind === "subtract" ? this.xor(a, b) : this.xor(this.xor(a, b), -1);
    return this.#sign(width, this.and(differ, this.xor(a, result)));
  }

  #carry(known: KnownFlags): Expr {
    if (known.kind === "logic") return this.i32(0);
    if (known.kind === "explicit") return known.cf;
    return known.kind === "subtract" ? this.ltU(known.a, known.b) : this.ltU(known.result, known.a);
  }

  #parity(known: KnownFlags): Expr {
    return this.xor(this.and(this.popcnt(this.and(this.wrap(known.result), 0xff)), 1), 1);
  }

  #adjust(known: KnownFlags): Expr {
    if (known.kind === "explicit") return known.af;
    if (known.kind === "logic") return this.and(this.shrU(this.wrap(known.result), 4), 0);
    return this.wrap(this.and(this.shrU(this.xor(this.xor(known.a, known.b), known.result), 4), 1n));
  }

  override cf(): Expr {
    return this.#knownFlags ? this.#carry(this.#knownFlags) : super.cf();
  }
  override of(): Expr {
    return this.#knownFlags ? this.#overflow(this.#knownFlags) : super.of();
  }
  override af(): Expr {
    return this.#knownFlags ? this.#adjust(this.#knownFlags) : super.af();
  }
  override zf(): Expr {
    return this.#knownFlags ? this.#isZero(this.#knownFlags) : super.zf();
  }
  override sf(): Expr {
    return this.#knownFlags ? this.#sign(this.#knownFlags.width, this.#knownFlags.result) : super.sf();
  }
  override pf(): Expr {
    return this.#knownFlags ? this.#parity(this.#knownFlags) : super.pf();
  }

  override arithmetic(): Expr {
    if (!this.#knownFlags) return super.arithmetic();
    const at = (e: Expr, n: number): Expr => this.shl(e, n);
    const low = this.or(this.cf(), this.or(at(this.pf(), 2), at(this.af(), 4)));
    return this.or(low, this.or(this.or(at(this.zf(), 6), at(this.sf(), 7)), at(this.of(), 11)));
  }

  override condition(cc: number): Expr {
    const known = this.#knownFlags;
    if (!known) return super.condition(cc);
    const e = this.#condition(known, cc >> 1);
    return cc & 1 ? this.not(e) : e;
  }

  #condition(known: KnownFlags, kind: number): Expr {
    // oxfmt-ignore
    switch (kind) {
      case 0: return this.#overflow(known);
      case 1: return this.#carry(known);
      case 2: return this.#isZero(known);
      case 3: return known.kind === "subtract" ? this.leU(known.a, known.b) : this.or(this.#carry(known), this.#isZero(known));
      case 4: return this.#sign(known.width, known.result);
      case 5: return this.#parity(known);
      case 6: return this.#less(known);
      default: return this.#lessOrEqual(known);
    }
  }

  #less(known: KnownFlags): Expr {
    if (known.kind === "subtract") return this.#lessSigned(known.width, known.a, known.b, false);
    if (known.kind === "logic") return this.#sign(known.width, known.result);
    return this.xor(this.#sign(known.width, known.result), this.#overflow(known));
  }

  #lessOrEqual(known: KnownFlags): Expr {
    if (known.kind === "subtract") return this.#lessSigned(known.width, known.a, known.b, true);
    if (known.kind === "logic") return this.#lessSigned(known.width, known.result, this.i64(0), true);
    return this.or(this.#less(known), this.#isZero(known));
  }

  // ── routines about flags ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Whether `inline` takes the routine. */
  protected isInlined(routine: Routine): boolean {
    return INLINED.has(routine);
  }

  #returns: ((e: Expr | undefined) => void) | undefined;

  /** Runs `build`; what it returns goes to `returns`. */
  protected returning(returns: (e: Expr | undefined) => void, build: () => void): void {
    const outer = this.#returns;
    this.#returns = returns;
    build();
    this.#returns = outer;
  }

  /** Makes a routine's body part of the region. */
  protected inline(routine: Routine, args: readonly Expr[]): Expr {
    const result = routine.result === undefined ? undefined : this.declare(routine.result as Type);
    this.block((end) => {
      const returns = (e: Expr | undefined): void => {
        if (result && e) super.set(result, e);
        this.br(end);
      };
      this.returning(returns, () => routine.build(this, ...args));
    });
    return result ? this.get(result) : this.i32(0);
  }

  override return(e?: Expr): void {
    if (!this.#returns) throw notInlinable("a return");
    this.#returns(e);
  }
}
