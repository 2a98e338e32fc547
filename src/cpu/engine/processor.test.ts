import { expect, it } from "vitest";
import { GuestMemory } from "../../memory/guest-memory.ts";
import { NO_DEVICES } from "../../testing/no-devices.ts";
import { ProgramGenerator } from "./generator.ts";
import { memoryLayout, Processor } from "./processor.ts";

const RAM = 1 << 20;

it("stops behind the instruction it has executed when it is asked to as its budget runs out", () => {
  const memory = new GuestMemory(RAM, memoryLayout(1, RAM).ramBase);
  const cpu = new Processor({ program: new ProgramGenerator().interpreter(), memory, host: NO_DEVICES });
  cpu.registers.setSegment("cs", { selector: 0, base: 0n, limit: 0xffff, access: 0x9b });
  cpu.registers.set("rip", 0x1ffen);
  cpu.registers.commit();
  // `mov ax, 1234h` over a page border: two records, of which the first is no instruction.
  memory.write(0x1ffe, Uint8Array.of(0xb8, 0x34, 0x12, 0xf4));
  cpu.kick();
  expect(cpu.run(1)).toBe("kick");
  expect(cpu.registers.get("rip")).toBe(0x2001n);
});
