// Regions of hand-written code: what they do as WebAssembly in a processor, and by the evaluator.
import { beforeAll, describe, expect, it } from "vitest";
import { GuestMemory } from "../../memory/guest-memory.ts";
import { NO_DEVICES } from "../../testing/no-devices.ts";
import { ProgramGenerator } from "../engine/generator.ts";
import type { ExecutionObserver, GuestPlace, ObservedRegion } from "../engine/observer.ts";
import { memoryLayout, Processor } from "../engine/processor.ts";
import type { RegionExitCounts, RegionRequest, TranslatorClient } from "../engine/translation.ts";
import { FCW, FSW } from "../float/status.ts";
import { X87 } from "../state.ts";
import { RegionTranslator } from "./translator.ts";

const RAM = 1 << 20;
const AT = { gdt: 0x1000, idt: 0x2000, code: 0x4000, stack: 0x9000 } as const;
const HANDLERS = 0x3000;
/** Null; flat code and data; data that begins at 1000h; data that ends at FFFFh. */
const DESCRIPTORS = [0n, 0x00cf_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn, 0x00cf_9300_1000_ffffn, 0x0040_9300_0000_ffffn];
const SELECTOR = { code: 0x08, data: 0x10, shifted: 0x18, small: 0x20 } as const;
const HLT = 0xf4;
const DATA = 0x5000;
/** The x87 as FNINIT leaves it. */
const FINIT = { fcw: FCW.initial, fsw: 0, ftw: 0, ftop: 0, fop: 0 } as const;

let program: ProgramGenerator;
beforeAll(() => {
  program = new ProgramGenerator();
});

/** Keeps what it is told. */
class Witness implements ExecutionObserver {
  readonly regions: ObservedRegion[] = [];
  readonly places: GuestPlace[] = [];
  regionTaken(region: ObservedRegion): void {
    this.regions.push(region);
  }
  sampled(count: number, place: (index: number) => GuestPlace): void {
    for (let i = 0; i < count; i++) this.places.push(place(i));
  }
}

/** Flat 32-bit protected mode without paging; each exception's handler halts at HANDLERS + 16 × vector. */
class Machine {
  readonly memory = new GuestMemory(RAM, memoryLayout(1, RAM).ramBase);
  readonly cpu: Processor;
  readonly #translator = new RegionTranslator(program);
  readonly witness = new Witness();
  /** Whether hot code is translated, at once. */
  translatesHotCode = false;
  #client: TranslatorClient | undefined;

  constructor(code: readonly number[]) {
    const translator = (client: TranslatorClient): { request: (requests: readonly RegionRequest[]) => void } => {
      this.#client = client;
      return { request: (requests) => this.translatesHotCode && this.#translate(requests) };
    };
    const observer = this.witness;
    this.cpu = new Processor({ program: program.interpreter(), memory: this.memory, host: NO_DEVICES, translator, observer });
    DESCRIPTORS.forEach((d, i) => this.memory.writeUint64(AT.gdt + i * 8, d));
    for (let vector = 0; vector < 32; vector++) {
      this.memory.write(HANDLERS + vector * 16, Uint8Array.of(HLT));
      this.memory.writeUint64(AT.idt + vector * 8, BigInt(HANDLERS + vector * 16) | (BigInt(SELECTOR.code) << 16n) | (0x8e00n << 32n));
    }
    this.memory.write(AT.code, Uint8Array.from(code));
  }

  start(registers: Readonly<Record<string, bigint>>): void {
    const { registers: r } = this.cpu;
    const system = {
      cr0: 0x8000_0011n & 0x7fff_ffffn,
      gdtrBase: BigInt(AT.gdt),
      gdtrLimit: 0x2fn,
      idtrBase: BigInt(AT.idt),
      idtrLimit: 0xffn,
    };
    const others = { rip: BigInt(AT.code), rsp: BigInt(AT.stack), rflags: 2n, halted: 0n };
    for (const [name, value] of Object.entries({ ...system, ...others, ...registers })) r.set(name, value);
    r.setSegment("cs", { selector: SELECTOR.code, base: 0n, limit: 0xffff_ffff, access: 0xc09b });
    for (const s of ["ds", "es", "ss"] as const) r.setSegment(s, { selector: SELECTOR.data, base: 0n, limit: 0xffff_ffff, access: 0xc093 });
    r.commit();
  }

  /** Runs once interpreted, then again with a region in force from the code's beginning. → RIP where it halted the second time */
  twice(registers: Readonly<Record<string, bigint>> = {}): bigint {
    this.start(registers);
    expect(this.cpu.run(1000)).toBe("halt");
    this.start(registers);
    this.#translateStart();
    // Without a flush: the TLB as the first run left it.
    expect(this.cpu.run(1000)).toBe("halt");
    return this.cpu.registers.get("rip");
  }

  /** As a third time; → why regions were left in it. */
  again(registers: Readonly<Record<string, bigint>>, prepare: (registers: Processor["registers"]) => void = () => {}): RegionExitCounts {
    const before = this.#exits();
    this.start(registers);
    prepare(this.cpu.registers);
    this.cpu.registers.commit();
    expect(this.cpu.run(1000)).toBe("halt");
    return this.#exitsSince(before);
  }

  /** Registers, tags, TOP, status and the last instruction's address of the x87, and 32 bytes at DATA. */
  get x87(): object {
    const { context } = this.cpu;
    const { memory, base } = this.#client!;
    const registers = Buffer.from(memory.buffer).subarray(base + X87, base + X87 + 0x80);
    const words = (["fcw", "fsw", "ftw", "ftop"] as const).map((name) => context.get32(name));
    const data = Array.from({ length: 8 }, (_, i) => this.memory.readUint32(DATA + 4 * i));
    return { registers: registers.toString("hex"), words, data, fip: context.get64("fip"), fop: context.get32("fop") };
  }

  /** Code from registers and data that `prepare` may change, interpreted and then as a region: the same in the end. → why that was left */
  x87Twice(prepare: () => void = () => {}): RegionExitCounts {
    const run = (): object => {
      const { context } = this.cpu;
      const { memory, base } = this.#client!;
      this.memory.write(DATA, new Uint8Array(new Float64Array([1.1, -3.7, 0, 0]).buffer));
      new Uint8Array(memory.buffer).fill(0, base + X87, base + X87 + 0x80);
      for (const [name, value] of Object.entries(FINIT)) context.set32(name as "fcw", value);
      prepare();
      this.start({});
      // The TLB knows the data.
      context.store(BigInt(DATA), 8, context.load(BigInt(DATA), 8));
      expect(this.cpu.run(1000)).toBe("halt");
      return this.x87;
    };
    const interpreted = run();
    if (this.cpu.translation!.regions.size === 0) this.#translateStart();
    const before = this.#exits();
    expect(run()).toEqual(interpreted);
    return this.#exitsSince(before);
  }

  #exits(): RegionExitCounts {
    return { ...this.cpu.translation!.statistics.exits };
  }

  #exitsSince(before: RegionExitCounts): RegionExitCounts {
    const { memory, instruction, handler, refused } = this.#exits();
    return {
      memory: memory - before.memory,
      instruction: instruction - before.instruction,
      handler: handler - before.handler,
      refused: refused - before.refused,
    };
  }

  #translateStart(): void {
    const { context } = this.cpu;
    const host = this.memory.hostOffset(AT.code, 1);
    this.#translate([{ host, mode: context.get32("mode"), linearPage: BigInt(AT.code), view: context.get32("tlbView"), isWide: false }]);
    expect(this.cpu.translation!.regions.size).toBe(1);
  }

  #translate(requests: readonly RegionRequest[]): void {
    const client = this.#client!;
    client.accept(this.#translator.translate(client.memory.buffer, client.base, requests) ?? expect.fail("nothing was translated"));
    client.done(requests);
  }
}

const handlerOf = (vector: number): bigint => BigInt(HANDLERS + vector * 16 + 1);

describe("a region of 32-bit code", () => {
  it("finds a segment register that it has just loaded where that begins now", () => {
    // `mov ds, eax` · `mov [5000h], edx` · `hlt`
    const m = new Machine([0x8e, 0xd8, 0x89, 0x15, 0x00, 0x50, 0x00, 0x00, HLT]);
    expect(m.twice({ rax: BigInt(SELECTOR.shifted), rdx: 0x1234n })).toBe(BigInt(AT.code + 9));
    expect([m.memory.readUint32(0x5000), m.memory.readUint32(0x6000)]).toEqual([0, 0x1234]);
  });

  it("keeps to the limit of a segment register that it has just popped", () => {
    // `push 20h` · `pop es` · `mov es:[12345h], edx` · `hlt`
    const m = new Machine([0x6a, SELECTOR.small, 0x07, 0x26, 0x89, 0x15, 0x45, 0x23, 0x01, 0x00, HLT]);
    expect(m.twice({ rdx: 0x1234n })).toBe(handlerOf(13));
  });

  it("does not write through CS", () => {
    // `mov cs:[5000h], dl` · `hlt`
    const m = new Machine([0x2e, 0x88, 0x15, 0x00, 0x50, 0x00, 0x00, HLT]);
    expect(m.twice({ rdx: 0x12n })).toBe(handlerOf(13));
    expect(m.memory.readUint32(0x5000)).toBe(0);
  });

  it("leaves when an instruction that it has called has written into it", () => {
    // `lea eax, [ebx+1]` · `mov edi, 4010h` · `mov ecx, 1` · `rep stosb` · `mov ebx, 0`, which is what is written · `hlt`
    const code = [0x8d, 0x43, 1, 0xbf, 0x10, 0x40, 0, 0, 0xb9, 1, 0, 0, 0, 0xf3, 0xaa, 0xbb, 0, 0, 0, 0, HLT];
    const m = new Machine(code);
    expect(m.twice()).toBe(BigInt(AT.code + code.length));
    expect(m.cpu.registers.get("rbx")).toBe(2n);
  });

  it("goes round its loop as often as the interpreter", () => {
    // `add eax, ecx` · `adc edx, 0` · `dec ecx` · `jnz` to the start · `hlt`
    const m = new Machine([0x01, 0xc8, 0x83, 0xd2, 0x00, 0x49, 0x75, 0xf8, HLT]);
    expect(m.twice({ rax: 0xffff_fff0n, rcx: 100n, rdx: 0n })).toBe(BigInt(AT.code + 9));
    expect([m.cpu.registers.get("rax"), m.cpu.registers.get("rdx")]).toEqual([BigInt(5050 - 16), 1n]);
  });
});

describe("x87 code in a region", () => {
  const plain: RegionExitCounts = { memory: 0, instruction: 0, handler: 1, refused: 0 };
  const left: RegionExitCounts = { ...plain, instruction: 1, handler: 0 };
  /** `fld` of the first and the second double, `fstp` to the third. */
  const LOAD = [0xdd, 0x05, 0x00, 0x50, 0, 0];
  const LOAD_OTHER = [0xdd, 0x05, 0x08, 0x50, 0, 0];
  const STORE = [0xdd, 0x1d, 0x10, 0x50, 0, 0];

  it("computes as the interpreter does without being left", () => {
    // Both doubles · `fmul st(1), st` · `fxch` · `fadd st, st(1)` · `fsubrp` · `fchs` · `fild` · `fdivp` · `fstp`
    const arithmetic = [0xdc, 0xc9, 0xd9, 0xc9, 0xd8, 0xc1, 0xde, 0xe1, 0xd9, 0xe0, 0xdb, 0x05, 0x04, 0x50, 0, 0, 0xde, 0xf9];
    expect(new Machine([...LOAD, ...LOAD_OTHER, ...arithmetic, ...STORE, HLT]).x87Twice()).toEqual(plain);
  });

  it("compares, moves by flags, and changes the rounding", () => {
    // `fucomi st(1)` · `fcmovbe st, st(1)` · `fnstcw` · `or byte, 0Ch` · `fldcw` · `fist` · `fnstsw ax` · `fcompp`
    const compare = [
      0xdb, 0xe9, 0xda, 0xd1, 0xd9, 0x3d, 0x18, 0x50, 0, 0, 0x80, 0x0d, 0x19, 0x50, 0, 0, 0x0c, 0xd9, 0x2d, 0x18, 0x50, 0, 0,
    ];
    const rest = [0xdb, 0x15, 0x14, 0x50, 0, 0, 0xdf, 0xe0, 0xde, 0xd9];
    expect(new Machine([...LOAD, ...LOAD_OTHER, ...compare, ...rest, HLT]).x87Twice()).toEqual(plain);
  });

  it("knows the stack no longer where ways meet", () => {
    // `test ecx, ecx` · `jz` over `fstp st(1)` and `fld1` · `fadd st, st(1)`, which one way leaves another number in
    const meet = [0x85, 0xc9, 0x74, 0x04, 0xdd, 0xd9, 0xd9, 0xe8, 0xd8, 0xc1];
    for (const rcx of [0n, 1n]) {
      const m = new Machine([0xb9, Number(rcx), 0, 0, 0, ...LOAD, ...LOAD_OTHER, ...meet, ...STORE, HLT]);
      expect(m.x87Twice()).toEqual(plain);
    }
  });

  it("knows the stack no longer behind an instruction that it calls", () => {
    // `fld1` · `fld1` · `fprem` · `fincstp` · `fdecstp` · `fptan`, which pushes · `faddp` · `faddp`
    const called = [0xd9, 0xe8, 0xd9, 0xf8, 0xd9, 0xf7, 0xd9, 0xf6, 0xd9, 0xf2, 0xde, 0xc1, 0xde, 0xc1];
    expect(new Machine([...LOAD, ...called, ...STORE, HLT]).x87Twice()).toEqual(plain);
  });

  it("is left where a register is missing, or one too many", () => {
    expect(new Machine([...LOAD, 0xde, 0xc1, ...STORE, HLT]).x87Twice()).toEqual(left);
    const full = new Machine([...LOAD, HLT]);
    expect(full.x87Twice(() => full.cpu.context.set32("ftw", 0xff))).toEqual(left);
  });

  it("is left before an instruction that may raise an unmasked exception, and before one that unmasks it", () => {
    const unmasked = new Machine([...LOAD, 0xd8, 0xc0, ...STORE, HLT]);
    expect(unmasked.x87Twice(() => unmasked.cpu.context.set32("fcw", FCW.initial & ~FSW.PE))).toEqual(left);
    // `fldcw` of the second half of 1.1, BFF1h in its upper word: unmasks.
    const unmasks = new Machine([...LOAD, 0xd9, 0x2d, 0x06, 0x50, 0, 0, HLT]);
    expect(unmasks.x87Twice()).toEqual(left);
  });

  it("is left when there is no x87", () => {
    const m = new Machine([...LOAD, HLT]);
    m.x87Twice();
    // CR0.TS: #NM
    m.again({ cr0: 0x19n });
    expect(m.cpu.registers.get("rip")).toBe(handlerOf(7));
  });

  it("takes other roundings, infinities and denormals to the exact routines", () => {
    const m = new Machine([...LOAD, ...LOAD_OTHER, 0xd8, 0xc9, 0xd8, 0xe1, 0xde, 0xf9, ...STORE, HLT]);
    for (const fcw of [0x37f, 0x77f, 0xb7f, 0xf7f, 0x27f, 0x7f]) expect(m.x87Twice(() => m.cpu.context.set32("fcw", fcw))).toEqual(plain);
    const odd = [Infinity, -Infinity, NaN, 5e-324, -1e-310, 0, -0, 1.7e308];
    for (const x of odd) {
      const data = (): void => m.memory.write(DATA, new Uint8Array(new Float64Array([x, -2.5]).buffer));
      expect(m.x87Twice(data)).toEqual(plain);
    }
  });
});

describe("what is told of regions", () => {
  it("is why they were left", () => {
    // `div ecx` · `hlt`, whose handler is called; then a division by zero.
    const division = new Machine([0xf7, 0xf1, HLT]);
    division.twice({ rcx: 1n, rdx: 0n });
    expect(division.again({ rcx: 1n, rdx: 0n })).toEqual({ memory: 0, instruction: 0, handler: 1, refused: 0 });
    expect(division.again({ rcx: 0n, rdx: 0n })).toEqual({ memory: 0, instruction: 1, handler: 0, refused: 0 });
    // `mov eax, [ebx]` · `hlt` with an empty TLB; then with a segment that has a limit.
    const load = new Machine([0x8b, 0x03, HLT]);
    load.twice({ rbx: 0x5000n });
    expect(load.again({ rbx: 0x5000n })).toEqual({ memory: 1, instruction: 0, handler: 0, refused: 0 });
    const limited = { selector: SELECTOR.small, base: 0n, limit: 0xffff, access: 0x4093 };
    const refused = load.again({ rbx: 0x5000n }, (r) => r.setSegment("ds", limited));
    expect(refused).toEqual({ memory: 0, instruction: 0, handler: 0, refused: 1 });
  });

  it("is where they are, and where the interpreter was before", () => {
    // `jmp` to the next page · there `dec ecx` · `jnz` to it · `hlt`
    const m = new Machine([0xe9, 0xfb, 0x0f, 0x00, 0x00]);
    m.memory.write(AT.code + 0x1000, Uint8Array.of(0x49, 0x75, 0xfd, HLT));
    m.start({ rcx: 300_000n });
    m.translatesHotCode = true;
    for (let exit = "budget"; exit !== "halt"; exit = m.cpu.run(10_000)) expect(exit).toBe("budget");
    const loop = BigInt(AT.code + 0x1000);
    expect(m.witness.regions).toEqual([
      { name: expect.stringMatching(/^region /), linear: loop, isUser: false, parts: [{ linear: loop, length: 3 }] },
    ]);
    expect(m.witness.places.length).toBeGreaterThan(8);
    expect(m.witness.places.every(({ linear, isUser }) => linear === loop && !isUser)).toBe(true);
    expect(m.cpu.translation!.statistics.instructions).toBeGreaterThan(100_000);
  });
});
