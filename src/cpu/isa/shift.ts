// Shifts and rotates (SDM 1 §5.1.5).
//
// Counts are masked to 5 bits, or 6 for 64-bit operands; a count of zero changes no flag. OF is defined for a count of 1 only;
// for others it gets what the formula for 1 gives, as on silicon.
import type { Expr } from "../ir/types.ts";
import { type Instruction, instruction, type Operand } from "./instruction.ts";
import type { Sem } from "./sem.ts";

/** The rows of group 2 (SDM 2D table A-6): by 1, by CL, by an immediate. */
function rows(digits: readonly number[]): string[] {
  const sized = (opcode: string, count: string): string[] =>
    digits.flatMap((d) => [16, 32, 64].map((w) => `${w === 64 ? "REX.W + " : ""}${opcode.replace("$", String(d))} | r/m${w}, ${count}`));
  const byte = (opcode: string, count: string): string[] => digits.map((d) => `${opcode.replace("$", String(d))} | r/m8, ${count}`);
  return [
    ...byte("D0 /$", "1"),
    ...sized("D1 /$", "1"),
    ...byte("D2 /$", "CL"),
    ...sized("D3 /$", "CL"),
    ...byte("C0 /$ ib", "imm8"),
    ...sized("C1 /$ ib", "imm8"),
  ];
}

/** What a shift or rotate gives for an operand of `width` bits and a masked count; the flags count only when it is not 0. */
interface Outcome {
  readonly result: Expr;
  readonly cf: Expr;
  readonly of: Expr;
}

type Operation = (o: Sem, value: Expr, count: Expr, width: number) => Outcome;

const bitOf = (o: Sem, e: Expr, n: number | Expr): Expr => o.wrap(o.and(o.shrU(e, typeof n === "number" ? BigInt(n) : n), 1n));

/** SF, ZF and PF follow the result of a shift; rotates leave them and AF alone. */
function group2(name: string, digits: readonly number[], rotates: boolean, operation: Operation): Instruction {
  return instruction(name, {
    forms: rows(digits),
    access: "rw r",
    flags: rotates ? "CF OF" : "CF PF ZF SF OF",
    undefinedFlags: rotates ? "" : "AF",
    sem: (o, [dst, by]) => {
      const w = dst.width;
      const value = o.read(dst);
      const count = o.and(o.read(by), w === 64 ? 63n : 31n);
      const { result, cf, of } = operation(o, value, count, w);
      o.write(dst, result);
      o.if(o.ne(count, 0n), () => (rotates ? o.flagsCarry({ cf, of, af: o.af() }) : o.flagsExplicit(w, result, { cf, of })));
    },
  });
}

const shl: Operation = (o, value, count, width) => {
  const shifted = o.shl(value, count);
  const result = o.zext(shifted, width);
  const cf = width === 64 ? bitOf(o, value, o.sub(o.i64(64), count)) : bitOf(o, shifted, width);
  return { result, cf, of: o.xor(bitOf(o, result, width - 1), cf) };
};

const shr: Operation = (o, value, count, width) => ({
  result: o.shrU(value, count),
  cf: bitOf(o, value, o.sub(count, 1n)),
  of: bitOf(o, value, width - 1),
});

const sar: Operation = (o, value, count, width) => {
  const wide = o.sext(value, width);
  return { result: o.zext(o.shrS(wide, count), width), cf: o.wrap(o.and(o.shrS(wide, o.sub(count, 1n)), 1n)), of: o.i32(0) };
};

/** Rotates left within `width` bits; the count is taken modulo the width. */
function rotateLeft(o: Sem, value: Expr, count: Expr, width: number): Expr {
  if (width === 64) return o.rotl(value, count);
  if (width === 32) return o.extU(o.rotl(o.wrap(value), o.wrap(count)));
  const n = o.and(count, BigInt(width - 1));
  return o.zext(o.or(o.shl(value, n), o.shrU(value, o.sub(o.i64(width), n))), width);
}

const rol: Operation = (o, value, count, width) => {
  const result = rotateLeft(o, value, count, width);
  const cf = bitOf(o, result, 0);
  return { result, cf, of: o.xor(bitOf(o, result, width - 1), cf) };
};

const ror: Operation = (o, value, count, width) => {
  const result = rotateLeft(o, value, o.sub(o.i64(0), count), width);
  const cf = bitOf(o, result, width - 1);
  return { result, cf, of: o.xor(cf, bitOf(o, result, width - 2)) };
};

/**
 * RCL and RCR rotate `width` + 1 bits, CF on top. Both go left: RCR by n is RCL by width + 1 - n. Up to 32 bits the whole fits
 * an i64, and 8- and 16-bit counts are taken modulo 9 and 17 (SDM 2B).
 */
function throughCarry(o: Sem, value: Expr, count: Expr, width: number): { result: Expr; cf: Expr } {
  const cf = o.extU(o.cf());
  if (width === 64) {
    const low = o.select(o.ne(count, 0n), o.shl(cf, o.sub(count, 1n)), o.i64(0));
    const high = o.shrU(o.shrU(value, 1n), o.sub(o.i64(64), count));
    const result = o.select(o.ne(count, 0n), o.or(o.or(o.shl(value, count), low), high), value);
    return { result, cf: bitOf(o, value, o.sub(o.i64(64), count)) };
  }
  const whole = o.or(value, o.shl(cf, width));
  const turned = o.or(o.shl(whole, count), o.shrU(whole, o.sub(o.i64(width + 1), count)));
  return { result: o.zext(turned, width), cf: bitOf(o, turned, width) };
}

const reduced = (o: Sem, count: Expr, width: number): Expr => (width < 32 ? o.remU(count, BigInt(width + 1)) : count);

const rcl: Operation = (o, value, count, width) => {
  const { result, cf } = throughCarry(o, value, reduced(o, count, width), width);
  return { result, cf, of: o.xor(bitOf(o, result, width - 1), cf) };
};

const rcr: Operation = (o, value, count, width) => {
  if (width === 64) return rcr64(o, value, count);
  const n = reduced(o, count, width);
  const { result, cf } = throughCarry(o, value, o.sub(o.i64(width + 1), n), width);
  return { result, cf, of: o.xor(bitOf(o, result, width - 1), bitOf(o, result, width - 2)) };
};

function rcr64(o: Sem, value: Expr, count: Expr): Outcome {
  const rest = o.sub(o.i64(64), count);
  const high = o.or(o.shl(o.extU(o.cf()), rest), o.shl(o.shl(value, 1n), rest));
  const result = o.select(o.ne(count, 0n), o.or(o.shrU(value, count), high), value);
  return { result, cf: bitOf(o, value, o.sub(count, 1n)), of: o.xor(bitOf(o, result, 63), bitOf(o, result, 62)) };
}

/** SHLD and SHRD: bits of the second operand move in. Counts beyond the width are undefined (SDM 2B). */
function double(name: string, opcodes: readonly [imm: string, cl: string], left: boolean): Instruction {
  const sized = (opcode: string, count: string): string[] =>
    [16, 32, 64].map((w) => `${w === 64 ? "REX.W + " : ""}0F ${opcode} | r/m${w}, r${w}, ${count}`);
  return instruction(name, {
    forms: [...sized(`${opcodes[0]} /r ib`, "imm8"), ...sized(`${opcodes[1]} /r`, "CL")],
    access: "rw r r",
    flags: "CF PF ZF SF OF",
    undefinedFlags: "AF",
    sem: (o, [dst, src, by]) => shiftDouble(o, dst, src, by, left),
  });
}

function shiftDouble(o: Sem, dst: Operand, src: Operand, by: Operand, left: boolean): void {
  const w = dst.width;
  const value = o.read(dst);
  const other = o.read(src);
  const count = o.and(o.read(by), w === 64 ? 63n : 31n);
  // For 64 bits in two steps, since a shift by the whole width of an i64 would be none.
  const one = w === 64 ? 1n : 0n;
  const rest = o.sub(o.i64(BigInt(w) - one), count);
  const result = left
    ? o.zext(o.or(o.shl(value, count), o.shrU(o.shrU(other, one), rest)), w)
    : o.zext(o.or(o.shrU(value, count), o.shl(o.shl(other, one), rest)), w);
  o.write(dst, result);
  o.if(o.ne(count, 0n), () => {
    const cf = bitOf(o, value, left ? o.sub(o.i64(w), count) : o.sub(count, 1n));
    o.flagsExplicit(w, result, { cf, of: bitOf(o, o.xor(value, result), w - 1) });
  });
}

/** Shifts and rotates. */
export const shift: readonly Instruction[] = [
  group2("ROL", [0], true, rol),
  group2("ROR", [1], true, ror),
  group2("RCL", [2], true, rcl),
  group2("RCR", [3], true, rcr),
  group2("SHL", [4, 6], false, shl),
  group2("SHR", [5], false, shr),
  group2("SAR", [7], false, sar),
  double("SHLD", ["A4", "A5"], true),
  double("SHRD", ["AC", "AD"], false),
];
