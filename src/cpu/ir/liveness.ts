// Which expressions of a routine are used, how often, and which may be computed at their only use.
import type { Body, Expr, Position, Stmt } from "./types.ts";

/** Where the expressions of a routine are computed. */
export interface Placement {
  /** True when `e` is to be computed where it is used, not kept in a local. */
  inline(e: Expr): boolean;
}

/** Counts uses from the statements that have effects, and decides the placement of every expression. */
export function place(body: Body): Placement {
  visit(body.stmts);
  return { inline };
}

function created(e: Expr, at: Position): void {
  e.uses = 0;
  e.from = at;
  e.inline = undefined;
}

function visit(block: readonly Stmt[]): void {
  let at: Position = { block, effects: 0 };
  for (const s of block) {
    if (s.k === "def") {
      created(s.e, at);
      continue;
    }
    for (const e of operands(s)) used(e, undefined, at);
    at = { block, effects: at.effects + 1 };
    if (s.k === "call" && s.result) created(s.result, at);
    for (const inner of children(s)) visit(inner);
  }
}

/** By an expression, or by the statement at a place. */
function used(e: Expr, user: Expr | undefined, at: Position): void {
  if (e.op === "const") return;
  e.uses++;
  e.user = user;
  e.to = at;
  if (e.uses === 1) for (const a of e.args) used(a, e, at);
}

/** Where a value with one use is computed at last. */
function landing(e: Expr): Position | undefined {
  const { user } = e;
  if (user === undefined) return e.to;
  return inline(user) ? landing(user) : user.from;
}

function inline(e: Expr): boolean {
  e.inline ??= e.op === "const" || decide(e);
  return e.inline;
}

function decide(e: Expr): boolean {
  if (e.uses !== 1 || e.op === "result") return false;
  if (!e.impure) return true;
  const to = landing(e);
  return e.from !== undefined && to !== undefined && e.from.block === to.block && e.from.effects === to.effects;
}

/** The expressions that a statement itself uses. */
export function operands(s: Stmt): readonly Expr[] {
  switch (s.k) {
    case "def":
      return [];
    case "set":
      return [s.e];
    case "store":
      return [s.addr, s.e];
    case "if":
      return [s.c];
    case "br":
      return s.c ? [s.c] : [];
    case "switch":
      return [s.on];
    case "call":
      return s.args;
    case "copy":
    case "fill":
      return [s.dst, s.src, s.n];
    case "ret":
      return s.e ? [s.e] : [];
    case "block":
    case "loop":
      return [];
  }
}

/** The statement lists inside a statement. */
export function children(s: Stmt): readonly (readonly Stmt[])[] {
  switch (s.k) {
    case "if":
      return [s.then, s.else];
    case "block":
    case "loop":
      return [s.body];
    case "switch":
      return [...s.cases, s.other];
    default:
      return [];
  }
}
