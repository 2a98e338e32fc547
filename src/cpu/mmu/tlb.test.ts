// What the TLB remembers of an access, in which of its views, and what flushes leave; and accesses that it has no part in.
// What programs may notice of paging is in test/system/programs.
import { NO_DEVICES } from "../../testing/no-devices.ts";
import { describe, expect, it } from "vitest";
import { GuestMemory } from "../../memory/guest-memory.ts";
import { GuestFault } from "../assist/context.ts";
import type { CpuHost } from "../engine/engine.ts";
import { JUMP_CACHE, TLB, TLB_LIST_MAX, VIEW } from "../engine/layout.ts";
import { CPU_BASE, memoryLayout, Processor } from "../engine/processor.ts";
import { ProgramGenerator } from "../engine/generator.ts";
import { flushLocal, flushPage, flushTlb, newGeneration } from "./mode.ts";

const RAM = 1 << 20;
/** Tables for 4-level paging: one directory whose first four entries have page tables, that is 2048 pages. */
const TABLES = { pml4: 0x1000, pdpt: 0x2000, directory: 0x3000, pages: 0x4000 } as const;
const FRAMES = 0x1_0000;
const P = 1n;
const RW = 2n;
const US = 4n;
const D = 0x40n;
const G = 0x100n;
const NX = 1n << 63n;
const ALL = P | RW | US;
const PAGE = 0x1000;

const program = new ProgramGenerator();

/** A processor at privilege level 0 of 64-bit mode with SMAP, with every page mapped to one of 16 frames, readable and writable for all. */
class Mmu {
  readonly memory: GuestMemory = new GuestMemory(RAM, memoryLayout(1, RAM).ramBase);
  readonly cpu: Processor;
  readonly #device: string[] = [];

  constructor() {
    const device = this.#device;
    const host: CpuHost = {
      ...NO_DEVICES,
      mmioRead: (gpa, width) => device.push(`read${width * 8} ${gpa.toString(16)}`),
      mmioWrite: (gpa, width, value) => void device.push(`write${width * 8} ${gpa.toString(16)} ${value.toString(16)}`),
    };
    this.cpu = new Processor({ program: program.evaluator(), memory: this.memory, host });
    this.memory.writeUint64(TABLES.pml4, BigInt(TABLES.pdpt) | ALL);
    this.memory.writeUint64(TABLES.pdpt, BigInt(TABLES.directory) | ALL);
    for (let i = 0; i < 4; i++) this.memory.writeUint64(TABLES.directory + i * 8, BigInt(TABLES.pages + i * PAGE) | ALL);
    for (let page = 0; page < 2048; page++) this.map(page, ALL);
    const registers = { cr0: 0x8001_0033n, cr3: BigInt(TABLES.pml4), cr4: 0x20_0020n, efer: 0xd00n, rflags: 2n };
    for (const [name, value] of Object.entries(registers)) this.cpu.registers.set(name, value);
    this.cpu.registers.setSegment("cs", { selector: 8, base: 0n, limit: 0xffff_ffff, access: 0xa09b });
    this.level(0);
  }

  map(page: number, flags: bigint, frame: number = FRAMES + (page % 16) * PAGE): void {
    this.memory.writeUint64(TABLES.pages + page * 8, BigInt(frame) | flags);
  }

  /** Sets the privilege level, and EFLAGS.AC, which opens user pages to the supervisor. */
  level(cpl: 0 | 3, ac = false): void {
    this.cpu.registers.setSegment("ss", { selector: 16, base: 0n, limit: 0xffff_ffff, access: 0xc093 | (cpl << 5) });
    this.cpu.registers.set("rflags", ac ? 0x4_0002n : 2n);
    this.cpu.context.refresh();
  }

  load(linear: number, bytes: 1 | 2 | 4 | 8 = 1): string {
    return this.#outcome(() => this.cpu.context.load(BigInt(linear), bytes).toString(16));
  }

  store(linear: number, bytes: 1 | 2 | 4 | 8 = 1, value = 0n): string {
    return this.#outcome(() => (this.cpu.context.store(BigInt(linear), bytes, value), "stored"));
  }

  #outcome(access: () => string): string {
    try {
      return access();
    } catch (error) {
      if (!(error instanceof GuestFault)) throw error;
      const vector = this.cpu.context.get32("fault") & 0xff;
      this.cpu.context.set32("fault", 0);
      return `fault ${vector}`;
    }
  }

  /** What the device was asked since the last time. */
  asked(): string[] {
    return this.#device.splice(0);
  }

  /** Accesses that hit in a view: some of "rwx". */
  hits(view: keyof typeof VIEW, page: number): string {
    const entry = CPU_BASE + VIEW[view] + (page % TLB.entries) * TLB.size;
    const serves = (tag: number): boolean => this.memory.view.getBigUint64(entry + tag, true) === BigInt(page * PAGE);
    return (serves(TLB.read) ? "r" : "") + (serves(TLB.write) ? "w" : "") + (serves(TLB.execute) ? "x" : "");
  }

  /** Pages below 2048 with a hit in any view. */
  remembered(): number[] {
    const views = ["user", "supervisor", "supervisorAc", "none"] as const;
    return Array.from({ length: 2048 }, (_, page) => page).filter((page) => views.some((view) => this.hits(view, page) !== ""));
  }
}

describe("the TLB", () => {
  it("remembers an access in the view of who made it", () => {
    const mmu = new Mmu();
    mmu.map(5, P | RW);
    expect(mmu.load(5 * PAGE)).toBe("0");
    expect(["user", "supervisor", "supervisorAc"].map((view) => mmu.hits(view as "user", 5))).toEqual(["", "rx", ""]);
    mmu.level(3);
    mmu.load(6 * PAGE);
    mmu.level(0, true);
    mmu.load(7 * PAGE);
    expect([mmu.hits("user", 6), mmu.hits("supervisor", 6), mmu.hits("supervisorAc", 7), mmu.hits("supervisor", 7)]).toEqual([
      "rx",
      "",
      "rx",
      "",
    ]);
  });

  it("remembers what the page allows, and writes only when it is dirty", () => {
    const mmu = new Mmu();
    mmu.level(3);
    mmu.map(1, P | US);
    mmu.map(2, ALL | NX);
    mmu.map(3, ALL | D);
    for (const page of [1, 2, 3, 4]) mmu.load(page * PAGE);
    expect([1, 2, 3, 4].map((page) => mmu.hits("user", page))).toEqual(["rx", "r", "rwx", "rx"]);
    expect([mmu.store(PAGE), mmu.store(4 * PAGE)]).toEqual(["fault 14", "stored"]);
    expect([mmu.hits("user", 1), mmu.hits("user", 4)]).toEqual(["rx", "rwx"]);
  });

  it("remembers nothing of accesses that fault", () => {
    const mmu = new Mmu();
    mmu.map(0, 0n);
    mmu.map(9, 0n);
    expect([mmu.load(0), mmu.load(9 * PAGE), mmu.load(10 * PAGE)]).toEqual(["fault 14", "fault 14", "fault 14"]);
    mmu.level(3);
    mmu.map(11, P | RW);
    expect(mmu.load(11 * PAGE)).toBe("fault 14");
    expect(mmu.remembered()).toEqual([]);
  });

  it("never lets writes to a page with decoded code pass", () => {
    const mmu = new Mmu();
    mmu.level(3);
    mmu.store(5 * PAGE);
    expect(mmu.hits("user", 5)).toBe("rwx");
    const code = mmu.memory.hostOffset(FRAMES + 5 * PAGE + 0x100, 1);
    mmu.memory.u8[code] = 0xc3;
    mmu.cpu.cache.decodeBlock(code);
    expect([mmu.hits("user", 5), mmu.store(5 * PAGE), mmu.hits("user", 5), mmu.cpu.cache.invalidated]).toEqual(["rx", "stored", "rx", 0]);
    mmu.store(5 * PAGE + 0x100);
    expect(mmu.cpu.cache.invalidated).toBe(1);
    mmu.store(5 * PAGE + 0x100);
    expect(mmu.hits("user", 5)).toBe("rwx");
  });

  it("is not used while accesses are checked one by one", () => {
    const mmu = new Mmu();
    mmu.cpu.registers.set("dr7", 0x401n);
    mmu.level(0, true);
    expect([mmu.load(5 * PAGE, 4), mmu.store(5 * PAGE, 4)]).toEqual(["0", "stored"]);
    expect(mmu.remembered()).toEqual([]);
  });
});

describe("flushes", () => {
  it.each([20, TLB_LIST_MAX + 100])("forget everything, after %d pages", (pages) => {
    const mmu = new Mmu();
    mmu.map(0, P | RW);
    mmu.level(0, true);
    for (let page = 0; page < pages; page++) mmu.load(page * PAGE);
    expect(mmu.remembered()).toHaveLength(pages);
    mmu.cpu.context.call(flushTlb);
    expect(mmu.remembered()).toEqual([]);
    mmu.map(0, 0n);
    expect(mmu.load(0)).toBe("fault 14");
  });

  it("look at noted entries only, when they are few", () => {
    const mmu = new Mmu();
    const strange = CPU_BASE + VIEW.user + 100 * TLB.size + TLB.read;
    mmu.memory.view.setBigUint64(strange, 0x1234n, true);
    mmu.level(3);
    for (let page = 0; page < 10; page++) mmu.load(page * PAGE);
    mmu.cpu.context.call(flushLocal);
    expect([mmu.remembered(), mmu.memory.view.getBigUint64(strange, true)]).toEqual([[], 0x1234n]);
    for (let i = 0; i < 100; i++) mmu.load((i % 50) * PAGE);
    expect(mmu.cpu.context.get32("tlbCount")).toBe(50);
  });

  it.each([20, TLB_LIST_MAX + 100])("by a new CR3 leave global pages, and forget all others, after %d pages", (pages) => {
    const mmu = new Mmu();
    mmu.cpu.registers.set("cr4", 0x20_00a0n);
    for (let page = 0; page < pages; page += 3) mmu.map(page, ALL | G);
    mmu.level(0, true);
    for (let page = 0; page < pages; page++) mmu.load(page * PAGE);
    mmu.cpu.context.call(flushLocal);
    expect(mmu.remembered()).toEqual(Array.from({ length: Math.ceil(pages / 3) }, (_, n) => 3 * n));
    mmu.cpu.context.call(flushTlb);
    expect(mmu.remembered()).toEqual([]);
  });

  it("by a new CR3 forget global pages too where CR4.PGE is off, and large ones in the lower half", () => {
    const mmu = new Mmu();
    for (let page = 0; page < 4; page++) mmu.map(page, ALL | G);
    mmu.level(3);
    for (let page = 0; page < 4; page++) mmu.load(page * PAGE);
    mmu.cpu.context.call(flushLocal);
    expect(mmu.remembered()).toEqual([]);
    mmu.cpu.registers.set("cr4", 0x20_00a0n);
    mmu.memory.writeUint64(TABLES.directory, 0x180n | ALL);
    mmu.level(3);
    mmu.load(7 * PAGE);
    mmu.cpu.context.call(flushLocal);
    expect(mmu.remembered()).toEqual([]);
  });

  it.each([
    ["global", G, true],
    ["not global", 0n, false],
  ])("by a new CR3 leave what the jump cache knows of the supervisor when its code is %s", (_case, flag, isKept) => {
    const mmu = new Mmu();
    const { context } = mmu.cpu;
    mmu.cpu.registers.set("cr4", 0x20_00a0n);
    mmu.map(5, P | RW | flag);
    mmu.level(3);
    const user = context.get64("jumpTag");
    mmu.level(0);
    context.call(flushLocal);
    const before = context.get64("jumpTag");
    mmu.load(5 * PAGE);
    context.call(flushLocal);
    expect(context.get64("jumpTag") === before).toBe(isKept);
    mmu.level(3);
    expect(context.get64("jumpTag")).not.toBe(user);
  });

  it("of one page forget it in every view, and nothing else", () => {
    const mmu = new Mmu();
    for (const [cpl, ac] of [
      [0, true],
      [3, false],
    ] as const) {
      mmu.level(cpl, ac);
      for (const page of [4, 5, 6]) mmu.load(page * PAGE);
    }
    mmu.cpu.context.call(flushPage, BigInt(5 * PAGE + 17));
    expect([mmu.hits("user", 5), mmu.hits("supervisorAc", 5), mmu.remembered()]).toEqual(["", "", [4, 6]]);
  });

  it("of a piece of a large page forget all of its pieces", () => {
    const mmu = new Mmu();
    mmu.memory.writeUint64(TABLES.directory, 0x80n | ALL);
    mmu.level(3);
    for (const page of [1, 30, 200, 600]) mmu.load(page * PAGE);
    mmu.cpu.context.call(flushPage, BigInt(30 * PAGE));
    expect(mmu.remembered().filter((page) => page < 512)).toEqual([]);
  });

  it("forget the jump cache by a new generation, and empty it before the first comes again", () => {
    const mmu = new Mmu();
    const { context } = mmu.cpu;
    const tag = (): bigint => context.get64("jumpTag");
    const first = tag();
    mmu.memory.u8.fill(0xaa, CPU_BASE + JUMP_CACHE, CPU_BASE + JUMP_CACHE + 64);
    const jumpCache = (): number => mmu.memory.u8[CPU_BASE + JUMP_CACHE]!;
    const tags = new Set<bigint>([first]);
    for (let i = 1; i < 4096; i++) {
      context.call(newGeneration);
      tags.add(tag());
    }
    expect([tags.size, jumpCache()]).toEqual([4096, 0xaa]);
    context.call(newGeneration);
    // The same generation again, in another epoch: what remembers a tag (translated regions) is not deceived.
    // The supervisor's and the user's numbers come again at once here, which makes two.
    expect([tag(), jumpCache()]).toEqual([first + 2n, 0]);
    expect(first & 0xffff_ffff_ffffn).toBe(0n);
  });
});

describe("accesses over a page border", () => {
  it("join and split bytes", () => {
    const mmu = new Mmu();
    mmu.level(3);
    expect(mmu.store(6 * PAGE - 3, 8, 0x8877_6655_4433_2211n)).toBe("stored");
    expect(mmu.load(6 * PAGE - 3, 8)).toBe("8877665544332211");
    expect([...mmu.memory.bytes(FRAMES + 6 * PAGE - 3, 8)]).toEqual([0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]);
  });

  it("write nothing unless both pages can be written, and fault for the second at its first byte", () => {
    const mmu = new Mmu();
    mmu.level(3);
    mmu.map(6, P | US);
    expect(mmu.store(6 * PAGE - 2, 4, 0xffff_ffffn)).toBe("fault 14");
    expect(mmu.cpu.context.get64("faultAddress")).toBe(BigInt(6 * PAGE));
    expect(mmu.load(6 * PAGE - 2, 4)).toBe("0");
  });
});

describe("accesses to devices", () => {
  it("are not remembered, and 8 bytes are two of 4, low half first", () => {
    const mmu = new Mmu();
    mmu.level(3);
    mmu.map(20, ALL, 0xfee0_0000);
    mmu.map(21, ALL, 0xb_8000);
    expect([mmu.load(20 * PAGE + 8, 8), mmu.asked()]).toEqual(["200000001", ["read32 fee00008", "read32 fee0000c"]]);
    mmu.store(20 * PAGE + 8, 8, 0x1122_3344_5566_7788n);
    mmu.store(21 * PAGE, 2, 0xabcdn);
    expect(mmu.asked()).toEqual(["write32 fee00008 55667788", "write32 fee0000c 11223344", "write16 b8000 abcd"]);
    expect(mmu.remembered()).toEqual([]);
  });
});
