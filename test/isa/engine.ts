// Nido's engines as what cases run on: a Processor with the address space that case.ts describes, and handlers that halt.
import { ProgramGenerator } from "../../src/cpu/engine/generator.ts";
import { memoryLayout, Processor } from "../../src/cpu/engine/processor.ts";
import { ForcedTranslation } from "./forced-translation.ts";
import { NO_DEVICES } from "../../src/testing/no-devices.ts";
import { X87, XMM } from "../../src/cpu/state.ts";
import { GuestMemory } from "../../src/memory/guest-memory.ts";
import {
  changedWords,
  CODE_BASE,
  CODE_BYTES,
  DATA_BASE,
  DATA_BYTES,
  DATA_WRITABLE,
  initialData,
  type Outcome,
  type TestCase,
  type TestResult,
  type VectorEngine,
} from "./case.ts";
import { CpuState, FX_OFFSET, GPR_NAMES, SEGMENT_NAMES } from "./state.ts";

const RAM_BYTES = 0x2_0000;

/** Physical pages: paging structures, then what they map. */
const TABLE = {
  pml4: 0x1000,
  low: 0x2000,
  high: 0x3000,
  lowDirectory: 0x4000,
  highDirectory: 0x5000,
  code: 0x6000,
  data: 0x7000,
  system: 0x8000,
} as const;
const PHYSICAL = { system: 0x10000, code: 0x14000, data: 0x18000 } as const;
/** The handlers' pages lie in the upper half, where user mode finds what Linux shows it. */
const SYSTEM_BASE = 0xffff_8000_0000_0000n;
/** Parts of the system pages: a HLT for each vector, descriptors, the task state, and the stack's end. */
const SYSTEM = { handlers: 0, gdt: 0x800, tss: 0xa00, idt: 0x1000, stack: 0x3000, bytes: 0x3000 } as const;
const KERNEL_CODE = 0x10;

/** Paging-structure entries (SDM 3A table 4-20): P RW US A, and for pages D and XD as each needs. */
const BRANCH = 0x27n;
const NO_EXECUTE = 1n << 63n;
const RIGHTS = { system: 0x63n, code: 0x65n, data: 0x67n | NO_EXECUTE, readOnly: 0x65n | NO_EXECUTE } as const;

/** CR0 = PE MP ET NE WP AM PG; CR4 = PAE OSFXSR OSXMMEXCPT FSGSBASE OSXSAVE; EFER = SCE LME LMA NXE. */
const CONTROL = { cr0: 0x8005_0033n, cr4: 0x0005_0620n, efer: 0xd01n, xcr0: 3n } as const;
const WITH_ERROR_CODE: ReadonlySet<number> = new Set([8, 10, 11, 12, 13, 14, 17]);

const INT3 = 0xcc;
const TF = 0x100n;
const MAX_INSTRUCTIONS = 100_000;

/** Ways to run a case. */
export type VectorEngineKind = "evaluator" | "interpreter" | "warm interpreter" | "translator";

/** One of Nido's engines, ready for cases. Engines may share a program. */
export class ProcessorVectorEngine implements VectorEngine {
  readonly name: string;
  readonly processor: Processor;
  readonly #memory: GuestMemory;
  readonly #before = new Uint8Array(DATA_BYTES);
  readonly #warm: boolean;
  readonly #forced: ForcedTranslation | undefined;

  /**
   * @param kind "warm interpreter" and "translator" run each case twice, the second time with the TLB as the first left it: the
   * memory accesses of the fast loop, and those of translated code
   */
  constructor(kind: VectorEngineKind, program: ProgramGenerator = new ProgramGenerator()) {
    this.name = kind;
    this.#warm = kind === "warm interpreter" || kind === "translator";
    this.#memory = new GuestMemory(RAM_BYTES, memoryLayout(1, RAM_BYTES).ramBase);
    const forced = kind === "translator" ? new ForcedTranslation(program) : undefined;
    const engine = kind === "evaluator" ? program.evaluator() : program.interpreter();
    this.processor = new Processor({ program: engine, memory: this.#memory, host: NO_DEVICES, translator: forced?.factory });
    this.#forced = forced;
    this.#mapPages();
    this.#writeSystemPages();
    this.#memory.write(PHYSICAL.code, new Uint8Array(CODE_BYTES).fill(INT3));
    for (const [name, value] of Object.entries(CONTROL)) this.processor.registers.set(name, value);
  }

  run(test: TestCase): TestResult {
    const first = this.#run(test, false);
    return this.#warm ? this.#run(test, true) : first;
  }

  #run(test: TestCase, keepTlb: boolean): TestResult {
    const before = initialData(test, this.#before);
    const codeAt = PHYSICAL.code + Number(test.state.rip) - CODE_BASE;
    this.#memory.write(PHYSICAL.data, before);
    this.#memory.write(codeAt, test.code);
    this.#load(test);
    if (keepTlb) {
      this.#commitWithTlb();
      this.#forced?.translate(this.#memory.hostOffset(codeAt, 1), test.state.rip, this.processor);
    } else this.processor.registers.commit();
    const result = this.#finish(test, this.#execute(), before);
    this.#memory.write(codeAt, new Uint8Array(test.code.length).fill(INT3));
    return result;
  }

  // ── address space ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #mapPages(): void {
    const memory = this.#memory;
    const link = (table: number, index: number, to: number): void => memory.writeUint64(table + index * 8, BigInt(to) | BRANCH);
    link(TABLE.pml4, 0, TABLE.low);
    link(TABLE.pml4, 256, TABLE.high);
    link(TABLE.low, 0, TABLE.lowDirectory);
    link(TABLE.high, 0, TABLE.highDirectory);
    link(TABLE.lowDirectory, CODE_BASE >>> 21, TABLE.code);
    link(TABLE.lowDirectory, DATA_BASE >>> 21, TABLE.data);
    link(TABLE.highDirectory, 0, TABLE.system);
    const leaf = (table: number, physical: number, offset: number, rights: bigint): void =>
      memory.writeUint64(table + (offset >>> 12) * 8, BigInt(physical + offset) | rights);
    for (let at = 0; at < SYSTEM.bytes; at += 0x1000) leaf(TABLE.system, PHYSICAL.system, at, RIGHTS.system);
    for (let at = 0; at < CODE_BYTES; at += 0x1000) leaf(TABLE.code, PHYSICAL.code, at, RIGHTS.code);
    for (let at = 0; at < DATA_BYTES; at += 0x1000) leaf(TABLE.data, PHYSICAL.data, at, at < DATA_WRITABLE ? RIGHTS.data : RIGHTS.readOnly);
    this.processor.registers.set("cr3", BigInt(TABLE.pml4));
  }

  /** A GDT like Linux', interrupt gates for the 32 exceptions, each to its own HLT, and a task state with a stack. */
  #writeSystemPages(): void {
    const memory = this.#memory;
    const at = (offset: number): number => PHYSICAL.system + offset;
    for (const [selector, descriptor] of GDT) memory.writeUint64(at(SYSTEM.gdt) + selector, descriptor);
    for (let vector = 0; vector < 32; vector++) {
      memory.write(at(SYSTEM.handlers + vector * 16), Uint8Array.of(0xf4));
      const handler = SYSTEM_BASE + BigInt(SYSTEM.handlers + vector * 16);
      const dpl = vector === 3 || vector === 4 ? 3n : 0n;
      const low =
        (handler & 0xffffn) | (BigInt(KERNEL_CODE) << 16n) | ((0x8e00n | (dpl << 13n)) << 32n) | (((handler >> 16n) & 0xffffn) << 48n);
      memory.writeUint64(at(SYSTEM.idt) + vector * 16, low);
      memory.writeUint64(at(SYSTEM.idt) + vector * 16 + 8, handler >> 32n);
    }
    memory.writeUint64(at(SYSTEM.tss) + 4, SYSTEM_BASE + BigInt(SYSTEM.stack));
    memory.writeUint16(at(SYSTEM.tss) + 102, 0xffff);
    const { registers } = this.processor;
    registers.set("idtrBase", SYSTEM_BASE + BigInt(SYSTEM.idt));
    registers.set("idtrLimit", 0x1ffn);
    registers.set("gdtrBase", SYSTEM_BASE + BigInt(SYSTEM.gdt));
    registers.set("gdtrLimit", 0x7fn);
    registers.setSegment("tr", { selector: 0x40, base: SYSTEM_BASE + BigInt(SYSTEM.tss), limit: 103, access: 0x8b });
    registers.setSegment("ldtr", { selector: 0, base: 0n, limit: 0, access: 0 });
  }

  // ── registers in ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #load({ mode, stop, state }: TestCase): void {
    const { registers, context } = this.processor;
    GPR_NAMES.forEach((name, i) => registers.set(name, mode === 32 ? (i < 8 ? BigInt.asUintN(32, state.gpr(i)) : 0n) : state.gpr(i)));
    registers.set("rip", state.rip);
    registers.set("rflags", state.rflags | (stop === "step" ? TF : 0n));
    SEGMENT_NAMES.forEach((name, i) => {
      const selector = state.segment(i);
      const base = mode === 64 && i >= 4 ? (i === 4 ? state.fsBase : state.gsBase) : 0n;
      const access = i === 1 ? (mode === 64 ? 0xa0fb : 0xc0fb) : selector === 0 ? 0 : 0xc0f3;
      registers.setSegment(name as "es", { selector, base, limit: selector === 0 ? 0 : 0xffff_ffff, access });
    });
    const top = (state.fsw >> 11) & 7;
    this.#memory.u8.set(state.fx.subarray(FX_OFFSET.xmm, FX_OFFSET.xmm + 256), context.base + XMM);
    for (let i = 0; i < 8; i++) this.#memory.u8.set(state.st(i), this.#x87(i + top));
    context.set32("mxcsr", state.mxcsr);
    context.set32("fcw", state.fcw);
    context.set32("fsw", state.fsw);
    context.set32("ftop", top);
    context.set32("ftw", state.ftw);
    // `initialized`: what an earlier case's XRSTOR left is not this one's.
    for (const name of ["fault", "faultCode", "halted", "shadow", "nmiPending", "attention", "initialized"] as const)
      context.set32(name, 0);
  }

  /** What `commit` does, without the flush. */
  #commitWithTlb(): void {
    const { context } = this.processor;
    context.set32("stepping", (context.get32("eflags") & Number(TF)) === 0 ? 0 : 1);
    context.refresh();
  }

  /** Where a physical x87 register lies. */
  #x87(register: number): number {
    return this.processor.context.base + X87 + (register & 7) * 16;
  }

  // ── execution ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Runs to a halt in an exception's handler, or one instruction. */
  #execute(): Stopped {
    const { processor } = this;
    for (let left = MAX_INSTRUCTIONS; left > 0;) {
      const start = processor.instructions;
      const exit = processor.run(left);
      if (exit === "halt") return this.#fromFrame();
      if (exit === "shutdown") return this.#undelivered();
      left -= processor.instructions - start;
    }
    return { outcome: { kind: "timeout" }, rip: processor.registers.get("rip") };
  }

  /** Takes the exception off the handler's stack, as an operating system would. */
  #fromFrame(): Stopped {
    const { registers } = this.processor;
    const vector = Number((registers.get("rip") - SYSTEM_BASE - BigInt(SYSTEM.handlers)) >> 4n);
    let at = PHYSICAL.system + Number(registers.get("rsp") - SYSTEM_BASE);
    const pop = (): bigint => this.#memory.readUint64((at += 8) - 8);
    const error = WITH_ERROR_CODE.has(vector) ? Number(pop()) : 0;
    const rip = pop();
    registers.set("csSelector", pop());
    registers.set("rflags", pop());
    registers.set("rsp", pop());
    registers.set("ssSelector", pop());
    return { outcome: { kind: "exception", vector, error, cr2: vector === 14 ? registers.get("cr2") : 0n }, rip };
  }

  /** A triple fault: the exception that could not be delivered is still in the state. */
  #undelivered(): Stopped {
    const { registers, context } = this.processor;
    const error = context.get32("fault") & 0x200 ? context.get32("faultCode") : 0;
    return { outcome: { kind: "exception", vector: context.get32("fault") & 0xff, error, cr2: 0n }, rip: registers.get("rip") };
  }

  // ── registers out ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #finish(test: TestCase, stopped: Stopped, before: Uint8Array): TestResult {
    const memory = changedWords(before, this.#memory.bytes(PHYSICAL.data, DATA_BYTES));
    const state = this.#save(stopped.rip);
    const landing = landingOf(test, stopped);
    if (landing !== undefined) state.rip = landing;
    return { outcome: landing === undefined ? stopped.outcome : { kind: "ok" }, state, memory };
  }

  #save(rip: bigint): CpuState {
    const { registers, context } = this.processor;
    const state = new CpuState();
    GPR_NAMES.forEach((name, i) => state.setGpr(i, registers.get(name)));
    state.rip = rip;
    state.rflags = registers.get("rflags");
    state.fsBase = registers.get("fsBase");
    state.gsBase = registers.get("gsBase");
    SEGMENT_NAMES.forEach((name, i) => state.setSegment(i, context.get32(`${name as "es"}Selector`)));
    const top = context.get32("ftop");
    const { u8 } = this.#memory;
    state.fx.set(u8.subarray(context.base + XMM, context.base + XMM + 256), FX_OFFSET.xmm);
    for (let i = 0; i < 8; i++) state.st(i).set(u8.subarray(this.#x87(i + top), this.#x87(i + top) + 10));
    state.mxcsr = context.get32("mxcsr");
    state.fcw = context.get32("fcw");
    state.fsw = (context.get32("fsw") & ~0x3800) | (top << 11);
    state.ftw = context.get32("ftw");
    return state;
  }
}

/** Where a run ended, and why. */
interface Stopped {
  readonly outcome: Outcome;
  readonly rip: bigint;
}

/** The address that execution reached behind the code: an INT3 there, or nothing that can be fetched. Undefined when it did not get there. */
function landingOf({ state, code, stop }: TestCase, { outcome, rip }: Stopped): bigint | undefined {
  if (outcome.kind !== "exception") return undefined;
  const inside = (address: bigint): boolean => address >= state.rip && address < state.rip + BigInt(code.length);
  if (outcome.vector === 1 && stop === "step") return rip;
  // INT3 is a trap: its handler finds the next address.
  if (outcome.vector === 3 && !inside(rip - 1n)) return rip - 1n;
  return outcome.vector === 14 && (outcome.error & 16) !== 0 && outcome.cr2 === rip && !inside(rip) ? rip : undefined;
}

/** Linux' user and kernel segments, and the task. */
const GDT: readonly (readonly [selector: number, descriptor: bigint])[] = [
  [KERNEL_CODE, 0x00af_9b00_0000_ffffn],
  [0x18, 0x00cf_9300_0000_ffffn],
  [0x20, 0x00cf_fb00_0000_ffffn],
  [0x28, 0x00cf_f300_0000_ffffn],
  [0x30, 0x00af_fb00_0000_ffffn],
];
