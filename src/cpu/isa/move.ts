// Moves, exchanges and conversions of integers (SDM 1 §5.1.1).
import type { Expr } from "../ir/types.ts";
import { CONDITIONS } from "./branch.ts";
import { type Form, type Instruction, instruction, type Operand } from "./instruction.ts";
import { REG, type Sem } from "./sem.ts";

const hex = (n: number): string => n.toString(16).toUpperCase().padStart(2, "0");

/** Rows of an opcode whose operands have 16, 32 or 64 bits; `$` stands for the width. */
function wide(opcode: string, operands: string, attributes = ""): string[] {
  return [16, 32, 64].map((w) => `${w === 64 ? "REX.W + " : ""}${opcode} | ${operands.replaceAll("$", String(w))} | ${attributes}`);
}

/** Linear address of a moffs operand: the decoder keeps it, up to 64 bits wide, as the immediate. */
function offsetAddress(o: Sem, operand: Operand): Expr {
  return o.segmentLinear(o.segmentNumber(), o.imm(), operand.width >> 3, operand.access !== "r");
}

function move(o: Sem, dst: Operand, src: Operand, form: Form): void {
  if (!form.operands.some((s) => s.kind === "moffs")) return o.write(dst, o.read(src));
  if (dst.kind === "mem") o.storeMemory(offsetAddress(o, dst), dst.width, o.read(src));
  else o.write(dst, o.loadMemory(offsetAddress(o, src), src.width));
}

const mov: Instruction = instruction("MOV", {
  forms: [
    "88 /r | r/m8, r8",
    ...wide("89 /r", "r/m$, r$"),
    "8A /r | r8, r/m8",
    ...wide("8B /r", "r$, r/m$"),
    "A0 | AL, moffs8",
    "A1 | AX, moffs16",
    "A1 | EAX, moffs32",
    "REX.W + A1 | RAX, moffs64",
    "A2 | moffs8, AL",
    "A3 | moffs16, AX",
    "A3 | moffs32, EAX",
    "REX.W + A3 | moffs64, RAX",
    "B0 +rb ib | r8, imm8",
    "B8 +rw iw | r16, imm16",
    "B8 +rd id | r32, imm32",
    "REX.W + B8 +ro io | r64, imm64",
    "C6 /0 ib | r/m8, imm8",
    "C7 /0 iw | r/m16, imm16",
    "C7 /0 id | r/m32, imm32",
    "REX.W + C7 /0 id | r/m64, imm32",
  ],
  access: "w r",
  sem: (o, [dst, src], form) => move(o, dst, src, form),
});

/** MOVZX, MOVSX and MOVSXD: the source is narrower, or of the same width where a prefix makes it so. */
function extend(name: string, forms: readonly string[], signed: boolean): Instruction {
  return instruction(name, {
    forms,
    access: "w r",
    sem: (o, [dst, src]) => {
      const value = o.read(src);
      o.write(dst, signed ? o.zext(o.sext(value, src.width), dst.width) : value);
    },
  });
}

const exchange: Instruction = instruction("XCHG", {
  forms: [
    "86 /r | r/m8, r8 | lock",
    ...wide("87 /r", "r/m$, r$", "lock"),
    "90 +rw | AX, r16",
    "90 +rd | EAX, r32",
    "REX.W + 90 +ro | RAX, r64",
  ],
  access: "rw rw",
  sem: (o, [a, b]) => {
    const [x, y] = [o.read(a), o.read(b)];
    o.write(a, y);
    o.write(b, x);
  },
});

/** Reverses the bytes of a value of `width` bits. */
export function swapBytes(o: Sem, value: Expr, width: number): Expr {
  const swap = (x: Expr, mask: bigint, n: number): Expr => o.or(o.shl(o.and(x, mask), n), o.and(o.shrU(x, n), mask));
  const bytes = swap(value, 0x00ff_00ff_00ff_00ffn, 8);
  if (width === 16) return bytes;
  const words = swap(bytes, 0x0000_ffff_0000_ffffn, 16);
  return width === 32 ? words : o.rotl(words, 32);
}

/** The accumulator receives what was there unless it equalled it; memory is written either way (SDM 2A, CMPXCHG). */
const compareExchange: Instruction = instruction("CMPXCHG", {
  forms: ["0F B0 /r | r/m8, r8 | lock", ...wide("0F B1 /r", "r/m$, r$", "lock")],
  access: "rw r",
  flags: "CF PF AF ZF SF OF",
  sem: (o, [dst, src]) => {
    const w = dst.width;
    const old = o.read(dst);
    const accumulator = o.reg(REG.rax, w);
    const source = o.read(src);
    const equal = o.eq(old, accumulator);
    if (dst.kind === "mem") o.write(dst, o.select(equal, source, old));
    o.flagsSub(w, accumulator, old, o.zext(o.sub(accumulator, old), w));
    // Of two registers only the one that changes is written: the other's upper half stays.
    o.if(
      equal,
      () => dst.kind === "reg" && o.write(dst, source),
      () => o.setReg(REG.rax, w, old),
    );
  },
});

const exchangeAdd: Instruction = instruction("XADD", {
  forms: ["0F C0 /r | r/m8, r8 | lock", ...wide("0F C1 /r", "r/m$, r$", "lock")],
  access: "rw rw",
  flags: "CF PF AF ZF SF OF",
  sem: (o, [dst, src]) => {
    const w = dst.width;
    const [a, b] = [o.read(dst), o.read(src)];
    const sum = o.zext(o.add(a, b), w);
    // Memory comes before registers; of two registers the destination is written last.
    if (dst.kind === "mem") o.write(dst, sum);
    o.write(src, a);
    if (dst.kind === "reg") o.write(dst, sum);
    o.flagsAdd(w, a, b, sum);
  },
});

/** CMPXCHG8B and CMPXCHG16B: two halves of `half` bits against rDX:rAX, replaced by rCX:rBX. */
function compareExchangePair(name: string, form: string, half: 32 | 64): Instruction {
  const bytes = BigInt(half / 8);
  return instruction(name, {
    forms: [form],
    access: "rw",
    flags: "ZF",
    feature: half === 64 ? "cx16" : "cx8",
    sem: (o, [dst]) => {
      const low = half === 64 ? o.alignedAddress(dst) : o.address(dst, true);
      o.probe(low, half * 2);
      const high = o.long ? o.add(low, bytes) : o.and(o.add(low, bytes), 0xffff_ffffn);
      const [l, h] = [o.loadMemory(low, half), o.loadMemory(high, half)];
      const equal = o.and(o.eq(l, o.reg(REG.rax, half)), o.eq(h, o.reg(REG.rdx, half)));
      o.storeMemory(low, half, o.select(equal, o.reg(REG.rbx, half), l));
      o.storeMemory(high, half, o.select(equal, o.reg(REG.rcx, half), h));
      o.if(o.not(equal), () => {
        o.setReg(REG.rax, half, l);
        o.setReg(REG.rdx, half, h);
      });
      o.changeArithmetic(0x40, o.shl(equal, 6));
    },
  });
}

const conditional: readonly Instruction[] = CONDITIONS.flatMap((name, cc) => [
  instruction(`CMOV${name}`, {
    forms: wide(`0F ${hex(0x40 + cc)} /r`, "r$, r/m$"),
    access: "rw r",
    feature: "cmov",
    // Memory is read, and a 32-bit destination cleared above, whatever the condition (SDM 2A, CMOVcc).
    sem: (o, [dst, src]) => {
      const value = o.read(src);
      o.write(dst, o.select(o.condition(cc), value, o.read(dst)));
    },
  }),
  instruction(`SET${name}`, {
    forms: [`0F ${hex(0x90 + cc)} /r | r/m8`],
    access: "w",
    sem: (o, [dst]) => o.write(dst, o.extU(o.condition(cc))),
  }),
]);

/** CBW, CWDE, CDQE: the accumulator's lower half extended into the whole. */
function extendAccumulator(name: string, form: string, width: number): Instruction {
  return instruction(name, { forms: [form], sem: (o) => o.setReg(REG.rax, width, o.sext(o.reg(REG.rax, width / 2), width / 2)) });
}

/** CWD, CDQ, CQO: the accumulator's sign fills rDX. */
function spreadSign(name: string, form: string, width: number): Instruction {
  return instruction(name, { forms: [form], sem: (o) => o.setReg(REG.rdx, width, o.shrS(o.sext(o.reg(REG.rax, width), width), 63)) });
}

/** Moves, exchanges and conversions. */
export const moves: readonly Instruction[] = [
  mov,
  extend("MOVZX", [...wide("0F B6 /r", "r$, r/m8"), ...wide("0F B7 /r", "r$, r/m16")], false),
  extend("MOVSX", [...wide("0F BE /r", "r$, r/m8"), ...wide("0F BF /r", "r$, r/m16")], true),
  extend("MOVSXD", ["63 /r | r16, r/m16 | o64", "63 /r | r32, r/m32 | o64", "REX.W + 63 /r | r64, r/m32"], true),
  exchange,
  instruction("LEA", { forms: wide("8D /r", "r$, m"), access: "w -", sem: (o, [dst]) => o.write(dst, o.effectiveAddress()) }),
  instruction("BSWAP", {
    forms: ["0F C8 +rw | r16", "0F C8 +rd | r32", "REX.W + 0F C8 +ro | r64"],
    access: "rw",
    // The manual leaves 16 bits open; silicon gives zero.
    sem: (o, [dst]) => o.write(dst, dst.width === 16 ? o.i64(0) : swapBytes(o, o.read(dst), dst.width)),
  }),
  instruction("MOVBE", {
    forms: [...wide("0F 38 F0 /r", "r$, m$", "norep"), ...wide("0F 38 F1 /r", "m$, r$", "norep")],
    access: "w r",
    feature: "movbe",
    sem: (o, [dst, src]) => o.write(dst, swapBytes(o, o.read(src), dst.width)),
  }),
  ...conditional,
  compareExchange,
  exchangeAdd,
  compareExchangePair("CMPXCHG8B", "0F C7 /1 | m64 | lock", 32),
  compareExchangePair("CMPXCHG16B", "REX.W + 0F C7 /1 | m128 | lock", 64),
  instruction("XLAT", {
    forms: ["D7"],
    sem: (o) => {
      const offset = o.and(o.add(o.reg(REG.rbx, 64), o.reg(REG.rax, 8)), o.addressMask());
      o.setReg(REG.rax, 8, o.loadMemory(o.segmentLinear(o.segmentNumber(), offset, 1, false), 8));
    },
  }),
  extendAccumulator("CBW", "98 | | o16", 16),
  extendAccumulator("CWDE", "98 | | o32", 32),
  extendAccumulator("CDQE", "REX.W + 98", 64),
  spreadSign("CWD", "99 | | o16", 16),
  spreadSign("CDQ", "99 | | o32", 32),
  spreadSign("CQO", "REX.W + 99", 64),
  instruction("LAHF", { forms: ["9F"], sem: (o) => o.setAh(o.extU(o.or(o.and(o.arithmetic(), 0xd5), 2))) }),
  instruction("SAHF", { forms: ["9E"], flags: "CF PF AF ZF SF", sem: (o) => o.changeArithmetic(0xd5, o.wrap(o.ah())) }),
];
