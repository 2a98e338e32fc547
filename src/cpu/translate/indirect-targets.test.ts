// Indirect branches: what the interpreter saw of them, and what regions make of it.
import { beforeAll, expect, it } from "vitest";
import { GuestMemory } from "../../memory/guest-memory.ts";
import { setFlat } from "../../testing/flat-code.ts";
import { NO_DEVICES } from "../../testing/no-devices.ts";
import { ProgramGenerator } from "../engine/generator.ts";
import { placeOf } from "../engine/place.ts";
import { memoryLayout, Processor } from "../engine/processor.ts";
import type { RegionRequest, TranslatorClient } from "../engine/translation.ts";
import { HotPlaces, MemorySource } from "./memory-source.ts";
import { RegionTranslator } from "./translator.ts";

const RAM = 1 << 20;
const CODE = 0x1000;
const TABLE = 0x8000;
const STACK = 0x9000;
/** `inc eax` · `ret`; `add eax, 16` · `ret`. */
const FUNCTIONS = [
  [0x40, 0xc3],
  [0x83, 0xc0, 0x10, 0xc3],
];
/** again: `call [esi+ecx*4]` · `dec ecx` · `jnz again` · `hlt` */
const CALLS = [0xff, 0x14, 0x8e, 0x49, 0x75, 0xfa, 0xf4];

let program: ProgramGenerator;
beforeAll(() => {
  program = new ProgramGenerator();
});

/** Flat 32-bit code without paging that calls through a table, by turns to its even and its odd entries. */
class Caller {
  readonly memory = new GuestMemory(RAM, memoryLayout(1, RAM).ramBase);
  readonly cpu: Processor;
  client: TranslatorClient | undefined;

  constructor() {
    const factory = (client: TranslatorClient): { request: () => void } => {
      this.client = client;
      return { request: () => {} };
    };
    this.cpu = new Processor({ program: program.interpreter(), memory: this.memory, host: NO_DEVICES, translator: factory });
    this.memory.write(CODE, Uint8Array.from(CALLS));
    FUNCTIONS.forEach((bytes, n) => this.memory.write(CODE + 0x100 * (n + 1), Uint8Array.from(bytes)));
    for (let i = 0; i <= 100; i++) this.memory.writeUint32(TABLE + 4 * i, CODE + 0x100 * ((i & 1) + 1));
  }

  /** EAX behind so many calls. */
  run(calls: number): number {
    const { registers: r } = this.cpu;
    const values = { cr0: 1, halted: 0, rflags: 2, rip: CODE, rsp: STACK, rax: 0, rcx: calls, rsi: TABLE };
    setFlat(r, values);
    expect(this.cpu.run(10_000)).toBe("halt");
    return Number(r.get("rax"));
  }

  get request(): RegionRequest {
    const { context } = this.cpu;
    const host = this.memory.hostOffset(CODE, 1);
    return { host, mode: context.get32("mode"), linearPage: BigInt(CODE), view: context.get32("tlbView"), isWide: false };
  }

  /** Has the code translated, as if it were hot. */
  translate(): void {
    const client = this.client!;
    const batch = new RegionTranslator(program).translate(client.memory.buffer, client.base, [this.request]);
    client.accept(batch ?? expect.fail("nothing was translated"));
  }
}

it("remembers in a branch's record where it went, relative to its page", () => {
  const guest = new Caller();
  expect(guest.run(4)).toBe(34);
  const { request } = guest;
  const { buffer } = guest.client!.memory;
  const source = new MemorySource(buffer, guest.client!.base, request, new HotPlaces([]));
  const records = source.records(request.host, []);
  expect(new Set(source.targets(request.host, records))).toEqual(new Set([0x100, 0x200]));
  expect(source.records(request.host + 1, [])).toEqual([]);
});

it("counts which ways a conditional branch goes", () => {
  const guest = new Caller();
  guest.run(4);
  guest.run(3);
  const { request } = guest;
  const source = new MemorySource(guest.client!.memory.buffer, guest.client!.base, request, new HotPlaces([]));
  const branch = request.host + 4;
  const records = source.records(branch, source.records(branch - 1, []));
  expect(source.ways(records)).toEqual({ taken: 5, notTaken: 2 });
  expect(source.ways([])).toEqual({ taken: 0, notTaken: 0 });
});

it("knows where regions can be entered, and how large they are", () => {
  const guest = new Caller();
  guest.run(4);
  const { request } = guest;
  const sizes = new Map([[placeOf(request.host, request.mode), 6]]);
  const source = new MemorySource(guest.client!.memory.buffer, guest.client!.base, request, new HotPlaces([]), {
    entries: new Set(),
    sizes,
  });
  expect(source.entered(request.host)).toBe(false);
  guest.translate();
  expect([source.entered(request.host), source.sizeAt(request.host)]).toEqual([true, 6]);
  expect([source.entered(request.host + 0x100), source.sizeAt(request.host + 0x100)]).toEqual([false, Infinity]);
});

it("stays in a region with functions that are called through a table", () => {
  const guest = new Caller();
  guest.run(4);
  guest.translate();
  const before = guest.cpu.translated!.entries;
  expect(guest.run(100)).toBe(50 * 17);
  expect(guest.cpu.translated!.entries - before).toBeLessThan(5);
});

it("leaves a region for a function that was not seen before", () => {
  const guest = new Caller();
  guest.run(4);
  guest.translate();
  guest.memory.write(CODE + 0x300, Uint8Array.of(0x05, 0, 1, 0, 0, 0xc3));
  guest.memory.writeUint32(TABLE + 4 * 50, CODE + 0x300);
  expect(guest.run(100)).toBe(50 * 17 - 1 + 0x100);
});
