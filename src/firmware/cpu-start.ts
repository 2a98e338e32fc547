// The state a boot protocol promises the processor is in, as data. A machine applies it through its engine's register access.
import type { Gpa } from "../memory/gpa.ts";
import { ByteWriter } from "./byte-writer.ts";
import type { GuestWrite } from "./guest-write.ts";
import { BOOT_GDT, PAGE_TABLES } from "./layout.ts";

/** A segment register with its hidden part; the same shape as the engines' SegmentState. */
export interface SegmentStart {
  readonly selector: number;
  readonly base: bigint;
  /** Effective limit in bytes, inclusive. */
  readonly limit: number;
  /** Descriptor bits 40–55: type, S, DPL, P in 0–7; AVL, L, D/B, G in 12–15. */
  readonly access: number;
}

/** A segment register. */
export type SegmentName = "es" | "cs" | "ss" | "ds" | "fs" | "gs" | "ldtr" | "tr";

/** A general register by its 64-bit name. */
export type GeneralName = "rax" | "rbx" | "rcx" | "rdx" | "rsi" | "rdi" | "rbp";

/** GDTR or IDTR. */
export interface TableRegister {
  readonly base: bigint;
  readonly limit: number;
}

/** Registers at the first instruction. Whatever is not named is as after reset; general registers not named are zero. */
export interface CpuStart {
  readonly mode: "real16" | "protected32" | "long64";
  /** Offset in the code segment. */
  readonly rip: bigint;
  readonly rsp: bigint;
  readonly rflags: bigint;
  readonly general: Readonly<Partial<Record<GeneralName, bigint>>>;
  readonly segments: Readonly<Record<SegmentName, SegmentStart>>;
  readonly cr0: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
  readonly gdtr: TableRegister;
  readonly idtr: TableRegister;
}

/** Selectors that the Linux boot protocol fixes (LINUX boot "32-bit Boot Protocol"); multiboot and PVH leave them open. */
const BOOT_CS = 0x10;
const BOOT_DS = 0x18;

const CODE32 = 0xc09b;
const CODE64 = 0xa09b;
const DATA = 0xc093;
const REAL_CODE = 0x009b;
const REAL_DATA = 0x0093;
const BUSY_TSS = 0x008b;
const LDT = 0x0082;

const CR0_PE = 0x0000_0001n;
const CR0_ET = 0x0000_0010n;
const CR0_PG = 0x8000_0000n;
const CR4_PAE = 0x20n;
const EFER_LME = 0x100n;
const EFER_LMA = 0x400n;
const RFLAGS_RESERVED = 0x2n;

const PRESENT_WRITABLE = 0x003n;
const LARGE_PAGE = 0x080n;
const PAGE = 0x1000;
const LARGE = 0x20_0000n;
const DIRECTORIES = 4;
const ENTRIES = 512;

const SYSTEM_SEGMENTS = {
  ldtr: { selector: 0, base: 0n, limit: 0xffff, access: LDT },
  tr: { selector: 0, base: 0n, limit: 0x67, access: BUSY_TSS },
} as const;

/** Where execution starts and with which registers. */
export interface Entry {
  readonly rip: number;
  readonly rsp?: number;
  readonly general?: Readonly<Partial<Record<GeneralName, bigint>>>;
}

function flat(selector: number, access: number): SegmentStart {
  return { selector, base: 0n, limit: 0xffff_ffff, access };
}

function flatSegments(codeAccess: number): CpuStart["segments"] {
  const data = flat(BOOT_DS, DATA);
  return { es: data, cs: flat(BOOT_CS, codeAccess), ss: data, ds: data, fs: data, gs: data, ...SYSTEM_SEGMENTS };
}

function start(mode: CpuStart["mode"], entry: Entry): Pick<CpuStart, "mode" | "rip" | "rsp" | "rflags" | "general"> {
  return { mode, rip: BigInt(entry.rip), rsp: BigInt(entry.rsp ?? 0), rflags: RFLAGS_RESERVED, general: entry.general ?? {} };
}

/** 32-bit protected mode, flat segments, paging off. */
export function protected32(entry: Entry, gdtAt: Gpa = BOOT_GDT): CpuStart {
  return {
    ...start("protected32", entry),
    segments: flatSegments(CODE32),
    cr0: CR0_PE | CR0_ET,
    cr3: 0n,
    cr4: 0n,
    efer: 0n,
    gdtr: { base: BigInt(gdtAt), limit: 31 },
    idtr: { base: 0n, limit: 0 },
  };
}

/** 64-bit mode with the page tables of `identityMap`. */
export function long64(entry: Entry): CpuStart {
  return {
    ...start("long64", entry),
    segments: flatSegments(CODE64),
    cr0: CR0_PG | CR0_PE | CR0_ET,
    cr3: BigInt(PAGE_TABLES),
    cr4: CR4_PAE,
    efer: EFER_LME | EFER_LMA,
    gdtr: { base: BigInt(BOOT_GDT), limit: 31 },
    idtr: { base: 0n, limit: 0 },
  };
}

/** Real mode with one data segment and the interrupt table at 0. `entry.rip` is an offset in `codeSegment`. */
export function real16(entry: Entry, codeSegment: number, dataSegment: number): CpuStart {
  const segment = (selector: number, access: number): SegmentStart => ({ selector, base: BigInt(selector * 16), limit: 0xffff, access });
  const data = segment(dataSegment, REAL_DATA);
  return {
    ...start("real16", entry),
    segments: { es: data, cs: segment(codeSegment, REAL_CODE), ss: data, ds: data, fs: data, gs: data, ...SYSTEM_SEGMENTS },
    cr0: CR0_ET,
    cr3: 0n,
    cr4: 0n,
    efer: 0n,
    gdtr: { base: 0n, limit: 0xffff },
    idtr: { base: 0n, limit: 0x3ff },
  };
}

/** The GDT behind the flat segments: two null entries, then code (BOOT_CS) and data (BOOT_DS). */
export function bootGdt(mode: "protected32" | "long64", gdtAt: Gpa = BOOT_GDT): GuestWrite {
  const descriptor = (access: number): bigint => 0x000f_0000_0000_ffffn | (BigInt(access) << 40n);
  const code = descriptor(mode === "long64" ? CODE64 : CODE32);
  return { gpa: gdtAt, bytes: new ByteWriter().u64(0).u64(0).u64(code).u64(descriptor(DATA)).finish() };
}

/**
 * Page tables that map the first 4 GiB onto themselves in 2 MiB pages (SDM 3A §4.5):
 *
 *   PAGE_TABLES + 0000h  PML4   one entry
 *               + 1000h  PDPT   four entries
 *               + 2000h  four page directories
 */
export function identityMap(): GuestWrite {
  const w = new ByteWriter().u64(BigInt(PAGE_TABLES + PAGE) | PRESENT_WRITABLE).align(PAGE);
  for (let index = 0; index < DIRECTORIES; index++) w.u64(BigInt(PAGE_TABLES + (2 + index) * PAGE) | PRESENT_WRITABLE);
  w.align(PAGE);
  for (let index = 0n; index < DIRECTORIES * ENTRIES; index++) w.u64((index * LARGE) | LARGE_PAGE | PRESENT_WRITABLE);
  return { gpa: PAGE_TABLES, bytes: w.finish() };
}
