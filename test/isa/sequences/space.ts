// The address space that sequences run in: many of them side by side, each in pages of its own, so that one module can hold the
// regions of all. Exceptions end in a HLT, behind which an IRETQ waits for whoever wants to go on; interrupts return at once.
//
//   codeBase(slot)   3 pages, readable, writable, executable
//   dataBase(slot)   pages 0 1 writable · 2 read-only · 4 5 writable, the stack · 7 device · 8 writable, private · 9 10 11 the code
//
// Both are also mapped a megabyte away, where the same programs run at other addresses.
import { CPU_BASE } from "../../../src/cpu/engine/processor.ts";
import type { RegisterAccess } from "../../../src/cpu/engine/engine.ts";
import type { GuestMemory } from "../../../src/memory/guest-memory.ts";

/** Sequences that fit into one address space. */
export const SLOTS = 64;
/** From one slot to the next: a pointer that goes astray in one seldom finds another. */
const DISTANCE = 0x380_0000;
/** … and pages that differ in the bits that choose one of a TLB's 2048 entries. */
const WINDOW = 0x1_0000;
const CODE_BASE = 0x400_8000;
const DATA_BASE = 0x540_0000;
/** Code of a sequence, in bytes. */
export const CODE_BYTES = 0x3000;

/** Parts of a slot's data window; `code` is where the code can be written at another address than it runs at. */
export const DATA = {
  readOnly: 0x2000,
  unmapped: 0x3000,
  stack: 0x4000,
  stackEnd: 0x6000,
  device: 0x7000,
  private: 0x8000,
  code: 0x9000,
} as const;

/** Parts of the private page, which no pointer of a sequence leads to: loop counters, and values for control registers. */
export const PRIVATE = { outer: 0, fuel: 8, mxcsr: 0x40, fcw: 0x80 } as const;

/** Linear address of a slot's code and of its data window. */
export const codeBase = (slot: number): number => CODE_BASE + slot * (DISTANCE + WINDOW);
export const dataBase = (slot: number): number => DATA_BASE + slot * (DISTANCE + WINDOW);

const ALIAS = 0x10_0000;
/** Where else a window is mapped, from its address. The bit is the same one in code and data, and in one page table. */
export const otherBase = (base: number): number => ((base & ALIAS) === 0 ? base + ALIAS : base - ALIAS);

/** Pages of a slot in its physical order, code first: linear neighbours are no physical ones. */
const PAGES: readonly (readonly [area: "code" | "data", offset: number])[] = [
  ["code", 0x1000],
  ["code", 0x2000],
  ["code", 0],
  ["data", 0x1000],
  ["data", 0],
  ["data", DATA.readOnly],
  ["data", DATA.stack + 0x1000],
  ["data", DATA.stack],
  ["data", DATA.private],
];
/** Offset in a slot's memory of a page that is mapped when `remap` says so only. */
export const SPARE: number = PAGES.length * 0x1000;
/** Bytes of memory that belong to a slot, and its pages. */
export const SLOT_BYTES: number = SPARE + 0x1000;
export const SLOT_PAGES: number = SLOT_BYTES / 0x1000;

/** Offset in a slot's memory of an offset in its code, or in its data window; -1 where nothing is mapped. */
export function slotOffset(area: "code" | "data", offset: number): number {
  const page = PAGES.findIndex(([a, at]) => a === area && at === (offset & ~0xfff));
  return page < 0 ? -1 : page * 0x1000 + (offset & 0xfff);
}

const TABLE = {
  pml4: 0x1000,
  low: 0x2000,
  high: 0x3000,
  highDirectory: 0x4000,
  system: 0x5000,
  directories: 0x6000,
  slots: 0x10_0000,
} as const;
const SYSTEM_PHYSICAL = 0x1_0000;
/** Above what a processor takes for the video memory and ROMs of a PC. */
const SLOTS_PHYSICAL = 0x20_0000;
/** Bytes of RAM. */
export const RAM_BYTES: number = (SLOTS_PHYSICAL + SLOTS * SLOT_BYTES + 0xffff) & ~0xffff;
/** The page of device registers that every slot's window shows. */
export const DEVICE_PHYSICAL = 0xfeb0_0000;

const SYSTEM_BASE = 0xffff_8000_0000_0000n;
/** Parts of the system pages: 16 bytes of handler for each vector, the IDT, GDT and TSS and the system call's entry, stacks. */
const SYSTEM = {
  handlers: 0,
  idt: 0x1000,
  gdt: 0x2000,
  tss: 0x2100,
  entry: 0x2800,
  exceptionStack: 0x4000,
  interruptStack: 0x5000,
  nmiStack: 0x6000,
  bytes: 0x6000,
} as const;

/** Paging-structure entries (SDM 3A table 4-20): P RW US A, D, XD. */
const BRANCH = 0x27n;
const NO_EXECUTE = 1n << 63n;
const RIGHTS = { system: 0x63n, code: 0x67n, data: 0x67n | NO_EXECUTE, readOnly: 0x65n | NO_EXECUTE } as const;

/** CR0 = PE MP ET NE WP AM PG; CR4 = PAE OSFXSR OSXMMEXCPT FSGSBASE OSXSAVE; EFER = SCE LME LMA NXE. */
const CONTROL = { cr0: 0x8005_0033n, cr4: 0x0005_0620n, efer: 0xd01n, xcr0: 3n } as const;
/** What decides how addresses are translated: CR0.PG PE, CR3 without its hints, CR4.PAE, EFER.LMA (SDM 3A §4.1.1). */
const TRANSLATES = { cr0: 0x8000_0001n, cr3: ~0xfffn, cr4: 0x20n, efer: 0x400n } as const;
const WITH_ERROR_CODE: ReadonlySet<number> = new Set([8, 10, 11, 12, 13, 14, 17]);
/** With an error code. */
const FRAME_BYTES = 48;
const HLT = 0xf4;
const IRETQ = [0x48, 0xcf];
const DROP_ERROR = [0x48, 0x83, 0xc4, 0x08];
const SYSRETQ = [0x48, 0x0f, 0x07];

/** Selectors by what they are. */
export const SELECTOR = {
  kernelCode: 0x10,
  kernelData: 0x18,
  userCode32: 0x23,
  userData: 0x2b,
  userCode: 0x33,
  kernelCode32: 0x50,
  shifted: 0x5b,
  shiftedKernelCode32: 0x60,
  shiftedUserCode32: 0x6b,
  limited: 0x73,
  shiftedKernelData: 0x78,
} as const;

/** Where the shifted segments begin. */
export const SHIFT = 0x1_0000;
/** Last byte of the limited one: above all slots, and below 4 GiB. */
export const LIMIT = 0xfeaf_ffff;

/** Linux' segments; then 32-bit code of the kernel, segments that begin at 64 KiB, and user data that ends below 4 GiB. */
const GDT: readonly (readonly [selector: number, descriptor: bigint])[] = [
  [0x10, 0x00af_9b00_0000_ffffn],
  [0x18, 0x00cf_9300_0000_ffffn],
  [0x20, 0x00cf_fb00_0000_ffffn],
  [0x28, 0x00cf_f300_0000_ffffn],
  [0x30, 0x00af_fb00_0000_ffffn],
  [0x50, 0x00cf_9b00_0000_ffffn],
  [0x58, 0x00cf_f301_0000_ffffn],
  [0x60, 0x00cf_9b01_0000_ffffn],
  [0x68, 0x00cf_fb01_0000_ffffn],
  [0x70, 0x00cf_f300_0000_eaffn],
  [0x78, 0x00cf_9301_0000_ffffn],
];

/** Physical memory whose contents every run begins with: handlers, descriptor tables and stacks; paging structures. */
const RESTORED: readonly (readonly [from: number, bytes: number])[] = [
  [SYSTEM_PHYSICAL, SYSTEM.bytes],
  [TABLE.pml4, TABLE.directories + 0x4000 - TABLE.pml4],
  [TABLE.slots, SLOTS * 2 * 0x1000],
];

/** How a page of code is mapped: as it should be, not at all, without the right to execute, and to the spare page. */
export type Mapping = "own" | "absent" | "noExecute" | "spare";

/** The address space of one processor. */
export class Space {
  readonly #memory: GuestMemory;
  /** What is at RESTORED, and what should be. */
  readonly #restored: { readonly from: number; readonly now: Uint8Array; readonly own: Uint8Array }[] = [];

  constructor(memory: GuestMemory) {
    this.#memory = memory;
    this.#mapPages();
    this.#writeHandlers();
    this.#writeTables();
    for (const [from, bytes] of RESTORED) {
      const now = memory.bytes(from, bytes);
      this.#restored.push({ from, now, own: now.slice() });
    }
  }

  /** Physical address of a slot's memory. */
  slot(slot: number): number {
    return SLOTS_PHYSICAL + slot * SLOT_BYTES;
  }

  /** Points control registers and descriptor tables here. */
  enter(registers: RegisterAccess): void {
    for (const [name, value] of Object.entries(CONTROL)) registers.set(name, value);
    registers.set("cr3", BigInt(TABLE.pml4));
    registers.set("idtrBase", SYSTEM_BASE + BigInt(SYSTEM.idt));
    registers.set("idtrLimit", 0xfffn);
    registers.set("gdtrBase", SYSTEM_BASE + BigInt(SYSTEM.gdt));
    registers.set("gdtrLimit", 0x7fn);
    registers.set("star", (0x23n << 48n) | (0x10n << 32n));
    registers.set("lstar", SYSTEM_BASE + BigInt(SYSTEM.entry));
    registers.setSegment("tr", { selector: 0x40, base: SYSTEM_BASE + BigInt(SYSTEM.tss), limit: 103, access: 0x8b });
    registers.setSegment("ldtr", { selector: 0, base: 0n, limit: 0, access: 0 });
  }

  /** Whether the tables that `enter` pointed to are still the ones in force, so that events find their handlers. */
  isInForce(registers: RegisterAccess): boolean {
    const { cr0, cr4, efer } = CONTROL;
    const holds = (name: string, value: bigint, bits = -1n): boolean => ((registers.get(name) ^ value) & bits) === 0n;
    const paged = holds("cr0", cr0, TRANSLATES.cr0) && holds("cr4", cr4, TRANSLATES.cr4) && holds("efer", efer, TRANSLATES.efer);
    const idt = holds("idtrBase", SYSTEM_BASE + BigInt(SYSTEM.idt)) && holds("idtrLimit", 0xfffn);
    const gdt = holds("gdtrBase", SYSTEM_BASE + BigInt(SYSTEM.gdt)) && holds("gdtrLimit", 0x7fn);
    return paged && holds("cr3", BigInt(TABLE.pml4), TRANSLATES.cr3) && idt && gdt;
  }

  /** Maps a page of a slot's code (its offset) otherwise, or as it was. The TLB is the caller's. */
  remap(slot: number, offset: number, how: Mapping): void {
    const own = BigInt(this.slot(slot) + slotOffset("code", offset));
    if (how === "absent") this.#mapCode(slot, offset, 0n);
    else if (how === "spare") this.#mapCode(slot, offset, BigInt(this.slot(slot) + SPARE) | RIGHTS.code);
    else this.#mapCode(slot, offset, own | (how === "own" ? RIGHTS.code : RIGHTS.data));
  }

  #mapCode(slot: number, offset: number, entry: bigint): void {
    const base = codeBase(slot);
    for (const at of [base, otherBase(base)]) this.#map(slot, "code", at + offset, entry);
  }

  #map(slot: number, area: "code" | "data", linear: number, entry: bigint): void {
    const place = this.#table(slot, area) + ((linear >>> 12) & 511) * 8;
    this.#memory.writeUint64(place, entry);
    for (const { from, now, own } of this.#restored) {
      const at = place - from;
      if (at >= 0 && at < own.length) own.set(now.subarray(at, at + 8), at);
    }
  }

  /**
   * Forgets what events left on their stacks, and puts handlers and tables back as they were: a kernel's pointer may have gone astray.
   * → whether one has. The TLB is the caller's.
   */
  putBack(): boolean {
    for (const top of [SYSTEM.exceptionStack, SYSTEM.interruptStack, SYSTEM.nmiStack])
      this.#memory.bytes(SYSTEM_PHYSICAL + top - 64, 64).fill(0);
    const astray = this.#restored.filter(({ now, own }) => Buffer.compare(now, own) !== 0);
    for (const { from, own } of astray) this.#memory.write(from, own);
    return astray.length > 0;
  }

  /** The vector whose handler halts at this address, -1 for none. */
  vectorAt(rip: bigint): number {
    const offset = rip - SYSTEM_BASE;
    return offset >= 0n && offset < 0x200n ? Number(offset) >> 4 : -1;
  }

  /**
   * Physical address of an exception's frame (RIP CS RFLAGS RSP SS), from RSP in its handler; an error code lies in front. Undefined
   * when RSP is not on the exceptions' stack: something jumped to the handler.
   */
  frame(vector: number, rsp: bigint): { readonly frame: number; readonly error: number | undefined } | undefined {
    const offset = rsp - SYSTEM_BASE;
    if (offset < BigInt(SYSTEM.exceptionStack - FRAME_BYTES) || offset >= BigInt(SYSTEM.exceptionStack)) return undefined;
    const at = SYSTEM_PHYSICAL + Number(offset);
    if (!WITH_ERROR_CODE.has(vector)) return { frame: at, error: undefined };
    return { frame: at + 8, error: this.#memory.readUint32(at) };
  }

  #mapPages(): void {
    const memory = this.#memory;
    const link = (table: number, index: number, to: number): void => memory.writeUint64(table + index * 8, BigInt(to) | BRANCH);
    link(TABLE.pml4, 0, TABLE.low);
    link(TABLE.pml4, 256, TABLE.high);
    link(TABLE.high, 0, TABLE.highDirectory);
    for (let i = 0; i < 4; i++) link(TABLE.low, i, TABLE.directories + i * 0x1000);
    for (let slot = 0; slot < SLOTS; slot++) {
      // The directories lie one behind the other.
      link(TABLE.directories, codeBase(slot) >>> 21, this.#table(slot, "code"));
      link(TABLE.directories, dataBase(slot) >>> 21, this.#table(slot, "data"));
    }
    link(TABLE.highDirectory, 0, TABLE.system);
    for (let at = 0; at < SYSTEM.bytes; at += 0x1000)
      memory.writeUint64(TABLE.system + (at >> 9), BigInt(SYSTEM_PHYSICAL + at) | RIGHTS.system);
    for (let slot = 0; slot < SLOTS; slot++) this.#mapSlot(slot);
  }

  /** The page table of a slot's code or data. */
  #table(slot: number, area: "code" | "data"): number {
    return TABLE.slots + (slot * 2 + (area === "code" ? 0 : 1)) * 0x1000;
  }

  #mapSlot(slot: number): void {
    const base = dataBase(slot);
    const map = (offset: number, entry: bigint): void => {
      for (const at of [base, otherBase(base)]) this.#map(slot, "data", at + offset, entry);
    };
    PAGES.forEach(([area, offset], i) => {
      const physical = this.slot(slot) + i * 0x1000;
      if (area === "data") return map(offset, BigInt(physical) | (offset === DATA.readOnly ? RIGHTS.readOnly : RIGHTS.data));
      this.remap(slot, offset, "own");
      map(DATA.code + offset, BigInt(physical) | RIGHTS.data);
    });
    map(DATA.device, BigInt(DEVICE_PHYSICAL) | RIGHTS.data);
  }

  #writeHandlers(): void {
    const at = SYSTEM_PHYSICAL + SYSTEM.handlers;
    for (let vector = 0; vector < 256; vector++) {
      const halts = vector < 32 && vector !== 2;
      const code = halts ? [HLT, ...(WITH_ERROR_CODE.has(vector) ? DROP_ERROR : []), ...IRETQ] : IRETQ;
      this.#memory.write(at + vector * 16, Uint8Array.from(code));
    }
    this.#memory.write(SYSTEM_PHYSICAL + SYSTEM.entry, Uint8Array.from(SYSRETQ));
  }

  /** All events on stacks of their own (SDM 3A §6.14.5): what lies below a kernel's stack pointer stays as it is. */
  #writeTables(): void {
    const memory = this.#memory;
    const at = (offset: number): number => SYSTEM_PHYSICAL + offset;
    for (const [selector, descriptor] of GDT) memory.writeUint64(at(SYSTEM.gdt) + selector, descriptor);
    for (let vector = 0; vector < 256; vector++) {
      const handler = SYSTEM_BASE + BigInt(SYSTEM.handlers + vector * 16);
      const open = vector === 3 || vector === 4 || vector >= 32;
      const attributes = 0x8e00n | (open ? 0x6000n : 0n) | (vector === 2 ? 3n : vector < 32 ? 1n : 2n);
      const low = (handler & 0xffffn) | (BigInt(SELECTOR.kernelCode) << 16n) | (attributes << 32n) | (((handler >> 16n) & 0xffffn) << 48n);
      memory.writeUint64(at(SYSTEM.idt) + vector * 16, low);
      memory.writeUint64(at(SYSTEM.idt) + vector * 16 + 8, handler >> 32n);
    }
    const stack = (offset: number): bigint => SYSTEM_BASE + BigInt(offset);
    memory.writeUint64(at(SYSTEM.tss) + 4, stack(SYSTEM.exceptionStack));
    memory.writeUint64(at(SYSTEM.tss) + 36, stack(SYSTEM.exceptionStack));
    memory.writeUint64(at(SYSTEM.tss) + 44, stack(SYSTEM.interruptStack));
    memory.writeUint64(at(SYSTEM.tss) + 52, stack(SYSTEM.nmiStack));
    memory.writeUint16(at(SYSTEM.tss) + 102, 0xffff);
  }
}

/** Host address of the only processor's state. */
export const STATE_BASE: number = CPU_BASE;
