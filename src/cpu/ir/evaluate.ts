// The evaluator: runs routines statement by statement over plain numbers and bigints. Slow, and meant to be obviously right.
//
// i32 values are JS numbers in signed form, i64 are bigints 0..2^64-1, v128 are bigints 0..2^128-1, floats are numbers. A body is
// prepared once: every expression and statement becomes a function of the activation's frame.
import { assert } from "../../support/assert.ts";
import { evaluateFloat, fromFloat } from "./evaluate-float.ts";
import { integerOperator } from "./evaluate-integer.ts";
import { loadOperator, storeOperator } from "./evaluate-memory.ts";
import { evaluateSimd } from "./evaluate-simd.ts";
import type { Body, Callee, Expr, Label, Stmt } from "./types.ts";

/** A value of any type. */
export type Value = number | bigint;

/** What routines run against: memory, and how calls are answered. */
export interface EvaluatorContext {
  readonly view: DataView;
  readonly u8: Uint8Array;
  /** The body of a routine, built once. */
  body(callee: Callee & { kind: "routine" }): Body;
  host(name: string, args: readonly Value[]): Value | undefined;
}

/** One activation of a routine. */
interface Frame {
  readonly context: EvaluatorContext;
  readonly variables: Value[];
  /** Values of expressions, by the number that preparation gave them. */
  readonly values: Value[];
  result: Value | undefined;
}

type Compute = (f: Frame) => Value;
/** How a statement ended: it went on, it returned, or it branches to a label. */
type Outcome = "next" | "return" | Label;
type Execute = (f: Frame) => Outcome;

const prepared = new WeakMap<Body, Execute>();

/** Calls a routine with arguments → its result. */
export function evaluate(body: Body, args: readonly Value[], context: EvaluatorContext): Value | undefined {
  let execute = prepared.get(body);
  if (execute === undefined) {
    execute = new Preparation(body).list(body.stmts);
    prepared.set(body, execute);
  }
  const variables = body.variables.map((v, i) => args[i] ?? (v.type === "i64" || v.type === "v128" ? 0n : 0));
  const frame: Frame = { context, variables, values: [], result: undefined };
  execute(frame);
  return frame.result;
}

class Preparation {
  readonly #numbers = new Map<Expr, number>();
  readonly #name: string;

  constructor(body: Body) {
    this.#name = body.signature.name;
  }

  list(stmts: readonly Stmt[]): Execute {
    const steps = stmts.map((s) => this.#stmt(s));
    return (f) => {
      for (const step of steps) {
        const outcome = step(f);
        if (outcome !== "next") return outcome;
      }
      return "next";
    };
  }

  #number(e: Expr): number {
    const n = this.#numbers.size;
    this.#numbers.set(e, n);
    return n;
  }

  #stmt(s: Stmt): Execute {
    switch (s.k) {
      case "def": {
        const compute = this.#compute(s.e);
        const n = this.#number(s.e);
        return effect((f) => (f.values[n] = compute(f)));
      }
      case "set": {
        const value = this.#value(s.e);
        return effect((f) => (f.variables[s.v.index] = value(f)));
      }
      case "store": {
        const [store, address, value] = [storeOperator(s.op), this.#address(s.addr, s.offset), this.#value(s.e)];
        return effect((f) => store(f.context.view, address(f), value(f)));
      }
      case "if": {
        const [condition, then, otherwise] = [this.#value(s.c), this.list(s.then), this.list(s.else)];
        return (f) => (condition(f) !== 0 ? then(f) : otherwise(f));
      }
      case "block":
        return this.#block(s);
      case "loop":
        return this.#loop(s);
      case "br": {
        const condition = s.c === undefined ? undefined : this.#value(s.c);
        return (f) => (condition === undefined || condition(f) !== 0 ? s.label : "next");
      }
      case "switch": {
        const on = this.#value(s.on);
        const cases = s.cases.map((c) => this.list(c));
        const other = this.list(s.other);
        return (f) => (cases[Number(on(f)) >>> 0] ?? other)(f);
      }
      case "call":
        return this.#call(s);
      case "copy":
      case "fill":
        return this.#bulk(s);
      case "ret": {
        const value = s.e && this.#value(s.e);
        return (f) => {
          f.result = value?.(f);
          return "return";
        };
      }
    }
  }

  #block(s: Stmt & { k: "block" | "loop" }): Execute {
    const body = this.list(s.body);
    return (f) => {
      const outcome = body(f);
      return outcome === s.label ? "next" : outcome;
    };
  }

  #loop(s: Stmt & { k: "block" | "loop" }): Execute {
    const body = this.list(s.body);
    return (f) => {
      for (;;) {
        const outcome = body(f);
        if (outcome !== s.label) return outcome;
      }
    };
  }

  #bulk(s: Stmt & { k: "copy" | "fill" }): Execute {
    const [dst, src, n] = [this.#address(s.dst, 0), this.#address(s.src, 0), this.#address(s.n, 0)];
    if (s.k === "copy") return effect((f) => f.context.u8.copyWithin(dst(f), src(f), src(f) + n(f)));
    return effect((f) => f.context.u8.fill(src(f) & 0xff, dst(f), dst(f) + n(f)));
  }

  #call(s: Stmt & { k: "call" }): Execute {
    const args = s.args.map((a) => this.#value(a));
    const n = s.result === undefined ? -1 : this.#number(s.result);
    const target = s.target;
    const answer = (f: Frame, values: Value[]): Value | undefined =>
      target.kind === "host" ? f.context.host(target.name, values) : evaluate(f.context.body(target), values, f.context);
    return effect((f) => {
      const result = answer(
        f,
        args.map((a) => a(f)),
      );
      if (n >= 0) f.values[n] = result ?? 0;
    });
  }

  /** An expression where it is used: a constant, or what was computed where it was created. */
  #value(e: Expr): Compute {
    if (e.op === "const") {
      const value = constant(e);
      return () => value;
    }
    const n = this.#numbers.get(e);
    assert(n !== undefined, `${this.#name}: ${e.op} is used before it is computed`);
    return (f) => f.values[n]!;
  }

  #address(e: Expr, offset: number): (f: Frame) => number {
    const value = this.#value(e);
    return (f) => (Number(value(f)) >>> 0) + offset;
  }

  #compute(e: Expr): Compute {
    if (e.op === "get") return (f) => f.variables[Number(e.imm)]!;
    if (e.op.includes(".load")) {
      const [load, address] = [loadOperator(e.op), this.#address(e.args[0]!, Number(e.imm))];
      return (f) => load(f.context.view, address(f));
    }
    const args = e.args.map((a) => this.#value(a));
    const [a, b, c] = args;
    if (e.op === "select") return (f) => (c!(f) !== 0 ? a!(f) : b!(f));
    const operator = integerOperator(e.op);
    if (operator) return b === undefined ? (f) => operator(a!(f), 0) : (f) => operator(a!(f), b(f));
    return (f) =>
      special(
        e,
        args.map((arg) => arg(f)),
      );
  }
}

/** Floating-point and vector operators. */
function special(e: Expr, args: readonly Value[]): Value {
  if (e.op.startsWith("f32.") || e.op.startsWith("f64.")) return evaluateFloat(e.op, args);
  return fromFloat(e.op, args[0]!) ?? evaluateSimd(e.op, args, e.imm);
}

function effect(run: (f: Frame) => unknown): Execute {
  return (f) => {
    run(f);
    return "next";
  };
}

/** The value of a constant. */
function constant(e: Expr): Value {
  if (e.imm instanceof Uint8Array) return e.imm.reduceRight((acc, byte) => (acc << 8n) | BigInt(byte), 0n);
  return e.type === "i64" ? BigInt.asUintN(64, BigInt(e.imm)) : Number(e.imm);
}
