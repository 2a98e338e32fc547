// The vocabulary in fewer instructions of the host: what is known of operands when an operator is built makes it smaller.
//
// Values of 32 bits are i64 with an upper half of zeros: `extend_i32_u` of an i32. Operators of such values work on the i32, because an
// instruction of 32 bits clears the upper half of its result by itself (SDM 1 §3.4.1.1), while an i64 has to be cut with a move.
import type { Expr, Type } from "../ir/types.ts";
import { Sem } from "../isa/sem.ts";
import { bitsOf } from "./known-bits.ts";

/** Operators of i64 whose low 32 bits come from the operands' low 32 bits, and their counterparts. */
const LOW: ReadonlyMap<string, string> = new Map(["add", "sub", "mul", "and", "or", "xor"].map((op) => [`i64.${op}`, `i32.${op}`]));

/** Operators of two i64 that have the same value for two i32, zero-extended: what replaces them, and whether that is to be extended again. */
const NARROW: ReadonlyMap<string, readonly [op: string, isExtended: boolean]> = new Map<string, readonly [string, boolean]>([
  ...["and", "or", "xor"].map((op): [string, [string, boolean]] => [`i64.${op}`, [`i32.${op}`, true]]),
  ...["eq", "ne"].map((op): [string, [string, boolean]] => [`i64.${op}`, [`i32.${op}`, false]]),
  ...["lt", "le", "gt", "ge"].flatMap((op) =>
    ["s", "u"].map((sign): [string, [string, boolean]] => [`i64.${op}_${sign}`, [`i32.${op}_u`, false]]),
  ),
]);

/** Loads whose upper half is zero. */
const NARROW_LOADS: ReadonlySet<string> = new Set(["i64.load32_u", "i64.load16_u", "i64.load8_u"]);

/** How deep an expression is looked into. */
const DEPTH = 3;

/** Sem that builds smaller expressions. */
export abstract class SmallSem extends Sem {
  override zext(a: Expr, width: number): Expr {
    if (width < 64 && bitsOf(a) <= width) return a;
    return width === 32 ? this.extU(this.#low(a, DEPTH)) : super.zext(a, width);
  }

  override sext(a: Expr, width: number): Expr {
    return width === 32 && a.op === "i64.extend_i32_u" ? this.extS(a.args[0]!) : super.sext(a, width);
  }

  /** A negative constant is added: V8's baseline compiler has no subtraction of constants. */
  override sub(a: Expr, b: Expr | number | bigint): Expr {
    const n = typeof b !== "object" ? b : b.op === "const" ? b.imm : undefined;
    return typeof n === "number" || typeof n === "bigint" ? this.add(a, -n) : super.sub(a, b);
  }

  override select(c: Expr, a: Expr, b: Expr): Expr {
    const [x, y] = [this.#narrow(a), this.#narrow(b)];
    return x && y && c.op !== "const" ? this.extU(super.select(c, x, y)) : super.select(c, a, b);
  }

  protected override pure(name: string, type: Type, args: readonly Expr[]): Expr {
    const a = args[0]!;
    if (a.type === "i64") {
      const small = this.#ofNarrow(name, args);
      if (small) return small;
    }
    if (name === "f64.reinterpret_i64" && a.op === "i64x2.extract_lane")
      return this.opImm("f64x2.extract_lane", "f64", Number(a.imm), a.args[0]!);
    if (name === "f32.reinterpret_i32" && a.op === "i32x4.extract_lane")
      return this.opImm("f32x4.extract_lane", "f32", Number(a.imm), a.args[0]!);
    if (name === "f64.reinterpret_i64" && a.op === "i64.reinterpret_f64") return a.args[0]!;
    if (name === "f32.reinterpret_i32" && a.op === "i32.reinterpret_f32") return a.args[0]!;
    return super.pure(name, type, args);
  }

  /** The operator of i32, where the operands are that and no more. */
  #ofNarrow(name: string, [a, b]: readonly Expr[]): Expr | undefined {
    if (a === undefined || a.op === "const") return undefined;
    if (name === "i32.wrap_i64") return a.op.startsWith("i64.extend_i32") ? a.args[0]! : undefined;
    if (name === "i64.eqz") return a.op === "i64.extend_i32_u" ? this.not(a.args[0]!) : undefined;
    if (b === undefined) return undefined;
    if (name === "i64.shr_u") return this.#shiftedNarrow(a, b);
    const narrow = NARROW.get(name);
    if (!narrow || (a.op !== "i64.extend_i32_u" && b.op !== "i64.extend_i32_u")) return undefined;
    const [x, y] = [this.#narrow(a), this.#narrow(b)];
    if (!x || !y) return undefined;
    const [op, isExtended] = narrow;
    const result = this.pure(op, "i32", [x, y]);
    return isExtended ? this.extU(result) : result;
  }

  #shiftedNarrow(a: Expr, b: Expr): Expr | undefined {
    if (a.op !== "i64.extend_i32_u" || b.op !== "const" || Number(b.imm) > 31) return undefined;
    return this.extU(this.shrU(a.args[0]!, Number(b.imm)));
  }

  /** The i32 that an i64 is the zero extension of; undefined when it is not known to be one. */
  #narrow(e: Expr): Expr | undefined {
    if (e.op === "i64.extend_i32_u") return e.args[0]!;
    if (NARROW_LOADS.has(e.op)) return this.wrap(e);
    if (e.op !== "const" || typeof e.imm !== "bigint") return undefined;
    return e.imm >= 0n && e.imm <= 0xffff_ffffn ? this.i32(Number(e.imm)) : undefined;
  }

  /** The low half of an i64. */
  #low(e: Expr, depth: number): Expr {
    const [a, b] = e.args;
    if (e.op === "const" && typeof e.imm === "bigint") return this.i32(Number(BigInt.asIntN(32, e.imm)));
    if (depth === 0 || a === undefined || b === undefined) return this.wrap(e);
    const op = LOW.get(e.op);
    if (op !== undefined) return this.pure(op, "i32", [this.#low(a, depth - 1), this.#low(b, depth - 1)]);
    if (e.op !== "i64.shl" || b.op !== "const" || Number(b.imm) > 31) return this.wrap(e);
    return this.shl(this.#low(a, depth - 1), Number(b.imm));
  }

  override opImm(name: string, type: Type, imm: number | Uint8Array, ...args: Expr[]): Expr {
    const [a, b] = args as [Expr, Expr];
    const isExtract = name.endsWith("x2.extract_lane");
    if (isExtract && a.op.endsWith("x2.replace_lane")) {
      // Of the lane just replaced, or past it.
      if (a.imm !== imm) return this.opImm(name, type, imm, a.args[0]!);
      const value = a.args[1]!;
      if (value.type === type) return value;
      return type === "f64" ? this.op("f64.reinterpret_i64", "f64", value) : this.op("i64.reinterpret_f64", "i64", value);
    }
    if (name === "i64x2.replace_lane" && b?.op === "i64.reinterpret_f64") {
      return super.opImm("f64x2.replace_lane", "v128", imm, a, b.args[0]!);
    }
    return super.opImm(name, type, imm, ...args);
  }
}
