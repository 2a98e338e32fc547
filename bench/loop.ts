// A warm integer loop: instructions per second of the interpreter without devices, misses or faults.
import { ProgramGenerator } from "../src/cpu/engine/generator.ts";
import { memoryLayout, Processor } from "../src/cpu/engine/processor.ts";
import { NO_DEVICES } from "../src/testing/no-devices.ts";
import { GuestMemory } from "../src/memory/guest-memory.ts";
import { median } from "./measure.ts";

const RAM = 16 * 0x10_0000;
const CODE = 0x1000;
const DATA = 0x8000;

/**
 * Twelve instructions of common kinds:
 * add rax,1 · mov rdx,rax · and edx,0FFFh · add rbx,[rsp] · lea rsi,[rbx+rdx*4] · xor rsi,rax · mov [rsp+8],rsi · shr rsi,7 · cmp rsi,rbx ·
 * jb next · dec ecx · jnz top
 */
// oxfmt-ignore
const PROGRAM = Uint8Array.of(
  0x48, 0x83, 0xc0, 0x01, 0x48, 0x89, 0xc2, 0x81, 0xe2, 0xff, 0x0f, 0x00, 0x00, 0x48, 0x03, 0x1c, 0x24, 0x48, 0x8d, 0x34, 0x93, 0x48, 0x31, 0xc6,
  0x48, 0x89, 0x74, 0x24, 0x08, 0x48, 0xc1, 0xee, 0x07, 0x48, 0x39, 0xde, 0x72, 0x00, 0xff, 0xc9, 0x75, 0xd6, 0xf4,
);

function prepare(): Processor {
  const memory = new GuestMemory(RAM, memoryLayout(1, RAM).ramBase);
  const cpu = new Processor({ program: new ProgramGenerator().interpreter(), memory, host: NO_DEVICES });
  memory.write(CODE, PROGRAM);
  const r = cpu.registers;
  r.set("efer", 0x500n);
  r.set("cr0", 1n);
  for (const name of ["es", "ss", "ds", "fs", "gs"] as const)
    r.setSegment(name, { selector: 0, base: 0n, limit: -1 >>> 0, access: 0xc093 });
  r.setSegment("cs", { selector: 8, base: 0n, limit: -1 >>> 0, access: 0xa09b });
  r.set("rsp", BigInt(DATA));
  return cpu;
}

/** Millions of instructions per second, median of `rounds`. */
export function loopMips(rounds = 7): number {
  const cpu = prepare();
  const r = cpu.registers;
  const once = (iterations: bigint): number => {
    r.set("rip", BigInt(CODE));
    r.set("rcx", iterations);
    r.set("halted", 0n);
    r.commit();
    const from = cpu.instructions;
    const start = performance.now();
    while (cpu.run(1_000_000) === "budget");
    return (cpu.instructions - from) / (performance.now() - start) / 1e3;
  };
  once(2_000_000n);
  return median(Array.from({ length: rounds }, () => once(10_000_000n)));
}
