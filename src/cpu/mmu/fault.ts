// Raising a guest exception: it is noted in the state, every routine on the way returns, and the loop delivers it.
import type { Builder } from "../ir/builder.ts";
import { routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { at, FAULT } from "../state.ts";

/** Notes a fault: (base, FAULT bits | vector, error code). */
export const raise: Routine = routine("raise", ["i32", "i32", "i32"], undefined, (b, base, vector, code) => {
  b.store("i32.store", base, b.or(vector, FAULT.pending), at("fault"));
  b.store("i32.store", base, code, at("faultCode"));
});

/** Raises an exception and returns from the routine. Without `code` the exception has none. */
export function fault(b: Builder, base: Expr, vector: number, code?: Expr): void {
  b.call(raise, base, b.i32(code === undefined ? vector : vector | FAULT.hasCode), code ?? b.i32(0));
  b.returnZero();
}
