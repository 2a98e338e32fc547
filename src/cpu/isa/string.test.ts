// Repeated string instructions where vectors of single instructions do not reach: many pages, interruption, faults in the middle,
// and code that writes over itself.
import { NO_DEVICES } from "../../testing/no-devices.ts";
import { describe, expect, it } from "vitest";
import { GuestMemory } from "../../memory/guest-memory.ts";
import type { RunExit } from "../engine/engine.ts";
import { memoryLayout, Processor } from "../engine/processor.ts";
import { ProgramGenerator } from "../engine/generator.ts";

const RAM = 0x10_0000;
const TABLES = { pml4: 0x1000, pdpt: 0x2000, directory: 0x3000, pages: 0x4000 } as const;
const CODE = 0x8000;
const SOURCE = 0x2_0000;
const TARGET = 0x4_0000;
const PRESENT_WRITABLE = 3n;
const HLT = 0xf4;

const program = new ProgramGenerator();

/** 64-bit code at CODE in identity-mapped pages of 4 KiB; without an IDT every fault ends in a shutdown that shows the state. */
class Bench {
  readonly memory = new GuestMemory(RAM, memoryLayout(1, RAM).ramBase);
  readonly cpu: Processor;

  constructor(kind: "evaluator" | "interpreter", code: readonly number[]) {
    this.cpu = new Processor({ program: program[kind](), memory: this.memory, host: NO_DEVICES });
    const link = (table: number, to: number): void => this.memory.writeUint64(table, BigInt(to) | PRESENT_WRITABLE);
    link(TABLES.pml4, TABLES.pdpt);
    link(TABLES.pdpt, TABLES.directory);
    link(TABLES.directory, TABLES.pages);
    for (let at = 0; at < RAM; at += 0x1000) this.map(at, true);
    this.memory.write(CODE, Uint8Array.from([...code, HLT]));
    const r = this.cpu.registers;
    for (const [name, value] of Object.entries({
      cr0: 0x8001_0033n,
      cr3: 0x1000n,
      cr4: 0x20n,
      efer: 0xd00n,
      rip: BigInt(CODE),
      rsp: 0x7000n,
      idtrLimit: 0n,
    }))
      r.set(name, value);
    r.set("rflags", 2n);
    for (const s of ["es", "ss", "ds", "fs", "gs"] as const) r.setSegment(s, { selector: 8, base: 0n, limit: 0xffff_ffff, access: 0xc093 });
    r.setSegment("cs", { selector: 16, base: 0n, limit: 0xffff_ffff, access: 0xa09b });
    r.commit();
  }

  map(at: number, present: boolean): void {
    this.memory.writeUint64(TABLES.pages + (at >> 12) * 8, present ? BigInt(at) | PRESENT_WRITABLE : 0n);
  }

  set(values: Readonly<Record<string, number>>): this {
    for (const [name, value] of Object.entries(values)) this.cpu.registers.set(name, BigInt(value));
    return this;
  }

  get(name: string): number {
    return Number(this.cpu.registers.get(name));
  }

  /** Runs to a halt or a shutdown. */
  run(): RunExit {
    for (;;) {
      const exit = this.cpu.run(1_000_000);
      if (exit !== "budget") return exit;
    }
  }

  /** After a shutdown: starts again where the fault was. */
  resume(): RunExit {
    this.cpu.registers.commit();
    return this.run();
  }
}

const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff);

const REP_MOVSB = [0xf3, 0xa4];
const REP_MOVSQ = [0xf3, 0x48, 0xa5];
const REP_STOSQ = [0xf3, 0x48, 0xab];
const REP_STOSW = [0xf3, 0x66, 0xab];

describe.each(["evaluator", "interpreter"] as const)("string instructions on the %s", (kind) => {
  it("copy across pages whose borders lie differently in source and destination", () => {
    const bytes = pattern(10_000);
    const bench = new Bench(kind, REP_MOVSB).set({ rcx: bytes.length, rsi: SOURCE + 100, rdi: TARGET + 3001 });
    bench.memory.write(SOURCE + 100, bytes);
    expect(bench.run()).toBe("halt");
    expect([...bench.memory.bytes(TARGET + 3001, bytes.length)]).toEqual([...bytes]);
    expect(bench.memory.bytes(TARGET + 3000, 1)[0]).toBe(0);
    expect([bench.get("rcx"), bench.get("rsi"), bench.get("rdi")]).toEqual([0, SOURCE + 10_100, TARGET + 13_001]);
  });

  it("copy quadwords that straddle page borders", () => {
    const bytes = pattern(12_000);
    const bench = new Bench(kind, REP_MOVSQ).set({ rcx: 1500, rsi: SOURCE + 5, rdi: TARGET + 2 });
    bench.memory.write(SOURCE + 5, bytes);
    bench.run();
    expect([...bench.memory.bytes(TARGET + 2, 12_000)]).toEqual([...bytes]);
  });

  it("repeat a pattern when the destination lies just behind the source", () => {
    const bench = new Bench(kind, REP_MOVSB).set({ rcx: 5000, rsi: SOURCE, rdi: SOURCE + 3 });
    bench.memory.write(SOURCE, Uint8Array.of(1, 2, 3));
    bench.run();
    expect([...bench.memory.bytes(SOURCE, 5003)]).toEqual(Array.from({ length: 5003 }, (_, i) => (i % 3) + 1));
  });

  it("copy downwards with DF set", () => {
    const bytes = pattern(6000);
    const bench = new Bench(kind, [0xfd, ...REP_MOVSB]).set({ rcx: 6000, rsi: SOURCE + 5999, rdi: SOURCE + 6009 });
    bench.memory.write(SOURCE, bytes);
    bench.run();
    expect([...bench.memory.bytes(SOURCE + 10, 6000)]).toEqual([...bytes]);
    expect([bench.get("rsi"), bench.get("rdi")]).toEqual([SOURCE - 1, SOURCE + 9]);
  });

  it("fill with a byte, with quadwords and across pages", () => {
    const zero = new Bench(kind, REP_STOSQ).set({ rcx: 1024, rdi: TARGET + 4, rax: 0 });
    zero.memory.write(TARGET, new Uint8Array(0x3000).fill(0xee));
    zero.run();
    const bytes = zero.memory.bytes(TARGET, 0x3000);
    expect([bytes.indexOf(0), bytes.lastIndexOf(0)]).toEqual([4, 4 + 8191]);
    const words = new Bench(kind, REP_STOSW).set({ rcx: 3000, rdi: TARGET + 1, rax: 0x1234 });
    words.run();
    expect([...words.memory.bytes(TARGET, 6002)]).toEqual([0, ...Array.from({ length: 6000 }, (_, i) => (i % 2 ? 0x12 : 0x34)), 0]);
  });

  it("stop at the element that faults, and go on from there", () => {
    const bytes = pattern(9000);
    const bench = new Bench(kind, REP_MOVSB).set({ rcx: 9000, rsi: SOURCE, rdi: TARGET });
    bench.memory.write(SOURCE, bytes);
    bench.map(TARGET + 0x1000, false);
    expect(bench.run()).toBe("shutdown");
    expect([bench.get("rip"), bench.get("rcx"), bench.get("rsi"), bench.get("rdi"), bench.get("cr2")]).toEqual([
      CODE,
      9000 - 4096,
      SOURCE + 4096,
      TARGET + 4096,
      TARGET + 4096,
    ]);
    bench.map(TARGET + 0x1000, true);
    expect(bench.resume()).toBe("halt");
    expect([...bench.memory.bytes(TARGET, 9000)]).toEqual([...bytes]);
  });

  it("report an element across a page border at its first byte, and move nothing of it", () => {
    const bench = new Bench(kind, REP_MOVSQ).set({ rcx: 600, rsi: SOURCE, rdi: TARGET + 4 });
    bench.memory.write(SOURCE, pattern(4800));
    bench.map(TARGET + 0x1000, false);
    bench.run();
    expect([bench.get("rcx"), bench.get("rdi"), bench.get("cr2")]).toEqual([600 - 511, TARGET + 4 + 511 * 8, TARGET + 0x1000]);
    expect([...bench.memory.bytes(TARGET + 0xffc, 4)]).toEqual([0, 0, 0, 0]);
  });

  it("leave the flags alone when a comparison faults in the middle", () => {
    // CMP EAX, EAX sets ZF; the strings agree up to the missing page.
    const bench = new Bench(kind, [0x39, 0xc0, 0xf9, 0xf3, 0xa6]).set({ rcx: 100, rsi: SOURCE + 0xff0, rdi: TARGET });
    bench.memory.write(SOURCE + 0xff0, new Uint8Array(16).fill(5));
    bench.memory.write(TARGET, new Uint8Array(16).fill(5));
    bench.map(SOURCE + 0x1000, false);
    expect(bench.run()).toBe("shutdown");
    expect([bench.get("rcx"), bench.get("rsi"), bench.get("rflags") & 0x8d5]).toEqual([84, SOURCE + 0x1000, 0x45]);
  });

  it("end a comparison at the first difference and a scan at the first match", () => {
    const compare = new Bench(kind, [0xf3, 0xa6]).set({ rcx: 3000, rsi: SOURCE, rdi: TARGET });
    compare.memory.write(SOURCE + 2500, Uint8Array.of(9));
    compare.run();
    expect([compare.get("rcx"), compare.get("rsi")]).toEqual([499, SOURCE + 2501]);
    const scan = new Bench(kind, [0xf2, 0xae]).set({ rcx: 5000, rdi: SOURCE, rax: 9 });
    scan.memory.write(SOURCE + 4321, Uint8Array.of(9));
    scan.run();
    expect([scan.get("rcx"), scan.get("rdi")]).toEqual([5000 - 4322, SOURCE + 4322]);
  });

  it("come back to the loop in the middle of a long repetition", () => {
    const bench = new Bench(kind, [0xf2, 0xae]).set({ rcx: 10_000, rdi: SOURCE, rax: 9 });
    bench.cpu.run(0);
    expect(bench.get("rip")).toBe(CODE);
    expect(bench.get("rcx")).toBeGreaterThan(0);
    expect(bench.get("rcx")).toBeLessThan(10_000);
    expect(bench.get("rdi") - SOURCE).toBe(10_000 - bench.get("rcx"));
    expect(bench.run()).toBe("halt");
    expect([bench.get("rcx"), bench.get("rdi")]).toEqual([0, SOURCE + 10_000]);
  });

  it("see code that they wrote: in their own block, and behind a page border", () => {
    // REP STOSB over MOV EAX, 1's immediate, which follows at once.
    const same = new Bench(kind, [0xf3, 0xaa, 0xb8, 1, 0, 0, 0]).set({ rcx: 4, rdi: CODE + 3, rax: 0x22 });
    same.run();
    expect(same.get("rax")).toBe(0x2222_2222);
    // The same, with the immediate's bytes from the next page on; it runs once before, so that it is decoded already.
    const at = CODE + 0xffe;
    const across = new Bench(kind, []).set({ rip: at, rax: 0x33, rcx: 4, rdi: at + 3 });
    across.memory.write(at, Uint8Array.of(0x90, 0xb8, 1, 0, 0, 0, HLT));
    across.run();
    expect(across.get("rax")).toBe(1);
    across.memory.write(CODE, Uint8Array.of(0xf3, 0xaa, 0xe9, 0xf7, 0x0f, 0, 0));
    across.set({ halted: 0, rip: CODE, rax: 0x33, rcx: 4, rdi: at + 2 }).run();
    expect(across.get("rax")).toBe(0x3333_3333);
  });
});

describe.each(["evaluator", "interpreter"] as const)("self-modifying stores on the %s", (kind) => {
  it("change the next instruction of the running block", () => {
    // MOV BYTE [RIP + 1], 7; MOV EAX, 1
    const bench = new Bench(kind, [0xc6, 0x05, 1, 0, 0, 0, 7, 0xb8, 1, 0, 0, 0]);
    bench.run();
    expect(bench.get("rax")).toBe(7);
  });

  it("change a loop that runs in the fast loop, once it is hot", () => {
    // INC EBX; CMP EBX, 50; JNE +7; MOV BYTE [RIP - 16 + …], …: the INC becomes DEC after 50 rounds, and the loop ends at 40.
    const code = [0xff, 0xc3, 0x83, 0xfb, 50, 0x75, 7, 0xc6, 0x05, 0xf3, 0xff, 0xff, 0xff, 0xcb, 0x83, 0xfb, 40, 0x75, 0xed];
    const bench = new Bench(kind, code).set({ rbx: 41 });
    expect(bench.run()).toBe("halt");
    expect(bench.get("rbx")).toBe(40);
    expect(bench.memory.bytes(CODE + 1, 1)[0]).toBe(0xcb);
  });
});
