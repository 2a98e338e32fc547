// Regions that outlive the place and the machine they were made in: put in force by content, with the numbers found there.
import { beforeAll, describe, expect, it } from "vitest";
import { GuestMemory } from "../../memory/guest-memory.ts";
import { setFlat } from "../../testing/flat-code.ts";
import { NO_DEVICES } from "../../testing/no-devices.ts";
import { ProgramGenerator } from "../engine/generator.ts";
import { placeOf } from "../engine/place.ts";
import { memoryLayout, Processor } from "../engine/processor.ts";
import type { TranslatorClient } from "../engine/translation.ts";
import { packArchive, unpackArchive } from "./region-archive.ts";
import { RegionLibrary } from "./region-library.ts";
import { moduleOf } from "./region-module.ts";
import { HotPlaces } from "./memory-source.ts";
import { RegionTranslator } from "./translator.ts";

const RAM = 1 << 20;
const TABLES = 0x8000;
/** Where the kernel half begins, and what is mapped there and at 0: the first 4 MiB of physical memory. */
const KERNEL = 0xc000_0000;
const PAGES = { present: 1, writable: 2, large: 0x80 } as const;
const CR0 = { PE: 1n, PG: 1n << 31n } as const;
const PSE = 0x10n;
const ZF = 0x42n;
const HLT = 0xf4;

let program: ProgramGenerator;
beforeAll(() => {
  program = new ProgramGenerator();
});

/** `mov eax, value` · `dec ecx` · `jnz` over the first · `add eax, [address]` · `hlt` */
function code(value: number, address: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  bytes.set([0xb8, 0, 0, 0, 0, 0x49, 0x75, 0xfd, 0x03, 0x05, 0, 0, 0, 0, HLT]);
  view.setUint32(1, value, true);
  view.setUint32(10, address, true);
  return bytes;
}

/** 32-bit flat code with paging; the same memory at 0 and at KERNEL. */
class Machine {
  readonly memory = new GuestMemory(RAM, memoryLayout(1, RAM).ramBase);
  readonly cpu: Processor;
  readonly translator: RegionTranslator;
  client: TranslatorClient | undefined;

  constructor(library = new RegionLibrary()) {
    this.translator = new RegionTranslator(program, library);
    const factory = (client: TranslatorClient): { request: () => void } => {
      this.client = client;
      return { request: () => {} };
    };
    this.cpu = new Processor({ program: program.interpreter(), memory: this.memory, host: NO_DEVICES, translator: factory });
    for (const linear of [0, KERNEL])
      this.memory.write(TABLES + (linear >>> 22) * 4, Uint8Array.of(PAGES.present | PAGES.writable | PAGES.large));
  }

  /** Runs the code at a linear address → EAX where it halts. */
  run(linear: number, { rflags = 2n, limit = 0xffff_ffff } = {}): bigint {
    const { registers: r } = this.cpu;
    const system = { cr0: CR0.PE | CR0.PG, cr3: BigInt(TABLES), cr4: PSE, halted: 0n };
    setFlat(r, { ...system, rip: linear, rax: 0, rcx: 3, rflags }, limit);
    expect(this.cpu.run(1000)).toBe("halt");
    return r.get("rax");
  }

  /** Has the code at a linear address translated, as if it were hot, and places in the same page. */
  translate(linear: number, ...others: readonly number[]): void {
    const client = this.client!;
    const { context } = this.cpu;
    const host = this.memory.hostOffset(linear & 0xf_ffff, 1);
    const mode = context.get32("mode");
    const request = { host, mode, linearPage: BigInt.asUintN(32, BigInt(linear & ~0xfff)), view: context.get32("tlbView"), isWide: false };
    const hot = others.map((other) => placeOf(host - linear + other, mode));
    client.accept(
      this.translator.translate(client.memory.buffer, client.base, [request], { places: new HotPlaces(hot) }) ??
        expect.fail("nothing was translated"),
    );
  }

  /** Gives the machine what a library holds, as a translator's thread does at its start. */
  stock(): void {
    const { regions, imports } = this.translator.library;
    const ids = [...regions.keys()];
    this.client!.announce([...regions].map(([id, { shape }]) => ({ id, shape })));
    const module = new WebAssembly.Module(
      moduleOf(
        imports,
        [...regions].map(([id, { body }]) => ({ id, body })),
      ),
    );
    this.client!.compiled({ module, ids, ms: 0 });
  }

  get reused(): number {
    return this.cpu.translated!.reused;
  }
}

/** A machine that has translated `code` at an address and run it, with a doubleword there. */
function translated(at: number, value: number): Machine {
  const m = new Machine();
  m.memory.write(at & 0xf_ffff, code(value, KERNEL + 0x6000));
  m.memory.writeUint32(0x6000, 5);
  m.run(at);
  m.translate(at);
  expect(m.run(at)).toBe(BigInt(value) + 5n);
  return m;
}

/** The next start: another machine with what the first has kept. */
function next(before: Machine): Machine {
  const ids = [...before.translator.library.regions.keys()];
  const archive = unpackArchive(packArchive(before.translator.library.archive(ids))) ?? expect.fail("a damaged archive");
  const m = new Machine(new RegionLibrary(archive));
  m.stock();
  return m;
}

describe("a region of a kernel", () => {
  it("serves another machine, in another place, with the addresses that are there", () => {
    const m = next(translated(KERNEL + 0x4000, 0xc800_0001));
    m.memory.write(0x5000, code(0xc900_0001, KERNEL + 0x7000));
    m.memory.writeUint32(0x7000, 7);
    expect(m.run(KERNEL + 0x5000)).toBe(0xc900_0008n);
    expect([m.reused, m.cpu.translated!.regions, m.cpu.translated!.entries > 0]).toEqual([1, 0, true]);
  });

  it("serves the same machine in a second place", () => {
    const m = translated(KERNEL + 0x4000, 0xc800_0001);
    m.memory.write(0x5000, code(0xc800_0001, KERNEL + 0x6000));
    expect([m.run(KERNEL + 0x5000), m.reused]).toEqual([0xc800_0006n, 1]);
  });

  it("is not taken for code that differs in a number that is no address", () => {
    const m = next(translated(KERNEL + 0x4000, 0xc800_0001));
    m.memory.write(0x4000, code(0x1234, KERNEL + 0x6000));
    // The number is a parameter whatever it is; the opcode is not.
    expect(m.run(KERNEL + 0x4000)).toBe(0x1234n);
    m.memory.write(0x5000, code(0xc800_0001, KERNEL + 0x6000).with(8, 0x2b));
    expect([m.run(KERNEL + 0x5000), m.reused]).toEqual([BigInt.asUintN(32, 0xc800_0001n), 1]);
  });

  it("waits for its code to be compiled", () => {
    const m = next(translated(KERNEL + 0x4000, 0xc800_0001));
    const late = new Machine(m.translator.library);
    const { regions } = late.translator.library;
    late.client!.announce([...regions].map(([id, { shape }]) => ({ id, shape })));
    late.memory.write(0x4000, code(0xc800_0001, KERNEL + 0x6000));
    late.run(KERNEL + 0x4000);
    expect([late.reused, late.cpu.translated!.entries]).toEqual([0, 0]);
    const bodies = [...regions].map(([id, { body }]) => ({ id, body }));
    late.client!.compiled({
      module: new WebAssembly.Module(moduleOf(late.translator.library.imports, bodies)),
      ids: [...regions.keys()],
      ms: 0,
    });
    expect(late.reused).toBe(1);
    expect(late.run(KERNEL + 0x4000)).toBe(0xc800_0001n);
    expect(late.cpu.translated!.entries).toBeGreaterThan(0);
  });

  it("leaves to another region the places that one was made for", () => {
    const at = KERNEL + 0x4000;
    const before = new Machine();
    before.memory.write(0x4000, code(0xc800_0001, KERNEL + 0x6000));
    // One for the beginning that may be entered at the loop, and one for the loop.
    before.run(at);
    before.run(at + 5);
    before.translate(at, at + 5);
    before.translate(at + 5);
    const m = next(before);
    m.memory.write(0x4000, code(0xc800_0001, KERNEL + 0x6000));
    m.run(at);
    expect(m.reused).toBe(1);
    m.run(at + 5);
    expect(m.reused).toBe(2);
  });

  it("is left out when its module asks for what this engine does not have", () => {
    const m = next(translated(KERNEL + 0x4000, 0xc800_0001));
    const other = new Machine(m.translator.library);
    const { regions, imports } = other.translator.library;
    other.client!.announce([...regions].map(([id, { shape }]) => ({ id, shape })));
    imports.indexOf({ name: "no such routine", params: [], result: undefined });
    const bodies = [...regions].map(([id, { body }]) => ({ id, body }));
    other.client!.compiled({ module: new WebAssembly.Module(moduleOf(imports, bodies)), ids: [...regions.keys()], ms: 0 });
    other.memory.write(0x4000, code(0xc800_0001, KERNEL + 0x6000));
    expect([other.run(KERNEL + 0x4000), other.reused]).toEqual([0xc800_0001n, 0]);
  });
});

describe("a region of a program", () => {
  it("holds its numbers, and is not taken for code with others", () => {
    const m = next(translated(0x4000, 0xc800_0001));
    m.memory.write(0x5000, code(0xc900_0001, KERNEL + 0x6000));
    expect([m.run(0x5000), m.reused]).toEqual([0xc900_0001n, 0]);
    m.memory.write(0x6000, code(0xc800_0001, KERNEL + 0x6000));
    expect(m.run(0x6000)).toBe(BigInt.asUintN(32, 0xc800_0001n + BigInt(m.memory.readUint32(0x6000))));
    expect(m.reused).toBe(1);
  });
});

describe("a region that is found by one of its entries", () => {
  const [A, B] = [0x4000, 0x4040];
  /** `jz` to B · `inc eax` · `hlt`, and at B `add eax, 5` · `hlt` */
  const CODE = { a: Uint8Array.of(0x74, 0x3e, 0x40, HLT), b: Uint8Array.of(0x83, 0xc0, 5, HLT) } as const;

  function before(): Machine {
    const m = new Machine();
    m.memory.write(A, CODE.a);
    m.memory.write(B, CODE.b);
    expect([m.run(A), m.run(A, { rflags: ZF })]).toEqual([1n, 5n]);
    m.translate(A, B);
    return m;
  }

  it("does not take the place of a branch that is just leading there", () => {
    const m = next(before());
    m.memory.write(A, CODE.a);
    // The branch is decoded while other code is at B, so that the region is found when it leads there for the first time.
    expect([m.run(A), m.reused]).toEqual([1n, 0]);
    m.memory.write(B, CODE.b);
    expect([m.run(A, { rflags: ZF }), m.reused]).toEqual([5n, 1]);
    // A limited code segment is none that regions serve: the branch itself is executed.
    expect([m.run(A, { limit: 0xffff }), m.run(A, { limit: 0xffff, rflags: ZF })]).toEqual([1n, 5n]);
    expect([m.run(A), m.run(A, { rflags: ZF })]).toEqual([1n, 5n]);
  });
});

describe("a region over two pages", () => {
  const TABLE = 0x9000;
  const [FIRST, SECOND, OTHER] = [0x4000, 0x5000, 0x7000];
  const map = (m: Machine, linear: number, physical: number): void =>
    m.memory.writeUint32(TABLE + (linear >>> 12) * 4, physical | PAGES.present | PAGES.writable);

  it("is not entered in its second page where its first is another", () => {
    const m = new Machine();
    m.memory.writeUint32(TABLES, TABLE | PAGES.present | PAGES.writable);
    for (const page of [FIRST, SECOND, OTHER]) map(m, page, page);
    // `inc eax` · `jmp` to the second page; there `dec ecx` · `jnz` to the first · `hlt`; instead of the first `add eax, 16` · `jmp`.
    m.memory.write(FIRST, Uint8Array.of(0x40, 0xe9, 0xfa, 0x0f, 0, 0));
    m.memory.write(SECOND, Uint8Array.of(0x49, 0x0f, 0x85, 0xf9, 0xef, 0xff, 0xff, HLT));
    m.memory.write(OTHER, Uint8Array.of(0x83, 0xc0, 16, 0xe9, 0xf8, 0x0f, 0, 0));
    expect([m.run(FIRST), m.run(SECOND)]).toEqual([3n, 2n]);
    m.translate(FIRST, SECOND);
    expect([m.run(FIRST), m.run(SECOND)]).toEqual([3n, 2n]);
    expect(m.cpu.translated!.entries).toBeGreaterThan(0);
    map(m, FIRST, OTHER);
    expect(m.run(SECOND)).toBe(32n);
  });
});
