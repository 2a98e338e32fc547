// Every integer and vector operator: the evaluator against WebAssembly itself, through the same builder and emitter that
// instructions use.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Code } from "../../wasm/code.ts";
import { ModuleBuilder } from "../../wasm/module-builder.ts";
import { operatorNames } from "../../wasm/opcodes.ts";
import { Builder } from "./builder.ts";
import { emit, LocalPool } from "./emit.ts";
import { evaluate, type EvaluatorContext } from "./evaluate.ts";
import type { Body, Expr, Type } from "./types.ts";

/** An operator with its operand types and, for lane operators and shuffles, one immediate. */
interface Case {
  readonly title: string;
  readonly operator: string;
  readonly args: readonly Type[];
  readonly result: Type;
  readonly imm: number | Uint8Array | undefined;
}

const LANES: Readonly<Record<string, number>> = { i8x16: 16, i16x8: 8, i32x4: 4, i64x2: 2 };
const SHUFFLES = [
  Uint8Array.from({ length: 16 }, (_, i) => 31 - i),
  Uint8Array.from({ length: 16 }, (_, i) => (i * 11) & 31),
  Uint8Array.from({ length: 16 }, () => 17),
];
const UNARY = /^(not|neg|abs|popcnt|clz|ctz|eqz|extend|extadd|splat|extract|any_true|all_true|bitmask|wrap)/;

function isInteger(name: string): boolean {
  return name.includes(".") && !/f32|f64|select/.test(name);
}

function casesOf(operator: string): Case[] {
  const [shape, name] = operator.split(".") as [string, string];
  const args = argumentTypes(shape, name);
  const result = resultType(shape, name);
  const immediates: (number | Uint8Array | undefined)[] =
    name === "shuffle" ? SHUFFLES : /_lane/.test(name) ? [0, 1, LANES[shape]! - 1] : [undefined];
  return immediates.map((imm, i) => ({ title: imm === undefined ? operator : `${operator} ${i}`, operator, args, result, imm }));
}

function argumentTypes(shape: string, name: string): Type[] {
  const lane: Type = shape === "i64x2" ? "i64" : "i32";
  if (!(shape in LANES) && shape !== "v128") {
    const own: Type = name === "wrap_i64" ? "i64" : name.startsWith("extend_i32") ? "i32" : (shape as Type);
    return UNARY.test(name) ? [own] : [own, own];
  }
  if (name === "splat") return [lane];
  if (name === "replace_lane") return ["v128", lane];
  if (/^sh[lr]/.test(name) && name !== "shuffle") return ["v128", "i32"];
  if (name === "bitselect") return ["v128", "v128", "v128"];
  return UNARY.test(name) ? ["v128"] : ["v128", "v128"];
}

function resultType(shape: string, name: string): Type {
  if (!(shape in LANES) && shape !== "v128") return /^(eq|ne|[lg][te]_)/.test(name) ? "i32" : (shape as Type);
  if (name.startsWith("extract")) return shape === "i64x2" ? "i64" : "i32";
  return /_true$|^bitmask/.test(name) ? "i32" : "v128";
}

/** Operands lie at 0, 16 and 32, the result at 48. */
function bodyOf({ title, operator, args, result, imm }: Case): Body {
  const b = new Builder({ name: title, params: [], result: undefined, faults: false });
  const at = b.i32(0);
  const values = args.map((type, i) => b.load(`${type}.load`, at, 16 * i));
  const e: Expr = imm === undefined ? b.op(operator, result, ...values) : b.opImm(operator, result, imm, ...values);
  b.store(`${result}.store`, at, e, 48);
  return b.finish();
}

function compile(cases: readonly { readonly test: Case; readonly body: Body }[], memory: WebAssembly.Memory): Record<string, () => void> {
  const m = new ModuleBuilder();
  m.importMemory("env", "memory", 1, 1, false);
  const type = { params: [], result: undefined };
  for (const { test, body } of cases) {
    const index = m.declare();
    const code = new Code();
    const locals = new LocalPool(0);
    emit(body, { code, locals, params: [], resolve: () => 0 });
    m.define(index, type, locals.types, code);
    m.exportFunction(test.title, index);
  }
  const module = new WebAssembly.Module(m.finish() as Uint8Array<ArrayBuffer>);
  return new WebAssembly.Instance(module, { env: { memory } }).exports as Record<string, () => void>;
}

const bytes16 = fc.oneof(
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  fc.array(fc.constantFrom(0, 1, 0x0f, 0x10, 0x7f, 0x80, 0xfe, 0xff), { minLength: 16, maxLength: 16 }),
  fc
    .array(fc.constantFrom([0, 0x80], [0xff, 0x7f], [0xff, 0xff], [0, 0], [1, 0]), { minLength: 8, maxLength: 8 })
    .map((words) => words.flat()),
);

/** Division by zero and the one quotient that does not fit trap; meanings check before they divide. */
function traps(operator: string, view: DataView): boolean {
  if (!/\.(div|rem)_/.test(operator)) return false;
  const wide = operator.startsWith("i64");
  const [a, b] = [0, 16].map((at) => (wide ? view.getBigInt64(at, true) : BigInt(view.getInt32(at, true)))) as [bigint, bigint];
  return b === 0n || (b === -1n && a === -(1n << (wide ? 63n : 31n)));
}

describe("the evaluator does what WebAssembly does", () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const u8 = new Uint8Array(memory.buffer);
  const view = new DataView(memory.buffer);
  const cases = operatorNames()
    .filter(isInteger)
    .flatMap(casesOf)
    .map((test) => ({ test, body: bodyOf(test) }));
  const run = compile(cases, memory);
  const context: EvaluatorContext = { view, u8, body: () => expect.unreachable(), host: () => expect.unreachable() };
  const result = (): string => `${view.getBigUint64(56, true).toString(16)}:${view.getBigUint64(48, true).toString(16)}`;

  it.each(cases)("$test.title", ({ test, body }) => {
    const property = fc.property(bytes16, bytes16, bytes16, (...operands) => {
      operands.forEach((operand, i) => u8.set(operand, 16 * i));
      u8.fill(0, 48, 64);
      fc.pre(!traps(test.operator, view));
      run[test.title]!();
      const wanted = result();
      u8.fill(0, 48, 64);
      evaluate(body, [], context);
      // `expect` is too slow for ten thousand comparisons.
      if (result() !== wanted) expect(result()).toBe(wanted);
    });
    fc.assert(property, { numRuns: 50 });
  });
});
