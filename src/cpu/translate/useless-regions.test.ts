// Regions whose pages lie elsewhere in another program: refused, and given up where they are of no use.
import { beforeAll, expect, it } from "vitest";
import { GuestMemory } from "../../memory/guest-memory.ts";
import { setFlat } from "../../testing/flat-code.ts";
import { NO_DEVICES } from "../../testing/no-devices.ts";
import { ProgramGenerator } from "../engine/generator.ts";
import { VIEW } from "../engine/layout.ts";
import { memoryLayout, Processor } from "../engine/processor.ts";
import type { TranslatorClient } from "../engine/translation.ts";
import { RegionTranslator } from "./translator.ts";

const RAM = 1 << 20;
const CODE = 0x2000;
const FUNCTION = 0x3000;
const OTHER_FUNCTION = 0x5000;
const STACK = 0x7000;
const DIRECTORY = 0x8000;
const TABLE = 0x9000;
const PRESENT = 1;
const CALLS = 1000;

let program: ProgramGenerator;
beforeAll(() => {
  program = new ProgramGenerator();
});

/** 32-bit code that calls what is mapped at FUNCTION. */
class Machine {
  readonly cpu: Processor;
  readonly #memory = new GuestMemory(RAM, memoryLayout(1, RAM).ramBase);
  #client: TranslatorClient | undefined;

  constructor() {
    const translator = (client: TranslatorClient): { request: () => void } => {
      this.#client = client;
      return { request: () => {} };
    };
    this.cpu = new Processor({ program: program.interpreter(), memory: this.#memory, host: NO_DEVICES, translator });
    // again: `call FUNCTION` · `dec ecx` · `jnz again` · `hlt`; `inc eax` · `ret`; `add eax, 2` · `ret`
    this.#memory.write(CODE, Uint8Array.of(0xe8, 0xfb, 0x0f, 0, 0, 0x49, 0x75, 0xf8, 0xf4));
    this.#memory.write(FUNCTION, Uint8Array.of(0x40, 0xc3));
    this.#memory.write(OTHER_FUNCTION, Uint8Array.of(0x83, 0xc0, 2, 0xc3));
    this.#memory.writeUint32(DIRECTORY, TABLE | 2 | PRESENT);
    for (let page = 0; page < 0x10; page++) this.#memory.writeUint32(TABLE + 4 * page, (page << 12) | 2 | PRESENT);
  }

  /** → EAX behind the calls, when `address` is mapped at FUNCTION. */
  run(address: number): bigint {
    this.#memory.writeUint32(TABLE + (FUNCTION >> 12) * 4, address | 2 | PRESENT);
    const { registers: r } = this.cpu;
    const values = { cr0: 0x8000_0001, cr3: DIRECTORY, halted: 0, rflags: 2, rip: CODE, rsp: STACK, rax: 0, rcx: CALLS };
    setFlat(r, values);
    expect(this.cpu.run(100_000)).toBe("halt");
    return r.get("rax");
  }

  get place(): [host: number, mode: number] {
    return [this.#memory.hostOffset(CODE, 1), this.cpu.context.get32("mode")];
  }

  /** @param view offset of the TLB view that the code was seen in, if that is not the present one */
  translate(view?: number): void {
    const [host, mode] = this.place;
    const { memory, base, accept } = this.#client!;
    const seen = view === undefined ? this.cpu.context.get32("tlbView") : base + view;
    const request = { host, mode, linearPage: BigInt(CODE), view: seen, isWide: false };
    const batch = new RegionTranslator(program).translate(memory.buffer, base, [request]);
    accept(batch ?? expect.fail("nothing was translated"));
  }

  get refused(): number {
    return this.cpu.translated!.exits.refused;
  }
}

it("is refused where another page is mapped, and given up when that has happened often", () => {
  const m = new Machine();
  const { regions } = m.cpu.translation!;
  m.run(FUNCTION);
  m.translate();
  expect([m.run(FUNCTION), m.refused, regions.leaveUseless(...m.place)]).toEqual([BigInt(CALLS), 0, false]);
  expect([m.run(OTHER_FUNCTION), m.refused]).toEqual([BigInt(2 * CALLS), CALLS]);
  expect([regions.leaveUseless(...m.place), regions.size]).toEqual([true, 0]);
  expect([m.run(OTHER_FUNCTION), m.refused]).toEqual([BigInt(2 * CALLS), CALLS]);
});

it("is refused, and given up, where a program's code is run by the supervisor", () => {
  const m = new Machine();
  m.run(FUNCTION);
  m.translate(VIEW.user);
  // At its beginning, and behind the call.
  expect([m.run(FUNCTION), m.refused]).toEqual([BigInt(CALLS), 2 * CALLS]);
  expect(m.cpu.translation!.regions.leaveUseless(...m.place)).toBe(true);
});

it("stays when it has been of use since", () => {
  const m = new Machine();
  m.run(FUNCTION);
  m.translate();
  expect([m.run(OTHER_FUNCTION), m.run(FUNCTION)]).toEqual([BigInt(2 * CALLS), BigInt(CALLS)]);
  expect(m.cpu.translation!.regions.leaveUseless(...m.place)).toBe(false);
});
