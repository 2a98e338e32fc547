// Single bits, bit scans, counts and CRC-32C (SDM 1 §5.1.6, §5.1.15).
//
// LZCNT and TZCNT are not in x86-64-v2: with F3 before them BSR and BSF run, as on every processor without those.
import { type Builder, routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { type Instruction, instruction, type Operand } from "./instruction.ts";
import type { Sem } from "./sem.ts";

// ── BT, BTS, BTR, BTC ─────────────────────────────────────────────────────────────────────────────────────────────────────

type Change = (o: Sem, value: Expr, bit: Expr) => Expr;

/** Rows with a register as bit number, then with an immediate. */
function bitRows(opcode: string, digit: number, attributes: string): string[] {
  const sizes = [16, 32, 64].map((w) => [w === 64 ? "REX.W + " : "", w] as const);
  return [
    ...sizes.map(([rex, w]) => `${rex}0F ${opcode} /r | r/m${w}, r${w} | ${attributes}`),
    ...sizes.map(([rex, w]) => `${rex}0F BA /${digit} ib | r/m${w}, imm8 | ${attributes}`),
  ];
}

/** With a register as bit number, memory is a bit string around the address: the word that holds the bit (SDM 1 §4.1, 2A BT). */
function bitString(o: Sem, dst: Operand, index: Expr): Expr {
  const shift = Math.log2(dst.width);
  const word = o.shl(o.shrS(o.sext(index, dst.width), shift), shift - 3);
  const offset = o.and(o.add(o.effectiveAddress(), word), o.addressMask());
  return o.segmentLinear(o.segmentNumber(), offset, dst.width >> 3, dst.access !== "r");
}

function testBit(o: Sem, dst: Operand, index: Operand, change?: Change): void {
  const w = dst.width;
  const number = o.read(index);
  const linear = dst.kind === "mem" && index.kind === "reg" ? bitString(o, dst, number) : undefined;
  if (linear && change) o.probe(linear, w);
  const value = linear ? o.loadMemory(linear, w) : o.read(dst);
  const place = o.and(number, BigInt(w - 1));
  if (change) {
    const changed = change(o, value, o.shl(o.i64(1), place));
    if (linear) o.storeMemory(linear, w, changed);
    else o.write(dst, changed);
  }
  o.flagsCarry({ cf: o.wrap(o.and(o.shrU(value, place), 1n)) });
}

function bitTest(name: string, opcode: string, digit: number, change?: Change): Instruction {
  return instruction(name, {
    forms: bitRows(opcode, digit, change ? "lock" : ""),
    access: change ? "rw r" : "r r",
    flags: "CF ZF",
    undefinedFlags: "PF AF SF OF",
    sem: (o, [dst, index]) => testBit(o, dst, index, change),
  });
}

// ── scans and counts ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** The destination stays as it was when the source is zero: what silicon does, and the manual leaves open (SDM 2A, BSF). */
function scan(name: string, opcode: string, find: (o: Sem, value: Expr) => Expr): Instruction {
  return instruction(name, {
    forms: [`0F ${opcode} /r | r16, r/m16`, `0F ${opcode} /r | r32, r/m32`, `REX.W + 0F ${opcode} /r | r64, r/m64`],
    access: "rw r",
    flags: "ZF",
    undefinedFlags: "CF PF AF SF OF",
    sem: (o, [dst, src]) => {
      const value = o.read(src);
      o.flagsLogic(src.width, value);
      o.if(o.ne(value, 0n), () => o.write(dst, find(o, value)));
    },
  });
}

const CRC32C_REFLECTED = 0x82f6_3b78n;

/** Continues a CRC-32C (polynomial 11EDC6F41h, bits reflected) over `bytes` bytes of `value`: (crc, value, bytes). */
const crc32c: Routine = routine("crc32c", ["i64", "i64", "i32"], "i64", (b, crc, value, bytes) => {
  const rest = b.variable(value);
  const sum = b.variable(crc);
  const left = b.variable(bytes);
  b.while(
    () => b.get(left),
    () => {
      let x = b.xor(b.get(sum), b.and(b.get(rest), 0xffn));
      for (let i = 0; i < 8; i++) x = divideBit(b, x);
      b.set(sum, x);
      b.set(rest, b.shrU(b.get(rest), 8));
      b.set(left, b.sub(b.get(left), 1));
    },
  );
  b.return(b.get(sum));
});

function divideBit(b: Builder, x: Expr): Expr {
  return b.xor(b.shrU(x, 1), b.and(b.sub(b.i64(0), b.and(x, 1n)), CRC32C_REFLECTED));
}

/** Bit instructions. */
export const bit: readonly Instruction[] = [
  bitTest("BT", "A3", 4),
  bitTest("BTS", "AB", 5, (o, value, mask) => o.or(value, mask)),
  bitTest("BTR", "B3", 6, (o, value, mask) => o.and(value, o.xor(mask, -1))),
  bitTest("BTC", "BB", 7, (o, value, mask) => o.xor(value, mask)),
  scan("BSF", "BC", (o, value) => o.ctz(value)),
  scan("BSR", "BD", (o, value) => o.sub(o.i64(63), o.clz(value))),
  instruction("POPCNT", {
    forms: ["F3 0F B8 /r | r16, r/m16 | o16", "F3 0F B8 /r | r32, r/m32 | o32", "F3 REX.W + 0F B8 /r | r64, r/m64"],
    access: "w r",
    flags: "CF PF AF ZF SF OF",
    feature: "popcnt",
    sem: (o, [dst, src]) => {
      const value = o.read(src);
      o.write(dst, o.popcnt(value));
      // Only ZF can be set: PF is cleared whatever the result.
      o.setArithmetic(o.shl(o.not(value), 6));
    },
  }),
  instruction("CRC32", {
    forms: [
      "F2 0F 38 F0 /r | r32, r/m8",
      "F2 REX.W + 0F 38 F0 /r | r64, r/m8",
      "F2 0F 38 F1 /r | r32, r/m16 | o16",
      "F2 0F 38 F1 /r | r32, r/m32 | o32",
      "F2 REX.W + 0F 38 F1 /r | r64, r/m64",
    ],
    access: "rw r",
    feature: "sse4_2",
    sem: (o, [dst, src]) => o.write(dst, o.call(crc32c, o.zext(o.read(dst), 32), o.read(src), o.i32(src.width >> 3))),
  }),
];
