// The short ways into and out of the kernel give what the complete ones give, or leave everything as it was.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GuestMemory } from "../../memory/guest-memory.ts";
import { GuestFault } from "../assist/context.ts";
import { deliverPending } from "../assist/deliver.ts";
import { iret } from "../assist/iret.ts";
import type { Routine } from "../ir/types.ts";
import { getArithmetic } from "../isa/flags.ts";
import { LOADS, STORES } from "../mmu/access.ts";
import { FAULT, STATE, type StateName } from "../state.ts";
import { NO_DEVICES } from "../../testing/no-devices.ts";
import { RECORD, VIEW } from "./layout.ts";
import { deliverLongFault, returnLong } from "./long-transfer.ts";
import { memoryLayout, Processor } from "./processor.ts";
import { ProgramGenerator } from "./generator.ts";
import { deliverProtectedEvent, returnProtected } from "./protected-transfer.ts";

const RAM = 1 << 20;
const AT = { pml4: 0x1000, gdt: 0x5000, idt: 0x6000, tss: 0x8000, stack0: 0x9000, stack: 0xb000, record: 0xd000 } as const;
const HANDLER = 0xb123n;
const KERNEL_DATA = 0x18;
const USER_DATA = 0x2b;
/** Null; 32-bit and 64-bit kernel code, kernel data; 32-bit user code, user data, 64-bit user code; absent, small and 16-bit code. */
const DESCRIPTORS = [
  0n,
  0x00cf_9b00_0000_ffffn,
  0x00af_9b00_0000_ffffn,
  0x00cf_9300_0000_ffffn,
  0x00cf_fb00_0000_ffffn,
  0x00cf_f300_0000_ffffn,
  0x00af_fb00_0000_ffffn,
  0x00af_1b00_0000_ffffn,
  0x0040_9b00_0000_ffffn,
  0x008f_9b00_0000_ffffn,
];
/** TF, NT, VM. */
const UNUSUAL_FLAGS = 0x2_4100;

/** 64-bit mode, or 32-bit protected mode without paging. */
interface World {
  readonly name: string;
  readonly bytes: 4 | 8;
  readonly kernel: number;
  readonly user: number;
  readonly registers: Readonly<Record<string, bigint>>;
  readonly deliver: Routine;
  readonly leave: Routine;
  readonly kinds: readonly number[];
}

const LONG: World = {
  name: "64-bit mode",
  bytes: 8,
  kernel: 0x10,
  user: 0x33,
  registers: { cr0: 0x8005_0033n, cr4: 0x20n, cr3: BigInt(AT.pml4), efer: 0xd01n },
  deliver: deliverLongFault,
  leave: returnLong,
  kinds: [0, FAULT.external],
};
const PROTECTED: World = {
  name: "protected mode",
  bytes: 4,
  kernel: 0x08,
  user: 0x23,
  registers: { cr0: 0x11n },
  deliver: deliverProtectedEvent,
  leave: returnProtected,
  kinds: [0, FAULT.software, FAULT.external],
};

interface Start {
  readonly cpl: 0 | 3;
  readonly rsp: bigint;
  readonly flags: number;
  readonly data: number;
  readonly idtLimit: number;
}

interface GateParts {
  readonly access: number;
  readonly ist: number;
  readonly selector: number;
}

/** What a program could notice of a processor. */
type Noticed = Record<string, bigint | string>;

const HIDDEN: readonly StateName[] = ["flagResult", "flagA", "flagB", "flagKind", "walkPhysical", "walkHost", "tlbCount"];
const VISIBLE = (Object.keys(STATE) as StateName[]).filter((name) => STATE[name].width <= 64 && !HIDDEN.includes(name));

/** A processor with flat descriptors, gates, a task state, and in 64-bit mode one large page. */
class Kernel {
  readonly memory: GuestMemory = new GuestMemory(RAM, memoryLayout(1, RAM).ramBase);
  readonly cpu: Processor;
  readonly #world: World;

  constructor(program: ProgramGenerator, world: World) {
    this.#world = world;
    this.cpu = new Processor({ program: program.interpreter(), memory: this.memory, host: NO_DEVICES });
    const { memory } = this;
    memory.writeUint64(AT.pml4, BigInt(AT.pml4 + 0x1000) | 7n);
    memory.writeUint64(AT.pml4 + 0x1000, BigInt(AT.pml4 + 0x2000) | 7n);
    memory.writeUint64(AT.pml4 + 0x2000, 0xe7n);
    DESCRIPTORS.forEach((d, i) => memory.writeUint64(AT.gdt + i * 8, d));
    const stack0 = BigInt(AT.stack0 + 0x1000);
    memory.writeUint64(AT.tss + 4, world.bytes === 8 ? stack0 : stack0 | (BigInt(KERNEL_DATA) << 32n));
  }

  gate(vector: number, g: GateParts): void {
    const low = HANDLER | (BigInt(g.selector) << 16n) | (BigInt((g.access << 8) | g.ist) << 32n);
    this.memory.writeUint64(AT.idt + vector * (this.#world.bytes === 8 ? 16 : 8), low);
    if (this.#world.bytes === 8) this.memory.writeUint64(AT.idt + vector * 16 + 8, 0n);
  }

  /** The state before a transfer; everything that it touches is in the TLB, and the stacks are empty. */
  enter(s: Start): void {
    const { registers } = this.cpu;
    for (const at of [AT.stack0, AT.stack]) this.memory.write(at, new Uint8Array(0x1000));
    this.cpu.reset();
    const tables = { gdtrBase: BigInt(AT.gdt), gdtrLimit: 0x4fn, idtrBase: BigInt(AT.idt), idtrLimit: BigInt(s.idtLimit), dr7: 0x400n };
    for (const [name, value] of Object.entries({ ...this.#world.registers, ...tables })) registers.set(name, value);
    this.#segments(s);
    const rest = { rsp: s.rsp, rip: 0x1234_5678n, rflags: BigInt(s.flags), nmiBlocked: 1n };
    for (const [name, value] of Object.entries(rest)) registers.set(name, value);
    registers.commit();
    this.#fillTlb();
  }

  #segments({ cpl, data }: Start): void {
    const { registers } = this.cpu;
    const flat = { base: 0n, limit: 0xffff_ffff };
    const dpl = cpl << 5;
    const code = (this.#world.bytes === 8 ? 0xa09b : 0xc09b) | dpl;
    registers.setSegment("cs", { ...flat, selector: cpl === 3 ? this.#world.user : this.#world.kernel, access: code });
    registers.setSegment("ss", { ...flat, selector: cpl === 3 ? USER_DATA : KERNEL_DATA, access: 0xc093 | dpl });
    const access = data === 0 ? 0 : data === KERNEL_DATA ? 0xc093 : 0xc0f3;
    for (const name of ["es", "ds", "fs", "gs"] as const) registers.setSegment(name, { ...flat, selector: data, access });
    registers.setSegment("tr", { selector: 0x40, base: BigInt(AT.tss), limit: 0x67, access: 0x8b });
  }

  #fillTlb(): void {
    const { context } = this.cpu;
    for (const view of [context.base + VIEW.supervisor, context.get32("tlbView")]) {
      for (let page = 0; page < 0x10; page++) {
        const linear = BigInt(page << 12);
        context.call(STORES[8]!, view, linear, context.call(LOADS[8]!, view, linear) as bigint);
      }
    }
  }

  notice(): Noticed {
    const c = this.cpu.context;
    const stacks = [AT.stack0, AT.stack].map((at) => Buffer.from(this.memory.bytes(at, 0x1000)).toString("latin1"));
    const registers = Object.fromEntries(VISIBLE.map((name) => [name, c.get(name)]));
    return { ...registers, arithmetic: BigInt(c.call(getArithmetic) as number), stacks: stacks.join("|") };
  }
}

const start = fc.record<Start>({
  cpl: fc.constantFrom(0, 3),
  rsp: fc.integer({ min: AT.stack + 0x100, max: AT.stack + 0xf00 }).map(BigInt),
  flags: fc.integer({ min: 0, max: 0x3f_ffff }).map((f) => f & ((f & 3) === 0 ? 0x3c_3fd5 : 0x3c_3ed5)),
  data: fc.constantFrom(0, 0, USER_DATA, KERNEL_DATA),
  idtLimit: fc.constantFrom(0xfff, 0xfff, 0xfff, 0x3f),
});

const program = new ProgramGenerator();
const RUNS = 100;

describe.each([LONG, PROTECTED])("the short way in $name", (world) => {
  const kernel = new Kernel(program, world);
  const { context } = kernel.cpu;

  /** Runs both ways from the same state → whether the short one was taken. */
  function compare(before: () => void, short: () => boolean, complete: () => void): boolean {
    before();
    const untouched = kernel.notice();
    const taken = short();
    const after = kernel.notice();
    if (taken) {
      before();
      complete();
    }
    expect(after).toEqual(taken ? kernel.notice() : untouched);
    return taken;
  }

  it("into the kernel gives what complete delivery gives", () => {
    const usual = fc.record<GateParts>({
      access: fc.constantFrom(0x8e, 0x8f, 0xee),
      ist: fc.constant(0),
      selector: fc.constant(world.kernel),
    });
    const unusual = fc.record<GateParts>({
      access: fc.constantFrom(0x8e, 0x0e, 0x8c, 0xee, 0x86),
      ist: fc.constantFrom(0, 1),
      selector: fc.constantFrom(world.kernel, 0x38, 0x40, 0x48, 0x18, 0x23, 0),
    });
    const gate = fc.oneof({ weight: 3, arbitrary: usual }, { weight: 1, arbitrary: unusual });
    const event = fc.record({
      vector: fc.constantFrom(0, 1, 6, 13, 14, 0x20),
      kind: fc.constantFrom(...world.kinds),
      code: fc.option(fc.integer({ min: 0, max: 0xffff }), { nil: undefined }),
      address: fc.bigInt(0n, 0xffff_ffffn),
    });
    let taken = 0;
    fc.assert(
      fc.property(start, gate, event, (s, g, e) => {
        fc.pre(e.vector < 0x20 || e.kind !== 0);
        const before = (): void => {
          for (let v = 0; v < 0x30; v++) kernel.gate(v, v === e.vector ? g : { access: 0x8e, ist: 0, selector: world.kernel });
          kernel.enter(s);
          context.set64("faultAddress", e.address);
          context.set32("fault", e.vector | e.kind | FAULT.pending | (e.code === undefined || e.kind !== 0 ? 0 : FAULT.hasCode));
          context.set32("faultCode", e.code ?? 0);
          context.set32("currentRecord", kernel.memory.ramBase + AT.record);
          kernel.memory.write(AT.record + RECORD.len, Uint8Array.of(2));
        };
        const short = (): boolean => context.call(world.deliver) !== 0;
        if (compare(before, short, () => deliverPending(context))) taken++;
      }),
      { numRuns: RUNS },
    );
    expect(taken).toBeGreaterThan(RUNS / 10);
  });

  it("out of the kernel gives what complete IRET gives", () => {
    const usual = fc.constantFrom({ cs: world.user, ss: USER_DATA }, { cs: world.kernel, ss: KERNEL_DATA }, { cs: world.kernel, ss: 0 });
    const unusual = fc.record({
      cs: fc.constantFrom(0x08, 0x10, 0x23, 0x33, 0x38, 0x40, 0, 0x30),
      ss: fc.constantFrom(USER_DATA, KERNEL_DATA, 0, 0x28, 0x33),
    });
    const mask = (1n << BigInt(world.bytes * 8)) - 1n;
    const frame = fc.record({
      ip: fc.oneof(
        { weight: 9, arbitrary: fc.bigInt(0n, 0x7fff_ffff_ffffn & mask) },
        { weight: 1, arbitrary: fc.constant(0x8000_0000_0000n & mask) },
      ),
      to: fc.oneof({ weight: 3, arbitrary: usual }, { weight: 1, arbitrary: unusual }),
      flags: fc.integer({ min: 0, max: 0x3f_ffff }).map((f) => ((f & 3) === 0 ? f : f & ~UNUSUAL_FLAGS)),
      sp: fc.bigInt(0n, mask),
    });
    let taken = 0;
    const inKernel = start.map((s) => ({ ...s, cpl: 0 as const, flags: s.flags & ~0x100 }));
    fc.assert(
      fc.property(inKernel, frame, (s, f) => {
        const before = (): void => {
          kernel.enter(s);
          [f.ip, BigInt(f.to.cs), BigInt(f.flags), f.sp, BigInt(f.to.ss)].forEach((value, i) => {
            const at = Number(s.rsp) + i * world.bytes;
            if (world.bytes === 8) kernel.memory.writeUint64(at, value);
            else kernel.memory.writeUint32(at, Number(value));
          });
        };
        const short = (): boolean => context.call(world.leave) !== 0;
        const complete = (): void => expect(() => iret(context, world.bytes)).not.toThrow(GuestFault);
        if (compare(before, short, complete)) taken++;
      }),
      { numRuns: RUNS },
    );
    expect(taken).toBeGreaterThan(RUNS / 10);
  });
});
