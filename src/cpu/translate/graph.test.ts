import { beforeAll, describe, expect, it } from "vitest";
import { Decoder } from "../decode/decoder.ts";
import { ProgramGenerator } from "../engine/generator.ts";
import { INTERNAL_HANDLERS } from "../engine/layout.ts";
import type { WaysGone } from "./source.ts";
import { codeSource } from "../../testing/code-source.ts";
import { discover, LIMITS, type RegionGraph } from "./graph.ts";

let program: ProgramGenerator;
let decoder: Decoder;
beforeAll(() => {
  program = new ProgramGenerator();
  decoder = new Decoder(program.plan.tables);
});

const PAGE = 0x1000;
const NOP = 0x90;
const RET = 0xc3;
/** `jz` and `jmp` with eight bits, `call` and `jmp` with 32: opcodes in front of a distance. */
const [JZ, JMP8, CALL, JMP] = [0x74, 0xeb, 0xe8, 0xe9];
const far = (distance: number): number[] => [0, 8, 16, 24].map((shift) => (distance >> shift) & 0xff);

interface Scene {
  /** Bytes by delta. */
  readonly code: Readonly<Record<number, readonly number[]>>;
  /** Pages whose host address is known, 0 among them; default the first eight. */
  readonly pages?: readonly number[];
  readonly known?: (delta: number) => boolean;
  /** Where pointers lead, by their deltas. */
  readonly pointers?: ReadonlyMap<number, number>;
  /** Where indirect branches went, by their deltas; deltas too, since they lie in page 0. */
  readonly targets?: ReadonlyMap<number, readonly number[]>;
  /** How often conditional branches went each way, by their deltas. */
  readonly ways?: ReadonlyMap<number, WaysGone>;
  /** Instructions of regions that are there, by the deltas where they are entered; hot places. */
  readonly covered?: ReadonlyMap<number, number>;
  readonly hot?: readonly number[];
  /** Default 0. */
  readonly entry?: number;
}

/** The graph from delta 0; page n of the guest lies at host page n + 1. */
function graphOf(scene: Scene): RegionGraph {
  const { code, pages = [0, 1, 2, 3, 4, 5, 6, 7], known = () => true, pointers = new Map(), targets = new Map(), entry = 0 } = scene;
  const { ways = new Map(), covered = new Map(), hot = [] } = scene;
  const u8 = new Uint8Array(16 * PAGE).fill(NOP);
  for (const [delta, bytes] of Object.entries(code)) u8.set(bytes, PAGE + Number(delta));
  const source = codeSource({
    page: (host) => u8.subarray(host, host + PAGE),
    hostPage: (n) => (pages.includes(n) ? (n + 1) * PAGE : 0),
    hot: (host) => hot.includes(host - PAGE),
    known: (host) => known(host - PAGE),
    entered: (host) => covered.has(host - PAGE),
    sizeAt: (host) => covered.get(host - PAGE) ?? 0,
    records: (host) => [host],
    ways: ([host]) => ways.get(host! - PAGE) ?? { taken: 0, notTaken: 0 },
    targets: (host) => targets.get(host - PAGE) ?? [],
    pointer: (delta) => pointers.get(delta),
    deltaOf: (address) => address,
  });
  const graph = discover(source, decoder, (d) => program.set.handlers[d.handler - INTERNAL_HANDLERS]!, entry);
  return graph ?? expect.fail("nothing was found");
}

const deltas = ({ blocks }: RegionGraph): number[] => blocks.map((b) => b.delta);
/** Edges by the deltas of their ends. */
const edges = ({ blocks }: RegionGraph): string[] =>
  blocks.flatMap((b) => b.successors.map((to) => `${b.delta}>${blocks[to]!.delta}`)).sort();

describe("a region's graph", () => {
  it("follows both ways of a branch and joins them again", () => {
    const graph = graphOf({ code: { 0: [JZ, 3], 2: [NOP, JMP8, 1], 5: [NOP], 6: [RET] } });
    expect(new Set(deltas(graph))).toEqual(new Set([0, 2, 5, 6]));
    expect(edges(graph)).toEqual(["0>2", "0>5", "2>6", "5>6"]);
  });

  it("splits a block where a branch leads into it", () => {
    const graph = graphOf({ code: { 0: [NOP, NOP, JZ, 0xfd], 4: [RET] } });
    expect(edges(graph)).toEqual(["0>1", "1>1", "1>4"]);
    expect(graph.blocks[0]!.instructions).toHaveLength(1);
  });

  it("leads from a callee's return to behind each call that may have led there", () => {
    const graph = graphOf({ code: { 0: [CALL, ...far(0x100 - 5)], 5: [CALL, ...far(0x100 - 10)], 10: [RET], 0x100: [NOP, RET] } });
    expect(edges(graph)).toEqual(["0>256", "256>10", "256>5", "5>256"]);
    expect(graph.returns.get(graph.at.get(0x100)!)).toEqual([5, 10]);
  });

  it("takes the returns of a function's callee for the callee's own", () => {
    const code = { 0: [CALL, ...far(0x100 - 5)], 5: [RET], 0x100: [CALL, ...far(0x200 - 0x105)], 0x105: [RET], 0x200: [RET] };
    const graph = graphOf({ code });
    expect(graph.returns.get(graph.at.get(0x105)!)).toEqual([5]);
    expect(graph.returns.get(graph.at.get(0x200)!)).toEqual([0x105]);
  });

  it("leaves out branch targets that have never run, but not what follows", () => {
    const graph = graphOf({ code: { 0: [JZ, 0x40], 2: [RET] }, known: () => false });
    expect(deltas(graph)).toEqual([0, 2]);
  });

  it("leaves out the way that a branch seldom goes, unless what is there is hot", () => {
    const code = { 0: [JZ, 0x20], 2: [JZ, 0x40], 4: [RET], 0x22: [RET], 0x44: [RET] };
    const ways = new Map([
      [0, { taken: 1, notTaken: 300 }],
      [2, { taken: 1, notTaken: 100 }],
    ]);
    expect(new Set(deltas(graphOf({ code, ways })))).toEqual(new Set([0, 2, 4, 0x44]));
    expect(new Set(deltas(graphOf({ code, ways, hot: [0x22] })))).toEqual(new Set([0, 2, 4, 0x22, 0x44]));
  });

  it("does not fall through where a branch has always been taken, nor far into what is seldom met", () => {
    const code = { 0: [JZ, 0x20], 2: [RET], 0x22: [JZ, 0x20], 0x24: [RET], 0x44: [JZ, 0x20], 0x46: [RET], 0x66: [RET] };
    const seldom = { taken: 1, notTaken: 15 };
    const ways = new Map([
      [0, { taken: 9, notTaken: 0 }],
      [0x22, seldom],
      [0x44, seldom],
    ]);
    expect(new Set(deltas(graphOf({ code, ways })))).toEqual(new Set([0, 0x22, 0x24, 0x44, 0x46]));
  });

  it("ends where a larger region can be entered, and is entered behind a call to it", () => {
    const code = { 0: [CALL, ...far(0x100 - 5)], 5: [CALL, ...far(0x200 - 10)], 10: [JMP8, 4], 16: [RET], 0x100: [RET], 0x200: [RET] };
    const covered = new Map([
      [0x100, 200],
      [0x200, 3],
      [16, 100],
    ]);
    const graph = graphOf({ code, covered });
    expect(new Set(deltas(graph))).toEqual(new Set([0, 5, 10, 0x200]));
    expect(graph.entries.map((n) => graph.blocks[n]!.delta)).toEqual([0, 5]);
  });

  it("goes to other pages that are known, and says where they are", () => {
    const code = { 0: [JMP, ...far(PAGE - 5)], [PAGE]: [JMP, ...far(3 * PAGE - PAGE - 5)], [3 * PAGE]: [RET] };
    const graph = graphOf({ code, pages: [0, 1] });
    expect(deltas(graph)).toEqual([0, PAGE]);
    expect(graph.pages).toEqual([
      { pages: 0, host: PAGE },
      { pages: 1, host: 2 * PAGE },
    ]);
  });

  it("holds an instruction that crosses a page border, with the bytes of both pages", () => {
    const graph = graphOf({ code: { 0: [JMP, ...far(PAGE - 2 - 5)], [PAGE - 2]: [0xb8, 1, 0, 0, 0], [PAGE + 3]: [RET] } });
    expect(graph.blocks.flatMap((b) => b.instructions.map((i) => i.delta))).toEqual([0, PAGE - 2, PAGE + 3]);
    expect(graph.ranges).toEqual([
      { delta: 0, length: 5 },
      { delta: PAGE - 2, length: 2 },
      { delta: PAGE, length: 4 },
    ]);
  });

  it("ends before an instruction whose other page is not known", () => {
    const graph = graphOf({ code: { 0: [JMP, ...far(PAGE - 2 - 5)], [PAGE - 2]: [0xb8, 1, 0, 0, 0] }, pages: [0] });
    expect(graph.blocks.flatMap((b) => b.instructions.map((i) => i.delta))).toEqual([0]);
  });

  it("begins behind the page border when it is asked for an instruction that crosses it", () => {
    const graph = graphOf({ code: { [PAGE - 2]: [0xb8, 1, 0, 0, 0], [PAGE + 3]: [JMP, ...far(-10)] }, entry: PAGE - 2 });
    expect(deltas(graph)).toEqual([PAGE + 3, PAGE - 2]);
    expect(graph.entries).toEqual([0]);
  });

  it("follows a jump through a pointer, and comes back from a call through one", () => {
    const code = { 0: [0xff, 0x15, 0, 1, 0, 0], 6: [RET], 0x20: [0xff, 0x25, 0, 2, 0, 0], 0x40: [RET] };
    const pointers = new Map([
      [0x106, 0x20],
      [0x226, 0x40],
    ]);
    const graph = graphOf({ code, pointers });
    expect(edges(graph)).toEqual(["0>32", "32>64", "64>6"]);
    expect(edges(graphOf({ code }))).toEqual([]);
  });

  it("follows an indirect call to where it went, and comes back from there", () => {
    const code = { 0: [0xff, 0xd0], 2: [RET], 0x20: [RET], 0x40: [RET] };
    const graph = graphOf({ code, targets: new Map([[0, [0x20, 0x40]]]) });
    expect(edges(graph)).toEqual(["0>32", "0>64", "32>2", "64>2"]);
  });

  it("may be entered wherever a jump through a table leads, as far as that has run", () => {
    const code = { 0: [0xff, 0x24, 0xc5, 0, 2, 0, 0], 0x20: [RET], 0x40: [RET], 0x60: [RET] };
    const pointers = new Map([
      [0x200, 0x20],
      [0x208, 0x40],
      [0x210, 0x60],
      [0x220, 0x80],
    ]);
    const graph = graphOf({ code, pointers, targets: new Map([[0, [0x40]]]), known: (delta) => delta !== 0x20 });
    expect(graph.entries.map((n) => graph.blocks[n]!.delta)).toEqual([0, 0x40, 0x60]);
  });

  it("has no range that lies in two pages", () => {
    const graph = graphOf({ code: { 0: [JMP, ...far(PAGE - 3 - 5)], [PAGE + 2]: [RET] } });
    expect(graph.ranges).toEqual([
      { delta: 0, length: 5 },
      { delta: PAGE - 3, length: 3 },
      { delta: PAGE, length: 3 },
    ]);
  });

  it("keeps to its limits in long code, and in code that branches everywhere", () => {
    const long = graphOf({ code: {} });
    expect(long.blocks.flatMap((b) => b.instructions)).toHaveLength(LIMITS.instructions);
    const branchy: Record<number, number[]> = {};
    for (let at = 0; at < 0x400; at += 4) branchy[at] = [JZ, 0x20, NOP, NOP];
    expect(graphOf({ code: branchy }).blocks.length).toBeLessThanOrEqual(LIMITS.blocks);
    const hops: Record<number, number[]> = {};
    for (let page = 0; page < 14; page++) hops[page * PAGE] = [JMP, ...far(PAGE - 5)];
    expect(graphOf({ code: hops, pages: Array.from({ length: 15 }, (_, n) => n) }).pages).toHaveLength(LIMITS.pages);
  });
});
