import { describe, expect, it } from "vitest";
import { Code, type ValueType } from "./code.ts";
import { type FunctionType, ModuleBuilder } from "./module-builder.ts";

const UNARY: FunctionType = { params: ["i32"], result: "i32" };

function instantiate(m: ModuleBuilder, env: Record<string, unknown> = {}): Record<string, (...args: unknown[]) => unknown> {
  const module = new WebAssembly.Module(m.finish() as Uint8Array<ArrayBuffer>);
  return new WebAssembly.Instance(module, { env }).exports as Record<string, (...args: unknown[]) => unknown>;
}

describe("a built module", () => {
  it("calls functions that are defined later, and imports", () => {
    const m = new ModuleBuilder();
    const twice = m.importFunction("env", "twice", UNARY);
    const [first, second] = [m.declare(), m.declare()];
    m.define(first, UNARY, [], new Code().localGet(0).call(second).i32(1).op("i32.add"));
    m.define(second, UNARY, [], new Code().localGet(0).call(twice));
    m.exportFunction("run", first);
    expect(instantiate(m, { twice: (n: number) => n * 2 }).run!(20)).toBe(41);
  });

  it("dispatches through its table", () => {
    const m = new ModuleBuilder();
    const nullary: FunctionType = { params: [], result: "i32" };
    const constants = [7, 11, 13].map((n) => {
      const index = m.declare();
      m.define(index, nullary, [], new Code().i32(n));
      return index;
    });
    const run = m.declare();
    m.define(run, UNARY, [], new Code().localGet(0).callIndirect(m.type(nullary)));
    m.exportFunction("run", run);
    m.table(constants.reverse());
    const exports = instantiate(m);
    expect([0, 1, 2].map((i) => exports.run!(i))).toEqual([13, 11, 7]);
    expect(() => exports.run!(3)).toThrow(/table index/);
  });

  it("has locals of every type behind the parameters, starting as zero", () => {
    const m = new ModuleBuilder();
    const locals: readonly ValueType[] = ["i64", "i64", "f64", "i32", "v128"];
    const index = m.declare();
    const code = new Code().localGet(0).op("i64.extend_i32_u").localSet(2);
    m.define(index, { params: ["i32"], result: "i64" }, locals, code.localGet(1).localGet(2).op("i64.add"));
    m.exportFunction("run", index);
    expect(instantiate(m).run!(9)).toBe(9n);
  });

  it("works on an imported memory, and branches by table", () => {
    const m = new ModuleBuilder();
    m.importMemory("env", "memory", 1, 1, false);
    const index = m.declare();
    const code = new Code().block().block().block().localGet(0).brTable([0, 1], 2).end();
    code.i32(0).i32(0xaa).memory("i32.store8", 5).return().end();
    code.i32(0).i32(0xbb).memory("i32.store8", 5).end();
    m.define(index, { params: ["i32"], result: undefined }, [], code);
    m.exportFunction("run", index);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    const { run } = instantiate(m, { memory });
    const after = (n: number): number | undefined => {
      run!(n);
      return new Uint8Array(memory.buffer)[5];
    };
    expect([after(9), after(0), after(9), after(1)]).toEqual([0, 0xaa, 0xaa, 0xbb]);
  });

  it("shares equal function types, and shows names in stack traces", () => {
    const m = new ModuleBuilder();
    expect(m.type(UNARY)).toBe(m.type({ ...UNARY }));
    const index = m.declare();
    m.define(index, { params: [], result: undefined }, [], new Code().unreachable());
    m.nameFunction(index, "a name of its own");
    m.exportFunction("run", index);
    expect(() => instantiate(m).run!()).toThrow(expect.objectContaining({ stack: expect.stringContaining("a name of its own") }));
  });

  it("refuses to be finished with a function missing", () => {
    const m = new ModuleBuilder();
    m.declare();
    expect(() => m.finish()).toThrow("declared and not defined");
  });
});
