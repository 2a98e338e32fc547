// Builds routines: every method adds an expression or a statement to the routine under construction.
//
// Integers are i32 or i64; the operator follows the type of its operands. Conditions are i32, 0 or 1. What is written here runs
// in order: an expression that reads state is evaluated where it is created, however late it is used.
import { assert, bug } from "../../support/assert.ts";
import { at } from "../state.ts";
import { BINARY, type Binary, EXTENSIONS, isNeutral, isZero, lowBits, nameFor, typeOfLoad } from "./binary.ts";
import { foldConstants, makeExpr } from "./fold.ts";
import type { Body, Callee, Expr, HostFunction, Label, Routine, Signature, Stmt, Type, Variable } from "./types.ts";

type Num = number | bigint;

/**
 * Declares a routine. Parameters arrive as expressions. `faults` says that it may raise a guest exception, for its callers to check;
 * `inlined` who takes its body in place of a call.
 */
export function routine<const P extends readonly Type[]>(
  name: string,
  params: P,
  result: Type | undefined,
  build: (b: Builder, ...params: { [K in keyof P]: Expr }) => void,
  { faults = false, inlined = "never" }: { faults?: boolean; inlined?: Routine["inlined"] } = {},
): Routine {
  return { kind: "routine", name, params, result, faults, inlined, build: build as Routine["build"] };
}

/** Declares a routine that others know by its signature. */
export function implement<const P extends readonly Type[]>(
  signature: Signature & { readonly params: P },
  build: (b: Builder, ...params: { [K in keyof P]: Expr }) => void,
): Routine {
  return { kind: "routine", ...signature, inlined: "never", build: build as Routine["build"] };
}

/** Declares a function that the host gives. */
export function hostFunction(name: string, params: readonly Type[], result?: Type, options?: { faults?: boolean }): HostFunction {
  return { kind: "host", name, params, result, faults: options?.faults ?? false };
}

/** A routine that is being inlined: where, and what it returns. */
interface Inlined {
  readonly block: readonly Stmt[];
  result: Expr | undefined;
}

/** One routine under construction. */
export class Builder {
  readonly signature: Signature;
  readonly #params: Variable[] = [];
  readonly #variables: Variable[] = [];
  readonly #top: Stmt[] = [];
  #block: Stmt[] = this.#top;

  constructor(signature: Signature) {
    this.signature = signature;
    for (const type of signature.params) this.#params.push(this.#variable(type));
  }

  /** Builds a routine's body. */
  static build(r: Routine): Body {
    const b = new Builder(r);
    r.build(b, ...b.params());
    return b.finish();
  }

  /** The parameters' values. */
  params(): Expr[] {
    return this.#params.map((v) => this.get(v));
  }

  /** The routine as it stands. Nothing may be added afterwards. */
  finish(): Body {
    return { signature: this.signature, params: this.#params, variables: this.#variables, stmts: this.#top };
  }

  // ── expressions ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #expr(op: string, type: Type, args: readonly Expr[], imm: Num | Uint8Array = 0, impure = false): Expr {
    const e = makeExpr(op, type, args, imm, impure);
    if (op !== "const") this.#block.push({ k: "def", e });
    return e;
  }

  /** The same operator of other operands. */
  protected again(e: Expr, args: readonly Expr[]): Expr {
    return this.#expr(e.op, e.type, args, e.imm as Num, e.impure);
  }

  /** A constant; bits above 31 are cut off. */
  i32(n: number): Expr {
    return this.#expr("const", "i32", [], n | 0);
  }

  i64(n: Num): Expr {
    return this.#expr("const", "i64", [], BigInt.asIntN(64, BigInt(n)));
  }

  f64(n: number): Expr {
    return this.#expr("const", "f64", [], n);
  }

  /** A 128-bit constant, least significant byte first. */
  v128(bytes: Uint8Array): Expr {
    assert(bytes.length === 16, "v128 constants have 16 bytes");
    return this.#expr("const", "v128", [], bytes);
  }

  /** Any pure operator by its WebAssembly name, e.g. `op("i16x8.add_sat_s", "v128", a, b)`. */
  op(name: string, type: Type, ...args: Expr[]): Expr {
    return this.pure(name, type, args);
  }

  /** Every operator without an immediate comes through here. */
  protected pure(name: string, type: Type, args: readonly Expr[]): Expr {
    return foldConstants(name, type, args) ?? this.#expr(name, type, args);
  }

  /** Like `op`, with an immediate: a lane number or a shuffle pattern. */
  opImm(name: string, type: Type, imm: number | Uint8Array, ...args: Expr[]): Expr {
    return this.#expr(name, type, args, imm);
  }

  #lift(like: Expr, n: Num): Expr {
    if (like.type === "i32") return this.i32(typeof n === "number" ? n : Number(BigInt.asIntN(32, n)));
    return like.type === "i64" ? this.i64(n) : this.f64(Number(n));
  }

  #bin(operator: Binary, a: Expr, b: Expr | Num): Expr {
    const r = typeof b === "object" ? b : this.#lift(a, b);
    if (a.type !== r.type) this.#bug(`${operator.name} of ${a.type} and ${r.type}`);
    if (isNeutral(operator, r)) return a;
    if (operator === BINARY.and && isZero(a)) return a;
    return this.pure(nameFor(operator, a.type), operator.isComparison ? "i32" : a.type, [a, r]);
  }

  #bug(what: string): never {
    bug(`${this.signature.name}: ${what}`);
  }

  add(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.add, a, b);
  }
  sub(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.sub, a, b);
  }
  mul(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.mul, a, b);
  }
  and(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.and, a, b);
  }
  or(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.or, a, b);
  }
  xor(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.xor, a, b);
  }
  shl(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.shl, a, b);
  }
  shrU(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.shrU, a, b);
  }
  shrS(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.shrS, a, b);
  }
  rotl(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.rotl, a, b);
  }
  rotr(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.rotr, a, b);
  }
  /** Division. The divisor must not be 0 (and the quotient must fit): the caller checks, as the instruction demands. */
  divU(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.divU, a, b);
  }
  divS(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.divS, a, b);
  }
  remU(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.remU, a, b);
  }
  remS(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.remS, a, b);
  }
  eq(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.eq, a, b);
  }
  ne(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.ne, a, b);
  }
  ltU(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.ltU, a, b);
  }
  ltS(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.ltS, a, b);
  }
  leU(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.leU, a, b);
  }
  leS(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.leS, a, b);
  }
  gtU(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.gtU, a, b);
  }
  gtS(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.gtS, a, b);
  }
  geU(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.geU, a, b);
  }
  geS(a: Expr, b: Expr | Num): Expr {
    return this.#bin(BINARY.geS, a, b);
  }

  /** 1 when `a` is zero. */
  not(a: Expr): Expr {
    return this.pure(a.type === "i64" ? "i64.eqz" : "i32.eqz", "i32", [a]);
  }
  clz(a: Expr): Expr {
    return this.pure(a.type === "i64" ? "i64.clz" : "i32.clz", a.type, [a]);
  }
  ctz(a: Expr): Expr {
    return this.pure(a.type === "i64" ? "i64.ctz" : "i32.ctz", a.type, [a]);
  }
  popcnt(a: Expr): Expr {
    return this.pure(a.type === "i64" ? "i64.popcnt" : "i32.popcnt", a.type, [a]);
  }
  /** Low 32 bits of an i64. */
  wrap(a: Expr): Expr {
    return this.pure("i32.wrap_i64", "i32", [a]);
  }
  /** Zero-extends an i32. */
  extU(a: Expr): Expr {
    return this.pure("i64.extend_i32_u", "i64", [a]);
  }
  /** Sign-extends an i32. */
  extS(a: Expr): Expr {
    return this.pure("i64.extend_i32_s", "i64", [a]);
  }
  /** `c ? a : b`, both evaluated. */
  select(c: Expr, a: Expr, b: Expr): Expr {
    if (c.op === "const") return c.imm === 0 ? b : a;
    return this.#expr("select", a.type, [a, b, c]);
  }

  /** Keeps the low `width` bits of an i64 (8, 16, 32 or 64). */
  zext(a: Expr, width: number): Expr {
    return width === 64 ? a : this.and(a, lowBits(width));
  }

  /** Sign-extends an i64 from its low `width` bits. */
  sext(a: Expr, width: number): Expr {
    return width === 64 ? a : this.pure(EXTENSIONS[width as 8], "i64", [a]);
  }

  // ── host memory: processor state, TLBs, guest RAM ───────────────────────────────────────────────────────────────────────

  /** Loads from host address `addr` (i32) + offset. `op` is WebAssembly's: "i64.load", "i32.load8_u", "v128.load"… */
  load(op: string, addr: Expr, offset = 0): Expr {
    return this.#expr(op, typeOfLoad(op), [addr], offset, true);
  }

  /** Stores to host address `addr` (i32) + offset; `op` as for `load`. */
  store(op: string, addr: Expr, e: Expr, offset = 0): void {
    this.#block.push({ k: "store", op, addr, offset, e });
  }

  /** memory.copy / memory.fill over host addresses (all i32). */
  copy(dst: Expr, src: Expr, n: Expr): void {
    this.#block.push({ k: "copy", dst, src, n });
  }
  fill(dst: Expr, byte: Expr, n: Expr): void {
    this.#block.push({ k: "fill", dst, src: byte, n });
  }

  // ── variables and control ───────────────────────────────────────────────────────────────────────────────────────────────

  #variable(type: Type, name?: string): Variable {
    const v = { type, index: this.#variables.length, name };
    this.#variables.push(v);
    return v;
  }

  /** A new variable without a value; whoever reads it has set it before. */
  declare(type: Type, name?: string): Variable {
    return this.#variable(type, name);
  }

  /** A new variable that starts as `init`. */
  variable(init: Expr): Variable {
    const v = this.#variable(init.type);
    this.set(v, init);
    return v;
  }

  /** The variable's value now. */
  get(v: Variable): Expr {
    return this.#expr("get", v.type, [], v.index, true);
  }

  set(v: Variable, e: Expr): void {
    if (v.type !== e.type) this.#bug(`${e.type} into a variable of ${v.type}`);
    this.#block.push({ k: "set", v, e });
  }

  /** Statements that `body` adds, as a list of their own. */
  protected nested(body: () => unknown): Stmt[] {
    const outer = this.#block;
    const inner: Stmt[] = [];
    this.#block = inner;
    try {
      body();
    } finally {
      this.#block = outer;
    }
    return inner;
  }

  /**
   * A condition that hardly ever holds, looked at before anything has been changed: translated code leaves where it holds, and it is 0
   * behind that.
   */
  unlikely(c: Expr): Expr {
    return c;
  }

  /** Runs `then` when `c` (i32) is not 0. */
  if(c: Expr, then: () => void, otherwise?: () => void): void {
    if (c.op === "const") return c.imm === 0 ? otherwise?.() : then();
    const t = this.nested(then);
    const e = otherwise ? this.nested(otherwise) : [];
    this.#block.push({ k: "if", c, then: t, else: e });
  }

  /** A value chosen by control flow: only the taken side is evaluated. */
  choose(c: Expr, a: () => Expr, b: () => Expr): Expr {
    if (c.op === "const") return c.imm === 0 ? b() : a();
    let v: Variable | undefined;
    const t = this.nested(() => {
      const e = a();
      v = this.#variable(e.type);
      this.set(v, e);
    });
    assert(v, "the first side of a choice has a value");
    const chosen = v;
    const f = this.nested(() => this.set(chosen, b()));
    this.#block.push({ k: "if", c, then: t, else: f });
    return this.get(chosen);
  }

  /** Repeats `body` for ever; leave by `leave` or `return`. */
  loop(body: (leave: Label, again: Label) => void): void {
    const leave: Label = { kind: "block" };
    const again: Label = { kind: "loop" };
    const inner = this.nested(() => {
      const loopBody = this.nested(() => {
        body(leave, again);
        this.br(again);
      });
      this.#block.push({ k: "loop", label: again, body: loopBody });
    });
    this.#block.push({ k: "block", label: leave, body: inner });
  }

  /** Repeats `body` as long as `condition`, computed anew each time, is not 0. */
  while(condition: () => Expr, body: (leave: Label, again: Label) => void): void {
    this.loop((leave, again) => {
      this.br(leave, this.not(condition()));
      body(leave, again);
    });
  }

  /** Runs `body` once; a branch to its label goes on behind it. */
  block(body: (leave: Label) => void): void {
    const label: Label = { kind: "block" };
    const inner = this.nested(() => body(label));
    this.#block.push({ k: "block", label, body: inner });
  }

  /** Branches, always or when `c` is not 0. The label must be around this place. */
  br(label: Label, c?: Expr): void {
    this.#block.push({ k: "br", label, c });
  }

  /** Runs `cases[on]`, or `other` when `on` (i32, unsigned) is beyond the last. */
  switch(on: Expr, cases: readonly (() => void)[], other: () => void): void {
    if (on.op === "const") return (cases[Number(on.imm) >>> 0] ?? other)();
    const bodies = cases.map((c) => this.nested(c));
    const rest = this.nested(other);
    this.#block.push({ k: "switch", on, cases: bodies, other: rest });
  }

  /** Calls a routine or host function; stops this routine when the callee raised a guest exception. */
  call(target: Callee, ...args: Expr[]): Expr {
    const result = this.callUnchecked(target, ...args);
    if (target.faults) this.checkFault();
    return result;
  }

  /** Calls a routine and goes on even when it raised an exception: the caller looks at the state's `fault` itself. */
  callUnchecked(target: Callee, ...args: Expr[]): Expr {
    const { params } = target;
    if (args.length !== params.length) this.#bug(`${target.name} takes ${params.length} arguments`);
    for (let i = 0; i < params.length; i++) {
      const { type } = args[i]!;
      if (type !== params[i]) this.#bug(`${target.name}: argument ${i} is ${type}`);
    }
    if (target.kind === "routine" && target.inlined === "always") return this.#inline(target, args);
    const type = target.result;
    const result = type === undefined ? undefined : makeExpr("result", type, [], 0, true);
    this.#block.push({ k: "call", target, args, result });
    return result ?? this.i32(0);
  }

  /** A routine whose only return stands at its end, as part of this one. */
  #inline(target: Routine, args: readonly Expr[]): Expr {
    const outer = this.#inlined;
    const inner: Inlined = { block: this.#block, result: undefined };
    this.#inlined = inner;
    target.build(this, ...args);
    this.#inlined = outer;
    return inner.result ?? this.i32(0);
  }
  #inlined: Inlined | undefined;

  /** The processor's base address: the first parameter of every routine that may fault. */
  base(): Expr {
    return this.get(this.#params[0]!);
  }

  /** Appends statements that `nested` has collected. */
  protected append(stmts: readonly Stmt[]): void {
    const block = this.#block;
    for (const s of stmts) block.push(s);
  }

  /** Returns (0) when a guest exception is pending. */
  checkFault(): void {
    assert(this.signature.faults, `${this.signature.name} calls a routine that may fault, so it may itself`);
    this.if(this.load("i32.load", this.base(), at("fault")), () => this.returnZero());
  }

  /** Returns with 0 for a result; what a faulting routine hands back is not used. */
  returnZero(): void {
    const type = this.signature.result;
    this.return(
      type === undefined ? undefined : type === "i32" ? this.i32(0) : type === "i64" ? this.i64(0) : this.v128(new Uint8Array(16)),
    );
  }

  /** Returns from the routine. */
  return(e?: Expr): void {
    const inlined = this.#inlined;
    if (!inlined) return void this.#block.push({ k: "ret", e });
    assert(this.#block === inlined.block && !inlined.result, "what is always inlined returns at its end only");
    inlined.result = e;
  }
}
