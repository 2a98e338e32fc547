import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GuestMemory } from "../../memory/guest-memory.ts";
import { deliverPending } from "../assist/deliver.ts";
import { iret } from "../assist/iret.ts";
import { GuestFault } from "../assist/context.ts";
import { getArithmetic } from "../isa/flags.ts";
import { LOADS, STORES } from "../mmu/access.ts";
import { FAULT, STATE, type StateName } from "../state.ts";
import type { CpuHost } from "./engine.ts";
import { VIEW } from "./layout.ts";
import { deliverLongFault, returnLong } from "./long-transfer.ts";
import { memoryLayout, Processor } from "./processor.ts";
import { InterpreterProgram } from "./program.ts";

const RAM = 1 << 20;
const AT = { pml4: 0x1000, gdt: 0x5000, idt: 0x6000, tss: 0x7000, stack0: 0x9000, stack: 0xb000 } as const;
const KERNEL = 0x10;
const USER = 0x33;
const USER_DATA = 0x2b;
/** Null, 32-bit code, kernel code, kernel data, user 32-bit code, user data, user code, absent code, small code. */
const DESCRIPTORS = [
  0n,
  0x00cf_9b00_0000_ffffn,
  0x00af_9b00_0000_ffffn,
  0x00cf_9300_0000_ffffn,
  0x00cf_fb00_0000_ffffn,
  0x00cf_f300_0000_ffffn,
  0x00af_fb00_0000_ffffn,
  0x00af_1b00_0000_ffffn,
  0x00a0_9b00_0000_ffffn,
];

/** TF, NT, VM. */
const UNUSUAL_FLAGS = 0x2_4100;

const NO_DEVICES: CpuHost = {
  portRead: () => 0,
  portWrite: () => {},
  mmioRead: () => 0,
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

/** A processor in 64-bit mode with one large page, flat descriptors, gates for all exceptions and a task state. */
class Kernel {
  readonly memory: GuestMemory = new GuestMemory(RAM, memoryLayout(1, RAM).ramBase);
  readonly cpu: Processor;

  constructor(program: InterpreterProgram) {
    this.cpu = new Processor({ kind: "interpreter", program, memory: this.memory, host: NO_DEVICES });
    const { memory } = this;
    memory.writeUint64(AT.pml4, BigInt(AT.pml4 + 0x1000) | 7n);
    memory.writeUint64(AT.pml4 + 0x1000, BigInt(AT.pml4 + 0x2000) | 7n);
    memory.writeUint64(AT.pml4 + 0x2000, 0xe7n);
    DESCRIPTORS.forEach((d, i) => memory.writeUint64(AT.gdt + i * 8, d));
    memory.writeUint64(AT.tss + 4, BigInt(AT.stack0 + 0x1000));
  }

  /** The state before a transfer; everything that it touches is in the TLB. */
  enter(s: Start): void {
    const { registers, context } = this.cpu;
    this.cpu.reset();
    for (const [name, value] of Object.entries({
      cr0: 0x8005_0033n,
      cr4: 0x20n,
      cr3: BigInt(AT.pml4),
      efer: 0xd01n,
      gdtrBase: BigInt(AT.gdt),
      gdtrLimit: 0x47n,
      idtrBase: BigInt(AT.idt),
      idtrLimit: BigInt(s.idtLimit),
      dr7: 0x400n,
    }))
      registers.set(name, value);
    registers.setSegment("cs", {
      selector: s.cpl === 3 ? USER : KERNEL,
      base: 0n,
      limit: 0xffff_ffff,
      access: s.cpl === 3 ? 0xa0fb : 0xa09b,
    });
    registers.setSegment("ss", {
      selector: s.cpl === 3 ? USER_DATA : 0x18,
      base: 0n,
      limit: 0xffff_ffff,
      access: s.cpl === 3 ? 0xc0f3 : 0xc093,
    });
    for (const name of ["es", "ds", "fs", "gs"] as const)
      registers.setSegment(name, {
        selector: s.data,
        base: 0x1234n,
        limit: 0xffff_ffff,
        access: s.data === 0 ? 0 : s.data === 0x18 ? 0xc093 : 0xc0f3,
      });
    registers.setSegment("tr", { selector: 0x40, base: BigInt(AT.tss), limit: 0x67, access: 0x8b });
    registers.set("rsp", s.rsp);
    registers.set("rip", 0x1234_5678n);
    registers.set("rflags", BigInt(s.flags));
    registers.set("nmiBlocked", 1n);
    registers.commit();
    for (const view of [context.base + VIEW.supervisor, context.get32("tlbView")]) {
      for (let page = 0; page < 0x10; page++) {
        const linear = BigInt(page << 12);
        context.call(STORES[8]!, view, linear, context.call(LOADS[8]!, view, linear) as bigint);
      }
    }
  }

  /** All that a program could notice: registers by name, and the stacks. */
  notice(): Record<string, bigint | string> {
    const c = this.cpu.context;
    const hidden: readonly StateName[] = [
      "flagResult",
      "flagA",
      "flagB",
      "flagKind",
      "walkPhysical",
      "walkHost",
      "tlbCount",
      "currentRecord",
    ];
    const slots = (Object.keys(STATE) as StateName[]).filter((name) => STATE[name].width <= 64 && !hidden.includes(name));
    const stacks = [AT.stack0, AT.stack].map((at) => Buffer.from(this.memory.bytes(at, 0x1000)).toString("latin1"));
    return {
      ...Object.fromEntries(slots.map((name) => [name, c.get(name)])),
      arithmetic: BigInt(c.call(getArithmetic) as number),
      stacks: stacks.join("|"),
    };
  }
}

interface Start {
  readonly cpl: 0 | 3;
  readonly rsp: bigint;
  readonly flags: number;
  readonly data: number;
  readonly idtLimit: number;
}

const start = fc.record<Start>({
  cpl: fc.constantFrom(0, 3),
  rsp: fc.integer({ min: AT.stack + 0x100, max: AT.stack + 0xf00 }).map(BigInt),
  flags: fc.integer({ min: 0, max: 0x3f_ffff }).map((f) => f & ((f & 3) === 0 ? 0x3c_3fd5 : 0x3c_3ed5)),
  data: fc.constantFrom(0, 0, USER_DATA, 0x18),
  idtLimit: fc.constantFrom(0xfff, 0xfff, 0xfff, 0x7f),
});

const program = new InterpreterProgram();
const kernel = new Kernel(program);

describe("the short way into the kernel", () => {
  it("gives what complete delivery gives", () => {
    let taken = 0;
    const usual = fc.record({ access: fc.constantFrom(0x8e, 0x8f), ist: fc.constant(0), selector: fc.constant(KERNEL) });
    const unusual = fc.record({
      access: fc.constantFrom(0x8e, 0x0e, 0x8c, 0xee),
      ist: fc.constantFrom(0, 1),
      selector: fc.constantFrom(KERNEL, 0x38, 0x40, 0x08, 0),
    });
    const gate = fc.oneof({ weight: 3, arbitrary: usual }, { weight: 1, arbitrary: unusual });
    const fault = fc.record({
      vector: fc.constantFrom(0, 1, 3, 6, 13, 14),
      code: fc.option(fc.integer({ min: 0, max: 0xffff }), { nil: undefined }),
      address: fc.bigInt(0n, (1n << 64n) - 1n),
    });
    fc.assert(
      fc.property(start, gate, fault, (s, g, f) => {
        const { context } = kernel.cpu;
        const before = (): void => {
          for (let v = 0; v < 32; v++) {
            kernel.memory.writeUint64(
              AT.idt + v * 16,
              0xb123n |
                (BigInt(v === f.vector ? g.selector : KERNEL) << 16n) |
                (BigInt(v === f.vector ? (g.access << 8) | g.ist : 0x8e00) << 32n),
            );
            kernel.memory.writeUint64(AT.idt + v * 16 + 8, 0n);
          }
          kernel.memory.write(AT.stack0, new Uint8Array(0x1000));
          kernel.memory.write(AT.stack, new Uint8Array(0x1000));
          kernel.enter(s);
          context.set64("faultAddress", f.address);
          context.set32("fault", f.vector | FAULT.pending | (f.code === undefined ? 0 : FAULT.hasCode));
          context.set32("faultCode", f.code ?? 0);
        };
        before();
        const untouched = kernel.notice();
        const short = context.call(deliverLongFault) as number;
        const afterShort = kernel.notice();
        if (short === 0) {
          expect(afterShort).toEqual(untouched);
          return;
        }
        taken++;
        before();
        deliverPending(context);
        expect(afterShort).toEqual(kernel.notice());
      }),
      { numRuns: 100 },
    );
    expect(taken).toBeGreaterThan(10);
  });
});

describe("the short way out of the kernel", () => {
  it("gives what complete IRETQ gives", () => {
    let taken = 0;
    const usual = fc.constantFrom({ cs: USER, ss: USER_DATA }, { cs: KERNEL, ss: 0x18 }, { cs: KERNEL, ss: 0 });
    const unusual = fc.record({
      cs: fc.constantFrom(KERNEL, USER, 0x23, 0x38, 0x40, 0, 0x30),
      ss: fc.constantFrom(USER_DATA, 0x18, 0, 0x28, 0x33),
    });
    const frame = fc.record({
      ip: fc.oneof({ weight: 9, arbitrary: fc.bigInt(0n, 0x7fff_ffff_ffffn) }, { weight: 1, arbitrary: fc.constant(0x8000_0000_0000n) }),
      to: fc.oneof({ weight: 3, arbitrary: usual }, { weight: 1, arbitrary: unusual }),
      flags: fc.integer({ min: 0, max: 0x3f_ffff }).map((f) => ((f & 3) === 0 ? f : f & ~UNUSUAL_FLAGS)),
      sp: fc.bigInt(0n, (1n << 64n) - 1n),
    });
    fc.assert(
      fc.property(
        start.map((s) => ({ ...s, cpl: 0 as const, flags: s.flags & ~0x100 })),
        frame,
        (s, f) => {
          const { context } = kernel.cpu;
          const before = (): void => {
            kernel.memory.write(AT.stack, new Uint8Array(0x1000));
            kernel.enter(s);
            [f.ip, BigInt(f.to.cs), BigInt(f.flags), f.sp, BigInt(f.to.ss)].forEach((value, i) =>
              kernel.memory.writeUint64(Number(s.rsp) + i * 8, value),
            );
          };
          before();
          const untouched = kernel.notice();
          const short = context.call(returnLong) as number;
          const afterShort = kernel.notice();
          if (short === 0) {
            expect(afterShort).toEqual(untouched);
            return;
          }
          taken++;
          before();
          expect(() => iret(context, 8)).not.toThrow(GuestFault);
          expect(afterShort).toEqual(kernel.notice());
        },
      ),
      { numRuns: 100 },
    );
    expect(taken).toBeGreaterThan(10);
  });
});
