// The floating-point operators that definitions use: the evaluator against WebAssembly itself. NaNs compare equal, because
// WebAssembly leaves their payloads open (Core §4.3.3).
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Code } from "../../wasm/code.ts";
import { ModuleBuilder } from "../../wasm/module-builder.ts";
import { Builder } from "./builder.ts";
import { emit, LocalPool } from "./emit.ts";
import { evaluate } from "./evaluate.ts";
import type { Body, Expr, Type } from "./types.ts";

const UNARY = ["abs", "neg", "sqrt", "ceil", "floor", "trunc", "nearest"];
const BINARY = ["add", "sub", "mul", "div", "min", "max"];
const COMPARISONS = ["eq", "ne", "lt", "gt", "le", "ge"];
const LANES: Readonly<Record<string, Type>> = { f32: "f32", f64: "f64", f32x4: "v128", f64x2: "v128" };

/** An operator, its operands' types and its result's; `lane` is the size of what may be a NaN in the result, 0 for integers. */
interface Case {
  readonly operator: string;
  readonly args: readonly Type[];
  readonly result: Type;
  readonly lane: 0 | 32 | 64;
}

const laneOf = (shape: string): 32 | 64 => (shape.startsWith("f32") ? 32 : 64);

const arithmetic = Object.entries(LANES).flatMap(([shape, type]): Case[] => [
  ...UNARY.map((n): Case => ({ operator: `${shape}.${n}`, args: [type], result: type, lane: laneOf(shape) })),
  ...BINARY.map((n): Case => ({ operator: `${shape}.${n}`, args: [type, type], result: type, lane: laneOf(shape) })),
  ...COMPARISONS.map((n): Case => ({ operator: `${shape}.${n}`, args: [type, type], result: type === "v128" ? "v128" : "i32", lane: 0 })),
]);

const one = (operator: string, from: Type, result: Type, lane: Case["lane"]): Case => ({ operator, args: [from], result, lane });

const conversions: readonly Case[] = [
  ...(["i32", "i64"] as const).flatMap((i) =>
    (["s", "u"] as const).flatMap((sign) => [one(`f32.convert_${i}_${sign}`, i, "f32", 32), one(`f64.convert_${i}_${sign}`, i, "f64", 64)]),
  ),
  one("f64.promote_f32", "f32", "f64", 64),
  one("f32.demote_f64", "f64", "f32", 32),
  one("f32x4.splat", "f32", "v128", 32),
  one("f64x2.splat", "f64", "v128", 64),
  one("f32x4.convert_i32x4_s", "v128", "v128", 32),
  one("f64x2.convert_low_i32x4_s", "v128", "v128", 64),
  one("f64x2.promote_low_f32x4", "v128", "v128", 64),
  one("i32x4.trunc_sat_f32x4_s", "v128", "v128", 0),
];

const CASES = [...arithmetic, ...conversions];

/** Operands lie at 0 and 16, the result at 32. */
function bodyOf({ operator, args, result }: Case): Body {
  const b = new Builder({ name: operator, params: [], result: undefined, faults: false });
  const values: Expr[] = args.map((type, i) => b.load(`${type}.load`, b.i32(0), 16 * i));
  b.store(`${result}.store`, b.i32(0), b.op(operator, result, ...values), 32);
  return b.finish();
}

function compile(bodies: readonly Body[], memory: WebAssembly.Memory): Record<string, () => void> {
  const m = new ModuleBuilder();
  m.importMemory("env", "memory", 1, 1, false);
  for (const body of bodies) {
    const index = m.declare();
    const [code, locals] = [new Code(), new LocalPool(0)];
    emit(body, { code, locals, params: [], resolve: () => 0 });
    m.define(index, { params: [], result: undefined }, locals.types, code);
    m.exportFunction(body.signature.name, index);
  }
  const module = new WebAssembly.Module(m.finish() as Uint8Array<ArrayBuffer>);
  return new WebAssembly.Instance(module, { env: { memory } }).exports as Record<string, () => void>;
}

const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
const view = new DataView(memory.buffer);

/** The result as text, every NaN the same. */
function resultText({ result, lane }: Case): string {
  const bytes = result === "v128" ? 16 : result.endsWith("64") ? 8 : 4;
  if (lane === 0) return [32, 40].map((at) => view.getBigUint64(at, true).toString(16)).join();
  const numbers = Array.from({ length: (bytes * 8) / lane }, (_, i) =>
    lane === 32 ? view.getFloat32(32 + 4 * i, true) : view.getFloat64(32 + 8 * i, true),
  );
  return numbers.map((n) => (Object.is(n, -0) ? "-0" : String(n))).join();
}

const halves = [
  0, 0x8000, 0x3f80, 0xbf80, 0x7f80, 0xff80, 0x7fc0, 0x7ff0, 0xfff0, 0x3ff0, 0x4b00, 0x4330, 0x4f00, 0x41e0, 1, 0xffff, 0x3fe0, 0x3f00,
];
const operand = fc.oneof(
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  fc.array(fc.constantFrom(...halves), { minLength: 8, maxLength: 8 }).map((words) => words.flatMap((w) => [w & 0xff, w >> 8])),
  fc.array(fc.double(), { minLength: 2, maxLength: 2 }).map((list) => [...new Uint8Array(Float64Array.from(list).buffer)]),
  fc.array(fc.float(), { minLength: 4, maxLength: 4 }).map((list) => [...new Uint8Array(Float32Array.from(list).buffer)]),
);

describe("the evaluator's floating-point operators", () => {
  const bodies = new Map(CASES.map((test) => [test.operator, bodyOf(test)]));
  const run = compile([...bodies.values()], memory);
  const u8 = new Uint8Array(memory.buffer);

  it.each(CASES)("$operator is WebAssembly's", (test) => {
    const body = bodies.get(test.operator)!;
    const property = fc.property(operand, operand, (x, y) => {
      u8.fill(0, 0, 48);
      u8.set(x, 0);
      u8.set(y, 16);
      run[test.operator]!();
      const wanted = resultText(test);
      u8.fill(0, 32, 48);
      evaluate(body, [], { view, u8, body: () => expect.unreachable(), host: () => expect.unreachable() });
      if (resultText(test) !== wanted) expect(resultText(test)).toBe(wanted);
    });
    fc.assert(property, { numRuns: 80 });
  });
});
