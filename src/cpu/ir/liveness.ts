// Which expressions of a routine are used, how often, and which may be computed at their only use.
import type { Body, Expr, Stmt } from "./types.ts";

/** Where the expressions of a routine are computed. */
export interface Placement {
  /** True when `e` is to be computed where it is used, not kept in a local. */
  inline(e: Expr): boolean;
}

/** Counts uses from the statements that have effects, and decides the placement of every expression. */
export function place(body: Body): Placement {
  places = 0;
  visit(body.stmts);
  return { inline };
}

/** Places so far. Two expressions at one place have the same effects before them, in the same list of statements. */
let places = 0;

function created(e: Expr, at: number): void {
  e.uses = 0;
  e.from = at;
  e.inline = undefined;
  e.local = -1;
}

function visit(block: readonly Stmt[]): void {
  let at = ++places;
  for (const s of block) {
    if (s.k === "def") {
      created(s.e, at);
      continue;
    }
    visitEffect(s, at);
    at = ++places;
    if (s.k === "call" && s.result) created(s.result, at);
  }
}

function visitEffect(s: Stmt, at: number): void {
  switch (s.k) {
    case "set":
      return used(s.e, undefined, at);
    case "store":
      used(s.addr, undefined, at);
      return used(s.e, undefined, at);
    case "br":
      if (s.c) used(s.c, undefined, at);
      return;
    case "if":
      used(s.c, undefined, at);
      visit(s.then);
      return visit(s.else);
    case "block":
    case "loop":
      return visit(s.body);
    default:
      for (const e of operands(s)) used(e, undefined, at);
      for (const inner of children(s)) visit(inner);
  }
}

/** By an expression, or by the statement at a place. */
function used(e: Expr, user: Expr | undefined, at: number): void {
  if (e.op === "const") return;
  e.uses++;
  e.user = user;
  e.to = at;
  if (e.uses > 1) return;
  const { args } = e;
  for (let i = 0; i < args.length; i++) used(args[i]!, e, at);
}

/** Where a value with one use is computed at last. */
function landing(e: Expr): number {
  const { user } = e;
  if (user === undefined) return e.to;
  return inline(user) ? landing(user) : user.from;
}

function inline(e: Expr): boolean {
  return (e.inline ??= e.op === "const" || decide(e));
}

function decide(e: Expr): boolean {
  if (e.uses !== 1 || e.op === "result") return false;
  return !e.impure || (e.from !== 0 && e.from === landing(e));
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

const NONE: readonly never[] = [];

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
      return NONE;
  }
}
