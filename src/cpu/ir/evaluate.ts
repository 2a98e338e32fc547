// The evaluator: runs routines statement by statement over plain numbers and bigints. Slow, and meant to be obviously right.
//
// i32 values are JS numbers in signed form, i64 are bigints 0..2^64-1, v128 are bigints 0..2^128-1, floats are numbers.
import { assert } from "../../support/assert.ts";
import { evaluateFloat, fromFloat } from "./evaluate-float.ts";
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

/** How a statement list ended. */
type Outcome = { readonly kind: "branch"; readonly label: Label } | { readonly kind: "return"; readonly value: Value | undefined } | undefined;

const u64 = (n: bigint): bigint => BigInt.asUintN(64, n);
const s64 = (n: Value): bigint => BigInt.asIntN(64, n as bigint);

/** Calls a routine with arguments → its result. */
export function evaluate(body: Body, args: readonly Value[], context: EvaluatorContext): Value | undefined {
  return new Activation(body, args, context).run();
}

class Activation {
  readonly #variables: Value[];
  readonly #values = new Map<Expr, Value>();
  readonly #context: EvaluatorContext;
  readonly #body: Body;

  constructor(body: Body, args: readonly Value[], context: EvaluatorContext) {
    this.#body = body;
    this.#context = context;
    this.#variables = body.variables.map((v, i) => args[i] ?? (v.type === "i64" || v.type === "v128" ? 0n : 0));
  }

  run(): Value | undefined {
    const outcome = this.#list(this.#body.stmts);
    return outcome?.kind === "return" ? outcome.value : undefined;
  }

  #list(stmts: readonly Stmt[]): Outcome {
    for (const s of stmts) {
      const outcome = this.#stmt(s);
      if (outcome) return outcome;
    }
    return undefined;
  }

  #stmt(s: Stmt): Outcome {
    switch (s.k) {
      case "def":
        this.#values.set(s.e, this.#compute(s.e));
        return undefined;
      case "set":
        this.#variables[s.v.index] = this.#value(s.e);
        return undefined;
      case "store":
        this.#store(s.op, this.#address(s.addr, s.offset), this.#value(s.e));
        return undefined;
      case "if": return this.#list(this.#value(s.c) !== 0 ? s.then : s.else);
      case "block": {
        const outcome = this.#list(s.body);
        return outcome?.kind === "branch" && outcome.label === s.label ? undefined : outcome;
      }
      case "loop": return this.#loop(s);
      case "br": return s.c === undefined || this.#value(s.c) !== 0 ? { kind: "branch", label: s.label } : undefined;
      case "switch": return this.#list(s.cases[Number(this.#value(s.on)) >>> 0] ?? s.other);
      case "call": {
        const result = this.#call(s.target, s.args.map((a) => this.#value(a)));
        if (s.result) this.#values.set(s.result, result ?? 0);
        return undefined;
      }
      case "copy": case "fill": {
        const [dst, src, n] = [s.dst, s.src, s.n].map((e) => Number(this.#value(e)) >>> 0) as [number, number, number];
        if (s.k === "copy") this.#context.u8.copyWithin(dst, src, src + n);
        else this.#context.u8.fill(src & 0xff, dst, dst + n);
        return undefined;
      }
      case "ret": return { kind: "return", value: s.e && this.#value(s.e) };
    }
  }

  #loop(s: Stmt & { k: "block" | "loop" }): Outcome {
    for (;;) {
      const outcome = this.#list(s.body);
      if (outcome?.kind === "branch" && outcome.label === s.label) continue;
      return outcome;
    }
  }

  #call(target: Callee, args: readonly Value[]): Value | undefined {
    if (target.kind === "host") return this.#context.host(target.name, args);
    return evaluate(this.#context.body(target), args, this.#context);
  }

  #value(e: Expr): Value {
    if (e.op === "const") return constant(e);
    const v = this.#values.get(e);
    assert(v !== undefined, `${this.#body.signature.name}: ${e.op} is used before it is computed`);
    return v;
  }

  #address(e: Expr, offset: number): number {
    return (Number(this.#value(e)) >>> 0) + offset;
  }

  #compute(e: Expr): Value {
    if (e.op === "get") return this.#variables[Number(e.imm)]!;
    if (e.op.includes(".load")) return this.#load(e.op, this.#address(e.args[0]!, Number(e.imm)));
    const args = e.args.map((a) => this.#value(a));
    if (e.op === "select") return args[2] !== 0 ? args[0]! : args[1]!;
    const dot = e.op.indexOf(".");
    const type = e.op.slice(0, dot);
    const name = e.op.slice(dot + 1);
    if (type === "f32" || type === "f64") return evaluateFloat(e.op, args);
    if (name.includes("_f")) return fromFloat(e.op, args[0]!) ?? evaluateSimd(e.op, args, e.imm);
    if (type === "i32") return integer32(name, args);
    if (type === "i64") return integer64(name, args);
    return evaluateSimd(e.op, args, e.imm);
  }

  #load(op: string, at: number): Value {
    const v = this.#context.view;
    switch (op) {
      case "i32.load": return v.getInt32(at, true);
      case "i32.load8_u": return v.getUint8(at);
      case "i32.load8_s": return v.getInt8(at);
      case "i32.load16_u": return v.getUint16(at, true);
      case "i32.load16_s": return v.getInt16(at, true);
      case "i64.load": return v.getBigUint64(at, true);
      case "i64.load8_u": return BigInt(v.getUint8(at));
      case "i64.load16_u": return BigInt(v.getUint16(at, true));
      case "i64.load32_u": return BigInt(v.getUint32(at, true));
      case "i64.load8_s": return u64(BigInt(v.getInt8(at)));
      case "i64.load16_s": return u64(BigInt(v.getInt16(at, true)));
      case "i64.load32_s": return u64(BigInt(v.getInt32(at, true)));
      case "f32.load": return v.getFloat32(at, true);
      case "f64.load": return v.getFloat64(at, true);
      case "v128.load": return v.getBigUint64(at, true) | (v.getBigUint64(at + 8, true) << 64n);
      case "v128.load64_zero": return v.getBigUint64(at, true);
      case "v128.load32_zero": return BigInt(v.getUint32(at, true));
      default: throw new Error(`Bug in Nido: the evaluator has no ${op}`);
    }
  }

  #store(op: string, at: number, value: Value): void {
    const v = this.#context.view;
    switch (op) {
      case "i32.store": return v.setInt32(at, Number(value), true);
      case "i32.store8": return v.setUint8(at, Number(value) & 0xff);
      case "i32.store16": return v.setUint16(at, Number(value) & 0xffff, true);
      case "i64.store": return v.setBigUint64(at, value as bigint, true);
      case "i64.store8": return v.setUint8(at, Number((value as bigint) & 0xffn));
      case "i64.store16": return v.setUint16(at, Number((value as bigint) & 0xffffn), true);
      case "i64.store32": return v.setUint32(at, Number((value as bigint) & 0xffff_ffffn), true);
      case "f32.store": return v.setFloat32(at, Number(value), true);
      case "f64.store": return v.setFloat64(at, Number(value), true);
      case "v128.store":
        v.setBigUint64(at, u64(value as bigint), true);
        return v.setBigUint64(at + 8, (value as bigint) >> 64n, true);
      default: throw new Error(`Bug in Nido: the evaluator has no ${op}`);
    }
  }
}

/** The value of a constant. */
function constant(e: Expr): Value {
  if (e.imm instanceof Uint8Array) return e.imm.reduceRight((acc, byte) => (acc << 8n) | BigInt(byte), 0n);
  return e.type === "i64" ? u64(BigInt(e.imm)) : Number(e.imm);
}

function integer32(name: string, args: readonly Value[]): number {
  if (name === "wrap_i64") return Number(BigInt.asIntN(32, args[0] as bigint));
  if (name === "eqz") return args[0] === 0 ? 1 : 0;
  const a = Number(args[0]);
  const b = Number(args[1] ?? 0);
  // The 64-bit rules serve 32 bits: extend, compute, cut. Shifts and counts depend on the width.
  switch (name) {
    case "shl": return a << b;
    case "shr_s": return a >> b;
    case "shr_u": return (a >>> b) | 0;
    case "rotl": return (b & 31) === 0 ? a : (a << b) | (a >>> (32 - (b & 31)));
    case "rotr": return integer32("rotl", [a, -b]);
    case "mul": return Math.imul(a, b);
    case "clz": return Math.clz32(a);
    case "ctz": return a === 0 ? 32 : 31 - Math.clz32(a & -a);
    case "extend8_s": return (a << 24) >> 24;
    case "extend16_s": return (a << 16) >> 16;
    default: break;
  }
  const unsigned = name.endsWith("_u") || name === "popcnt";
  const wide = (n: number): bigint => (unsigned ? BigInt(n >>> 0) : u64(BigInt(n)));
  const r = integer64(name, [wide(a), wide(b)]);
  return typeof r === "number" ? r : Number(BigInt.asIntN(32, r));
}

function integer64(name: string, args: readonly Value[]): Value {
  const a = BigInt(args[0]!);
  const b = BigInt(args[1] ?? 0);
  const flag = (c: boolean): number => (c ? 1 : 0);
  switch (name) {
    case "eqz": return flag(a === 0n);
    case "eq": return flag(a === b);
    case "ne": return flag(a !== b);
    case "lt_u": return flag(a < b);
    case "gt_u": return flag(a > b);
    case "le_u": return flag(a <= b);
    case "ge_u": return flag(a >= b);
    case "lt_s": return flag(s64(a) < s64(b));
    case "gt_s": return flag(s64(a) > s64(b));
    case "le_s": return flag(s64(a) <= s64(b));
    case "ge_s": return flag(s64(a) >= s64(b));
    case "add": return u64(a + b);
    case "sub": return u64(a - b);
    case "mul": return u64(a * b);
    case "and": return a & b;
    case "or": return a | b;
    case "xor": return a ^ b;
    case "shl": return u64(a << (b & 63n));
    case "shr_u": return a >> (b & 63n);
    case "shr_s": return u64(s64(a) >> (b & 63n));
    case "rotl": return u64((a << (b & 63n)) | (a >> ((64n - (b & 63n)) & 63n)));
    case "rotr": return u64((a >> (b & 63n)) | (a << ((64n - (b & 63n)) & 63n)));
    case "clz": return BigInt(64 - (a === 0n ? 0 : a.toString(2).length));
    case "ctz": return a === 0n ? 64n : BigInt(a.toString(2).length - a.toString(2).lastIndexOf("1") - 1);
    case "popcnt": return BigInt([...a.toString(2)].filter((d) => d === "1").length);
    case "div_u": case "rem_u": case "div_s": case "rem_s": return divide(name, a, b);
    case "extend8_s": return u64(BigInt.asIntN(8, a));
    case "extend16_s": return u64(BigInt.asIntN(16, a));
    case "extend32_s": case "extend_i32_s": return u64(BigInt.asIntN(32, a));
    case "extend_i32_u": return BigInt.asUintN(32, a);
    default: throw new Error(`Bug in Nido: the evaluator has no i64.${name}`);
  }
}

function divide(name: string, a: bigint, b: bigint): bigint {
  assert(b !== 0n, "a routine divides by zero without checking");
  if (name === "div_u") return a / b;
  if (name === "rem_u") return a % b;
  return u64(name === "div_s" ? s64(a) / s64(b) : s64(a) % s64(b));
}
