// When an x87 exception comes: at the next waiting instruction, as #MF or over FERR# (SDM 1 §8.7); and who looks at CR0.TS, MP and EM.
import { beforeAll, describe, expect, it } from "vitest";
import { GuestMemory } from "../../../memory/guest-memory.ts";
import type { CpuHost } from "../../engine/engine.ts";
import { memoryLayout, Processor } from "../../engine/processor.ts";
import { ProgramGenerator } from "../../engine/generator.ts";
import { CR0 } from "../../mmu/control.ts";

const RAM = 0x2_0000;
const CODE = 0x1000;
const HANDLERS = 0x2000;
const HLT = 0xf4;

let program: ProgramGenerator;
beforeAll(() => {
  program = new ProgramGenerator();
});

/** Where a program in real-address mode ended: at its own HLT, or in the handler of a vector. */
interface End {
  readonly vector: number | undefined;
  readonly cpu: Processor;
  readonly ferr: readonly boolean[];
}

/** Runs code in real-address mode with vector n's handler, a HLT, at HANDLERS + n. `onFerr` is what FERR# starts. */
function run(code: readonly number[], cr0: number, onFerr: (cpu: Processor) => void = () => {}): End {
  const memory = new GuestMemory(RAM, memoryLayout(1, RAM).ramBase);
  const ferr: boolean[] = [];
  const host = {
    acknowledgeInterrupt: () => 0x75,
    readTsc: () => 0,
    ferr: (level: boolean) => {
      ferr.push(level);
      if (level) onFerr(cpu);
    },
  } as unknown as CpuHost;
  const cpu: Processor = new Processor({ program: program.evaluator(), memory, host });
  memory.write(CODE, Uint8Array.from([...code, HLT]));
  memory.write(HANDLERS, new Uint8Array(0x100).fill(HLT));
  for (let n = 0; n < 0x100; n++) memory.writeUint32(n * 4, HANDLERS + n);
  const r = cpu.registers;
  for (const name of ["cs", "ss", "ds"] as const)
    r.setSegment(name, { selector: 0, base: 0n, limit: 0xffff, access: name === "cs" ? 0x9b : 0x93 });
  r.set("cr0", BigInt(cr0 | CR0.ET));
  r.set("rsp", 0x8000n);
  r.set("rip", BigInt(CODE));
  r.commit();
  expect(cpu.run(1000)).toBe("halt");
  const at = Number(r.get("rip")) - 1;
  return { vector: at >= HANDLERS ? at - HANDLERS : undefined, cpu, ferr };
}

const FNINIT = [0xdb, 0xe3];
const FNCLEX = [0xdb, 0xe2];
const FLD1 = [0xd9, 0xe8];
const FLDZ = [0xd9, 0xee];
const FDIVP = [0xde, 0xf9];
const FWAIT = [0x9b];
const FNSTSW_AX = [0xdf, 0xe0];
const CONTROL = 0x3000;
/** MOV word [CONTROL], 037Bh; FLDCW [CONTROL]: division by zero is unmasked. */
const UNMASK_ZE = [0xc7, 0x06, 0x00, 0x30, 0x7b, 0x03, 0xd9, 0x2e, 0x00, 0x30];
const DIVIDE = [...FNINIT, ...UNMASK_ZE, ...FLD1, ...FLDZ, ...FDIVP];
const STI = 0xfb;

describe("pending x87 exceptions", () => {
  it("wait for a waiting instruction, then are #MF", () => {
    expect(run(DIVIDE, CR0.NE).vector).toBeUndefined();
    expect(run([...DIVIDE, ...FNSTSW_AX], CR0.NE).vector).toBeUndefined();
    expect(run([...DIVIDE, ...FWAIT], CR0.NE).vector).toBe(16);
    expect(run([...DIVIDE, ...FLD1], CR0.NE).vector).toBe(16);
    expect(run([...DIVIDE, ...FNCLEX, ...FWAIT], CR0.NE).vector).toBeUndefined();
  });

  it("leave the operands and the address for the handler", () => {
    const { cpu } = run([...DIVIDE, ...FWAIT], CR0.NE);
    expect(cpu.registers.get("fip")).toBe(BigInt(CODE + DIVIDE.length - 2));
    expect(cpu.registers.get("fop")).toBe(0x6f9n);
    expect([cpu.registers.get("ftop"), cpu.registers.get("ftw")]).toEqual([6n, 0xc0n]);
    expect(cpu.registers.get("fsw")).toBe(0x8084n);
  });

  it("drive FERR# without CR0.NE, and the interrupt comes before the instruction", () => {
    const interrupting = run([...DIVIDE, STI, ...FLD1], 0, (cpu) => cpu.setInterruptLine(true));
    expect(interrupting.vector).toBe(0x75);
    expect(interrupting.ferr).toEqual([true]);
    expect(interrupting.cpu.registers.get("ftop")).toBe(6n);
  });

  it("let the instruction go on when FERR# is ignored, and take FERR# back once cleared", () => {
    const { vector, ferr, cpu } = run([...DIVIDE, ...FLD1, ...FNCLEX], 0);
    expect([vector, cpu.registers.get("ftop")]).toEqual([undefined, 5n]);
    expect(ferr).toEqual([true, false]);
  });
});

describe("#NM", () => {
  it("comes from x87 instructions with CR0.EM or CR0.TS, non-waiting ones too", () => {
    expect(run(FNINIT, CR0.EM).vector).toBe(7);
    expect(run(FNINIT, CR0.TS).vector).toBe(7);
    expect(run(FLD1, CR0.TS | CR0.MP).vector).toBe(7);
    expect(run(FLD1, CR0.MP).vector).toBeUndefined();
  });

  it("comes from FWAIT only with both CR0.MP and CR0.TS", () => {
    expect(run(FWAIT, CR0.EM).vector).toBeUndefined();
    expect(run(FWAIT, CR0.EM | CR0.TS).vector).toBeUndefined();
    expect(run(FWAIT, CR0.MP).vector).toBeUndefined();
    expect(run(FWAIT, CR0.MP | CR0.TS).vector).toBe(7);
  });
});

describe("state images of real-address mode (SDM 1 figures 8-10 and 8-12)", () => {
  /** FNSTENV [CONTROL], with and without an operand-size prefix; then the image's words. */
  const image = (prefix: readonly number[]): DataView => {
    const { cpu } = run([...DIVIDE, ...prefix, 0xd9, 0x36, CONTROL & 0xff, CONTROL >> 8], CR0.NE);
    const { view } = cpu.context;
    return new DataView(view.buffer, memoryLayout(1, RAM).ramBase + CONTROL, 28);
  };
  const fip = CODE + DIVIDE.length - 2;

  it("16-bit: FIP in two parts, the opcode beside the second", () => {
    const words = image([]);
    expect([0, 2, 4, 6, 8].map((at) => words.getUint16(at, true))).toEqual([0x37b, 0xb084, 0x1fff, fip, 0x6f9]);
  });

  it("32-bit: the same in doublewords", () => {
    const words = image([0x66]);
    expect([0, 4, 8, 12, 16].map((at) => words.getUint32(at, true))).toEqual([
      0xffff_037b,
      0xffff_b084,
      0xffff_1fff,
      fip + 0xffff_0000,
      0x6f9,
    ]);
  });
});
