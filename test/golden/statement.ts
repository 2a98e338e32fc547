// What a function's code is folded into.

/** An operator with its operands; `imm` is a constant's value, an index, an offset, a lane or a shuffle's pattern. */
export interface Expression {
  readonly op: string;
  readonly args: readonly Expression[];
  readonly imm?: number | bigint | Uint8Array;
  /** Of the local or function that `imm` is the index of. */
  readonly name?: string;
}

/** Where a branch goes: behind a block, or back to the beginning of a loop. */
export interface Label {
  readonly kind: "block" | "loop" | "if";
  /** Blocks, loops and ifs around what it stands for, that one included. */
  readonly depth: number;
  /** Something branches there. */
  used: boolean;
}

/** A statement. `do` is an expression for its effect. */
export type Statement =
  | { readonly k: "set"; readonly local: number; readonly name?: string; readonly e: Expression }
  | { readonly k: "do"; readonly e: Expression }
  | { readonly k: "block" | "loop"; readonly label: Label; readonly body: readonly Statement[] }
  | { readonly k: "if"; readonly c: Expression; readonly then: readonly Statement[]; readonly else: readonly Statement[] }
  | { readonly k: "br"; readonly to: Label; readonly c: Expression | undefined }
  | { readonly k: "table"; readonly on: Expression; readonly to: readonly Label[]; readonly other: Label }
  | { readonly k: "return"; readonly values: readonly Expression[] };

/** The same statements with other expressions, which are asked for in the order of the text. */
export function mapped(
  list: readonly Statement[],
  map: (e: Expression) => Expression,
  set: (s: Statement & { k: "set" }) => Statement,
): Statement[] {
  return list.map((s): Statement => {
    switch (s.k) {
      case "set":
        return set({ ...s, e: map(s.e) });
      case "do":
        return { ...s, e: map(s.e) };
      case "block":
      case "loop":
        return { ...s, body: mapped(s.body, map, set) };
      case "if":
        return { ...s, c: map(s.c), then: mapped(s.then, map, set), else: mapped(s.else, map, set) };
      case "br":
        return s.c ? { ...s, c: map(s.c) } : s;
      case "table":
        return { ...s, on: map(s.on) };
      case "return":
        return { ...s, values: s.values.map(map) };
    }
  });
}

/** All expressions of the statements, those within others too. */
export function expressionsIn(list: readonly Statement[]): Expression[] {
  const all: Expression[] = [];
  const visit = (e: Expression): Expression => {
    all.push(e);
    e.args.forEach(visit);
    return e;
  };
  mapped(list, visit, (s) => s);
  return all;
}
