import { beforeAll, describe, expect, it } from "vitest";
import { ProgramGenerator } from "../../../src/cpu/engine/generator.ts";
import { Checker } from "./check.ts";
import { compareEndings } from "./compare.ts";
import { Keeper } from "./ending.ts";
import { type Assembled, assemble, type Bytes, type Node } from "./program.ts";
import { describeDisagreement } from "./report.ts";
import { SequenceRunner } from "./runner.ts";
import { type Schedule, type Sequence, sequenceOf, type Start, STARTS } from "./sequence.ts";
import { shrink } from "./shrink.ts";
import { codeBase, DATA, dataBase, otherBase, SLOTS } from "./space.ts";

let program: ProgramGenerator;
beforeAll(() => {
  program = new ProgramGenerator();
});

const QUIET: Schedule = { budget: 100_000, interrupts: false, kicks: false, cold: false, rewrite: "none" };
const bytes = (...list: number[]): Bytes => ({ kind: "bytes", bytes: list, addresses: [] });

/** Instructions in the place of a sequence's, from its first start, in user mode with flat segments. */
function sequenceWith(nodes: readonly Node[], change: Partial<Start> = {}, seed = SLOTS, mode: 32 | 64 = 64): Sequence {
  const { starts, ...rest } = sequenceOf(seed);
  const start: Start = { ...starts[0]!, cpl: 3, segments: "flat", isAliased: false, interrupting: false, schedule: QUIET, ...change };
  return { ...rest, program: { mode, chunks: [{ origin: 0xffe, nodes }] }, translation: PLAIN, starts: [start] };
}
const PLAIN = { inner: 0, hot: "nowhere", late: 0 } as const;

/** A runner with a sequence in place. */
function placed(s: Sequence): { readonly runner: SequenceRunner; readonly start: Start; readonly code: Assembled } {
  const runner = new SequenceRunner("translator", program);
  const code = assemble(s.program, s.slot);
  const start = s.starts[0]!;
  runner.place(s, start, code.code);
  runner.flushTlb();
  return { runner, start, code };
}

/** Batches in the quick tests; the slow ones take more. */
const BATCHES = 4;

describe("random sequences", () => {
  it("come to the same translated by either compiler, interpreted and, four of a batch, evaluated", () => {
    const checker = new Checker(program);
    const found = Array.from({ length: BATCHES }, (_, n) =>
      checker.batch(n * SLOTS, { evaluate: n === 0 ? SLOTS / 4 : 0, optimize: n === 1 }),
    ).flat();
    expect(found.map(describeDisagreement)).toEqual([]);
    const { programs, sequences, regions, optimized, timeouts, unstable, entered } = checker.tally;
    expect([programs, sequences, unstable]).toEqual([BATCHES * SLOTS, BATCHES * SLOTS * STARTS, 0]);
    expect(regions).toBeGreaterThan(programs);
    expect(optimized).toBeGreaterThan(SLOTS / 2);
    expect(entered).toBeGreaterThan(sequences / 2);
    expect(timeouts).toBeLessThan(sequences / 100);
  }, 120_000);

  it("are the same for the same seed", () => {
    expect(sequenceOf(77)).toEqual(sequenceOf(77));
    expect(sequenceOf(77).program).not.toEqual(sequenceOf(78).program);
    expect(sequenceOf(77).starts[0]).not.toEqual(sequenceOf(77).starts[1]);
  });

  it("leave nothing behind in their slot that the next start could find", () => {
    const s = sequenceOf(123);
    const { runner, code } = placed(s);
    const keeper = new Keeper();
    const endings = [...s.starts, s.starts[0]!].map((start) => {
      runner.place(s, start, code.code);
      return keeper.keep(runner.run(s, start, code));
    });
    expect(compareEndings(endings[0]!, endings.at(-1)!, runner.before(s.slot))).toEqual([]);
    expect(compareEndings(endings[0]!, endings[1]!, runner.before(s.slot))).not.toEqual([]);
  });
});

describe("a run", () => {
  it("notes exceptions and goes on behind them, over a page border", () => {
    const s = sequenceWith([bytes(0x0f, 0x0b), bytes(0xf4), bytes(0xb8, 1, 0, 0, 0), bytes(0xcc)]);
    const { runner, start, code } = placed(s);
    const ending = new Keeper().keep(runner.run(s, start, code));
    const raised = ending.raised.map(({ vector, rip }) => [vector, Number(rip) - codeBase(s.slot)]);
    expect(raised).toEqual([
      [6, 0xffe],
      [13, 0x1000],
      [3, 0x1007],
    ]);
    expect([ending.kind, ending.state[0], ending.isAtHome]).toEqual(["done", 1, true]);
  });

  it.each([
    ["in 64-bit code", 64, {}],
    ["at the program's other address", 64, { isAliased: true }],
    ["in shifted segments", 32, { segments: "shifted" }],
    ["in shifted segments of the kernel", 32, { segments: "shifted", cpl: 0 }],
  ] as const)("goes on behind a fault %s", (_where, mode, change) => {
    const s = sequenceWith([bytes(0x0f, 0x0b), bytes(0xb8, 1, 0, 0, 0), bytes(0xcc)], change, SLOTS + 1, mode);
    const { runner, start, code } = placed(s);
    const { kind, raised, state } = runner.run(s, start, code);
    const base = "isAliased" in change ? otherBase(codeBase(s.slot)) : codeBase(s.slot);
    const shift = "segments" in change ? 0x1_0000 : 0;
    expect([kind, state[0], raised.map(({ vector, rip }) => [vector, Number(rip) - base + shift])]).toEqual([
      "done",
      1,
      [
        [6, 0xffe],
        [3, 0x1006],
      ],
    ]);
  });

  it("is found to differ in registers, flags, exceptions, devices and memory", () => {
    // `mov [rbx], eax`, INT3.
    const s = sequenceWith([bytes(0x89, 0x03), bytes(0xcc)]);
    const { runner, start, code } = placed(s);
    const ending = new Keeper().keep(runner.run(s, start, code));
    const before = runner.before(s.slot);
    expect(compareEndings(ending, ending, before)).toEqual([]);
    const page = ending.pages.findIndex((bytesOfPage) => bytesOfPage !== undefined);
    const changed = ending.pages[page]!.slice();
    changed[0x123]! ^= 1;
    const state = ending.state.slice();
    state[0]! ^= 2;
    const [last] = ending.raised;
    const other = {
      ...ending,
      state,
      rflags: ending.rflags ^ 1,
      devices: ending.devices ^ 1,
      raised: [{ ...last!, error: 1 }],
      pages: ending.pages.map((bytesOfPage, n) => (n === page ? changed : bytesOfPage)),
    };
    const where = `memory ${(page * 0x1000 + 0x120).toString(16)}`;
    expect(compareEndings(ending, other, before).map(({ what }) => what)).toEqual(["exception 0", "rflags", "devices", "rax", where]);
    const untouched = { ...ending, pages: ending.pages.map(() => undefined) };
    expect(compareEndings(ending, untouched, before)).toHaveLength(1);
  });

  it("takes an interrupt that a device raises between the same two instructions on every engine", () => {
    // Many loads from the device's registers.
    const load = (): Bytes => ({
      kind: "bytes",
      bytes: [0x8b, 5, 0, 0, 0, 0],
      addresses: [{ at: 2, to: { area: "data", offset: DATA.device } }],
    });
    const s = sequenceWith([...Array.from({ length: 20 }, load), bytes(0xcc)], { interrupting: true });
    const { runner, start, code } = placed(s);
    const hash = runner.run(s, start, code).devices;
    expect(runner.run(s, { ...start, interrupting: false }, code).devices).not.toBe(hash);
    const checker = new Checker(program);
    expect(checker.check([s], { evaluate: 1 }).map(describeDisagreement)).toEqual([]);
    expect(checker.tally.evaluated).toBe(1);
  });
});

describe("a sequence that turns paging off", () => {
  const schedule: Schedule = { ...QUIET, budget: 3, interrupts: true, rewrite: "other" };
  /** STI; MOV EAX, 33h; MOV CR0, EAX. The NOP is what other code has another instruction for. */
  const nodes = [bytes(0xfb), bytes(0x90), bytes(0xb8, 0x33, 0, 0, 0), bytes(0x0f, 0x22, 0xc0), bytes(0x90)];
  const unpaged = (seed: number): Sequence => sequenceWith(nodes, { cpl: 0, schedule }, seed, 32);

  it("comes to the same whatever the budgets, and is away from home", () => {
    const s = unpaged(5);
    const { runner, start, code } = placed(s);
    const keeper = new Keeper();
    const endings = [6000, 40, 7, 3, 1].map((budget) => {
      runner.place(s, start, code.code);
      runner.flushTlb();
      return keeper.keep(runner.run(s, start, code, { ...QUIET, budget }));
    });
    expect(endings[0]!.isAtHome).toBe(false);
    expect(endings.map((ending) => compareEndings(endings[0]!, ending, runner.before(s.slot)))).toEqual(endings.map(() => []));
  });

  it("is compared without the interrupts that would find no handler", () => {
    const checker = new Checker(program);
    expect(checker.check([1, 2, 3, 4, 5, 6].map(unpaged)).map(describeDisagreement)).toEqual([]);
    expect(checker.tally.unstable).toBe(0);
  });
});

describe("a sequence that writes over an exception's handler", () => {
  /** MOV RAX, the handler of #DE; MOV byte [RAX], CMC: HLT is what was there. */
  const astray = sequenceWith([bytes(0x48, 0xb8, 0, 0, 0, 0, 0, 0x80, 0xff, 0xff), bytes(0xc6, 0, 0xf5), bytes(0xcc)], { cpl: 0 }, 7);
  /** XOR ECX, ECX; DIV ECX. */
  const dividing = sequenceWith([bytes(0x31, 0xc9), bytes(0xf7, 0xf1), bytes(0xcc)], {}, 8);

  it("is away from home, and leaves the handler and tables to others as they were", () => {
    const { runner, start, code } = placed(astray);
    const first = new Keeper().keep(runner.run(astray, start, code));
    expect([first.kind, first.isAtHome]).toEqual(["done", false]);
    // What is executable has no page tables for a while.
    const { memory, space } = runner.board;
    const other = assemble(dividing.program, dividing.slot);
    runner.place(dividing, dividing.starts[0]!, other.code);
    memory.write(0x10_0000, new Uint8Array(0x8_0000));
    expect([space.putBack(), space.putBack()]).toEqual([true, false]);
    const { kind, isAtHome, raised } = runner.run(dividing, dividing.starts[0]!, other);
    expect([kind, isAtHome, raised.map(({ vector }) => vector)]).toEqual(["done", true, [0, 3]]);
  });

  it("makes no difference to others of its batch", () => {
    const checker = new Checker(program);
    const second = { ...dividing, seed: 6, slot: 6 };
    expect(checker.check([second, astray, dividing]).map(describeDisagreement)).toEqual([]);
    expect(checker.tally.timeouts).toBe(0);
  });
});

describe("the assembler", () => {
  const jump = (label: number): Node => ({ kind: "branch", short: [0xeb], long: [0xe9], label });

  it("takes short branches where they reach", () => {
    const near = assemble(
      { mode: 64, chunks: [{ origin: 16, nodes: [jump(0), bytes(0x90), { kind: "label", label: 0 }, bytes(0xcc)] }] },
      0,
    );
    expect([...near.code.subarray(16, 20)]).toEqual([0xeb, 1, 0x90, 0xcc]);
    const filler = Array.from({ length: 200 }, () => bytes(0x90));
    const far = assemble({ mode: 64, chunks: [{ origin: 16, nodes: [jump(0), ...filler, { kind: "label", label: 0 }] }] }, 0);
    expect([...far.code.subarray(16, 21)]).toEqual([0xe9, 200, 0, 0, 0]);
  });

  it("makes addresses relative in 64-bit code only", () => {
    const load: Bytes = { kind: "bytes", bytes: [0x8b, 5, 0, 0, 0, 0], addresses: [{ at: 2, to: { area: "data", offset: 4 } }] };
    const read = (mode: 32 | 64): number =>
      new DataView(assemble({ mode, chunks: [{ origin: 16, nodes: [load] }] }, 3).code.buffer).getUint32(18, true);
    expect(read(32)).toBe(dataBase(3) + 4);
    expect(read(64)).toBe(dataBase(3) + 4 - (codeBase(3) + 16 + 6));
  });
});

describe("the shrinker", () => {
  it("leaves what the disagreement needs", () => {
    const needed = [bytes(0x40), bytes(0x41)];
    const nodes = Array.from({ length: 30 }, (_, i) => (i === 7 ? needed[0]! : i === 20 ? needed[1]! : bytes(0x90)));
    const one = sequenceWith(nodes, { schedule: { ...QUIET, interrupts: true } });
    const sequence = { ...one, starts: [...sequenceOf(1).starts, ...one.starts] };
    const judge = (s: Sequence): ReturnType<Parameters<typeof shrink>[1]> => {
      const left = s.program.chunks[0]!.nodes;
      const start = s.starts.findIndex(({ schedule: { budget } }) => budget === QUIET.budget);
      const fails = start >= 0 && needed.every((n) => left.includes(n));
      return fails ? { sequence: s, start, where: "here", differences: [] } : undefined;
    };
    const small = shrink({ ...judge(sequence)!, start: STARTS }, judge).sequence;
    expect(small.program.chunks[0]!.nodes).toEqual(needed);
    expect(small.starts.map(({ schedule }) => schedule.interrupts)).toEqual([false]);
  });
});
