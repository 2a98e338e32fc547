// Routines that a region may call as they are: they neither raise exceptions nor touch what the region keeps in locals.
import { Builder } from "../ir/builder.ts";
import { children } from "../ir/liveness.ts";
import type { Expr, Routine, Stmt } from "../ir/types.ts";
import { at, X87 } from "../state.ts";
import { isKept } from "./state-slots.ts";

const known = new Map<Routine, boolean>();

/** Whether a region may call `routine` without spilling. */
export function isCallable(routine: Routine): boolean {
  const answer = known.get(routine);
  if (answer !== undefined) return answer;
  // A routine that calls itself is as callable as the rest of it.
  known.set(routine, true);
  const result = !routine.faults && isHarmless(Builder.build(routine).stmts);
  known.set(routine, result);
  return result;
}

function isHarmless(stmts: readonly Stmt[]): boolean {
  return stmts.every((s) => {
    if (s.k === "copy" || s.k === "fill") return false;
    if (s.k === "call") return s.target.kind === "routine" && isCallable(s.target);
    if (s.k === "store" && !isFarFromKept(s.addr, s.offset)) return false;
    if (s.k === "def" && isLoad(s.e) && !isFarFromKept(s.e.args[0]!, Number(s.e.imm))) return false;
    return children(s).every(isHarmless);
  });
}

const isLoad = (e: Expr): boolean => e.impure && e.args.length === 1 && e.op.includes(".load");

/** Base + constant, beyond what regions keep or know. Parameter 0 is the base in every routine that takes it. */
function isFarFromKept(address: Expr, offset: number): boolean {
  return address.op === "get" && address.imm === 0 && !isKept(offset, 16) && !isX87(offset);
}

const isX87 = (offset: number): boolean => (offset >= at("fsw") && offset <= at("ftop")) || (offset >= X87 && offset < X87 + 0x80);
