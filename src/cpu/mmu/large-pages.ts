// Which linear addresses belong to large pages. The TLB holds 4 KiB pieces of them, and INVLPG forgets all pieces of one
// (SDM 3A §4.10.4.1), even when the entry that mapped it has changed since.
//
// For either half of the linear address space there is one range with every large page translated since the last flush: an
// address outside it has no other pieces.
import { type Builder, routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { at } from "../state.ts";

const FIRST: number = at("largeFirst");
const LAST: number = at("largeLast");
/** From the range of the lower half to that of the upper one. */
const UPPER: number = at("largeFirstUpper") - FIRST;

const rangeOf = (b: Builder, base: Expr, lin: Expr): Expr => b.add(base, b.mul(b.wrap(b.shrU(lin, 63)), UPPER));

/** Notes the large page with the linear addresses first…last: (base, first, last). */
export const noteLargePage: Routine = routine("mmu.noteLarge", ["i32", "i64", "i64"], undefined, (b, base, first, last) => {
  const range = rangeOf(b, base, first);
  b.if(b.ltU(first, b.load("i64.load", range, FIRST)), () => b.store("i64.store", range, first, FIRST));
  b.if(b.gtU(last, b.load("i64.load", range, LAST)), () => b.store("i64.store", range, last, LAST));
});

/** 1 when `lin` may be in a large page. */
export function inLargePage(b: Builder, base: Expr, lin: Expr): Expr {
  const range = rangeOf(b, base, lin);
  return b.and(b.geU(lin, b.load("i64.load", range, FIRST)), b.leU(lin, b.load("i64.load", range, LAST)));
}

function forget(b: Builder, base: Expr, half: number): void {
  b.store("i64.store", base, b.i64(-1), FIRST + half);
  b.store("i64.store", base, b.i64(0), LAST + half);
}

/** Empties the range of the lower half: no translation of a large page is left there. */
export function forgetLowerLargePages(b: Builder, base: Expr): void {
  forget(b, base, 0);
}

/** Empties both ranges: no translation is left. */
export function forgetLargePages(b: Builder, base: Expr): void {
  forget(b, base, 0);
  forget(b, base, UPPER);
}
