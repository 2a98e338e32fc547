// Which numbers in code are parameters, and what a shape says of them.
import { beforeAll, describe, expect, it } from "vitest";
import { Decoder } from "../decode/decoder.ts";
import { ProgramGenerator } from "../engine/generator.ts";
import { INTERNAL_HANDLERS } from "../engine/layout.ts";
import type { RegionParameter } from "../engine/region-shape.ts";
import { codeSource } from "../../testing/code-source.ts";
import { discover } from "./graph.ts";
import { kernelParameters } from "./parameters.ts";

const PAGE = 0x20_0000;
/** RET. */
const END = 0xc3;

let program: ProgramGenerator;
beforeAll(() => {
  program = new ProgramGenerator();
});

/** Where in the code at the beginning of a page parameters are, and of what size. */
function found(...code: readonly number[]): string[] {
  const page = new Uint8Array(0x1000).fill(END);
  page.set(code);
  const source = codeSource({ page: () => page, isKernel: true, hostPage: (n) => (n === 0 ? PAGE : 0) });
  const { handlers } = program.set;
  const graph = discover(source, new Decoder(program.plan.tables), (d) => handlers[d.handler - INTERNAL_HANDLERS]!, 0);
  if (!graph) return expect.fail("no code");
  const parameters = kernelParameters(graph, (i) => page.subarray(i.delta, i.delta + i.length));
  const described: readonly RegionParameter[] = parameters.describe(graph.ranges, 0, new Map());
  return described.map(({ at, size }) => `${at}+${size}`);
}

describe("parameters of kernel code", () => {
  it("are immediates that look like addresses", () => {
    // `mov rdi, ffffffff81000000h`, `push 80001234h`, `mov rax, ffff888000000000h`
    expect(found(0x48, 0xc7, 0xc7, 0, 0, 0, 0x81)).toEqual(["3+4"]);
    expect(found(0x68, 0x34, 0x12, 0x00, 0x80)).toEqual(["1+4"]);
    expect(found(0x48, 0xb8, 0, 0, 0, 0, 0x80, 0x88, 0xff, 0xff)).toEqual(["2+8"]);
  });

  it("are displacements that look like addresses, with and without an immediate behind them", () => {
    // `mov rax, [rdi*8 + 82000000h]`, `cmp byte [rax + 82000000h], 5`, `mov dword [rax + 82000000h], 81000000h`
    expect(found(0x48, 0x8b, 0x04, 0xfd, 0, 0, 0, 0x82)).toEqual(["4+4"]);
    expect(found(0x80, 0xb8, 0, 0, 0, 0x82, 5)).toEqual(["2+4"]);
    expect(found(0xc7, 0x80, 0, 0, 0, 0x82, 0, 0, 0, 0x81)).toEqual(["2+4", "6+4"]);
  });

  it("are distances of per-CPU data, and no other ones from RIP", () => {
    // `mov rax, gs:[rip + 100000h]`, `mov rax, [rip + 100000h]`
    expect(found(0x65, 0x48, 0x8b, 0x05, 0, 0, 0x10, 0)).toEqual(["4+4"]);
    expect(found(0x48, 0x8b, 0x05, 0, 0, 0x10, 0)).toEqual([]);
  });

  it("are not small numbers, nor where a branch leads", () => {
    // `add rsp, -256`, `mov eax, [rbp - 4096]`, `mov eax, 7fffffffh`, `call` far back
    expect(found(0x48, 0x81, 0xc4, 0, 0xff, 0xff, 0xff)).toEqual([]);
    expect(found(0x8b, 0x85, 0, 0xf0, 0xff, 0xff)).toEqual([]);
    expect(found(0xb8, 0xff, 0xff, 0xff, 0x7f)).toEqual([]);
    expect(found(0xe8, 0, 0, 0, 0x81)).toEqual([]);
  });

  it("are not in doubt: a number that might stand in two places, or is an address of its own, is none", () => {
    // `cmp byte gs:[rip + 0], 0` and `mov eax, [81818181_81818181h]`
    expect(found(0x65, 0x80, 0x3d, 0, 0, 0, 0, 0)).toEqual([]);
    expect(found(0xa1, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81)).toEqual([]);
  });

  it("are not among bytes that are another instruction's too", () => {
    // `jz` into `mov eax, 90909090h`: its last bytes are NOPs on their own.
    expect(found(0x74, 2, 0xb8, 0x90, 0x90, 0x90, 0x90)).toEqual([]);
    expect(found(0x74, 0, 0xb8, 0x90, 0x90, 0x90, 0x90)).toEqual(["3+4"]);
  });
});
