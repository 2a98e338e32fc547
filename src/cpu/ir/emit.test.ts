// Random programs: what a Builder builds runs the same on the evaluator and, through the emitter, as WebAssembly.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Code } from "../../wasm/code.ts";
import { ModuleBuilder } from "../../wasm/module-builder.ts";
import { Builder, hostFunction, routine } from "./builder.ts";
import { emit, LocalPool } from "./emit.ts";
import { evaluate, type Value } from "./evaluate.ts";
import type { Body, Callee, Expr, Label, Routine, Type, Variable } from "./types.ts";

const SIGNATURE = { name: "program", params: ["i32", "i64"], result: "i64", faults: false } as const;

// ── running a body both ways ────────────────────────────────────────────────────────────────────────────────────────────

const BYTES = 128;
const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
const u8 = new Uint8Array(memory.buffer);
const view = new DataView(memory.buffer);

/** Swaps two words of memory: something that a routine may do behind its caller's back. */
const swap: Routine = routine("swap", ["i32", "i32"], "i32", (b, at, n) => {
  const x = b.load("i32.load", at);
  b.store("i32.store", at, n);
  b.return(x);
});
const note = hostFunction("note", ["i32"], "i32");

/** What a run left: its result, its memory, and what it told the host. */
interface Left {
  readonly result: Value | undefined;
  readonly memory: readonly number[];
  readonly notes: readonly number[];
}

function left(run: (noted: (n: number) => number) => Value | undefined): Left {
  u8.forEach((_, i) => i < BYTES && (u8[i] = (i * 37) & 0xff));
  const notes: number[] = [];
  const result = run((n) => notes.push(n));
  return { result: typeof result === "bigint" ? BigInt.asUintN(64, result) : result, memory: [...u8.subarray(0, BYTES)], notes };
}

function evaluated(body: Body, args: readonly Value[]): Left {
  const bodies = new Map([[swap.name, Builder.build(swap)]]);
  return left((noted) => evaluate(body, args, { view, u8, body: (r) => bodies.get(r.name)!, host: (_name, [n]) => noted(Number(n)) }));
}

function compile(m: ModuleBuilder, index: number, body: Body, resolve: (c: Callee) => number, code = new Code()): void {
  const locals = new LocalPool(body.params.length);
  emit(body, { code, locals, params: body.params.map((_, i) => i), resolve });
  m.define(index, body.signature, locals.types, body.signature.result === undefined ? code : code.unreachable());
}

function run(body: Body, args: readonly Value[]): Left {
  const m = new ModuleBuilder();
  m.importMemory("env", "memory", 1, 1, false);
  const noteIndex = m.importFunction("env", "note", note);
  const [index, swapIndex] = [m.declare(), m.declare()];
  const resolve = (c: Callee): number => (c.kind === "host" ? noteIndex : swapIndex);
  compile(m, index, body, resolve);
  compile(m, swapIndex, Builder.build(swap), resolve);
  m.exportFunction("run", index);
  const module = new WebAssembly.Module(m.finish() as Uint8Array<ArrayBuffer>);
  return left((noted) => {
    const exports = new WebAssembly.Instance(module, { env: { memory, note: noted } }).exports;
    return (exports["run"] as (...values: readonly Value[]) => Value)(...args);
  });
}

function expectSame(body: Body, ...args: readonly Value[]): Left {
  const wanted = evaluated(body, args);
  expect(run(body, args)).toEqual(wanted);
  return wanted;
}

// ── random programs ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** A step of a program. Numbers choose among what is in scope, whatever that is. */
type Step =
  | { readonly k: "value"; readonly type: "i32" | "i64"; readonly op: number; readonly a: number; readonly b: number }
  | { readonly k: "load" | "store" | "get" | "set" | "swap" | "note" | "copy" | "return"; readonly a: number; readonly b: number }
  | { readonly k: "if" | "choose" | "switch" | "block" | "loop"; readonly a: number; readonly parts: readonly (readonly Step[])[] };

const VALUES = {
  i32: ["add", "sub", "mul", "and", "or", "xor", "shl", "shrU", "shrS", "rotl", "eq", "ltU", "geS"],
  i64: ["add", "sub", "mul", "and", "or", "xor", "shl", "shrU", "shrS", "rotr"],
} as const;

const { program } = fc.letrec<{ program: Step[]; step: Step }>((tie) => ({
  program: fc.array(tie("step"), { minLength: 1, maxLength: 8 }),
  step: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.record({ k: fc.constant("value" as const), type: fc.constantFrom("i32", "i64"), op: fc.nat(40), a: fc.nat(40), b: fc.nat(40) }),
    fc.record({ k: fc.constantFrom("load", "store", "get", "set", "swap", "note", "copy", "return"), a: fc.nat(40), b: fc.nat(40) }),
    fc.record({
      k: fc.constantFrom("if", "choose", "switch", "block", "loop"),
      a: fc.nat(40),
      parts: fc.array(tie("program"), { minLength: 3, maxLength: 3 }),
    }),
  ),
}));

/** Turns steps into statements; `values` and `labels` are what is in scope. */
class Writer {
  readonly b: Builder = new Builder(SIGNATURE);
  #values: Record<"i32" | "i64", Expr[]> = { i32: [], i64: [] };
  #labels: Label[] = [];
  readonly #variables: Variable[] = [];

  constructor(steps: readonly Step[]) {
    const { b } = this;
    for (const p of b.params()) this.#add(p);
    for (const n of [1, -7]) this.#add(b.i32(n));
    for (const n of [3n, -1n]) this.#add(b.i64(n));
    this.#variables.push(b.variable(b.i64(5)), b.variable(this.#pick("i64", 0)));
    this.write(steps);
    b.return(this.#pick("i64", 40));
  }

  #add(e: Expr): void {
    this.#values[e.type as "i32" | "i64"].push(e);
  }

  /** Mostly something recent. */
  #pick(type: "i32" | "i64", n: number): Expr {
    const list = this.#values[type];
    return list[list.length - 1 - (n % list.length)]!;
  }

  #inside(steps: readonly Step[], ...labels: readonly Label[]): void {
    const outer = [this.#values, this.#labels] as const;
    this.#values = { i32: [...outer[0].i32], i64: [...outer[0].i64] };
    this.#labels = [...outer[1], ...labels];
    this.write(steps);
    const label = this.#labels[steps.length % 5];
    if (label) this.b.br(label, this.#pick("i32", 0));
    [this.#values, this.#labels] = outer;
  }

  #address(n: number): Expr {
    return this.b.and(this.#pick("i32", n), 0x38);
  }

  write(steps: readonly Step[]): void {
    for (const s of steps) {
      if (s.k === "value") this.#value(s.type, s.op, s.a, s.b);
      else if ("parts" in s) this.#control(s);
      else this.#simple(s);
    }
  }

  #value(type: "i32" | "i64", op: number, a: number, b: number): void {
    const o = this.b;
    const [x, y] = [this.#pick(type, a), this.#pick(type, b)];
    const name = VALUES[type][op % (VALUES[type].length + 3)];
    if (name !== undefined) this.#add(o[name](x, y));
    else if (op % 2) this.#add(type === "i32" ? o.extS(x) : o.wrap(x));
    else this.#add(o.select(this.#pick("i32", op), x, y));
  }

  #simple(s: Step & { readonly b: number; readonly k: string }): void {
    const o = this.b;
    const variable = this.#variables[s.a % 2]!;
    switch (s.k) {
      case "load":
        return this.#add(s.a % 2 ? o.load("i32.load8_u", this.#address(s.b), 3) : o.load("i64.load", this.#address(s.b), s.a));
      case "store":
        return s.a % 2
          ? o.store("i32.store16", this.#address(s.b), this.#pick("i32", s.a), 2)
          : o.store("i64.store", this.#address(s.b), this.#pick("i64", s.a));
      case "get":
        return this.#add(o.get(variable));
      case "set":
        return o.set(variable, this.#pick("i64", s.b));
      case "swap":
        return this.#add(o.call(swap, this.#address(s.a), this.#pick("i32", s.b)));
      case "note":
        return this.#add(o.call(note, this.#pick("i32", s.a)));
      case "copy":
        return s.a % 2
          ? o.copy(this.#address(s.a), this.#address(s.b), o.i32(12))
          : o.fill(this.#address(s.a), this.#pick("i32", s.b), o.i32(5));
      default:
        return o.if(o.eq(this.#pick("i32", s.a), s.b), () => o.return(this.#pick("i64", s.b)));
    }
  }

  #control(s: Step & { readonly parts: readonly (readonly Step[])[] }): void {
    const o = this.b;
    const on = this.#pick("i32", s.a);
    const [first = [], second = [], third = []] = s.parts;
    switch (s.k) {
      case "if":
        return o.if(on, () => this.#inside(first), s.a % 2 ? () => this.#inside(second) : undefined);
      case "choose":
        return this.#add(
          o.choose(
            on,
            () => this.#side(first, s.a),
            () => this.#side(second, s.a + 1),
          ),
        );
      case "switch":
        return o.switch(o.and(on, 3), [() => this.#inside(first), () => this.#inside(second)], () => this.#inside(third));
      case "block":
        return o.block((leave) => this.#inside(first, leave));
      default: {
        const count = o.variable(o.i32(0));
        return o.loop((leave, again) => {
          o.br(leave, o.geU(o.get(count), (s.a % 3) + 1));
          o.set(count, o.add(o.get(count), 1));
          this.#inside(first, leave, again);
        });
      }
    }
  }

  #side(steps: readonly Step[], n: number): Expr {
    const outer = this.#values;
    this.#values = { i32: [...outer.i32], i64: [...outer.i64] };
    this.write(steps);
    const value = this.#pick("i64", n);
    this.#values = outer;
    return value;
  }
}

describe("emitted code does what the evaluator does", () => {
  it("on random programs", () => {
    const int64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
    fc.assert(
      fc.property(program, fc.integer(), int64, (steps, n, m) => void expectSame(new Writer(steps).b.finish(), n, m)),
      { numRuns: 150 },
    );
  });
});

// ── what the random programs rest on, one by one ────────────────────────────────────────────────────────────────────────

function body(result: Type | undefined, write: (b: Builder, n: Expr) => void): Body {
  const b = new Builder({ name: "test", params: ["i32"], result, faults: false });
  write(b, b.params()[0]!);
  return b.finish();
}

describe("emitted code", () => {
  it("reads before a store what was read before it", () => {
    const { memory: bytes } = expectSame(
      body(undefined, (b, at) => {
        const before = b.load("i32.load8_u", at);
        b.store("i32.store8", at, b.i32(0xee));
        b.store("i32.store8", at, before, 1);
      }),
      8,
    );
    expect(bytes.slice(8, 10)).toEqual([0xee, (8 * 37) & 0xff]);
  });

  it("reads before a call and before an assignment", () => {
    const { result } = expectSame(
      body("i32", (b, at) => {
        const v = b.variable(b.i32(5));
        const [word, old] = [b.load("i32.load", at), b.get(v)];
        b.set(v, b.i32(6));
        const was = b.call(swap, at, b.i32(1));
        b.return(b.add(b.sub(word, was), b.add(b.mul(old, 100), b.get(v))));
      }),
      16,
    );
    expect(result).toBe(506);
  });

  it("computes what is used twice once, and what is not used never", () => {
    class Counting extends Code {
      readonly counts = new Map<string, number>();
      override op(name: string, imm?: number | Uint8Array): this {
        this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
        return super.op(name, imm);
      }
    }
    const code = new Counting();
    const built = body("i32", (b, n) => {
      const product = b.mul(n, 3);
      b.clz(n);
      b.return(b.add(product, b.xor(product, n)));
    });
    compile(new ModuleBuilder(), 0, built, () => 0, code);
    expect(Object.fromEntries(code.counts)).toEqual({ "i32.mul": 1, "i32.add": 1, "i32.xor": 1 });
  });

  it("switches on unsigned numbers, without falling through", () => {
    const built = body("i32", (b, n) => {
      const v = b.variable(b.i32(0));
      const add = (k: number) => (): void => b.set(v, b.add(b.get(v), k));
      b.switch(n, [add(1), add(10), add(100)], add(1000));
      b.return(b.get(v));
    });
    expect([0, 1, 2, 3, -1].map((n) => expectSame(built, n).result)).toEqual([1, 10, 100, 1000, 1000]);
  });

  it("leaves nested loops by their labels", () => {
    const built = body("i32", (b, n) => {
      const [i, sum] = [b.variable(b.i32(0)), b.variable(b.i32(0))];
      b.loop((leave, again) => {
        b.set(i, b.add(b.get(i), 1));
        b.loop((inner) => {
          b.br(leave, b.gtU(b.get(i), n));
          b.br(again, b.and(b.get(i), 1));
          b.set(sum, b.add(b.get(sum), b.get(i)));
          b.br(inner);
        });
      });
      b.return(b.get(sum));
    });
    expect([0, 1, 6, 7].map((n) => expectSame(built, n).result)).toEqual([0, 0, 12, 12]);
  });

  it("is refused for a label that is not around the branch", () => {
    const built = body(undefined, (b) => {
      const labels: Label[] = [];
      b.block((leave) => void labels.push(leave));
      b.br(labels[0]!);
    });
    expect(() => run(built, [0])).toThrow("branch to a label that is not around it");
  });

  it("gives the next routine of a function the locals of the last", () => {
    const locals = new LocalPool(2);
    const first = [locals.alloc("i32"), locals.alloc("i64"), locals.alloc("i32")];
    locals.reset();
    expect([locals.alloc("i64"), locals.alloc("i32"), locals.alloc("i32"), locals.alloc("i64")]).toEqual([3, first[0], first[2], 5]);
    expect(locals.types).toEqual(["i32", "i64", "i32", "i64"]);
  });
});
