// Turns a routine into WebAssembly code.
import { assert, bug } from "../../support/assert.ts";
import type { Code, ValueType } from "../../wasm/code.ts";
import { place, type Placement } from "./liveness.ts";
import type { Body, Callee, Expr, Label, Stmt } from "./types.ts";

/** Hands out local indices; `free` and `reset` let others of the same function use them again. */
export class LocalPool {
  readonly types: ValueType[] = [];
  readonly #first: number;
  readonly #all = new Map<ValueType, number[]>();
  readonly #free = new Map<ValueType, number[]>();

  constructor(firstFree: number) {
    this.#first = firstFree;
  }

  /** Index of a local that nothing else uses until it is freed. */
  alloc(type: ValueType): number {
    const again = this.#list(this.#free, type).pop();
    if (again !== undefined) return again;
    const index = this.#first + this.types.push(type) - 1;
    this.#list(this.#all, type).push(index);
    return index;
  }

  /** Gives a local back. */
  free(type: ValueType, index: number): void {
    this.#list(this.#free, type).push(index);
  }

  /** Gives all locals back; the first ones are handed out first. */
  reset(): void {
    for (const [type, all] of this.#all) this.#free.set(type, all.toReversed());
  }

  #list(map: Map<ValueType, number[]>, type: ValueType): number[] {
    let list = map.get(type);
    if (!list) map.set(type, (list = []));
    return list;
  }
}

/** The WebAssembly function that a routine's code goes into. */
export interface EmitContext {
  readonly code: Code;
  readonly locals: LocalPool;
  /** Locals that hold the routine's parameters. */
  readonly params: readonly number[];
  /** Function index of a callee. */
  resolve(callee: Callee): number;
  /** Labels of the surrounding code, innermost last. */
  readonly outer?: readonly (Label | undefined)[];
}

/** Appends the statements of `body` to the context's code. A body may be emitted again, into another function. */
export function emit(body: Body, context: EmitContext): void {
  new Emitter(body, context).list(body.stmts);
}

class Emitter {
  readonly #c: Code;
  readonly #context: EmitContext;
  readonly #placement: Placement;
  readonly #variables: number[];
  /** Loops around the present place, from 1 on; 0 outside of any. */
  #loop = 0;
  #loops = 0;
  /** Labels around the present place, by how many others are around them. */
  readonly #labels = new Map<Label, number>();
  #around = 0;

  constructor(body: Body, context: EmitContext) {
    this.#c = context.code;
    this.#context = context;
    this.#placement = place(body);
    for (const label of context.outer ?? []) this.#enter(label);
    this.#variables = body.variables.map((v, i) => context.params[i] ?? context.locals.alloc(v.type));
  }

  list(stmts: readonly Stmt[]): void {
    for (const s of stmts) this.#stmt(s);
  }

  #stmt(s: Stmt): void {
    const c = this.#c;
    switch (s.k) {
      case "def":
        return this.#def(s.e);
      case "set":
        this.#value(s.e);
        c.localSet(this.#variables[s.v.index]!);
        return;
      case "store":
        this.#value(s.addr);
        this.#value(s.e);
        c.memory(s.op, s.offset);
        return;
      case "if":
        return this.#if(s);
      case "block":
      case "loop":
        return s.body.length === 0 ? undefined : this.#labelled(s);
      case "br":
        return this.#br(s);
      case "switch":
        return this.#switch(s);
      case "call":
        return this.#call(s);
      case "copy":
      case "fill":
        for (const e of [s.dst, s.src, s.n]) this.#value(e);
        if (s.k === "copy") c.memoryCopy();
        else c.memoryFill();
        return;
      case "ret":
        if (s.e) this.#value(s.e);
        c.return();
    }
  }

  #labelled(s: Stmt & { k: "block" | "loop" }): void {
    if (s.k === "block") {
      this.#c.block();
      return this.#inside(s.label, s.body);
    }
    const outer = this.#loop;
    this.#loop = ++this.#loops;
    this.#c.loop();
    this.#inside(s.label, s.body);
    this.#loop = outer;
  }

  #inside(label: Label | undefined, body: readonly Stmt[]): void {
    this.#enter(label);
    this.list(body);
    this.#around--;
    this.#c.end();
  }

  #enter(label?: Label): void {
    if (label) this.#labels.set(label, this.#around);
    this.#around++;
  }

  #if(s: Stmt & { k: "if" }): void {
    this.#value(s.c);
    this.#c.if();
    this.#enter();
    this.list(s.then);
    if (s.else.length > 0) {
      this.#c.else();
      this.list(s.else);
    }
    this.#around--;
    this.#c.end();
  }

  #depth(label: Label): number {
    const at = this.#labels.get(label);
    assert(at !== undefined && at < this.#around, "branch to a label that is not around it");
    return this.#around - 1 - at;
  }

  #br(s: Stmt & { k: "br" }): void {
    if (s.c) {
      this.#value(s.c);
      this.#c.brIf(this.#depth(s.label));
    } else this.#c.br(this.#depth(s.label));
  }

  /** block end { block other { block case_n-1 { … block case_0 { br_table } case 0; br end } … } other } */
  #switch(s: Stmt & { k: "switch" }): void {
    const c = this.#c;
    const n = s.cases.length;
    for (let i = 0; i < n + 2; i++) c.block();
    this.#around += n + 2;
    this.#value(s.on);
    c.brTable(
      s.cases.map((_, i) => i),
      n,
    );
    [...s.cases, s.other].forEach((body, i) => {
      c.end();
      this.#around--;
      this.list(body);
      if (i < n) c.br(n - i);
    });
    c.end();
    this.#around--;
  }

  #call(s: Stmt & { k: "call" }): void {
    for (const a of s.args) this.#value(a);
    this.#c.call(this.#context.resolve(s.target));
    if (!s.result) return;
    if (s.result.uses === 0) this.#c.drop();
    else this.#c.localSet(this.#keep(s.result));
  }

  #keep(e: Expr): number {
    e.local = this.#context.locals.alloc(e.type);
    e.left = e.uses;
    e.loop = this.#loop;
    return e.local;
  }

  #use(e: Expr): void {
    if (e.local < 0) bug(`${e.op} is used before it is computed`);
    this.#c.localGet(e.local);
    // Uses within an inner loop come again.
    if (--e.left === 0 && e.loop === this.#loop) this.#context.locals.free(e.type, e.local);
  }

  #def(e: Expr): void {
    if (e.uses === 0 || this.#placement.inline(e)) return;
    this.#compute(e);
    this.#c.localSet(this.#keep(e));
  }

  #value(e: Expr): void {
    if (this.#placement.inline(e)) this.#compute(e);
    else this.#use(e);
  }

  #compute(e: Expr): void {
    const c = this.#c;
    if (e.op === "const") return this.#const(e);
    if (e.op === "get") return void c.localGet(this.#variables[Number(e.imm)]!);
    const { args } = e;
    for (let i = 0; i < args.length; i++) this.#value(args[i]!);
    if (e.impure) c.memory(e.op, Number(e.imm));
    else c.op(e.op, typeof e.imm === "bigint" ? Number(e.imm) : e.imm);
  }

  #const(e: Expr): void {
    if (e.imm instanceof Uint8Array) this.#c.v128(e.imm);
    else if (e.type === "i64") this.#c.i64(BigInt(e.imm));
    else if (e.type === "i32") this.#c.i32(Number(e.imm));
    else this.#c.f64(Number(e.imm));
  }
}
