// Decoded code wherever RAM lies in the WebAssembly memory.
import { beforeAll, describe, expect, it } from "vitest";
import { GuestMemory } from "../../memory/guest-memory.ts";
import type { CpuHost } from "./engine.ts";
import { memoryLayout, Processor } from "./processor.ts";
import { InterpreterProgram } from "./program.ts";

const RAM = 1 << 20;
const CODE = 0x1000;
/** The far half of the addresses, which are negative numbers to whoever forgets that they have no sign. */
const FAR = 0x8000_0000;

const NO_DEVICES: CpuHost = {
  portRead: () => 0xff,
  portWrite: () => {},
  mmioRead: () => 0xff,
  mmioWrite: () => {},
  acknowledgeInterrupt: () => -1,
  readTsc: () => 0n,
  readMsr: () => undefined,
  writeMsr: () => undefined,
  readCr8: () => 0,
  writeCr8: () => {},
  random: () => 0n,
  ferr: () => {},
};

let program: InterpreterProgram;
beforeAll(() => {
  program = new InterpreterProgram();
});

/** A processor in real mode at CODE. */
function machine(ramBase: number): { readonly cpu: Processor; readonly memory: GuestMemory } {
  const memory = new GuestMemory(RAM, ramBase);
  const cpu = new Processor({ kind: "interpreter", program, memory, host: NO_DEVICES });
  cpu.registers.setSegment("cs", { selector: 0, base: 0n, limit: 0xffff, access: 0x9b });
  cpu.registers.set("rip", BigInt(CODE));
  cpu.registers.commit();
  return { cpu, memory };
}

describe.each([
  ["near", memoryLayout(1, RAM).ramBase],
  ["far", FAR],
])("code in RAM that lies %s", (_where, ramBase) => {
  it("runs on over the border of a page, in the middle of an instruction too", () => {
    const { cpu, memory } = machine(ramBase);
    // NOPs, then `mov ax, 1234h` with its last byte on the next page, `mov bx, 5678h`, `hlt`.
    memory.write(CODE, new Uint8Array(0xffe).fill(0x90));
    memory.write(CODE + 0xffe, Uint8Array.of(0xb8, 0x34, 0x12, 0xbb, 0x78, 0x56, 0xf4));
    expect(cpu.run(10_000)).toBe("halt");
    expect([cpu.registers.get("rax"), cpu.registers.get("rbx"), cpu.registers.get("rip")]).toEqual([0x1234n, 0x5678n, 0x2005n]);
  });

  it("is forgotten when the guest or a device writes to it", () => {
    const { cpu, memory } = machine(ramBase);
    // `mov byte [1006h], 42h`, then `mov al, 0` whose operand that is, `hlt`.
    memory.write(CODE, Uint8Array.of(0xc6, 0x06, 0x06, 0x10, 0x42, 0xb0, 0x00, 0xf4));
    expect(cpu.run(100)).toBe("halt");
    expect(cpu.registers.get("rax")).toBe(0x42n);
    memory.write(CODE, Uint8Array.of(0xb0, 0x17, 0xf4));
    cpu.registers.set("rip", BigInt(CODE));
    cpu.registers.set("halted", 0n);
    cpu.registers.commit();
    expect(cpu.run(100)).toBe("halt");
    expect(cpu.registers.get("rax")).toBe(0x17n);
  });
});
