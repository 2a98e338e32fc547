// The stack (SDM 1 §6.2, §6.6): PUSH, POP and their families, ENTER and LEAVE.
import type { Expr } from "../ir/types.ts";
import { ARITHMETIC, CR4, EFLAGS } from "../mmu/control.ts";
import { type Form, type Instruction, instruction, type Operand } from "./instruction.ts";
import { REG, type Sem } from "./sem.ts";

/** Width of a stack slot: 64 bits in 64-bit mode unless 66h makes it 16. */
export function slotWidth(o: Sem, form: Form): 16 | 32 | 64 {
  return form.opsize === 16 ? 16 : o.long ? 64 : 32;
}

/** Rows of an instruction without explicit size: 16 bits, 32 bits outside and 64 bits inside 64-bit mode. */
function implicit(opcode: string, operands = "", attributes = ""): string[] {
  return [
    `${opcode} | ${operands} | o16 ${attributes}`,
    `${opcode} | ${operands} | i64 o32 ${attributes}`,
    `${opcode} | ${operands} | o64 any ${attributes}`,
  ];
}

const legacyOnly = (opcode: string, operands = ""): string[] => [`${opcode} | ${operands} | i64 o16`, `${opcode} | ${operands} | i64 o32`];

const general = (digit: number, opcode: string): string[] => [
  `${opcode} /${digit} | r/m16`,
  `${opcode} /${digit} | r/m32 | i64`,
  `${opcode} /${digit} | r/m64 | o64 d64`,
];

// ── PUSH and POP ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A selector takes a whole slot; outside 64-bit mode only its two bytes are written (SDM 2B, PUSH: "16-bit move"). */
function pushSelector(o: Sem, selector: Expr, width: number): void {
  const top = o.sub(o.stackPointer(), BigInt(width >> 3));
  o.storeMemory(o.stackLinear(top, width >> 3, true), width === 64 ? 64 : 16, selector);
  o.setStackPointer(top);
}

function push(o: Sem, src: Operand, form: Form): void {
  const width = slotWidth(o, form);
  if (src.kind === "sreg") return pushSelector(o, o.selector(o.field(src)), width);
  o.push(width, src.kind === "imm" ? o.zext(o.imm(), width) : o.read(src));
}

/** An address with rSP as base is computed after rSP was incremented (SDM 2B, POP). */
function popAddress(o: Sem, bytes: number): Expr {
  const offset = o.effectiveAddress();
  const moved = o.and(o.add(offset, BigInt(bytes)), o.addressMask());
  return o.segmentLinear(o.segmentNumber(), o.select(o.baseIsStackPointer(), moved, offset), bytes, true);
}

function pop(o: Sem, dst: Operand): void {
  const bytes = dst.width >> 3;
  const value = o.peek(dst.width);
  if (dst.kind === "mem") o.storeMemory(popAddress(o, bytes), dst.width, value);
  o.release(bytes);
  if (dst.kind === "reg") o.write(dst, value);
}

/** Order of PUSHA; POPA takes them in reverse and leaves SP out (SDM 2B). */
const ALL = [REG.rax, REG.rcx, REG.rdx, REG.rbx, REG.rsp, REG.rbp, REG.rsi, REG.rdi] as const;

function pushAll(o: Sem, width: number): void {
  const top = o.stackPointer();
  const slot = (i: number): Expr => o.sub(top, BigInt((i + 1) * (width >> 3)));
  ALL.forEach((n, i) => o.storeMemory(o.stackLinear(slot(i), width >> 3, true), width, o.reg(n, width)));
  o.setStackPointer(slot(ALL.length - 1));
}

function popAll(o: Sem, width: number): void {
  // Registers are written one by one, as on silicon: a fault in the middle leaves SP, and with it the values, where they were.
  ALL.toReversed().forEach((n, i) => {
    const value = o.peek(width, i * (width >> 3));
    if (n !== REG.rsp) o.setReg(n, width, value);
  });
  o.release(ALL.length * (width >> 3));
}

// ── PUSHF and POPF ────────────────────────────────────────────────────────────────────────────────────────────────────────

const bits = (o: Sem, flags: Expr, mask: number): Expr => o.ne(o.and(flags, mask), 0);
const IOPL3 = EFLAGS.IOPL;

/** In virtual-8086 mode with IOPL below 3 only the 16-bit forms work, and only with VME (SDM 3A §20.2.7, §20.3). Runs `virtual` then. */
function guardVirtual(o: Sem, width: number, virtual: () => void): void {
  if (o.long) return;
  const flags = o.state("eflags");
  o.if(o.and(bits(o, flags, EFLAGS.VM), o.ne(o.and(flags, EFLAGS.IOPL), IOPL3)), () => {
    if (width !== 16) return o.gpIf(o.i32(1));
    o.gpIf(o.not(o.and(o.state("cr4"), CR4.VME)));
    virtual();
  });
}

function pushFlags(o: Sem, form: Form): void {
  const width = slotWidth(o, form);
  guardVirtual(o, width, () => {
    // VIF shows itself as IF, and IOPL as 3.
    const flags = o.eflags();
    const virtualIf = o.shrU(o.and(flags, EFLAGS.VIF), 10);
    o.push(16, o.extU(o.or(o.or(o.and(flags, ~EFLAGS.IF & 0xffff), virtualIf), IOPL3)));
    o.next();
  });
  o.push(width, o.zext(o.extU(o.and(o.eflags(), ~(EFLAGS.VM | EFLAGS.RF))), width));
}

/** Stores the flags in `mask` from `value`, and what follows from them. */
function changeFlags(o: Sem, mask: Expr, value: Expr): void {
  const old = o.state("eflags");
  const kept = o.and(old, o.and(o.xor(mask, -1), ~EFLAGS.RF));
  const changed = o.or(kept, o.and(value, mask));
  o.setState("eflags", changed);
  o.setArithmetic(o.and(value, ARITHMETIC));
  // AC decides about alignment checks and SMAP, hence about the TLB view.
  o.if(
    bits(o, o.xor(changed, old), EFLAGS.AC),
    () => o.refresh(),
    () => o.updateAttention(),
  );
}

/** POPF of virtual-8086 mode with VME: IF goes to VIF (SDM 3A §20.3.2). */
function popVirtualFlags(o: Sem): void {
  const value = o.wrap(o.peek(16));
  const pending = bits(o, o.state("eflags"), EFLAGS.VIP);
  o.gpIf(o.or(o.and(bits(o, value, EFLAGS.IF), pending), bits(o, value, EFLAGS.TF)));
  o.release(2);
  const virtualIf = o.shl(o.and(value, EFLAGS.IF), 10);
  changeFlags(o, o.i32(EFLAGS.DF | EFLAGS.NT | EFLAGS.TF | EFLAGS.VIF), o.or(value, virtualIf));
  o.next();
}

function popFlags(o: Sem, form: Form): void {
  const width = slotWidth(o, form);
  guardVirtual(o, width, () => popVirtualFlags(o));
  const value = o.wrap(o.peek(width));
  const flags = o.state("eflags");
  const cpl = o.state("cpl");
  const iopl = o.and(o.shrU(flags, 12), 3);
  // Only privilege level 0 changes IOPL; IF needs a level no greater than IOPL (SDM 2B, POPF).
  const ofIopl = o.select(cpl, o.i32(0), o.i32(EFLAGS.IOPL));
  const ofIf = o.select(o.leU(cpl, iopl), o.i32(EFLAGS.IF), o.i32(0));
  const always = EFLAGS.TF | EFLAGS.DF | EFLAGS.NT | (width === 16 ? 0 : EFLAGS.AC | EFLAGS.ID);
  o.release(width >> 3);
  changeFlags(o, o.or(o.or(ofIopl, ofIf), always), value);
}

// ── ENTER and LEAVE ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** Pushes `level` - 1 frame pointers of the caller's display, and the new one. */
function copyDisplay(o: Sem, width: number, level: Expr, frame: Expr, push: (e: Expr) => void): void {
  const left = o.variable(o.sub(level, 1));
  const from = o.variable(o.reg(REG.rbp, 64));
  o.while(
    () => o.get(left),
    () => {
      o.set(from, o.sub(o.get(from), BigInt(width >> 3)));
      push(o.loadMemory(o.stackLinear(o.get(from), width >> 3, false), width));
      o.set(left, o.sub(o.get(left), 1));
    },
  );
  push(o.zext(frame, width));
}

function enter(o: Sem, bytes: Operand, form: Form): void {
  const width = slotWidth(o, form);
  const level = o.and(o.imm2(), 31);
  const top = o.variable(o.stackPointer());
  const pushOne = (e: Expr): void => {
    o.set(top, o.sub(o.get(top), BigInt(width >> 3)));
    o.storeMemory(o.stackLinear(o.get(top), width >> 3, true), width, e);
  };
  pushOne(o.reg(REG.rbp, width));
  const frame = wholeStackPointer(o, o.get(top));
  o.if(level, () => copyDisplay(o, width, level, frame, pushOne));
  const end = o.sub(o.get(top), o.read(bytes));
  // A write at the new top must not fault (SDM 2A, ENTER).
  o.probe(o.stackLinear(end, width >> 3, true), width);
  o.setReg(REG.rbp, width, frame);
  o.setStackPointer(end);
}

/** A stack pointer with the bits above a 16-bit SP as they are. */
function wholeStackPointer(o: Sem, top: Expr): Expr {
  if (o.long) return top;
  const mask = o.state64("stackMask");
  return o.or(o.and(o.reg(REG.rsp, 64), o.xor(mask, 0xffff_ffffn)), o.and(top, mask));
}

function leave(o: Sem, form: Form): void {
  const width = slotWidth(o, form);
  const frame = o.reg(REG.rbp, 64);
  const value = o.loadMemory(o.stackLinear(frame, width >> 3, false), width);
  o.setStackPointer(o.add(frame, BigInt(width >> 3)));
  o.setReg(REG.rbp, width, value);
}

/** Stack instructions. */
export const stack: readonly Instruction[] = [
  instruction("PUSH", {
    forms: [
      "50 +rw | r16",
      "50 +rd | r32 | i64",
      "50 +ro | r64 | o64 d64",
      ...general(6, "FF"),
      ...implicit("6A ib", "imm8"),
      "68 iw | imm16 | o16",
      "68 id | imm32 | i64 o32",
      "68 id | imm32 | o64 any",
      ...legacyOnly("06", "ES"),
      ...legacyOnly("0E", "CS"),
      ...legacyOnly("16", "SS"),
      ...legacyOnly("1E", "DS"),
      ...implicit("0F A0", "FS"),
      ...implicit("0F A8", "GS"),
    ],
    access: "r",
    sem: (o, [src], form) => push(o, src, form),
  }),
  instruction("POP", {
    forms: ["58 +rw | r16", "58 +rd | r32 | i64", "58 +ro | r64 | o64 d64", ...general(0, "8F")],
    access: "w",
    sem: (o, [dst]) => pop(o, dst),
  }),
  instruction("PUSHA", { forms: legacyOnly("60"), sem: (o, _, form) => pushAll(o, slotWidth(o, form)) }),
  instruction("POPA", { forms: legacyOnly("61"), sem: (o, _, form) => popAll(o, slotWidth(o, form)) }),
  instruction("PUSHF", { forms: implicit("9C"), sem: (o, _, form) => pushFlags(o, form) }),
  instruction("POPF", { forms: implicit("9D"), flags: "CF PF AF ZF SF OF", sem: (o, _, form) => popFlags(o, form) }),
  instruction("ENTER", { forms: implicit("C8 iw ib", "imm16, imm8"), access: "r r", sem: (o, [bytes], form) => enter(o, bytes, form) }),
  instruction("LEAVE", { forms: implicit("C9"), sem: (o, _, form) => leave(o, form) }),
];
