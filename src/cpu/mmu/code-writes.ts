// Writes to RAM that may hold decoded code. Stores and the page walk, which sets flags in entries, tell the engine.
import { PAGE_ENTRY } from "../engine/layout.ts";
import { codeWritten } from "../host-calls.ts";
import { type Builder, routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { at } from "../state.ts";

/** Host address of a RAM page's entry in the page table of decoded code. */
export function pageEntry(b: Builder, base: Expr, host: Expr): Expr {
  const page = b.shrU(b.sub(host, b.load("i32.load", base, at("ramBase"))), 12);
  return b.add(b.load("i32.load", base, at("pageTable")), b.mul(page, PAGE_ENTRY));
}

/** Tells the host when a write reached decoded code: (base, host address, size). */
export const noteWrite: Routine = routine("mmu.noteWrite", ["i32", "i32", "i32"], undefined, (b, base, host, size) => {
  const granules = b.load("i64.load", pageEntry(b, base, host));
  b.if(b.ne(granules, 0n), () => {
    const first = b.and(b.shrU(host, 6), 63);
    const last = b.and(b.shrU(b.sub(b.add(host, size), 1), 6), 63);
    const touched = b.or(b.shl(b.i64(1), b.extU(first)), b.shl(b.i64(1), b.extU(last)));
    b.if(b.ne(b.and(granules, touched), 0n), () => b.call(codeWritten, host, size));
  });
});
