// Regions beside one another hold each piece of code once; wide ones hold what others do, and take their places.
import { beforeAll, expect, it } from "vitest";
import { GuestMemory } from "../../memory/guest-memory.ts";
import { setFlat } from "../../testing/flat-code.ts";
import { NO_DEVICES } from "../../testing/no-devices.ts";
import { ProgramGenerator } from "../engine/generator.ts";
import { memoryLayout, Processor } from "../engine/processor.ts";
import type { RegionRequest, TranslatedBatch, TranslatorClient } from "../engine/translation.ts";
import { RegionTranslator } from "./translator.ts";

const RAM = 1 << 20;
const CODE = 0x1000;
const FUNCTION = 0x1100;
const OTHER_FUNCTION = 0x1200;
/** again: `call edi` · `dec ecx` · `jnz again` · `hlt` */
const INDIRECT_CALLER = [0xff, 0xd7, 0x49, 0x75, 0xfb, 0xf4];
const INDIRECT = 0x1300;
const STACK = 0x9000;
/** again: `call FUNCTION` · `dec ecx` · `jnz again` · `hlt` */
const CALLER = [0xe8, 0xfb, 0, 0, 0, 0x49, 0x75, 0xf8, 0xf4];
/** What the function adds to EAX: too much for a copy of it in another region. */
const STEPS = 100;

let program: ProgramGenerator;
beforeAll(() => {
  program = new ProgramGenerator();
});

/** Flat 32-bit code without paging that calls a long function again and again. */
class Machine {
  readonly cpu: Processor;
  readonly requests: RegionRequest[] = [];
  readonly #memory = new GuestMemory(RAM, memoryLayout(1, RAM).ramBase);
  readonly #translator = new RegionTranslator(program);
  readonly #factory = (client: TranslatorClient): { request: (requests: readonly RegionRequest[]) => void } => {
    this.#client = client;
    return { request: (requests) => void this.requests.push(...requests) };
  };
  #client: TranslatorClient | undefined;

  constructor() {
    this.cpu = new Processor({ program: program.interpreter(), memory: this.#memory, host: NO_DEVICES, translator: this.#factory });
    this.#memory.write(CODE, Uint8Array.from(CALLER));
    for (const address of [FUNCTION, OTHER_FUNCTION])
      this.#memory.write(address, Uint8Array.from([...Array<number>(STEPS).fill(0x40), 0xc3]));
    this.#memory.write(INDIRECT, Uint8Array.from(INDIRECT_CALLER));
  }

  /** @param through address that is called indirectly, if there is to be one */
  start(calls: number, through?: number): void {
    const from = through === undefined ? { rip: CODE } : { rip: INDIRECT, rdi: through };
    setFlat(this.cpu.registers, { cr0: 1, halted: 0, rflags: 2, rsp: STACK, rax: 0, rcx: calls, ...from });
  }

  hostOf(address: number): number {
    return this.#memory.hostOffset(address, 1);
  }

  /** → how often regions were entered meanwhile */
  run(calls: number, through?: number): number {
    const before = this.cpu.translated!.entries;
    this.start(calls, through);
    expect(this.cpu.run(100_000)).toBe("halt");
    expect(this.cpu.registers.get("rax")).toBe(BigInt(calls * STEPS));
    return this.cpu.translated!.entries - before;
  }

  request(address: number, isWide = false): RegionRequest {
    const { context } = this.cpu;
    return { host: this.hostOf(address), mode: context.get32("mode"), linearPage: BigInt(CODE), view: context.get32("tlbView"), isWide };
  }

  translate(address: number, isWide = false): void {
    this.answer([this.request(address, isWide)]);
  }

  /** What comes of requests when so many instructions are enough. */
  batchOf(requests: readonly RegionRequest[], most: number): TranslatedBatch | undefined {
    const { memory, base } = this.#client!;
    return this.#translator.translate(memory.buffer, base, requests, { most });
  }

  answer(requests: readonly RegionRequest[]): void {
    const { memory, base, accept, done } = this.#client!;
    accept(this.#translator.translate(memory.buffer, base, requests) ?? expect.fail("nothing was translated"));
    done(requests);
  }
}

it("holds a function that another region begins with only if it is wide, and takes that one's place", () => {
  const m = new Machine();
  m.run(5);
  m.translate(FUNCTION);
  m.translate(CODE);
  expect(m.run(100)).toBeGreaterThanOrEqual(200);
  m.translate(CODE, true);
  expect(m.run(100)).toBeLessThan(10);
  // The function's own and the wide one: nothing leads to the caller's first one any more.
  expect(m.cpu.translation!.regions.size).toBe(2);
});

it("is made again with what it has called since", () => {
  const m = new Machine();
  m.run(5, FUNCTION);
  m.translate(INDIRECT, true);
  m.translate(OTHER_FUNCTION);
  expect(m.run(800, FUNCTION)).toBeLessThan(100);
  expect(m.run(800, OTHER_FUNCTION)).toBeGreaterThan(800);
  m.translate(INDIRECT, true);
  expect(m.run(800, FUNCTION) + m.run(800, OTHER_FUNCTION)).toBeLessThan(100);
});

it("is asked for where regions are entered again and again, once nothing else is to be translated", () => {
  const m = new Machine();
  m.start(300_000);
  for (let exit = "budget"; exit !== "halt"; exit = m.cpu.run(20_000)) {
    expect(exit).toBe("budget");
    if (m.requests.length > 0) m.answer(m.requests.splice(0));
    if (m.cpu.translation!.regions.planAt(m.hostOf(CODE), m.cpu.context.get32("mode"))?.isWide) break;
  }
  expect(m.run(100)).toBeLessThan(10);
});

it("leaves requests for later when others have made enough work, and holds no code twice that is asked for together", () => {
  const m = new Machine();
  m.run(5);
  const requests = [m.request(FUNCTION), m.request(CODE)];
  const first = m.batchOf(requests, STEPS);
  expect([first?.regions.length, first?.dealt]).toEqual([1, 1]);
  const both = m.batchOf(requests, Infinity);
  expect(both?.regions.map(({ shape }) => shape.instructions)).toEqual([STEPS + 1, 4]);
  expect(both?.dealt).toBe(2);
});
