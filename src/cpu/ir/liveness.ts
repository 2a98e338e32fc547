// Which expressions of a routine are used, how often, and which may be computed at their only use.
import type { Body, Expr, Stmt } from "./types.ts";

/** Where a statement or definition stands: its list, and how many effects come before it there. */
interface Position {
  readonly block: readonly Stmt[];
  readonly effects: number;
}

/** Where the expressions of a routine are computed. */
export interface Placement {
  /** True when `e` is to be computed where it is used, not kept in a local. */
  inline(e: Expr): boolean;
}

/** Counts uses from the statements that have effects, and decides the placement of every expression. */
export function place(body: Body): Placement {
  const at = new Map<Expr | Stmt, Position>();
  const count = (e: Expr, user: Expr | Stmt): void => {
    e.uses++;
    e.user = e.uses === 1 ? user : undefined;
    if (e.uses === 1) for (const a of e.args) count(a, e);
  };
  const visit = (block: readonly Stmt[]): void => {
    let effects = 0;
    for (const s of block) {
      const position = { block, effects };
      if (s.k === "def") {
        s.e.uses = 0;
        at.set(s.e, position);
        continue;
      }
      at.set(s, position);
      effects++;
      if (s.k === "call" && s.result) {
        s.result.uses = 0;
        at.set(s.result, { block, effects });
      }
      for (const e of operands(s)) count(e, s);
      for (const inner of children(s)) visit(inner);
    }
  };
  visit(body.stmts);

  const landing = (e: Expr): Position | undefined => {
    const user = e.user;
    if (user === undefined) return undefined;
    if ("k" in user) return at.get(user);
    return inline(user) ? landing(user) : at.get(user);
  };
  const decided = new Map<Expr, boolean>();
  const inline = (e: Expr): boolean => {
    if (e.op === "const") return true;
    const known = decided.get(e);
    if (known !== undefined) return known;
    const answer = decide(e);
    decided.set(e, answer);
    return answer;
  };
  const decide = (e: Expr): boolean => {
    if (e.uses !== 1 || e.op === "result") return false;
    if (!e.impure) return true;
    const from = at.get(e);
    const to = landing(e);
    return from !== undefined && to !== undefined && from.block === to.block && from.effects === to.effects;
  };
  return { inline };
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
