// Expressions that are worked out only where a region is left: what they are made of is kept instead.
import type { Expr } from "../ir/types.ts";

/** Operators in one deferred computation, and values that it may start from. */
const MAX_OPERATORS = 40;
const MAX_LEAVES = 3;

/** A computation over leaves: the same text means the same computation. */
export interface Deferred {
  readonly text: string;
  readonly roots: readonly Expr[];
  readonly leaves: readonly Expr[];
}

/**
 * What `roots` are computed from: expressions with side effects or from before `since`, and `result`, which is leaf 0. Undefined
 * when it is more than can be kept.
 */
export function defer(roots: readonly Expr[], result: Expr, since: number): Deferred | undefined {
  const leaves = [result];
  let operators = 0;
  const textOf = (e: Expr): string => {
    if (e.op === "const") return `${e.type}:${String(e.imm)}`;
    if (e === result || e.serial <= since || e.impure) {
      const known = leaves.indexOf(e);
      return `${e.type}@${known >= 0 ? known : leaves.push(e) - 1}`;
    }
    if (++operators > MAX_OPERATORS) return "";
    return `${e.op}#${String(e.imm)}(${e.args.map(textOf).join()})`;
  };
  const text = roots.map(textOf).join(";");
  const fits = operators <= MAX_OPERATORS && leaves.length <= MAX_LEAVES + 1;
  return fits && leaves.every(({ type }) => type === "i32" || type === "i64") ? { text, roots, leaves } : undefined;
}
