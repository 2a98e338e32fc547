// Memory accesses by linear address: the TLB, and what happens when it does not know.
//
// Every routine takes the TLB view to use: the state's `tlbView` for the program's own accesses, the supervisor view for the
// processor's (descriptor tables, task state), which are supervisor accesses whatever the privilege level (SDM 3A §4.6.1).
import { ROUTINE } from "../engine-calls.ts";
import type { Builder } from "../ir/builder.ts";
import { implement, routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { countUp } from "../counters.ts";
import { TLB, TLB_LIST, TLB_LIST_MAX, VIEW } from "../engine/layout.ts";
import { helper, mmioRead, mmioWrite } from "../host-calls.ts";
import { at, MODE, SCRATCH } from "../state.ts";
import { noteWrite, pageEntry } from "./code-writes.ts";
import { CR0, EFER, EFLAGS, VECTOR } from "./control.ts";
import { fault } from "./fault.ts";
import { ACCESS, PAGE, physicalToHost, walk } from "./walk.ts";
import { HELPER } from "../assist/numbers.ts";

const PAGE_MASK = 0xfffn;

/** Host address of the TLB entry for `lin`. */
export function entryOf(b: Builder, view: Expr, lin: Expr): Expr {
  return b.add(view, entryInView(b, lin));
}

/** The same as an offset in the view. */
export function entryInView(b: Builder, lin: Expr): Expr {
  // Page number × size of an entry, in one shift.
  return b.and(b.shrU(b.wrap(lin), 12 - Math.log2(TLB.size)), (TLB.entries - 1) * TLB.size);
}

/** 1 when `lin` is canonical. */
export function isCanonical(b: Builder, lin: Expr): Expr {
  return b.eq(b.shrS(b.shl(lin, 16), 16), lin);
}

/** #GP(0) in IA-32e mode unless `lin` is canonical. Accesses that cross a page check their last byte too: #GP comes before #PF. */
function canonicalOnly(b: Builder, base: Expr, lin: Expr): void {
  b.if(b.and(b.load("i32.load", base, at("efer")), EFER.LMA), () => {
    b.if(b.not(isCanonical(b, lin)), () => fault(b, base, VECTOR.GP, b.i32(0)));
  });
}

/** ACCESS.user and ACCESS.smapOpen of the program's accesses in `view`. */
function viewAccess(b: Builder, base: Expr, view: Expr): Expr {
  const own = b.or(
    b.select(b.eq(b.load("i32.load", base, at("cpl")), 3), b.i32(ACCESS.user), b.i32(0)),
    b.select(b.and(b.load("i32.load", base, at("eflags")), EFLAGS.AC), b.i32(ACCESS.smapOpen), b.i32(0)),
  );
  return b.select(b.eq(view, b.add(base, VIEW.supervisor)), b.i32(0), own);
}

/** Enters a translation into the view's TLB. */
const fillEntry: Routine = routine("mmu.fill", ["i32", "i32", "i64", "i32", "i32"], undefined, (b, base, view, lin, allowed, host) => {
  const entry = entryOf(b, view, lin);
  const page = b.and(lin, ~PAGE_MASK);
  const invalid = b.select(b.and(b.wrap(b.shrU(lin, 12)), TLB.entries - 1), b.i64(0), b.i64(0x1000));
  const tag = (mask: number): Expr => b.select(b.and(allowed, mask), page, invalid);
  b.store("i64.store", entry, tag(PAGE.read), TLB.read);
  b.store("i64.store", entry, tag(PAGE.write), TLB.write);
  b.store("i64.store", entry, tag(PAGE.execute), TLB.execute);
  b.store("i32.store", entry, host, TLB.host);
  const global = b.and(allowed, PAGE.global);
  b.store("i32.store", entry, global, TLB.flags);
  b.if(global, () => b.return());
  const count = b.load("i32.load", base, at("tlbCount"));
  b.if(b.ltU(count, TLB_LIST_MAX), () => b.store("i32.store", b.add(base, b.shl(count, 2)), entry, TLB_LIST));
  b.store("i32.store", base, b.add(count, 1), at("tlbCount"));
});

/**
 * Translates one byte's address (base, view, lin, ACCESS.write or fetch or 0) → host address; 0 when it is not RAM (walkPhysical
 * is then the physical address) or a fault is pending. Enters the translation into the TLB.
 */
export const translate: Routine = routine(
  "mmu.translate",
  ["i32", "i32", "i64", "i32"],
  "i32",
  (b, base, view, lin, kind) => {
    countUp(b, base, "tlbMisses");
    canonicalOnly(b, base, lin);
    const allowed = b.variable(b.call(walk, base, lin, b.or(kind, viewAccess(b, base, view))));
    const page = b.load("i64.load", base, at("walkPhysical"));
    const host = b.call(physicalToHost, base, page);
    b.store("i64.store", base, b.or(page, b.and(lin, PAGE_MASK)), at("walkPhysical"));
    b.if(b.not(host), () => b.return(b.i32(0)));
    // A page with decoded code stays out of the write TLB, so that every write to it is seen.
    const code = b.load("i64.load", pageEntry(b, base, host));
    b.if(b.ne(code, 0n), () => b.set(allowed, b.and(b.get(allowed), ~PAGE.write)));
    const isLoose = b.eq(b.and(b.get(allowed), PAGE.execute | PAGE.global), PAGE.execute);
    b.if(b.and(isLoose, b.ne(view, b.add(base, VIEW.user))), () => b.store("i32.store", base, b.i32(1), at("looseCode")));
    b.if(b.ne(view, b.add(base, VIEW.none)), () => b.call(fillEntry, base, view, lin, b.get(allowed), host));
    b.return(b.or(host, b.wrap(b.and(lin, PAGE_MASK))));
  },
  { faults: true },
);

/** Linear addresses wrap at 4 GiB outside 64-bit mode. */
function wrapLinear(b: Builder, base: Expr, lin: Expr): Expr {
  return b.select(b.and(b.load("i32.load", base, at("mode")), MODE.long), lin, b.and(lin, 0xffff_ffffn));
}

/** Address at which an access of `size` (i64) bytes enters its last page; a page fault there reports it, not the last byte's. */
function lastPage(b: Builder, base: Expr, lin: Expr, size: Expr): Expr {
  const last = wrapLinear(b, base, b.sub(b.add(lin, size), 1));
  return b.select(b.eq(b.shrU(last, 12), b.shrU(lin, 12)), lin, b.and(last, ~PAGE_MASK));
}

/** Of 16 bytes only the instructions that say so ask for alignment, and they raise #GP: silicon has no #AC for the others. */
const NO_ALIGNMENT = 0x200;

/** Alignment checks and data breakpoints, for accesses through the view that never hits: (base, lin, size | write << 8 | NO_ALIGNMENT). */
const checkedAccess: Routine = routine(
  "mmu.checked",
  ["i32", "i32", "i64", "i32"],
  undefined,
  (b, base, view, lin, sizeAndWrite) => {
    b.if(b.ne(view, b.add(base, VIEW.none)), () => b.return());
    const size = b.and(sizeAndWrite, 0xff);
    const aligned = b.or(b.not(b.and(b.wrap(lin), b.sub(size, 1))), b.and(sizeAndWrite, NO_ALIGNMENT));
    const checks = b.and(
      b.ne(b.and(b.load("i32.load", base, at("cr0")), CR0.AM), 0),
      b.ne(b.and(b.load("i32.load", base, at("eflags")), EFLAGS.AC), 0),
    );
    const user = b.eq(b.load("i32.load", base, at("cpl")), 3);
    b.if(b.and(b.and(checks, user), b.not(aligned)), () => {
      canonicalOnly(b, base, lin);
      fault(b, base, VECTOR.AC, b.i32(0));
    });
    b.if(b.and(b.load("i32.load", base, at("dr7")), 0xff), () => {
      b.store("i64.store", base, lin, SCRATCH);
      b.call(helper, base, b.i32(HELPER.dataBreakpoint), sizeAndWrite);
    });
  },
  { faults: true },
);

const crosses = (b: Builder, lin: Expr, size: number): Expr => b.gtU(b.and(lin, PAGE_MASK), BigInt(4096 - size));

/** 4 bytes or fewer from a device. */
function deviceLoad(b: Builder, base: Expr, offset: number, width: number): Expr {
  const pa = b.load("i64.load", base, at("walkPhysical"));
  return b.call(mmioRead, b.add(b.wrap(pa), offset), b.wrap(b.shrU(pa, 32)), b.i32(width));
}

function deviceStore(b: Builder, base: Expr, offset: number, width: number, value: Expr): void {
  const pa = b.load("i64.load", base, at("walkPhysical"));
  b.call(mmioWrite, b.add(b.wrap(pa), offset), b.wrap(b.shrU(pa, 32)), b.i32(width), value);
}

/** Bytes that a general register can hold. */
type Size = keyof typeof ROUTINE.load;

const LOAD: Readonly<Record<number, string>> = { 1: "i64.load8_u", 2: "i64.load16_u", 4: "i64.load32_u", 8: "i64.load" };
const STORE: Readonly<Record<number, string>> = { 1: "i64.store8", 2: "i64.store16", 4: "i64.store32", 8: "i64.store" };

/** The TLB check in front of every access: runs `hit` with the host address when the page is known for `tag`. */
export function onHit(b: Builder, view: Expr, lin: Expr, size: number, tag: number, hit: (host: Expr) => void): void {
  const entry = entryOf(b, view, lin);
  const x = b.xor(lin, b.load("i64.load", entry, tag));
  b.if(b.leU(x, BigInt(4096 - size)), () => hit(b.add(b.load("i32.load", entry, TLB.host), b.wrap(x))));
}

function defineLoad(size: Size, byte: Routine | undefined): Routine {
  const slow = routine(
    `mmu.load${size * 8}.slow`,
    ["i32", "i32", "i64"],
    "i64",
    (b, base, view, lin) => {
      b.call(checkedAccess, base, view, lin, b.i32(size));
      if (byte) b.if(crosses(b, lin, size), () => b.return(joinBytes(b, base, view, lin, size, byte)));
      const host = b.call(translate, base, view, lin, b.i32(0));
      b.if(host, () => b.return(b.load(LOAD[size]!, host)));
      const low = b.extU(deviceLoad(b, base, 0, Math.min(size, 4)));
      b.return(size < 8 ? low : b.or(low, b.shl(b.extU(deviceLoad(b, base, 4, 4)), 32)));
    },
    { faults: true },
  );
  return implement(ROUTINE.load[size], (b, base, view, lin) => {
    onHit(b, view, lin, size, TLB.read, (host) => b.return(b.load(LOAD[size]!, host)));
    b.return(b.call(slow, base, view, lin));
  });
}

function joinBytes(b: Builder, base: Expr, view: Expr, lin: Expr, size: number, byte: Routine): Expr {
  canonicalOnly(b, base, b.add(lin, BigInt(size - 1)));
  const value = b.variable(b.i64(0));
  const i = b.variable(b.i64(0));
  b.while(
    () => b.ltU(b.get(i), BigInt(size)),
    () => {
      const next = b.call(byte, base, view, wrapLinear(b, base, b.add(lin, b.get(i))));
      b.set(value, b.or(b.get(value), b.shl(next, b.shl(b.get(i), 3))));
      b.set(i, b.add(b.get(i), 1));
    },
  );
  return b.get(value);
}

function defineStore(size: Size, byte: Routine | undefined): Routine {
  const slow = routine(
    `mmu.store${size * 8}.slow`,
    ["i32", "i32", "i64", "i64"],
    undefined,
    (b, base, view, lin, value) => {
      b.call(checkedAccess, base, view, lin, b.i32(size | 0x100));
      if (byte) {
        b.if(crosses(b, lin, size), () => {
          splitBytes(b, base, view, lin, size, value, byte);
          b.return();
        });
      }
      const host = b.call(translate, base, view, lin, b.i32(ACCESS.write));
      b.if(host, () => {
        b.store(STORE[size]!, host, value);
        b.call(noteWrite, base, host, b.i32(size));
        b.return();
      });
      deviceStore(b, base, 0, Math.min(size, 4), b.wrap(value));
      if (size === 8) deviceStore(b, base, 4, 4, b.wrap(b.shrU(value, 32)));
    },
    { faults: true },
  );
  return implement(ROUTINE.store[size], (b, base, view, lin, value) => {
    onHit(b, view, lin, size, TLB.write, (host) => {
      b.store(STORE[size]!, host, value);
      b.return();
    });
    b.call(slow, base, view, lin, value);
  });
}

/** Both pages are checked before the first byte is written. */
function splitBytes(b: Builder, base: Expr, view: Expr, lin: Expr, size: number, value: Expr, byte: Routine): void {
  canonicalOnly(b, base, b.add(lin, BigInt(size - 1)));
  b.call(translate, base, view, lin, b.i32(ACCESS.write));
  b.call(translate, base, view, lastPage(b, base, lin, b.i64(size)), b.i32(ACCESS.write));
  const i = b.variable(b.i64(0));
  b.while(
    () => b.ltU(b.get(i), BigInt(size)),
    () => {
      b.call(byte, base, view, wrapLinear(b, base, b.add(lin, b.get(i))), b.shrU(value, b.shl(b.get(i), 3)));
      b.set(i, b.add(b.get(i), 1));
    },
  );
}

const load8 = defineLoad(1, undefined);
const store8 = defineStore(1, undefined);

/** Loads by size in bytes: (base, view, lin) → value, zero-extended. */
export const LOADS: Readonly<Record<number, Routine>> = {
  1: load8,
  2: defineLoad(2, load8),
  4: defineLoad(4, load8),
  8: defineLoad(8, load8),
};
/** Stores by size in bytes: (base, view, lin, value). */
export const STORES: Readonly<Record<number, Routine>> = {
  1: store8,
  2: defineStore(2, store8),
  4: defineStore(4, store8),
  8: defineStore(8, store8),
};

/** Makes sure that `size` bytes can be written, before an instruction that reads first and writes later: (base, view, lin, size). */
export const probeWrite: Routine = implement(ROUTINE.probeWrite, (b, base, view, lin, size) => {
  onHit(b, view, lin, 1, TLB.write, () => {
    b.if(b.leU(b.add(b.wrap(b.and(lin, PAGE_MASK)), size), 4096), () => b.return());
  });
  b.call(checkedAccess, base, view, lin, b.or(size, 0x100));
  canonicalOnly(b, base, b.add(lin, b.extU(b.sub(size, 1))));
  b.call(translate, base, view, lin, b.i32(ACCESS.write));
  const last = lastPage(b, base, lin, b.extU(size));
  b.if(b.ne(last, lin), () => b.call(translate, base, view, last, b.i32(ACCESS.write)));
});

const load128Slow: Routine = routine(
  "mmu.load128.slow",
  ["i32", "i32", "i64"],
  "v128",
  (b, base, view, lin) => {
    b.call(checkedAccess, base, view, lin, b.i32(16 | NO_ALIGNMENT));
    b.if(crosses(b, lin, 16), () => {
      canonicalOnly(b, base, b.add(lin, 15n));
      const low = joinBytes(b, base, view, lin, 8, load8);
      b.return(pair(b, low, joinBytes(b, base, view, wrapLinear(b, base, b.add(lin, 8n)), 8, load8)));
    });
    const host = b.call(translate, base, view, lin, b.i32(0));
    b.if(host, () => b.return(b.load("v128.load", host)));
    const device = (at: number): Expr => b.or(b.extU(deviceLoad(b, base, at, 4)), b.shl(b.extU(deviceLoad(b, base, at + 4, 4)), 32));
    const low = device(0);
    b.return(pair(b, low, device(8)));
  },
  { faults: true },
);

/** 16-byte load: (base, view, lin) → v128. Alignment is the instruction's business. */
export const load128: Routine = routine(
  "mmu.load128",
  ["i32", "i32", "i64"],
  "v128",
  (b, base, view, lin) => {
    onHit(b, view, lin, 16, TLB.read, (host) => b.return(b.load("v128.load", host)));
    b.return(b.call(load128Slow, base, view, lin));
  },
  { faults: true },
);

/** A v128 from its halves. */
export function pair(b: Builder, low: Expr, high: Expr): Expr {
  return b.opImm("i64x2.replace_lane", "v128", 1, b.op("i64x2.splat", "v128", low), high);
}

const store128Slow: Routine = routine(
  "mmu.store128.slow",
  ["i32", "i32", "i64", "v128"],
  undefined,
  (b, base, view, lin, value) => {
    b.call(checkedAccess, base, view, lin, b.i32(16 | 0x100 | NO_ALIGNMENT));
    const halves = [0, 1].map((lane) => b.opImm("i64x2.extract_lane", "i64", lane, value));
    canonicalOnly(b, base, b.add(lin, 15n));
    const host = b.call(translate, base, view, lin, b.i32(ACCESS.write));
    b.if(crosses(b, lin, 16), () => {
      b.call(translate, base, view, lastPage(b, base, lin, b.i64(16)), b.i32(ACCESS.write));
      halves.forEach((half, i) => splitBytes(b, base, view, wrapLinear(b, base, b.add(lin, BigInt(8 * i))), 8, half, store8));
      b.return();
    });
    b.if(host, () => {
      b.store("v128.store", host, value);
      b.call(noteWrite, base, host, b.i32(16));
      b.return();
    });
    halves.forEach((half, i) => {
      deviceStore(b, base, 8 * i, 4, b.wrap(half));
      deviceStore(b, base, 8 * i + 4, 4, b.wrap(b.shrU(half, 32)));
    });
  },
  { faults: true },
);

/** 16-byte store: (base, view, lin, v128). */
export const store128: Routine = routine(
  "mmu.store128",
  ["i32", "i32", "i64", "v128"],
  undefined,
  (b, base, view, lin, value) => {
    onHit(b, view, lin, 16, TLB.write, (host) => {
      b.store("v128.store", host, value);
      b.return();
    });
    b.call(store128Slow, base, view, lin, value);
  },
  { faults: true },
);
