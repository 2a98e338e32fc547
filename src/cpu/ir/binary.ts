// The operators of two integers, with what a builder wants to know of them: a table instead of text put together at every use.
import type { Expr, Type } from "./types.ts";

/** An operator of two integers. */
export interface Binary {
  readonly name: string;
  /** Its whole names, made once: they are looked up in tables again and again. */
  readonly i32: string;
  readonly i64: string;
  readonly isComparison: boolean;
  /** The right operand that changes nothing. */
  readonly neutral: 0 | -1 | undefined;
}

function binary(name: string, neutral?: 0 | -1): Binary {
  return { name, i32: `i32.${name}`, i64: `i64.${name}`, isComparison: false, neutral };
}

function comparison(name: string): Binary {
  return { ...binary(name), isComparison: true };
}

type BinaryName =
  | "add"
  | "sub"
  | "mul"
  | "and"
  | "or"
  | "xor"
  | "shl"
  | "shrU"
  | "shrS"
  | "rotl"
  | "rotr"
  | "divU"
  | "divS"
  | "remU"
  | "remS"
  | "eq"
  | "ne"
  | "ltU"
  | "ltS"
  | "leU"
  | "leS"
  | "gtU"
  | "gtS"
  | "geU"
  | "geS";

/** The operators by what the builder calls them. */
export const BINARY: Readonly<Record<BinaryName, Binary>> = {
  add: binary("add", 0),
  sub: binary("sub", 0),
  mul: binary("mul"),
  and: binary("and", -1),
  or: binary("or", 0),
  xor: binary("xor", 0),
  shl: binary("shl", 0),
  shrU: binary("shr_u", 0),
  shrS: binary("shr_s", 0),
  rotl: binary("rotl"),
  rotr: binary("rotr"),
  divU: binary("div_u"),
  divS: binary("div_s"),
  remU: binary("rem_u"),
  remS: binary("rem_s"),
  eq: comparison("eq"),
  ne: comparison("ne"),
  ltU: comparison("lt_u"),
  ltS: comparison("lt_s"),
  leU: comparison("le_u"),
  leS: comparison("le_s"),
  gtU: comparison("gt_u"),
  gtS: comparison("gt_s"),
  geU: comparison("ge_u"),
  geS: comparison("ge_s"),
};

/** An operator's whole name for operands of a type. */
export function nameFor(o: Binary, type: Type): string {
  return type === "i64" ? o.i64 : type === "i32" ? o.i32 : `${type}.${o.name}`;
}

/** Sign extensions of an i64, by the width that they begin from. */
export const EXTENSIONS = { 8: "i64.extend8_s", 16: "i64.extend16_s", 32: "i64.extend32_s" } as const;
const MASKS: readonly bigint[] = Array.from({ length: 65 }, (_, width) => (1n << BigInt(width)) - 1n);

/** A mask of so many bits, 0 to 64. */
export function lowBits(width: number): bigint {
  return MASKS[width]!;
}

/** Whether `e` is the constant that changes nothing on the operator's right side: x+0, x|0, x^0, x<<0, x&-1. */
export function isNeutral({ neutral }: Binary, e: Expr): boolean {
  return neutral !== undefined && e.op === "const" && (e.type === "i32" || e.type === "i64") && Number(e.imm) === neutral;
}

/** Whether `e` is the constant 0. */
export function isZero(e: Expr): boolean {
  return e.op === "const" && (e.type === "i32" || e.type === "i64") && Number(e.imm) === 0;
}

/** The type that a load gives, by its name. */
export function typeOfLoad(op: string): Type {
  const isWide = op.startsWith("64", 1);
  if (op.startsWith("i")) return isWide ? "i64" : "i32";
  return op.startsWith("f") ? (isWide ? "f64" : "f32") : "v128";
}
