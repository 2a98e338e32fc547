// What follows from segments, privilege, control registers and EFLAGS: code mode, masks, TLB view, and whether to leave the fast path.
import { ROUTINE } from "../engine-calls.ts";
import type { Builder } from "../ir/builder.ts";
import { implement, routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { countUp } from "../counters.ts";
import { JUMP_CACHE, JUMP_ENTRIES, TLB, TLB_LIST, TLB_LIST_MAX, VIEW, VIEW_SIZE } from "../engine/layout.ts";
import { at, ATTENTION, FAULT, MODE, SEG_BASE, type SegmentName, SEGMENTS, type StateName } from "../state.ts";
import { CR0, CR4, EFER, EFLAGS, VECTOR } from "./control.ts";
import { forgetLargePages, forgetLowerLargePages, inLargePage } from "./large-pages.ts";

const get = (b: Builder, base: Expr, name: StateName): Expr => b.load("i32.load", base, at(name));
const put = (b: Builder, base: Expr, name: StateName, e: Expr): void => b.store("i32.store", base, e, at(name));
const has = (b: Builder, base: Expr, name: StateName, mask: number): Expr => b.ne(b.and(get(b, base, name), mask), 0);

/** Bits of segment access rights that matter here: L (64-bit code) and D/B. */
const ACCESS_L = 0x2000;
const ACCESS_DB = 0x4000;

/** Access rights of flat data: present, writable, neither code nor expand-down (SDM 3A §3.4.5.1). */
const FLAT_DATA = { mask: 0x8e, value: 0x82 } as const;

/** 1 when a segment has base 0 and a limit of 4 GiB, and for data takes every access. */
function isFlat(b: Builder, base: Expr, name: SegmentName): Expr {
  const whole = b.eq(get(b, base, `${name}Limit`), -1);
  const flat = b.and(whole, b.eq(b.load("i64.load", base, SEG_BASE + SEGMENTS.indexOf(name) * 8), 0n));
  if (name === "cs") return flat;
  return b.and(flat, b.eq(b.and(get(b, base, `${name}Access`), FLAT_DATA.mask), FLAT_DATA.value));
}

/** Recomputes `hotView`; call when ES or DS changed. Real-address mode checks less, so flat is flat there too. */
export const refreshHotView: Routine = routine("mode.hotView", ["i32"], undefined, (b, base) => {
  put(b, base, "hotView", get(b, base, "tlbView"));
  b.if(b.eq(get(b, base, "mode"), MODE.code32 | MODE.stack32), () => {
    const flat = (["es", "cs", "ss", "ds"] as const).map((name) => isFlat(b, base, name)).reduce((all, one) => b.and(all, one));
    b.if(b.not(flat), () => put(b, base, "hotView", b.add(base, VIEW.none)));
  });
});

/** Recomputes `attention`; call when EFLAGS.IF/TF, `stepping`, INTR, NMI, the shadow or DR7 changed. */
export const updateAttention: Routine = implement(ROUTINE.updateAttention, (b, base) => {
  const interrupt = b.and(get(b, base, "intr"), has(b, base, "eflags", EFLAGS.IF));
  const nmi = b.and(get(b, base, "nmiPending"), b.not(get(b, base, "nmiBlocked")));
  const wanted = b.or(b.or(interrupt, nmi), b.ne(get(b, base, "shadow"), 0));
  // Instruction breakpoints (DR7.R/Wn = 00) and single-step need a look between instructions.
  const debug = b.or(has(b, base, "dr7", 0xff), b.ne(get(b, base, "debugHits"), 0));
  // The instruction that clears TF is traced itself (SDM 3A §17.3.1.4).
  const step = b.or(b.or(has(b, base, "eflags", EFLAGS.TF), b.ne(get(b, base, "stepping"), 0)), debug);
  const kick = b.and(get(b, base, "attention"), ATTENTION.kick);
  put(b, base, "attention", b.or(b.or(wanted, b.shl(step, 1)), kick));
});

/** Recomputes everything that is derived from segments, privilege, control registers and EFLAGS. */
export const refreshMode: Routine = implement(ROUTINE.refreshMode, (b, base) => {
  const lma = has(b, base, "efer", EFER.LMA);
  const long = b.variable(b.and(lma, has(b, base, "csAccess", ACCESS_L)));
  const code32 = has(b, base, "csAccess", ACCESS_DB);
  const stack32 = has(b, base, "ssAccess", ACCESS_DB);
  const legacy = b.or(b.select(code32, b.i32(MODE.code32), b.i32(0)), b.select(stack32, b.i32(MODE.stack32), b.i32(0)));
  const mode = b.select(b.get(long), b.i32(MODE.long), legacy);
  put(b, base, "mode", mode);
  const mask = (wide: Expr): Expr => b.select(b.get(long), b.i64(-1), b.select(wide, b.i64(0xffff_ffff), b.i64(0xffff)));
  b.store("i64.store", base, mask(code32), at("ipMask"));
  b.store("i64.store", base, mask(stack32), at("stackMask"));
  const user = b.eq(get(b, base, "cpl"), 3);
  const ac = has(b, base, "eflags", EFLAGS.AC);
  const aligned = b.and(b.and(has(b, base, "cr0", CR0.AM), ac), user);
  const checked = b.or(aligned, has(b, base, "dr7", 0xff));
  const open = b.and(ac, has(b, base, "cr4", CR4.SMAP));
  const own = b.select(user, b.i32(VIEW.user), b.select(open, b.i32(VIEW.supervisorAc), b.i32(VIEW.supervisor)));
  put(b, base, "tlbView", b.add(base, b.select(checked, b.i32(VIEW.none), own)));
  const generation = b.select(user, get(b, base, "userGeneration"), get(b, base, "generation"));
  const tag = b.or(b.shl(generation, 4), b.or(b.shl(mode, 1), user));
  b.store("i64.store", base, b.or(b.shl(b.extU(tag), 48), b.extU(get(b, base, "generationEpoch"))), at("jumpTag"));
  b.call(refreshHotView, base);
  refreshFpu(b, base);
  b.call(updateAttention, base);
});

/** Which exception x87, MMX and SSE instructions raise (SDM 3A §2.5, table 13-1). */
function refreshFpu(b: Builder, base: Expr): void {
  const raised = (vector: number): Expr => b.i32(vector | FAULT.pending);
  const em = has(b, base, "cr0", CR0.EM);
  const ts = has(b, base, "cr0", CR0.TS);
  const none = b.i32(0);
  put(b, base, "fpuTrap", b.select(b.or(em, ts), raised(VECTOR.NM), none));
  put(b, base, "mmxTrap", b.select(em, raised(VECTOR.UD), b.select(ts, raised(VECTOR.NM), none)));
  const noSse = b.or(em, b.not(has(b, base, "cr4", CR4.OSFXSR)));
  put(b, base, "sseTrap", b.select(noSse, raised(VECTOR.UD), b.select(ts, raised(VECTOR.NM), none)));
}

/** Makes all entries of a generation old. When numbers come again, the cache is emptied and a new epoch begins. */
function renew(b: Builder, base: Expr, name: "generation" | "userGeneration"): void {
  const next = b.and(b.add(get(b, base, name), 1), 0xfff);
  put(b, base, name, next);
  b.if(b.not(next), () => {
    b.fill(b.add(base, JUMP_CACHE), b.i32(0), b.i32(JUMP_ENTRIES * 16));
    put(b, base, "generationEpoch", b.add(get(b, base, "generationEpoch"), 1));
  });
}

/** Forgets the jump cache (its entries carry the generation). */
export const newGeneration: Routine = routine("mode.generation", ["i32"], undefined, (b, base) => {
  renew(b, base, "generation");
  renew(b, base, "userGeneration");
  b.call(refreshMode, base);
});

/** Forgets what the jump cache knows of pages that are not global. The supervisor's code is in global ones, as a rule. */
const forgetLocalJumps: Routine = routine("mode.localGeneration", ["i32"], undefined, (b, base) => {
  b.if(get(b, base, "looseCode"), () => {
    put(b, base, "looseCode", b.i32(0));
    b.call(newGeneration, base);
    b.return();
  });
  renew(b, base, "userGeneration");
  b.call(refreshMode, base);
});

function clearEntry(b: Builder, base: Expr, entry: Expr): void {
  const index = b.and(b.shrU(b.sub(entry, base), Math.log2(TLB.size)), TLB.entries - 1);
  const invalid = b.select(index, b.i64(0), b.i64(0x1000));
  for (const tag of [TLB.read, TLB.write, TLB.execute]) b.store("i64.store", entry, invalid, tag);
}

/** Empties the TLB. */
export const flushTlb: Routine = implement(ROUTINE.flushTlb, (b, base) => {
  countUp(b, base, "tlbFlushes");
  b.fill(b.add(base, VIEW.user), b.i32(0), b.i32(VIEW_SIZE * 3));
  for (const view of [VIEW.user, VIEW.supervisor, VIEW.supervisorAc]) clearEntry(b, base, b.add(base, view));
  put(b, base, "tlbCount", b.i32(0));
  put(b, base, "looseCode", b.i32(0));
  forgetLargePages(b, base);
  b.call(newGeneration, base);
});

/** Empties the TLB of all pages but the global ones (SDM 3A §4.10.4.1): the noted entries when they are few, otherwise all that are not global. */
export const flushLocal: Routine = implement(ROUTINE.flushLocal, (b, base) => {
  countUp(b, base, "localFlushes");
  const count = get(b, base, "tlbCount");
  const i = b.variable(b.i32(0));
  const each = (n: Expr, clear: (i: Expr) => void): void =>
    b.while(
      () => b.ltU(b.get(i), n),
      () => {
        clear(b.get(i));
        b.set(i, b.add(b.get(i), 1));
      },
    );
  b.if(
    b.leU(count, TLB_LIST_MAX),
    () => each(count, (n) => clearEntry(b, base, b.load("i32.load", b.add(base, b.shl(n, 2)), TLB_LIST))),
    () =>
      each(b.i32(3 * TLB.entries), (n) => {
        const entry = b.add(base, b.add(b.shl(n, Math.log2(TLB.size)), VIEW.user));
        b.if(b.not(b.load("i32.load", entry, TLB.flags)), () => clearEntry(b, base, entry));
      }),
  );
  put(b, base, "tlbCount", b.i32(0));
  forgetLowerLargePages(b, base);
  b.call(forgetLocalJumps, base);
});

/** Forgets one linear page in every view (INVLPG): (base, lin). */
export const flushPage: Routine = routine("mmu.flushPage", ["i32", "i64"], undefined, (b, base, lin) => {
  b.if(inLargePage(b, base, lin), () => {
    b.call(flushTlb, base);
    b.return();
  });
  countUp(b, base, "pageFlushes");
  const offset = b.shl(b.and(b.wrap(b.shrU(lin, 12)), TLB.entries - 1), 5);
  for (const view of [VIEW.user, VIEW.supervisor, VIEW.supervisorAc]) clearEntry(b, base, b.add(b.add(base, view), offset));
  // Global pages of the supervisor's code lie in the upper half of 64-bit addresses.
  const isLower = b.and(has(b, base, "efer", EFER.LMA), b.not(b.wrap(b.shrU(lin, 63))));
  b.if(
    isLower,
    () => b.call(forgetLocalJumps, base),
    () => b.call(newGeneration, base),
  );
});
