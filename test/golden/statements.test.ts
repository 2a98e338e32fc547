import { describe, expect, it } from "vitest";
import { Code, VALUE_TYPE, type ValueType } from "../../src/wasm/code.ts";
import { type FunctionType, ModuleBuilder } from "../../src/wasm/module-builder.ts";
import { MEMORY_OPS, opcode, operatorNames } from "../../src/wasm/opcodes.ts";
import { readModule } from "./module-parts.ts";
import { memoryOperatorName, operandCount, operatorName } from "./operators.ts";
import { printed } from "./print.ts";
import { statementsOf } from "./statements.ts";

const NAMES = { label: ({ depth }: { depth: number }): string => String(depth), place: (): undefined => undefined };
const TYPES = Object.keys(VALUE_TYPE) as ValueType[];

function moduleWith(code: Code, type: FunctionType, locals: readonly ValueType[] = []): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  m.importMemory("env", "memory", 1, 1, false);
  m.importFunction("env", "callee", { params: ["i32", "i32"], result: "i32" });
  m.define(m.declare(), type, locals, code);
  return m.finish() as Uint8Array<ArrayBuffer>;
}

/** Lines of a function with two parameters and a result, all i32, and one local of each type behind them. */
function text(code: Code): string[] {
  const bytes = moduleWith(code, { params: ["i32", "i32"], result: "i32" }, TYPES);
  expect(WebAssembly.validate(bytes)).toBe(true);
  const module = readModule(bytes);
  expect(module.functions[0]!.locals).toEqual(TYPES);
  return printed(statementsOf(module, module.functions[0]!), NAMES);
}

describe("a function as text", () => {
  it("has expressions folded, operands in the order in which they were pushed", () => {
    const code = new Code().localGet(0).i32(-1).op("i32.sub").localGet(1).memory("i32.load8_u", 300).op("i32.mul");
    expect(text(code)).toEqual(["return (i32.mul (i32.sub local0 -1) (i32.load8_u local1+0x12c))"]);
  });

  it("has a statement a line", () => {
    const code = new Code().i64(5n).localSet(3).localGet(0).localGet(3).memory("i64.store", 8);
    code.localGet(0).i32(9).i32(4).memoryFill().localGet(0).i32(2).call(0).drop().i32(0);
    expect(text(code)).toEqual([
      "local3 = 5",
      "(i64.store local0+8 local3)",
      "(memory.fill local0 9 4)",
      "(drop (call 0 local0 2))",
      "return 0",
    ]);
  });

  it("names the labels that something branches to, at a block's end and a loop's beginning", () => {
    const code = new Code().block().loop().localGet(0).brIf(1).block().localGet(1).if().br(2).else().br(1).end().end().end().end().i32(1);
    expect(text(code)).toEqual([
      "{",
      "  loop @2 {",
      "    br @1 if local0",
      "    {",
      "      if local1 {",
      "        br @2",
      "      } else {",
      "        br @3",
      "      }",
      "    } @3",
      "  }",
      "} @1",
      "return 1",
    ]);
  });

  it("has the blocks of a switch side by side", () => {
    const code = new Code().block().block().localGet(0).brTable([0], 1).end().i32(7).return().end().i32(8);
    expect(text(code)).toEqual(["{ {", "  br @2 else @1 by local0", "} @2", "  return 7", "} @1", "return 8"]);
  });

  it("shows constants of every type", () => {
    const vector = Uint8Array.from({ length: 16 }, (_, i) => i);
    const code = new Code().i64(-256n).localSet(3).f64(-0).localSet(5).v128(vector).localSet(6).localGet(6).localGet(6);
    code.op("i8x16.shuffle", vector).op("i32x4.extract_lane", 2);
    const shuffle = "(i8x16.shuffle[0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] local6 local6)";
    expect(text(code)).toEqual([
      "local3 = -0x100",
      "local5 = -0.0",
      "local6 = v0xf0e0d0c0b0a09080706050403020100",
      `return (i32x4.extract_lane[2] ${shuffle})`,
    ]);
  });

  it("breaks what does not fit on a line", () => {
    const code = new Code().localGet(0);
    for (let i = 0; i < 12; i++) code.localGet(1).op("i32.add");
    const lines = text(code);
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.every((line) => line.length <= 120)).toBe(true);
    expect(lines.join(" ").replaceAll(/ +/g, " ")).toBe(`return ${"(i32.add ".repeat(12)}local0${" local1)".repeat(12)}`);
  });

  it("is refused where a statement would come between an expression's operands", () => {
    const code = new Code().localGet(0).i64(1n).localSet(3).localGet(1).op("i32.add");
    expect(() => text(code)).toThrow("a statement stands alone");
  });
});

describe("the operators", () => {
  it.each(operatorNames())("%s takes as many operands as WebAssembly says", (name) => {
    const { code, isSimd } = opcode(name)!;
    expect(operatorName(code, isSimd)).toBe(name);
    expect([1, 2, 3].filter((n) => takes(name, n))).toEqual([operandCount(name)]);
  });

  it("are known by their bytes when they access memory", () => {
    for (const [name, [code]] of MEMORY_OPS) expect(memoryOperatorName(code & 0xff, code > 0xff)).toBe(name);
  });
});

/** Whether there are `count` types that an operator takes. */
function takes(name: string, count: number): boolean {
  const imm = name === "i8x16.shuffle" ? new Uint8Array(16) : name.includes("_lane") ? 0 : undefined;
  return combinations(count).some((types) => {
    const code = new Code();
    types.forEach((_, i) => code.localGet(i));
    return WebAssembly.validate(moduleWith(code.op(name, imm).drop(), { params: types, result: undefined }));
  });
}

function combinations(count: number): ValueType[][] {
  return count === 0 ? [[]] : combinations(count - 1).flatMap((some) => TYPES.map((type) => [...some, type]));
}
