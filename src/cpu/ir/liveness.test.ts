import { describe, expect, it } from "vitest";
import { Builder } from "./builder.ts";
import { place } from "./liveness.ts";
import type { Expr } from "./types.ts";

/** Which of the named expressions are computed where they are used. */
function placed(write: (b: Builder, at: Expr) => Record<string, Expr>): Record<string, boolean> {
  const b = new Builder({ name: "test", params: ["i32"], result: undefined, faults: false });
  const named = write(b, b.base());
  const { inline } = place(b.finish());
  return Object.fromEntries(Object.entries(named).map(([name, e]) => [name, inline(e)]));
}

describe("where expressions are computed", () => {
  it("pure ones at their only use, wherever that is", () => {
    expect(
      placed((b, at) => {
        const [one, two] = [b.op("i32.extend8_s", "i32", at), b.op("i32.extend16_s", "i32", at)];
        const once = b.shl(b.or(one, b.clz(two)), 3);
        const twice = b.mul(b.clz(one), 5);
        b.store("i32.store", one, twice);
        b.if(two, () => b.store("i32.store", once, twice));
        return { once, twice };
      }),
    ).toEqual({ once: true, twice: false });
  });

  it("constants always", () => {
    expect(
      placed((b) => {
        const five = b.i32(5);
        b.store("i32.store", five, five);
        return { five };
      }),
    ).toEqual({ five: true });
  });

  it("reads at their only use, when nothing happens in between", () => {
    expect(
      placed((b, at) => {
        const [near, far] = [b.load("i32.load", at), b.load("i32.load", at, 4)];
        b.store("i32.store", at, b.add(near, 1), 8);
        b.store("i32.store", at, far, 12);
        return { near, far };
      }),
    ).toEqual({ near: true, far: false });
  });

  it("reads below what moves beyond an effect where they were created", () => {
    expect(
      placed((b, at) => {
        const read = b.load("i32.load", at);
        const sum = b.add(read, 1);
        b.store("i32.store", at, b.i32(0));
        b.store("i32.store", at, sum, 4);
        return { read, sum };
      }),
    ).toEqual({ read: false, sum: true });
  });

  it("reads before a branch or a loop not inside it, but as its condition", () => {
    expect(
      placed((b, at) => {
        const [condition, inner] = [b.load("i32.load", at), b.load("i32.load", at, 4)];
        b.if(condition, () => b.store("i32.store", at, inner));
        return { condition, inner };
      }),
    ).toEqual({ condition: true, inner: false });
  });

  it("results of calls in a local", () => {
    const callee = { kind: "host", name: "f", params: [], result: "i32", faults: false } as const;
    expect(
      placed((b, at) => {
        const result = b.call(callee);
        b.store("i32.store", at, result);
        return { result };
      }),
    ).toEqual({ result: false });
  });

  it("uses by what is itself unused do not count", () => {
    expect(
      placed((b, at) => {
        const shared = b.clz(at);
        b.mul(shared, 3);
        b.store("i32.store", at, shared);
        return { shared };
      }),
    ).toEqual({ shared: true });
  });
});
