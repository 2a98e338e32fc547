// 32-bit code in the fast loop: as long as its segments are flat, and no longer.
import { describe, expect, it } from "vitest";
import { GuestMemory } from "../../memory/guest-memory.ts";
import { NO_DEVICES } from "../../testing/no-devices.ts";
import { VIEW } from "./layout.ts";
import { ProgramGenerator } from "./generator.ts";
import { memoryLayout, Processor } from "./processor.ts";
import type { RunExit } from "./engine.ts";

const RAM = 1 << 20;
const CODE = 0x1000;
const DATA = 0x8000;
const STACK = 0x9000;
const FLAT_DATA = { selector: 16, base: 0n, limit: 0xffff_ffff, access: 0xc093 };
const FLAT_CODE = { selector: 8, base: 0n, limit: 0xffff_ffff, access: 0xc09b };

const program = new ProgramGenerator();

/** A processor in 32-bit protected mode without paging, with flat segments, and without an interrupt table: any fault ends it. */
class Flat {
  readonly memory: GuestMemory = new GuestMemory(RAM, memoryLayout(1, RAM).ramBase);
  readonly cpu: Processor = new Processor({ program: program.interpreter(), memory: this.memory, host: NO_DEVICES });

  constructor(...code: readonly number[]) {
    this.memory.write(CODE, Uint8Array.from(code));
    this.begin();
  }

  /** The state before the first instruction; decoded code stays. */
  begin(): void {
    const { registers } = this.cpu;
    for (const [name, value] of Object.entries({ cr0: 1n, idtrLimit: 0n, fault: 0n, rflags: 2n })) registers.set(name, value);
    registers.setSegment("cs", FLAT_CODE);
    for (const name of ["es", "ss", "ds"] as const) registers.setSegment(name, FLAT_DATA);
  }

  /** Runs from `ip` to the next HLT, or to the fault that has no handler. */
  run(values: Readonly<Record<string, number>> = {}, ip: number = CODE): RunExit {
    const { registers } = this.cpu;
    for (const [name, value] of Object.entries({ rsp: STACK, rip: ip, halted: 0, ...values })) registers.set(name, BigInt(value));
    registers.commit();
    return this.cpu.run(100_000);
  }

  get(name: string): number {
    return Number(this.cpu.registers.get(name));
  }
}

describe("32-bit code in the fast loop", () => {
  /** again: mov eax, [esi+ecx*4] · add [edi], eax · dec ecx · jnz again · hlt */
  const SUM = [0x8b, 0x04, 0x8e, 0x01, 0x07, 0x49, 0x75, 0xf8, 0xf4];
  const sums = (): Flat => {
    const flat = new Flat(...SUM);
    for (let i = 0; i < 100; i++) flat.memory.writeUint32(DATA + i * 4, i);
    return flat;
  };
  const registers = { rcx: 10, rsi: DATA, rdi: DATA + 0x800 };

  it("uses the running view while all is flat", () => {
    const flat = sums();
    expect(flat.run(registers)).toBe("halt");
    expect(flat.memory.readUint32(DATA + 0x800)).toBe(55);
    const { context } = flat.cpu;
    expect(context.get32("hotView")).toBe(context.base + VIEW.supervisor);
  });

  it("cuts addresses and stack pointers to 32 bits", () => {
    const flat = sums();
    flat.run(registers);
    // Upper halves are what 64-bit code may have left.
    const high = 0x7 * 2 ** 32;
    expect(flat.run({ ...registers, rsi: high + DATA, rdi: high + DATA + 0x804 })).toBe("halt");
    expect(flat.memory.readUint32(DATA + 0x804)).toBe(55);
    // Scaled, the index carries beyond 4 GiB; the first element is added over and over until the budget is used up.
    expect(flat.run({ rcx: 0xc000_000a, rsi: DATA, rdi: DATA + 0x808 })).toBe("budget");
    expect(flat.memory.readUint32(DATA + 0x808)).toBeGreaterThan(54);
  });

  it("looks at DS's base, limit and type when it is no longer flat", () => {
    const flat = sums();
    flat.run(registers);
    flat.cpu.registers.setSegment("ds", { ...FLAT_DATA, base: 40n });
    expect(flat.run({ ...registers, rdi: DATA + 0x900 })).toBe("halt");
    expect(flat.memory.readUint32(DATA + 0x900 + 40)).toBe(155);
    for (const change of [{ limit: DATA + 3 }, { access: 0xc091 }, { access: 0xc013 }, { access: 0xc097 }, { access: 0xc09b }]) {
      flat.cpu.registers.setSegment("ds", { ...FLAT_DATA, ...change });
      expect([change, flat.run(registers)]).toEqual([change, "shutdown"]);
      flat.begin();
      expect(flat.run(registers)).toBe("halt");
    }
  });

  it("looks at CS's limit at branches that it has linked", () => {
    // jnz +0Eh, to a HLT
    const flat = new Flat(0x75, 0x0e, ...new Array<number>(14).fill(0xcc), 0xf4);
    for (let i = 0; i < 3; i++) expect(flat.run()).toBe("halt");
    flat.cpu.registers.setSegment("cs", { ...FLAT_CODE, limit: CODE + 0x0f });
    expect(flat.run()).toBe("shutdown");
  });

  it("pushes addresses as CS's base makes them, and returns to them", () => {
    // call +1 · hlt · ret
    const flat = new Flat(0xe8, 0x01, 0x00, 0x00, 0x00, 0xf4, 0xc3);
    for (let i = 0; i < 3; i++) expect(flat.run()).toBe("halt");
    expect(flat.memory.readUint32(STACK - 4)).toBe(CODE + 5);
    flat.cpu.registers.setSegment("cs", { ...FLAT_CODE, base: BigInt(CODE) });
    expect(flat.run({}, 0)).toBe("halt");
    expect(flat.memory.readUint32(STACK - 4)).toBe(5);
    expect(flat.get("rip")).toBe(6);
  });
});
