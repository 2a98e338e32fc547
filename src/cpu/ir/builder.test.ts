import { describe, expect, it } from "vitest";
import { at } from "../state.ts";
import { Builder, hostFunction, routine } from "./builder.ts";
import { evaluate, type Value } from "./evaluate.ts";
import type { Expr, Type } from "./types.ts";

const u8 = new Uint8Array(1024);
const view = new DataView(u8.buffer);
const mayFault = hostFunction("mayFault", ["i32"], "i32", { faults: true });

function builder(result: Type | undefined = "i32", faults = false): Builder {
  return new Builder({ name: "test", params: ["i32", "i64"], result, faults });
}

/** Runs what was built with base 0; `mayFault` raises a guest exception for 13. */
function run(b: Builder, ...args: readonly Value[]): Value | undefined {
  const host = (_name: string, [n]: readonly Value[]): Value => {
    if (n === 13) view.setInt32(at("fault"), 1, true);
    return 77;
  };
  view.setInt32(at("fault"), 0, true);
  return evaluate(b.finish(), args, { view, u8, body: Builder.build, host });
}

describe("expressions", () => {
  it("take the type of their operands, and literals become constants of it", () => {
    const b = builder();
    const [n, m] = b.params() as [Expr, Expr];
    expect([b.add(n, 1).op, b.add(m, 1).op, b.ltU(m, 5n).op]).toEqual(["i32.add", "i64.add", "i64.lt_u"]);
    expect([b.add(n, 1).type, b.add(m, 1).type, b.ltU(m, 5n).type]).toEqual(["i32", "i64", "i32"]);
    expect([b.add(n, 0xffff_ffff).args[1]?.imm, b.add(m, 0xffff_ffff_ffff_ffffn).args[1]?.imm]).toEqual([-1, -1n]);
  });

  it("of two types are refused", () => {
    const b = builder();
    const [n, m] = b.params() as [Expr, Expr];
    expect(() => b.add(n, m)).toThrow("test: add of i32 and i64");
    expect(() => b.set(b.variable(n), m)).toThrow("test: i64 into a variable of i32");
    expect(() => b.call(mayFault, m)).toThrow("mayFault: argument 0 is i64");
    expect(() => b.call(mayFault)).toThrow("mayFault takes 1 arguments");
    expect(() => b.v128(new Uint8Array(8))).toThrow("16 bytes");
  });

  it("that change nothing are their operand", () => {
    const b = builder();
    const n = b.params()[0]!;
    for (const same of [b.add(n, 0), b.sub(n, 0), b.or(n, 0), b.xor(n, 0), b.shl(n, 0), b.shrU(n, 0), b.and(n, -1)]) expect(same).toBe(n);
    for (const other of [b.and(n, 0), b.mul(n, 0), b.eq(n, 0), b.rotl(n, 0), b.or(n, -1)]) expect(other).not.toBe(n);
    expect(b.op("f64.add", "f64", b.f64(1), b.f64(0.5)).args).toHaveLength(2);
  });

  it("are cut and extended to widths", () => {
    const b = builder("i64");
    const m = b.params()[1]!;
    b.return(b.add(b.zext(m, 8), b.sext(m, 16)));
    expect([b.zext(m, 64), b.sext(m, 64)]).toEqual([m, m]);
    expect(run(b, 0, 0x1234_80ffn)).toBe(BigInt.asUintN(64, 0xffn + BigInt.asIntN(16, 0x80ffn)));
  });
});

describe("control flow", () => {
  it("evaluates one side of a choice only", () => {
    const b = builder();
    const [n] = b.params() as [Expr];
    const side = (k: number) => (): Expr => {
      b.store("i32.store", b.i32(512), b.add(b.load("i32.load", b.i32(512)), k));
      return b.i32(k);
    };
    b.return(b.choose(n, side(1), side(10)));
    view.setInt32(512, 0, true);
    expect([run(b, 5, 0n), view.getInt32(512, true)]).toEqual([1, 1]);
    expect([run(b, 0, 0n), view.getInt32(512, true)]).toEqual([10, 11]);
  });

  it("asks for the condition of a `while` each time", () => {
    const b = builder();
    const left = b.variable(b.params()[0]!);
    const rounds = b.variable(b.i32(0));
    b.while(
      () => b.gtS(b.get(left), 0),
      () => {
        b.set(left, b.sub(b.get(left), 3));
        b.set(rounds, b.add(b.get(rounds), 1));
      },
    );
    b.return(b.get(rounds));
    expect([0, 1, 3, 4, 9].map((n) => run(b, n, 0n))).toEqual([0, 1, 1, 2, 3]);
  });

  it("goes on behind a block whose label was taken", () => {
    const b = builder();
    const v = b.variable(b.i32(1));
    b.block((leave) => {
      b.br(leave, b.params()[0]!);
      b.set(v, b.i32(2));
    });
    b.return(b.get(v));
    expect([run(b, 7, 0n), run(b, 0, 0n)]).toEqual([1, 2]);
  });
});

describe("calls", () => {
  it("stop a routine whose callee raised a guest exception", () => {
    const b = builder("i32", true);
    b.call(mayFault, b.load("i32.load", b.i32(256)));
    b.return(b.i32(1));
    view.setInt32(256, 12, true);
    expect(run(b, 0, 0n)).toBe(1);
    view.setInt32(256, 13, true);
    expect(run(b, 0, 0n)).toBe(0);
  });

  it("go on when they are unchecked", () => {
    const b = builder("i32", false);
    b.return(b.callUnchecked(mayFault, b.i32(13)));
    expect(run(b, 0, 0n)).toBe(77);
  });

  it("of what may fault are refused in a routine that may not", () => {
    expect(() => builder("i32", false).call(mayFault, builder().i32(0))).toThrow("calls a routine that may fault, so it may itself");
  });

  it("of what is always inlined are none, and such a routine returns at its end only", () => {
    const twice = routine("twice", ["i32"], "i32", (b, n) => b.return(b.add(n, n)), { inlined: "always" });
    const b = builder();
    const [n] = b.params() as [Expr, Expr];
    b.return(b.call(twice, b.call(twice, n)));
    expect(b.finish().stmts.some(({ k }) => k === "call")).toBe(false);
    expect(run(b, 5, 0n)).toBe(20);
    const early = routine("early", ["i32"], "i32", (o, e) => o.if(e, () => o.return(e)), { inlined: "always" });
    expect(() => builder().call(early, n)).toThrow("returns at its end only");
  });

  it("pass arguments and results of routines", () => {
    const twice = routine("twice", ["i64"], "i64", (b, n) => b.return(b.mul(n, 2)));
    const b = builder("i64");
    b.return(b.add(b.call(twice, b.params()[1]!), b.call(twice, b.i64(5))));
    expect(run(b, 0, 16n)).toBe(42n);
  });
});
