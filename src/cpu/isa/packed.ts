// What MMX and SSE integer instructions share: one meaning over 128-bit vectors serves both register widths.
//
// A 64-bit operand (MMX register, narrow memory) is read as a vector that holds it in both halves; of a result that belongs into
// an MMX register only the low half counts.
import type { Builder } from "../ir/builder.ts";
import type { Expr } from "../ir/types.ts";
import { at } from "../state.ts";
import { type Instruction, instruction, type Operand } from "./instruction.ts";
import type { Sem } from "./sem.ts";
import { begin } from "./x87/stack.ts";

/** A vector operation of two operands; `a` is the destination's old value. */
export type Packed = (o: Builder, a: Expr, b: Expr) => Expr;

/** A lane operator by its WebAssembly name, as a Packed. */
export const lanes =
  (op: string): Packed =>
  (o, a, b) =>
    o.op(op, "v128", a, b);

/** A vector of 16 byte values. */
export function bytes(o: Builder, list: readonly number[]): Expr {
  return o.v128(Uint8Array.from(list));
}

/** A vector whose lanes of `size` bytes hold `list`: up to 32 bits each, zero-extended. */
export function vector(o: Builder, size: 1 | 2 | 4 | 8, list: readonly number[]): Expr {
  const lane = (n: number): number[] => Array.from({ length: size }, (_, i) => (i < 4 ? (n >>> (8 * i)) & 0xff : 0));
  return bytes(o, list.flatMap(lane));
}

/** A vector with f(i) in lane number i. */
export function vectorBy(o: Builder, size: 1 | 2 | 4 | 8, f: (i: number) => number): Expr {
  const list = Array.from({ length: 16 / size }, (_, i) => f(i));
  return vector(o, size, list);
}

/** A vector with `n` in every lane. */
export const every = (o: Builder, size: 1 | 2 | 4 | 8, n: number): Expr => vectorBy(o, size, () => n);

/** 0, 1, … 15. */
export const iota = (o: Builder): Expr => vectorBy(o, 1, (i) => i);

/** Bytes of both vectors by number: 0–15 from `a`, 16–31 from `b`. */
export function shuffle(o: Builder, pattern: readonly number[], a: Expr, b: Expr): Expr {
  return o.opImm("i8x16.shuffle", "v128", Uint8Array.from(pattern), a, b);
}

/** A byte pattern that picks whole lanes of `size` bytes; numbers from 16 / size on mean the second vector's. */
export function pick(size: number, list: readonly number[]): number[] {
  return list.flatMap((lane) => Array.from({ length: size }, (_, i) => lane * size + i));
}

/** One 64-bit half. */
export const half = (o: Builder, v: Expr, lane: 0 | 1): Expr => o.opImm("i64x2.extract_lane", "i64", lane, v);
/** A vector with the same 64-bit value in both halves. */
export const splat64 = (o: Builder, e: Expr): Expr => o.op("i64x2.splat", "v128", e);
/** The vector of zeros. */
export const zero = (o: Builder): Expr => o.v128(new Uint8Array(16));
/** A 64-bit value zero-extended to a vector. */
export const low64 = (o: Builder, e: Expr): Expr => o.opImm("i64x2.replace_lane", "v128", 0, zero(o), e);

/** The immediate byte, 0..255, as i32. */
export const immediate = (o: Sem): Expr => o.and(o.wrap(o.imm()), 0xff);

/** An operand as a vector: m128 must be aligned (SDM 1 §10.4.1.1 has no exception but MOVUPS and its like); narrower ones fill both halves. */
export function vectorOf(o: Sem, op: Operand): Expr {
  if (op.kind === "mem" && op.width === 128) o.alignedAddress(op);
  const value = o.read(op);
  return value.type === "v128" ? value : splat64(o, value);
}

/** What is due when an unmasked x87 exception is pending (SDM 3A §6.15, interrupt 16): before anything an MMX instruction does. */
export function x87Pending(o: Sem): void {
  begin(o);
}

/** MMX state: every x87 register valid, TOP = 0 (SDM 1 §9.5.1). After all that can fault. */
export function enterMmx(o: Sem): void {
  o.store("i32.store8", o.base(), o.i32(0xff), at("ftw"));
  o.store("i32.store8", o.base(), o.i32(0), at("ftop"));
}

/** Writes a vector to an XMM register, its low half to an MMX register. */
export function writeVector(o: Sem, dst: Operand, v: Expr): void {
  if (dst.kind === "xmm") return o.write(dst, v);
  const value = half(o, v, 0);
  enterMmx(o);
  o.write(dst, value);
}

/** Features of an instruction's MMX and XMM forms. */
export interface Widths {
  readonly mm?: string;
  readonly xmm?: string;
}

/** Rows of an opcode for the widths that have it; each is an instruction of its own, as its CPUID feature is. */
export function byWidth(name: string, opcode: string, widths: Widths, sem: Instruction["sem"], immediateByte = false): Instruction[] {
  const row = (prefix: string, operands: string, unit: string): string =>
    `${prefix} ${opcode} /r${immediateByte ? " ib" : ""} | ${operands}${immediateByte ? ", imm8" : ""} | ${unit}`;
  const widthRows = [
    { feature: widths.mm, form: row("NP", "mm, mm/m64", "mmx") },
    { feature: widths.xmm, form: row("66", "xmm, xmm/m128", "sse") },
  ];
  return widthRows.flatMap(({ feature, form }) =>
    feature === undefined ? [] : [instruction(name, { forms: [form], access: "rw r", feature, sem })],
  );
}

/** An instruction `dst = f(dst, src)`, lane by lane. */
export function packed(name: string, opcode: string, widths: Widths, f: Packed): Instruction[] {
  return byWidth(name, opcode, widths, (o, [dst, src]) => {
    if (dst.kind === "mm") x87Pending(o);
    const b = vectorOf(o, src);
    writeVector(o, dst, f(o, vectorOf(o, dst), b));
  });
}

/**
 * An instruction whose low half comes from the destination and high half from the source (packs, horizontal sums). In an MMX
 * register both operands are the halves of one vector, and the result is the low half of `f` of that.
 */
export function gathered(name: string, opcode: string, widths: Widths, f: Packed): Instruction[] {
  return byWidth(name, opcode, widths, (o, [dst, src]) => {
    if (dst.kind === "mm") x87Pending(o);
    const b = vectorOf(o, src);
    const a = vectorOf(o, dst);
    if (dst.kind === "xmm") return writeVector(o, dst, f(o, a, b));
    const both = shuffle(o, pick(8, [0, 2]), a, b);
    writeVector(o, dst, f(o, both, both));
  });
}
