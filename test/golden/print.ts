// Statements as text: one a line, expressions folded, long ones broken.
//
//   rax = (i64.add rax rbx)              a local, or what stands for the state in it
//   (i32.store base.attention 0)         what is loaded or stored: a state slot, or any address + offset
//   br @3 if (i64.gt_u t1 0xff8)         behind the block, or to the loop, that says @3
//   { … } @3 · loop @3 { … }             labels are named by depth, and left out where nothing branches to them
import type { Expression, Label, Statement } from "./statement.ts";

/** What parts of the code are called. */
export interface Names {
  label(label: Label): string;
  /** What lies at an address that is the sum of an expression and an offset, where that has a name. */
  place(address: Expression, offset: number): string | undefined;
}

const WIDTH = 120;
const INDENT = "  ";

/** Lines of the statements, without line ends. */
export function printed(list: readonly Statement[], names: Names): string[] {
  return new Printer(names).list(list);
}

const DECIMAL = 256n;

function integer(n: bigint): string {
  if (n > -DECIMAL && n < DECIMAL) return String(n);
  return n < 0n ? `-0x${(-n).toString(16)}` : `0x${n.toString(16)}`;
}

function float(n: number): string {
  if (Object.is(n, -0)) return "-0.0";
  return Number.isInteger(n) && Math.abs(n) < 1e15 ? `${n}.0` : String(n);
}

/** As one number of 128 bits. */
function vector(bytes: Uint8Array): string {
  const digits = [...bytes].reverse().map((b) => b.toString(16).padStart(2, "0"));
  return `v0x${digits.join("").replace(/^0+(?=.)/, "")}`;
}

function constant(imm: Expression["imm"]): string {
  return typeof imm === "object" ? vector(imm) : typeof imm === "number" ? float(imm) : integer(imm ?? 0n);
}

const isAccess = (e: Expression): boolean => /\.(load|store)/.test(e.op);

/** An operator with what is part of it. */
function operator(e: Expression): string {
  if (e.op === "call" || e.op === "tee") return `${e.op} ${e.name ?? String(e.imm)}`;
  if (e.imm === undefined) return e.op;
  return `${e.op}[${typeof e.imm === "object" ? [...e.imm].join(" ") : String(e.imm)}]`;
}

class Printer {
  readonly #names: Names;

  constructor(names: Names) {
    this.#names = names;
  }

  list(list: readonly Statement[]): string[] {
    return list.flatMap((s) => this.#statement(s));
  }

  #statement(s: Statement): string[] {
    switch (s.k) {
      case "set":
        return this.#broken(`${s.name ?? `local${s.local}`} = `, s.e, WIDTH);
      case "do":
        return this.#broken("", s.e, WIDTH);
      case "block":
        return this.#block(s);
      case "loop":
        return this.#braces(`loop${this.#label(s.label)} {`, s.body, "}");
      case "if":
        return this.#if(s);
      case "br":
        return s.c ? this.#broken(`br${this.#label(s.to)} if `, s.c, WIDTH) : [`br${this.#label(s.to)}`];
      case "table":
        return this.#broken(`br${s.to.map((to) => this.#label(to)).join("")} else${this.#label(s.other)} by `, s.on, WIDTH);
      case "return":
        return this.#return(s.values);
    }
  }

  #return(values: readonly Expression[]): string[] {
    const [first, ...others] = values;
    if (first && others.length === 0) return this.#broken("return ", first, WIDTH);
    return [["return", ...values.map((e) => this.#flat(e))].join(" ")];
  }

  /** Blocks that begin with blocks stand side by side: switches are made of them. */
  #block(s: Statement & { readonly k: "block" | "loop" }): string[] {
    const [first, ...rest] = s.body;
    const end = `}${this.#label(s.label)}`;
    if (first?.k !== "block" || first.body.length === 0) return this.#braces("{", s.body, end);
    const [head, ...inner] = this.#block(first);
    return [`{ ${head}`, ...inner, ...this.#indented(rest), end];
  }

  #if(s: Statement & { readonly k: "if" }): string[] {
    const head = this.#broken("if ", s.c, WIDTH);
    head.push(`${head.pop() ?? ""} {`);
    const otherwise = s.else.length > 0 ? ["} else {", ...this.#indented(s.else)] : [];
    return [...head, ...this.#indented(s.then), ...otherwise, "}"];
  }

  #braces(head: string, body: readonly Statement[], end: string): string[] {
    return body.length === 0 ? [`${head} ${end}`] : [head, ...this.#indented(body), end];
  }

  #indented(body: readonly Statement[]): string[] {
    return this.list(body).map((line) => INDENT + line);
  }

  #label(label: Label): string {
    return label.used ? ` @${this.#names.label(label)}` : "";
  }

  /** On one line if that is not too long; else the operands on lines of their own. */
  #broken(head: string, e: Expression, width: number): string[] {
    const flat = head + this.#flat(e);
    if (flat.length <= width || e.args.length === 0) return [flat];
    const [address, ...others] = e.args;
    const isPlace = isAccess(e) && address !== undefined;
    const first = isPlace ? `${e.op} ${this.#address(address, Number(e.imm))}` : operator(e);
    const args = isPlace ? others : e.args;
    const lines = args.flatMap((a) => this.#broken("", a, width - INDENT.length)).map((line) => INDENT + line);
    const last = lines.pop();
    return last === undefined ? [flat] : [`${head}(${first}`, ...lines, `${last})`];
  }

  #flat(e: Expression): string {
    if (e.op === "get") return e.name ?? `local${String(e.imm)}`;
    if (e.op === "const") return constant(e.imm);
    const [address, ...others] = e.args;
    if (isAccess(e) && address) return `(${[e.op, this.#address(address, Number(e.imm)), ...others.map((a) => this.#flat(a))].join(" ")})`;
    return `(${[operator(e), ...e.args.map((a) => this.#flat(a))].join(" ")})`;
  }

  #address(address: Expression, offset: number): string {
    return this.#names.place(address, offset) ?? this.#flat(address) + (offset === 0 ? "" : `+${integer(BigInt(offset))}`);
  }
}
