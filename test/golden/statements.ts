// A function's bytes as statements: the stack machine's code folded into expressions.
//
// Folding keeps the order in which things happen: operands stand from left to right as they were pushed, and a statement is only made
// when nothing else is left on the stack.
import { assert } from "../../src/support/assert.ts";
import { ByteCursor, type FunctionCode, type FunctionShape, type ModuleParts } from "./module-parts.ts";
import { memoryOperatorName, operandCount, operatorName } from "./operators.ts";
import type { Expression, Label, Statement } from "./statement.ts";

const OP = {
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  drop: 0x1a,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  i32: 0x41,
  i64: 0x42,
  f64: 0x44,
  bulk: 0xfc,
  simd: 0xfd,
} as const;
const SIMD_CONST = 12;
const BULK = { copy: 10, fill: 11 } as const;
const EMPTY_BLOCK = 0x40;

/** Statements of a function. Throws on code that cannot be folded, or that nothing in Nido emits into regions. */
export function statementsOf(module: ModuleParts, f: FunctionCode): Statement[] {
  const shapes = [...module.imports, ...module.functions].map(({ shape }) => shape);
  return new Folder(f, shapes).run();
}

class Folder {
  readonly #c: ByteCursor;
  readonly #shape: FunctionShape;
  readonly #callees: readonly FunctionShape[];
  readonly #stack: Expression[] = [];
  readonly #labels: Label[] = [];

  constructor(f: FunctionCode, callees: readonly FunctionShape[]) {
    this.#c = new ByteCursor(f.code);
    this.#shape = f.shape;
    this.#callees = callees;
  }

  run(): Statement[] {
    const { list } = this.#list();
    // What is left on the stack is the function's result.
    list.push({ k: "return", values: this.#stack.splice(0) });
    return list;
  }

  /** Statements up to the `else` or `end` that belongs to them. */
  #list(): { readonly list: Statement[]; readonly last: number } {
    const list: Statement[] = [];
    for (;;) {
      const code = this.#c.byte();
      if (code === OP.end || code === OP.else) {
        assert(this.#stack.length === 0 || this.#labels.length === 0, "blocks have no results");
        return { list, last: code };
      }
      const s = this.#control(code) ?? this.#simple(code);
      if (!s) continue;
      assert(this.#stack.length === 0, "a statement stands alone");
      list.push(s);
    }
  }

  #within(kind: Label["kind"]): { readonly label: Label; readonly list: Statement[]; readonly last: number } {
    assert(this.#c.byte() === EMPTY_BLOCK, "blocks have no results");
    return this.#inside({ kind, depth: this.#labels.length + 1, used: false });
  }

  #inside(label: Label): { readonly label: Label; readonly list: Statement[]; readonly last: number } {
    this.#labels.push(label);
    const result = this.#list();
    this.#labels.pop();
    return { label, ...result };
  }

  #control(code: number): Statement | undefined {
    switch (code) {
      case OP.block:
      case OP.loop: {
        const { label, list } = this.#within(code === OP.block ? "block" : "loop");
        return { k: code === OP.block ? "block" : "loop", label, body: list };
      }
      case OP.if: {
        const c = this.#pop();
        const { label, list, last } = this.#within("if");
        return { k: "if", c, then: list, else: last === OP.else ? this.#inside(label).list : [] };
      }
      case OP.br:
        return { k: "br", to: this.#label(), c: undefined };
      case OP.brIf: {
        const c = this.#pop();
        return { k: "br", to: this.#label(), c };
      }
      case OP.brTable: {
        const on = this.#pop();
        return { k: "table", on, to: this.#c.list(() => this.#label()), other: this.#label() };
      }
      case OP.return:
        return { k: "return", values: this.#take(this.#shape.results) };
      default:
        return undefined;
    }
  }

  #label(): Label {
    const label = this.#labels.at(-1 - this.#c.u());
    assert(label, "branches stay in the function");
    label.used = true;
    return label;
  }

  /** Anything without a body: a statement, or an expression that goes onto the stack. */
  #simple(code: number): Statement | undefined {
    switch (code) {
      case OP.localSet: {
        const local = this.#c.u();
        return { k: "set", local, e: this.#pop() };
      }
      case OP.drop:
        return { k: "do", e: { op: "drop", args: this.#take(1) } };
      case OP.call:
        return this.#call();
      case OP.bulk:
        return this.#bulk();
      default:
        return this.#expression(code);
    }
  }

  #call(): Statement | undefined {
    const callee = this.#c.u();
    const { params, results } = this.#callees[callee]!;
    const e = { op: "call", imm: callee, args: this.#take(params) };
    if (results === 0) return { k: "do", e };
    assert(results === 1, "callees have one result");
    this.#stack.push(e);
    return undefined;
  }

  #bulk(): Statement {
    const code = this.#c.u();
    assert(code === BULK.copy || code === BULK.fill, "a bulk operation");
    this.#c.raw(code === BULK.copy ? 2 : 1);
    return { k: "do", e: { op: code === BULK.copy ? "memory.copy" : "memory.fill", args: this.#take(3) } };
  }

  #expression(code: number): Statement | undefined {
    const simd = code === OP.simd;
    const number = simd ? this.#c.u() : code;
    const constant = this.#constant(number, simd);
    if (constant) return this.#push(constant);
    const memory = memoryOperatorName(number, simd);
    if (memory !== undefined) return this.#memory(memory);
    const op = operatorName(number, simd);
    assert(op !== undefined, `operator ${code} ${number} is one that regions have`);
    const imm = op === "i8x16.shuffle" ? this.#c.raw(16) : op.includes("_lane") ? this.#c.byte() : undefined;
    return this.#push({ op, args: this.#take(operandCount(op)), ...(imm === undefined ? {} : { imm }) });
  }

  #constant(number: number, simd: boolean): Expression | undefined {
    const c = this.#c;
    if (simd) return number === SIMD_CONST ? { op: "const", args: [], imm: c.raw(16) } : undefined;
    switch (number) {
      case OP.localGet:
        return { op: "get", args: [], imm: c.u() };
      case OP.localTee:
        return { op: "tee", imm: c.u(), args: this.#take(1) };
      case OP.i32:
      case OP.i64:
        return { op: "const", args: [], imm: c.s() };
      case OP.f64: {
        const bytes = c.raw(8);
        return { op: "const", args: [], imm: new DataView(bytes.buffer).getFloat64(0, true) };
      }
      default:
        return undefined;
    }
  }

  #memory(op: string): Statement | undefined {
    this.#c.u();
    const imm = this.#c.u();
    if (op.includes(".load")) return this.#push({ op, imm, args: this.#take(1) });
    return { k: "do", e: { op, imm, args: this.#take(2) } };
  }

  #push(e: Expression): undefined {
    this.#stack.push(e);
  }

  #pop(): Expression {
    return this.#take(1)[0]!;
  }

  #take(count: number): Expression[] {
    assert(this.#stack.length >= count, "operands are on the stack");
    return this.#stack.splice(this.#stack.length - count, count);
  }
}
