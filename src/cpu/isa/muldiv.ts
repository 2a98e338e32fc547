// Multiplication and division (SDM 1 §5.1.2).
import { type Builder, routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { VECTOR } from "../mmu/control.ts";
import { type Instruction, instruction, type Operand } from "./instruction.ts";
import { REG, type Sem } from "./sem.ts";

const LOW32 = 0xffff_ffffn;

// ── 128-bit arithmetic ────────────────────────────────────────────────────────────────────────────────────────────────────

/** Upper 64 bits of an unsigned product: four products of 32-bit halves. */
const mulHigh: Routine = routine("mul.high", ["i64", "i64"], "i64", (b, x, y) => {
  const [xl, xh] = [b.and(x, LOW32), b.shrU(x, 32)];
  const [yl, yh] = [b.and(y, LOW32), b.shrU(y, 32)];
  const [cross1, cross2] = [b.mul(xl, yh), b.mul(xh, yl)];
  const middle = b.add(b.add(b.shrU(b.mul(xl, yl), 32), b.and(cross1, LOW32)), b.and(cross2, LOW32));
  const carried = b.add(b.shrU(cross1, 32), b.shrU(cross2, 32));
  b.return(b.add(b.add(b.mul(xh, yh), carried), b.shrU(middle, 32)));
});

/** A negative factor x counts 2^64 too much: the other factor is taken off the upper half. */
function mulHighSigned(b: Builder, x: Expr, y: Expr): Expr {
  const correction = b.add(b.and(b.shrS(x, 63), y), b.and(b.shrS(y, 63), x));
  return b.sub(b.call(mulHigh, x, y), correction);
}

/**
 * One digit of long division in base 2^32: (remainder:next) / divisor, with the divisor's top bit set and remainder < divisor.
 * The estimate from the divisor's upper half is at most 2 too large (Knuth, TAOCP 2 §4.3.1, theorem B).
 */
const divideDigit: Routine = routine("div.digit", ["i64", "i64", "i64"], "i64", (b, remainder, next, divisor) => {
  const [high, low] = [b.shrU(divisor, 32), b.and(divisor, LOW32)];
  const digit = b.variable(b.divU(remainder, high));
  const rest = b.variable(b.remU(remainder, high));
  b.loop((leave) => {
    const tooLarge = b.or(b.gtU(b.get(digit), LOW32), b.gtU(b.mul(b.get(digit), low), b.or(b.shl(b.get(rest), 32), next)));
    b.br(leave, b.not(tooLarge));
    b.set(digit, b.sub(b.get(digit), 1n));
    b.set(rest, b.add(b.get(rest), high));
    b.br(leave, b.gtU(b.get(rest), LOW32));
  });
  b.return(b.get(digit));
});

/** Quotient of (high:low) / divisor, unsigned. The caller has checked that high < divisor, so that it fits. */
const divide128: Routine = routine("div.128", ["i64", "i64", "i64"], "i64", (b, high, low, divisor) => {
  b.if(b.not(high), () => b.return(b.divU(low, divisor)));
  const shift = b.clz(divisor);
  const d = b.shl(divisor, shift);
  // Two steps, since a shift by 64 would be none.
  const h = b.or(b.shl(high, shift), b.shrU(b.shrU(low, 1n), b.sub(b.i64(63), shift)));
  const l = b.shl(low, shift);
  const upper = b.call(divideDigit, h, b.shrU(l, 32), d);
  const rest = b.sub(b.or(b.shl(h, 32), b.shrU(l, 32)), b.mul(upper, d));
  b.return(b.or(b.shl(upper, 32), b.call(divideDigit, rest, b.and(l, LOW32), d)));
});

// ── MUL and IMUL ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const UNDEFINED = "SF ZF AF PF";

const oneOperand = (digit: number): string[] => [
  `F6 /${digit} | r/m8`,
  `F7 /${digit} | r/m16`,
  `F7 /${digit} | r/m32`,
  `REX.W + F7 /${digit} | r/m64`,
];

/** The double-width product goes to AX, DX:AX, EDX:EAX or RDX:RAX; CF = OF = its upper half counts. */
function setProduct(o: Sem, width: number, low: Expr, high: Expr, carry: Expr): void {
  if (width === 8) o.setReg(REG.rax, 16, o.or(low, o.shl(high, 8)));
  else {
    o.setReg(REG.rax, width, low);
    o.setReg(REG.rdx, width, high);
  }
  o.flagsExplicit(width, low, { cf: carry, of: carry });
}

function mul(o: Sem, src: Operand): void {
  const w = src.width;
  const [a, b] = [o.read(src), o.reg(REG.rax, w)];
  const product = o.mul(a, b);
  const high = w === 64 ? o.call(mulHigh, a, b) : o.shrU(product, w);
  setProduct(o, w, o.zext(product, w), high, o.ne(high, 0n));
}

/** Signed product: its low part, its high part, and whether the low part alone is wrong. */
function signedProduct(o: Sem, width: number, x: Expr, y: Expr): { low: Expr; high: Expr; carry: Expr } {
  const [a, b] = [o.sext(x, width), o.sext(y, width)];
  const product = o.mul(a, b);
  if (width === 64) {
    const high = mulHighSigned(o, a, b);
    return { low: product, high, carry: o.ne(high, o.shrS(product, 63)) };
  }
  return { low: o.zext(product, width), high: o.zext(o.shrS(product, width), width), carry: o.ne(product, o.sext(product, width)) };
}

function imulWide(o: Sem, src: Operand): void {
  const { low, high, carry } = signedProduct(o, src.width, o.read(src), o.reg(REG.rax, src.width));
  setProduct(o, src.width, low, high, carry);
}

/** The product of two operands, which need not be those that receive it. */
function imul(o: Sem, dst: Operand, x: Operand, y: Operand): void {
  const w = dst.width;
  const { low, carry } = signedProduct(o, w, o.read(x), o.read(y));
  o.write(dst, low);
  o.flagsExplicit(w, low, { cf: carry, of: carry });
}

// ── DIV and IDIV ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function setQuotient(o: Sem, width: number, quotient: Expr, remainder: Expr): void {
  if (width === 8) return o.setReg(REG.rax, 16, o.or(o.zext(quotient, 8), o.shl(o.zext(remainder, 8), 8)));
  o.setReg(REG.rax, width, quotient);
  o.setReg(REG.rdx, width, remainder);
}

/** AX, DX:AX or EDX:EAX as one i64. */
function dividend(o: Sem, width: number): Expr {
  if (width === 8) return o.reg(REG.rax, 16);
  return o.or(o.shl(o.reg(REG.rdx, width), width), o.reg(REG.rax, width));
}

/** A divisor of zero and a quotient that does not fit raise #DE: both mean that the divisor is no greater than the upper half. */
function div(o: Sem, src: Operand): void {
  const w = src.width;
  const d = o.read(src);
  if (w === 64) {
    const [high, low] = [o.reg(REG.rdx, 64), o.reg(REG.rax, 64)];
    o.if(o.leU(d, high), () => o.fault(VECTOR.DE));
    const quotient = o.call(divide128, high, low, d);
    return setQuotient(o, 64, quotient, o.sub(low, o.mul(quotient, d)));
  }
  const n = dividend(o, w);
  o.if(o.leU(d, o.shrU(n, w)), () => o.fault(VECTOR.DE));
  setQuotient(o, w, o.divU(n, d), o.remU(n, d));
}

function idiv(o: Sem, src: Operand): void {
  const w = src.width;
  const d = o.sext(o.read(src), w);
  if (w === 64) return idiv64(o, d);
  const n = o.sext(dividend(o, w), w * 2);
  o.if(o.not(d), () => o.fault(VECTOR.DE));
  // -2^63 / -1 has no i64 quotient at all.
  if (w === 32) o.if(o.and(o.eq(d, -1n), o.eq(n, -(1n << 63n))), () => o.fault(VECTOR.DE));
  const quotient = o.divS(n, d);
  o.if(o.ne(quotient, o.sext(quotient, w)), () => o.fault(VECTOR.DE));
  setQuotient(o, w, o.zext(quotient, w), o.zext(o.remS(n, d), w));
}

/** Divides magnitudes; the quotient is negative when the signs differ, the remainder has the dividend's sign. */
function idiv64(o: Sem, d: Expr): void {
  const [high, low] = [o.reg(REG.rdx, 64), o.reg(REG.rax, 64)];
  const negate = (e: Expr, sign: Expr): Expr => o.sub(o.xor(e, sign), sign);
  const sign = o.shrS(high, 63);
  const borrow = o.extU(o.ne(low, 0n));
  const magnitudeHigh = o.select(o.ltS(high, 0n), o.sub(o.sub(o.i64(0), high), borrow), high);
  const magnitudeLow = negate(low, sign);
  const divisorSign = o.shrS(d, 63);
  const magnitude = negate(d, divisorSign);
  o.if(o.leU(magnitude, magnitudeHigh), () => o.fault(VECTOR.DE));
  const quotient = o.call(divide128, magnitudeHigh, magnitudeLow, magnitude);
  const quotientSign = o.xor(sign, divisorSign);
  // At most 2^63 when negative, 2^63 - 1 when not.
  o.if(o.gtU(quotient, o.sub(o.i64((1n << 63n) - 1n), quotientSign)), () => o.fault(VECTOR.DE));
  const remainder = o.sub(magnitudeLow, o.mul(quotient, magnitude));
  setQuotient(o, 64, negate(quotient, quotientSign), negate(remainder, sign));
}

/** Multiplication and division. */
export const muldiv: readonly Instruction[] = [
  instruction("MUL", { forms: oneOperand(4), access: "r", flags: "CF OF", undefinedFlags: UNDEFINED, sem: (o, [src]) => mul(o, src) }),
  instruction("IMUL", {
    forms: oneOperand(5),
    access: "r",
    flags: "CF OF",
    undefinedFlags: UNDEFINED,
    sem: (o, [src]) => imulWide(o, src),
  }),
  instruction("IMUL", {
    forms: [
      "0F AF /r | r16, r/m16",
      "0F AF /r | r32, r/m32",
      "REX.W + 0F AF /r | r64, r/m64",
      "6B /r ib | r16, r/m16, imm8",
      "6B /r ib | r32, r/m32, imm8",
      "REX.W + 6B /r ib | r64, r/m64, imm8",
      "69 /r iw | r16, r/m16, imm16",
      "69 /r id | r32, r/m32, imm32",
      "REX.W + 69 /r id | r64, r/m64, imm32",
    ],
    access: "rw r r",
    flags: "CF OF",
    undefinedFlags: UNDEFINED,
    sem: (o, [dst, src, factor], form) => (form.operands.length === 3 ? imul(o, dst, src, factor) : imul(o, dst, dst, src)),
  }),
  instruction("DIV", { forms: oneOperand(6), access: "r", undefinedFlags: `CF OF ${UNDEFINED}`, sem: (o, [src]) => div(o, src) }),
  instruction("IDIV", { forms: oneOperand(7), access: "r", undefinedFlags: `CF OF ${UNDEFINED}`, sem: (o, [src]) => idiv(o, src) }),
];
