// Moves of whole and half SSE registers, and bitwise logic on them (SDM 1 §5.5.1.1, §5.5.1.4, §5.6.1.1, §5.6.1.3, §5.6.4, §5.7, §5.10.3).
import type { Expr } from "../ir/types.ts";
import { type Instruction, instruction, type Operand } from "./instruction.ts";
import { half, lanes, low64, type Packed, pick, shuffle, vectorOf } from "./packed.ts";
import type { Sem } from "./sem.ts";

/** Writes 16 bytes; memory must be aligned. */
function writeAligned(o: Sem, dst: Operand, v: Expr): void {
  if (dst.kind === "mem") o.alignedAddress(dst);
  o.write(dst, v);
}

/** Load and store opcodes of a 16-byte move. */
const both = (load: string, store: string): string[] => [`${load} /r | xmm, xmm/m128 | sse`, `${store} /r | xmm/m128, xmm | sse`];

function move(name: string, feature: string, forms: readonly string[], aligned: boolean): Instruction {
  return instruction(name, {
    forms,
    access: "w r",
    feature,
    sem: (o, [dst, src]) => {
      if (aligned) writeAligned(o, dst, vectorOf(o, src));
      else o.write(dst, o.read(src));
    },
  });
}

/** Moves the low 32 or 64 bits: into a register from memory the rest is cleared, from a register it stays. */
function scalar(name: string, feature: string, forms: readonly string[], bytes: 4 | 8): Instruction {
  return instruction(name, {
    forms,
    access: "w r",
    feature,
    sem: (o, [dst, src]) => {
      const value = o.read(src);
      if (dst.kind === "mem") o.write(dst, o.zext(half(o, value, 0), bytes * 8));
      else if (src.kind === "mem") o.write(dst, low64(o, value));
      else o.write(dst, shuffle(o, bytes === 4 ? pick(4, [4, 1, 2, 3]) : pick(8, [2, 1]), o.read(dst), value));
    },
  });
}

/** MOVLPS, MOVHPD…: one half of a register, from or to memory. */
function halfMove(name: string, feature: string, prefix: string, opcode: number, which: 0 | 1): Instruction {
  const row = (n: number): string => `${prefix} 0F ${n.toString(16).toUpperCase()} /r`;
  return instruction(name, {
    forms: [`${row(opcode)} | xmm, m64 | sse`, `${row(opcode + 1)} | m64, xmm | sse`],
    access: "w r",
    feature,
    sem: (o, [dst, src]) => {
      const value = o.read(src);
      if (dst.kind === "mem") o.write(dst, half(o, value, which));
      else o.write(dst, o.opImm("i64x2.replace_lane", "v128", which, o.read(dst), value));
    },
  });
}

/** MOVHLPS and MOVLHPS: a half of the source over a half of the destination, by a pattern of eight-byte lanes. */
function halves(name: string, opcode: string, lanePattern: readonly number[]): Instruction {
  return instruction(name, {
    forms: [`NP 0F ${opcode} /r | xmm, xmm. | sse`],
    access: "rw r",
    feature: "sse",
    sem: (o, [dst, src]) => o.write(dst, shuffle(o, pick(8, lanePattern), o.read(dst), o.read(src))),
  });
}

/** MOVDDUP, MOVSLDUP, MOVSHDUP: lanes of the source, some twice. */
function duplicate(name: string, row: string, size: number, lanePattern: readonly number[]): Instruction {
  return instruction(name, {
    forms: [`${row} | sse`],
    access: "w r",
    feature: "sse3",
    sem: (o, [dst, src]) => {
      const v = vectorOf(o, src);
      o.write(dst, shuffle(o, pick(size, lanePattern), v, v));
    },
  });
}

/** Between a general register or memory and the low half of an XMM register; the rest is cleared. */
function generalMove(name: string, forms: readonly string[]): Instruction {
  return instruction(name, {
    forms,
    access: "w r",
    feature: "sse2",
    sem: (o, [dst, src]) => {
      if (dst.kind === "xmm") return o.write(dst, low64(o, src.kind === "xmm" ? half(o, o.read(src), 0) : o.read(src)));
      o.write(dst, o.zext(half(o, o.read(src), 0), dst.width));
    },
  });
}

/** ANDPS and ANDPD… differ from PAND in name only. */
function logic(name: string, opcode: string, f: Packed): Instruction[] {
  return (
    [
      ["PS", "NP", "sse"],
      ["PD", "66", "sse2"],
    ] as const
  ).map(([suffix, prefix, feature]) =>
    instruction(name + suffix, {
      forms: [`${prefix} 0F ${opcode} /r | xmm, xmm/m128 | sse`],
      access: "rw r",
      feature,
      sem: (o, [dst, src]) => {
        const b = vectorOf(o, src);
        o.write(dst, f(o, o.read(dst), b));
      },
    }),
  );
}

/** Moves and bitwise logic. */
export const sseMove: readonly Instruction[] = [
  move("MOVAPS", "sse", both("NP 0F 28", "NP 0F 29"), true),
  move("MOVUPS", "sse", both("NP 0F 10", "NP 0F 11"), false),
  move("MOVAPD", "sse2", both("66 0F 28", "66 0F 29"), true),
  move("MOVUPD", "sse2", both("66 0F 10", "66 0F 11"), false),
  move("MOVDQA", "sse2", both("66 0F 6F", "66 0F 7F"), true),
  move("MOVDQU", "sse2", both("F3 0F 6F", "F3 0F 7F"), false),
  move("LDDQU", "sse3", ["F2 0F F0 /r | xmm, m128 | sse"], false),
  move("MOVNTPS", "sse", ["NP 0F 2B /r | m128, xmm | sse"], true),
  move("MOVNTPD", "sse2", ["66 0F 2B /r | m128, xmm | sse"], true),
  move("MOVNTDQ", "sse2", ["66 0F E7 /r | m128, xmm | sse"], true),
  move("MOVNTDQA", "sse4_1", ["66 0F 38 2A /r | xmm, m128 | sse"], true),
  move("MOVNTI", "sse2", ["NP 0F C3 /r | m32, r32", "NP REX.W + 0F C3 /r | m64, r64"], false),
  scalar("MOVSS", "sse", ["F3 0F 10 /r | xmm, xmm/m32 | sse", "F3 0F 11 /r | xmm/m32, xmm | sse"], 4),
  scalar("MOVSD", "sse2", ["F2 0F 10 /r | xmm, xmm/m64 | sse", "F2 0F 11 /r | xmm/m64, xmm | sse"], 8),
  halfMove("MOVLPS", "sse", "NP", 0x12, 0),
  halfMove("MOVHPS", "sse", "NP", 0x16, 1),
  halfMove("MOVLPD", "sse2", "66", 0x12, 0),
  halfMove("MOVHPD", "sse2", "66", 0x16, 1),
  halves("MOVHLPS", "12", [3, 1]),
  halves("MOVLHPS", "16", [0, 2]),
  duplicate("MOVDDUP", "F2 0F 12 /r | xmm, xmm/m64", 8, [0, 0]),
  duplicate("MOVSLDUP", "F3 0F 12 /r | xmm, xmm/m128", 4, [0, 0, 2, 2]),
  duplicate("MOVSHDUP", "F3 0F 16 /r | xmm, xmm/m128", 4, [1, 1, 3, 3]),
  generalMove("MOVD", ["66 0F 6E /r | xmm, r/m32 | sse", "66 0F 7E /r | r/m32, xmm | sse"]),
  generalMove("MOVQ", [
    "66 REX.W + 0F 6E /r | xmm, r/m64 | sse",
    "66 REX.W + 0F 7E /r | r/m64, xmm | sse",
    "F3 0F 7E /r | xmm, xmm/m64 | sse",
    "66 0F D6 /r | xmm/m64, xmm | sse",
  ]),
  ...logic("AND", "54", lanes("v128.and")),
  ...logic("ANDN", "55", (o, a, b) => o.op("v128.andnot", "v128", b, a)),
  ...logic("OR", "56", lanes("v128.or")),
  ...logic("XOR", "57", lanes("v128.xor")),
];
