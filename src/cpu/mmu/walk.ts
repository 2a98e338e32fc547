// The page walk: linear page → physical page and what may be done with it (SDM 3A chapter 4).
//
// All four paging modes run in this one routine. It sets accessed and dirty flags, checks rights and reserved bits, and raises
// #PF; the TLB (tlb.ts) keeps its answers.
import { ROUTINE } from "../engine-calls.ts";
import type { Builder } from "../ir/builder.ts";
import { implement, routine } from "../ir/builder.ts";
import type { Expr, Routine, Variable } from "../ir/types.ts";
import { countUp } from "../counters.ts";
import { at, FAULT } from "../state.ts";
import { noteWrite } from "./code-writes.ts";
import { CR0, CR4, EFER, PHYSICAL_BITS, VECTOR } from "./control.ts";
import { noteLargePage } from "./large-pages.ts";

/** What an access wants: argument of `walk`. The low bits are those of the page-fault error code. */
export const ACCESS = { write: 2, user: 4, fetch: 16, smapOpen: 32 } as const;

/** What a page allows in the view that asked: result of `walk`. 0 means that a fault is pending. */
export const PAGE = { ok: 1, read: 2, write: 4, execute: 8, global: 16 } as const;

/** Bits of a paging-structure entry (SDM 3A table 4-15…4-20). */
const PTE = { P: 1, RW: 2, US: 4, A: 0x20, D: 0x40, PS: 0x80, G: 0x100 } as const;
const NX = 1n << 63n;
/** Error code of #PF (SDM 3A §4.7). */
const ERROR = { P: 1, RSVD: 8 } as const;
const ADDRESS_MASK = (1n << BigInt(PHYSICAL_BITS)) - 0x1000n;
const RESERVED_HIGH = ((1n << 52n) - 1n) & ~((1n << BigInt(PHYSICAL_BITS)) - 1n);
/** PAE entries have no ignored bits 62–52 (SDM 3A table 4-11). */
const RESERVED_PAE = 0x7ffn << 52n;

/** Host address of a physical address, 0 when it is not RAM. A0000h–BFFFFh belongs to the display. */
export const physicalToHost: Routine = implement(ROUTINE.physicalToHost, (b, base, pa) => {
  const ramBase = b.load("i32.load", base, at("ramBase"));
  const lowSize = b.load("i32.load", base, at("lowSize"));
  b.if(b.ltU(pa, b.extU(lowSize)), () => {
    b.if(b.ltU(b.sub(pa, 0xa0000n), 0x20000n), () => b.return(b.i32(0)));
    b.return(b.add(ramBase, b.wrap(pa)));
  });
  const high = b.sub(pa, 0x1_0000_0000n);
  b.if(b.ltU(high, b.extU(b.load("i32.load", base, at("highSize")))), () => b.return(b.add(ramBase, b.add(lowSize, b.wrap(high)))));
  b.return(b.i32(0));
});

const bits = (b: Builder, base: Expr, name: "cr0" | "cr4" | "efer", mask: number): Expr => b.and(b.load("i32.load", base, at(name)), mask);

/** Notes a page fault at `lin` with `error` (i32) and returns 0. */
const pageFault: Routine = routine("mmu.pagefault", ["i32", "i64", "i32", "i32"], undefined, (b, base, lin, access, error) => {
  b.store("i64.store", base, lin, at("faultAddress"));
  // I/D is reported only where it can matter: SMEP, or PAE paging with NXE (SDM 3A §4.7).
  const reportsFetch = b.or(
    bits(b, base, "cr4", CR4.SMEP),
    b.and(b.ne(bits(b, base, "cr4", CR4.PAE), 0), b.ne(bits(b, base, "efer", EFER.NXE), 0)),
  );
  const fetch = b.select(reportsFetch, b.and(access, ACCESS.fetch), b.i32(0));
  b.store("i32.store", base, b.or(b.or(b.and(access, ACCESS.write | ACCESS.user), fetch), error), at("faultCode"));
  b.store("i32.store", base, b.i32(VECTOR.PF | FAULT.pending | FAULT.hasCode), at("fault"));
});

/** Everything the walk carries from level to level. */
interface Walk {
  readonly base: Expr;
  readonly lin: Expr;
  readonly access: Expr;
  /** AND of RW and US of every level, and OR of NX. */
  readonly rights: Variable;
  readonly nx: Variable;
  /** Physical address of the table, then of the page. */
  readonly table: Variable;
  /** Host address and value of the entry in use. */
  readonly slot: Variable;
  readonly entry: Variable;
}

function refuse(b: Builder, w: Walk, error: number): void {
  b.call(pageFault, w.base, w.lin, w.access, b.i32(error));
  b.return(b.i32(0));
}

/** Reads the entry for `lin` bits shift.. of the table; not present and reserved bits fault. Narrows the rights. */
function step(b: Builder, w: Walk, shift: number, wide: boolean, reserved: Expr): void {
  const indexBits = wide ? 9 : 10;
  const index = b.and(b.wrap(b.shrU(w.lin, shift)), (1 << indexBits) - 1);
  const size = wide ? 3 : 2;
  const host = b.call(physicalToHost, w.base, b.or(b.get(w.table), b.extU(b.shl(index, size))));
  b.if(b.not(host), () => refuse(b, w, 0));
  b.set(w.slot, host);
  b.set(w.entry, b.load(wide ? "i64.load" : "i64.load32_u", host));
  b.if(b.not(b.wrap(b.and(b.get(w.entry), PTE.P))), () => refuse(b, w, 0));
  b.if(b.ne(b.and(b.get(w.entry), reserved), 0n), () => refuse(b, w, ERROR.P | ERROR.RSVD));
  b.set(w.rights, b.and(b.get(w.rights), b.wrap(b.get(w.entry))));
  if (wide) b.set(w.nx, b.or(b.get(w.nx), b.get(w.entry)));
}

/** Sets accessed and dirty flags in the entry, which may be code as well. */
function setFlags(b: Builder, w: Walk, flags: Expr): void {
  b.store("i32.store", b.get(w.slot), b.or(b.load("i32.load", b.get(w.slot)), flags));
  b.call(noteWrite, w.base, b.get(w.slot), b.i32(4));
}

function markAccessed(b: Builder, w: Walk): void {
  b.if(b.not(b.wrap(b.and(b.get(w.entry), PTE.A))), () => setFlags(b, w, b.i32(PTE.A)));
}

function descend(b: Builder, w: Walk, mask: bigint): void {
  markAccessed(b, w);
  b.set(w.table, b.and(b.get(w.entry), mask));
}

const isLarge = (b: Builder, w: Walk): Expr => b.wrap(b.and(b.get(w.entry), PTE.PS));

/**
 * PAGE.global for a page that a new CR3 leaves in the TLB (SDM 3A §4.10.2.4). Large ones are not, in the lower half: their pieces are
 * not noted for longer than until then (large-pages.ts).
 */
function globalOf(b: Builder, w: Walk, isLargePage: boolean): Expr {
  const enabled = b.shl(bits(b, w.base, "cr4", CR4.PGE), Math.log2(PTE.G / CR4.PGE));
  const global = b.shrU(b.and(b.wrap(b.get(w.entry)), enabled), Math.log2(PTE.G / PAGE.global));
  return isLargePage ? b.and(global, b.shl(b.wrap(b.shrU(w.lin, 63)), Math.log2(PAGE.global))) : global;
}

/** Checks the rights, sets A and D, stores the physical page and returns what the page allows. */
function allow(b: Builder, w: Walk, page: Expr, isLargePage = false): void {
  const user = b.and(w.access, ACCESS.user);
  const userPage = b.and(b.get(w.rights), PTE.US);
  const executable = b.variable(b.not(b.wrap(b.shrU(b.get(w.nx), 63))));
  const readable = b.variable(b.i32(1));
  const writable = b.variable(b.ne(b.and(b.get(w.rights), PTE.RW), 0));
  b.if(
    user,
    () => b.if(b.not(userPage), () => refuse(b, w, ERROR.P)),
    () => {
      b.if(b.not(bits(b, w.base, "cr0", CR0.WP)), () => b.set(writable, b.i32(1)));
      b.if(userPage, () => {
        b.if(bits(b, w.base, "cr4", CR4.SMEP), () => b.set(executable, b.i32(0)));
        const closed = b.and(b.ne(bits(b, w.base, "cr4", CR4.SMAP), 0), b.not(b.and(w.access, ACCESS.smapOpen)));
        b.if(closed, () => {
          b.set(readable, b.i32(0));
          b.set(writable, b.i32(0));
        });
      });
    },
  );
  const write = b.and(w.access, ACCESS.write);
  const allowed = b.select(b.and(w.access, ACCESS.fetch), b.get(executable), b.select(write, b.get(writable), b.get(readable)));
  b.if(b.not(allowed), () => refuse(b, w, ERROR.P));
  const wanted = b.or(b.select(write, b.i32(PTE.D), b.i32(0)), PTE.A);
  const low = b.wrap(b.get(w.entry));
  b.if(b.ne(b.and(low, wanted), wanted), () => setFlags(b, w, wanted));
  const dirty = b.ne(b.and(b.or(low, wanted), PTE.D), 0);
  b.store("i64.store", w.base, page, at("walkPhysical"));
  const r = b.shl(b.get(readable), 1);
  const x = b.shl(b.get(executable), 3);
  const rw = b.or(r, b.shl(b.and(b.get(writable), dirty), 2));
  b.return(b.or(b.or(rw, x), b.or(globalOf(b, w, isLargePage), PAGE.ok)));
}

/** INVLPG has to know that the page at the linear address is a large one, with offset bits `mask`. */
function note(b: Builder, w: Walk, mask: bigint): void {
  b.call(noteLargePage, w.base, b.and(w.lin, ~mask), b.or(w.lin, mask));
}

/** A large page: the entry's address bits above `shift`, the linear address' below (of the page number). */
function large(b: Builder, w: Walk, shift: number): void {
  const mask = (1n << BigInt(shift)) - 1n;
  note(b, w, mask);
  const frame = b.and(b.get(w.entry), ADDRESS_MASK & ~mask);
  allow(b, w, b.or(frame, b.and(w.lin, mask & ~0xfffn)), true);
}

/** 32-bit paging (SDM 3A §4.3): two levels of 4-byte entries, 4 MiB pages with PSE-36. */
function walk32(b: Builder, w: Walk): void {
  b.set(w.table, b.and(b.load("i64.load", w.base, at("cr3")), 0xffff_f000n));
  step(b, w, 22, false, b.i64(0));
  b.if(b.and(isLarge(b, w), b.shl(b.ne(bits(b, w.base, "cr4", CR4.PSE), 0), 7)), () => {
    const e = b.get(w.entry);
    // PSE-36: bits 20–13 are address bits 39–32; bit 21 is reserved (SDM 3A table 4-4).
    b.if(b.ne(b.and(e, 1n << 21n), 0n), () => refuse(b, w, ERROR.P | ERROR.RSVD));
    note(b, w, 0x3f_ffffn);
    const high = b.shl(b.and(b.shrU(e, 13), 0xffn), 32);
    allow(b, w, b.or(b.or(high, b.and(e, 0xffc0_0000n)), b.and(w.lin, 0x3f_f000n)), true);
  });
  descend(b, w, 0xffff_f000n);
  step(b, w, 12, false, b.i64(0));
  allow(b, w, b.and(b.get(w.entry), 0xffff_f000n));
}

/** Page directory and page table of PAE and 4-level paging. */
function walkWide(b: Builder, w: Walk, reserved: Expr): void {
  step(b, w, 21, true, reserved);
  b.if(isLarge(b, w), () => {
    b.if(b.ne(b.and(b.get(w.entry), 0x1f_e000n), 0n), () => refuse(b, w, ERROR.P | ERROR.RSVD));
    large(b, w, 21);
  });
  descend(b, w, ADDRESS_MASK);
  step(b, w, 12, true, reserved);
  allow(b, w, b.and(b.get(w.entry), ADDRESS_MASK));
}

/** Walks the tables for linear page `lin` (base, lin, ACCESS bits) → PAGE bits, or 0 with #PF pending; walkPhysical is the page. */
export const walk: Routine = routine(
  "mmu.walk",
  ["i32", "i64", "i32"],
  "i32",
  (b, base, linear, access) => {
    b.if(b.not(bits(b, base, "cr0", CR0.PG)), () => {
      b.store("i64.store", base, b.and(linear, 0xffff_f000n), at("walkPhysical"));
      b.return(b.i32(PAGE.ok | PAGE.read | PAGE.write | PAGE.execute));
    });
    countUp(b, base, "pageWalks");
    const w: Walk = {
      base,
      lin: linear,
      access,
      rights: b.variable(b.i32(PTE.RW | PTE.US)),
      nx: b.variable(b.i64(0)),
      table: b.variable(b.i64(0)),
      slot: b.variable(b.i32(0)),
      entry: b.variable(b.i64(0)),
    };
    b.if(b.not(bits(b, base, "cr4", CR4.PAE)), () => walk32(b, w));
    const nxReserved = b.variable(b.select(bits(b, base, "efer", EFER.NXE), b.i64(RESERVED_HIGH), b.i64(RESERVED_HIGH | NX)));
    b.if(
      bits(b, base, "efer", EFER.LMA),
      () => {
        b.set(w.table, b.and(b.load("i64.load", base, at("cr3")), ADDRESS_MASK));
        step(b, w, 39, true, b.or(b.get(nxReserved), BigInt(PTE.PS)));
        descend(b, w, ADDRESS_MASK);
        step(b, w, 30, true, b.get(nxReserved));
        b.if(isLarge(b, w), () => {
          b.if(b.ne(b.and(b.get(w.entry), 0x3fff_e000n), 0n), () => refuse(b, w, ERROR.P | ERROR.RSVD));
          large(b, w, 30);
        });
        descend(b, w, ADDRESS_MASK);
      },
      () => {
        // PAE: the four PDPTEs were loaded with CR3 (SDM 3A §4.4.1); they carry no rights and no accessed flag.
        const pdpte = b.load("i64.load", b.add(base, b.shl(b.and(b.wrap(b.shrU(linear, 30)), 3), 3)), at("pdpte0"));
        b.if(b.not(b.wrap(b.and(pdpte, PTE.P))), () => refuse(b, w, 0));
        b.set(w.table, b.and(pdpte, ADDRESS_MASK));
        b.set(nxReserved, b.or(b.get(nxReserved), RESERVED_PAE));
      },
    );
    walkWide(b, w, b.get(nxReserved));
    b.returnZero();
  },
  { faults: true },
);
