// A region's routine means the same to the evaluator and, emitted, to WebAssembly.
import { beforeAll, describe, expect, it } from "vitest";
import { ProgramGenerator } from "../engine/generator.ts";
import { TLB, VIEW } from "../engine/layout.ts";
import { Builder, routine } from "../ir/builder.ts";
import { evaluate, type Value } from "../ir/evaluate.ts";
import type { Callee } from "../ir/types.ts";
import { at, EXIT, MODE, XMM } from "../state.ts";
import { codeSource } from "../../testing/code-source.ts";
import { bodyOf } from "./region-body.ts";
import { moduleOf, RegionImports } from "./region-module.ts";
import { RegionTranslator } from "./translator.ts";

const BASE = 0x1_0000;
const MEMORY_PAGES = 40;
const CODE = 0x20_0000;
const DATA = 0x21_0000;
const STATE_BYTES = 0x600;
const BUDGET = 1000;
/** What both sides call where a region is left: notes the address. */
const leave = routine("code.enter", ["i32", "i64"], "i32", (b, base, linear) => {
  b.store("i64.store", base, linear, at("rip"));
  b.return(b.i32(EXIT.none));
});

/** 64-bit code at linear 200000h, host page by host page as it lies in memory; data behind it. */
const FRAGMENTS: Readonly<Record<string, readonly number[]>> = {
  "add, adc, jnc over a mov": [0x48, 0x01, 0xd8, 0x11, 0xca, 0x73, 0x05, 0xb9, 1, 0, 0, 0],
  "cmp of bytes, setl, cmovbe": [0x38, 0xd9, 0x0f, 0x9c, 0xc0, 0x48, 0x0f, 0x46, 0xd3],
  "partial registers": [0x00, 0xe0, 0x66, 0x41, 0x01, 0xc0, 0x0f, 0xb6, 0xcc, 0x28, 0xd1],
  "shift by CL, rotate through carry": [0xd3, 0xe0, 0x48, 0xd1, 0xd3, 0xc0, 0xca, 0x03],
  "a loop that sums": [0x01, 0xc8, 0x83, 0xd2, 0x00, 0xff, 0xc9, 0x75, 0xf7],
  "store, load, add to memory": [0x48, 0x89, 0x06, 0x8b, 0x5e, 0x04, 0x66, 0x01, 0x46, 0x02, 0x80, 0x2e, 0x07],
  "push, pop, lea": [0x50, 0x53, 0x59, 0x5a, 0x48, 0x8d, 0x44, 0x4b, 0x10],
  "packed integers and a scalar double": [
    0x66, 0x0f, 0xfe, 0xc1, 0x66, 0x0f, 0x6f, 0xd0, 0xf2, 0x0f, 0x58, 0xd1, 0x66, 0x0f, 0x2e, 0xd0, 0x0f, 0x97, 0xc0,
  ],
  "a store beyond what the TLB knows": [0x01, 0xc8, 0x48, 0x89, 0x86, 0x00, 0x10, 0x00, 0x00],
};

let translator: RegionTranslator;
beforeAll(() => {
  translator = new RegionTranslator(new ProgramGenerator());
});

function freshMemory(code: readonly number[]): WebAssembly.Memory {
  const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES, shared: true });
  const u8 = new Uint8Array(memory.buffer);
  const view = new DataView(memory.buffer);
  // INT3 behind the fragment: the region is left there.
  u8.fill(0xcc, CODE, CODE + 0x1000);
  u8.set(code, CODE);
  for (let i = 0; i < 16; i++) view.setBigUint64(BASE + i * 8, 0x9e37_79b9_7f4a_7c15n ^ (0x1_0101_0101n * BigInt(i)), true);
  view.setBigUint64(BASE + 8, 5n, true);
  view.setBigUint64(BASE + 6 * 8, BigInt(DATA + 0x80), true);
  view.setBigUint64(BASE + 4 * 8, BigInt(DATA + 0x800), true);
  for (let i = 0; i < 32; i++) view.setFloat64(BASE + XMM + i * 8, 1.25 * i - 7, true);
  for (let i = 0; i < 64; i++) view.setUint32(DATA + 0x80 + i * 4, Math.imul(i + 1, 0x9e37_79b1), true);
  view.setUint32(BASE + at("mxcsr"), 0x1fa0, true);
  view.setUint32(BASE + at("mode"), MODE.long, true);
  view.setUint32(BASE + at("tlbView"), BASE + VIEW.user, true);
  view.setBigUint64(BASE + at("ripPage"), BigInt(CODE), true);
  for (const page of [CODE, DATA]) {
    const entry = BASE + VIEW.user + ((page >>> 12) & (TLB.entries - 1)) * TLB.size;
    for (const tag of [TLB.read, TLB.write, TLB.execute]) view.setBigUint64(entry + tag, BigInt(page), true);
    view.setUint32(entry + TLB.host, page, true);
  }
  return memory;
}

const draftOf = (memory: WebAssembly.Memory): NonNullable<ReturnType<RegionTranslator["draft"]>> => {
  const source = codeSource({
    page: (host) => new Uint8Array(memory.buffer).slice(host, host + 0x1000),
    hostPage: (n) => (n === 0 ? CODE : 0),
  });
  return translator.draft(source, CODE) ?? expect.fail("no region");
};

describe.each(Object.entries(FRAGMENTS))("%s", (_name, code) => {
  it("leaves the same state", () => {
    const [one, other] = [freshMemory(code), freshMemory(code)];
    const draft = draftOf(one);
    const bodies = new Map([[leave.name, Builder.build(leave)]]);
    const u8 = new Uint8Array(one.buffer);
    evaluate(draft.region.body, [0x1000, BASE, BUDGET], {
      view: new DataView(one.buffer),
      u8,
      body: (callee: Callee & { kind: "routine" }) => bodies.get(callee.name) ?? Builder.build(callee),
      host: (name): Value => (name === "complete" ? 0 : expect.fail(`calls ${name}`)),
    });
    const view = new DataView(other.buffer);
    const functions = {
      memory: other,
      complete: (): number => 0,
      "code.enter": (base: number, linear: bigint): number => {
        view.setBigUint64(base + at("rip"), BigInt.asUintN(64, linear), true);
        return EXIT.none;
      },
    };
    const imports = new RegionImports();
    const module = moduleOf(imports, [{ id: 0, body: bodyOf(draft.region, imports) }]);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(module), { env: functions });
    (instance.exports["0"] as (record: number, base: number, budget: number) => unknown)(0x1000, BASE, BUDGET);
    const bytes = (memory: WebAssembly.Memory): Buffer => Buffer.from(new Uint8Array(memory.buffer));
    expect(bytes(one).compare(bytes(other))).toBe(0);
    // Something happened, and it ended behind the entry.
    expect(bytes(other).subarray(BASE, BASE + STATE_BYTES)).not.toEqual(bytes(freshMemory(code)).subarray(BASE, BASE + STATE_BYTES));
  });
});
