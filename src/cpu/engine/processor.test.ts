import { beforeAll, expect, it } from "vitest";
import { GuestMemory } from "../../memory/guest-memory.ts";
import { NO_DEVICES } from "../../testing/no-devices.ts";
import { ProgramGenerator } from "./generator.ts";
import { memoryLayout, Processor } from "./processor.ts";

const RAM = 1 << 20;
const STACK = 0x8000;

let program: ProgramGenerator;
beforeAll(() => {
  program = new ProgramGenerator();
});

/** A processor in real mode in front of this code. */
function realMode(address: number, code: readonly number[]): { readonly cpu: Processor; readonly memory: GuestMemory } {
  const memory = new GuestMemory(RAM, memoryLayout(1, RAM).ramBase);
  const cpu = new Processor({ program: program.interpreter(), memory, host: NO_DEVICES });
  for (const [name, access] of [
    ["cs", 0x9b],
    ["ss", 0x93],
  ] as const)
    cpu.registers.setSegment(name, { selector: 0, base: 0n, limit: 0xffff, access });
  cpu.registers.set("rip", BigInt(address));
  cpu.registers.set("rsp", BigInt(STACK));
  cpu.registers.commit();
  memory.write(address, Uint8Array.from(code));
  return { cpu, memory };
}

it("stops behind the instruction it has executed when it is asked to as its budget runs out", () => {
  // `mov ax, 1234h` over a page border: two records, of which the first is no instruction.
  const { cpu } = realMode(0x1ffe, [0xb8, 0x34, 0x12, 0xf4]);
  cpu.kick();
  expect(cpu.run(1)).toBe("kick");
  expect(cpu.registers.get("rip")).toBe(0x2001n);
});

it("traces the POPF that clears TF, and nothing behind it", () => {
  // `push 2` · `push 102h` · `popf` · `popf` · `nop` · `nop` · `hlt`; #DB goes to a HLT at 600h.
  const { cpu, memory } = realMode(0x1000, [0x6a, 0x02, 0x68, 0x02, 0x01, 0x9d, 0x9d, 0x90, 0x90, 0xf4]);
  cpu.registers.set("idtrLimit", 0x3ffn);
  memory.writeUint32(1 * 4, 0x600);
  memory.write(0x600, Uint8Array.of(0xf4));
  expect(cpu.run(100)).toBe("halt");
  expect([cpu.registers.get("rip"), memory.readUint16(STACK - 6)]).toEqual([0x601n, 0x1007]);
});

it("counts what leaves its fast paths", () => {
  // `mov al, [600h]` · `int 20h` · `hlt`; INT 20h goes to an IRET at 700h.
  const { cpu, memory } = realMode(0x1000, [0xa0, 0x00, 0x06, 0xcd, 0x20, 0xf4]);
  cpu.registers.set("idtrLimit", 0x3ffn);
  memory.writeUint32(0x20 * 4, 0x700);
  memory.write(0x700, Uint8Array.of(0xcf));
  expect(cpu.run(100)).toBe("halt");
  expect(cpu.counters).toMatchObject({ exceptions: 1, pageFaults: 0, interrupts: 0, pageWalks: 0, decoded: 3 });
  expect(cpu.counters.tlbMisses).toBeGreaterThan(1);
  expect(cpu.counters.jumpMisses).toBeGreaterThan(1);
});
