// Shuffles and unpacks of vector lanes (SDM 1 §5.4.2, §5.5.1.5, §5.6.1.5, §5.8.5, §5.8.7).
//
// Immediates are known only when the instruction runs, so patterns are computed: `i8x16.swizzle` with an index vector made of the
// immediate's fields.
import type { Builder } from "../ir/builder.ts";
import type { Expr } from "../ir/types.ts";
import { type Instruction, instruction } from "./instruction.ts";
import {
  byWidth,
  every,
  half,
  immediate,
  iota,
  packed,
  type Packed,
  pick,
  shuffle,
  splat64,
  vector,
  vectorBy,
  vectorOf,
  writeVector,
  x87Pending,
} from "./packed.ts";
import type { Sem } from "./sem.ts";

const swizzle = (o: Builder, v: Expr, index: Expr): Expr => o.op("i8x16.swizzle", "v128", v, index);
const and = (o: Builder, a: Expr, b: Expr): Expr => o.op("v128.and", "v128", a, b);

/** Bytes of `a` picked by the low bits of `b`'s bytes; a set bit 7 gives 0. An MMX register repeats in both halves, so bit 3 picks the same. */
const shuffleBytes: Packed = (o, a, b) => swizzle(o, a, and(o, b, every(o, 1, 0x8f)));

// ── unpack ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Interleaves lanes of `size` bytes from lane `first` on. */
const interleave =
  (size: number, first: number): Packed =>
  (o, a, b) => {
    const n = 16 / size;
    const from = Array.from({ length: n }, (_, i) => first + (i >> 1) + (i & 1) * n);
    return shuffle(o, pick(size, from), a, b);
  };

function unpacks(suffix: string, size: number, low: string, high: string, mm: boolean): Instruction[] {
  const n = 16 / size;
  const wide = [
    ...packed(`PUNPCKL${suffix}`, low, { xmm: "sse2" }, interleave(size, 0)),
    ...packed(`PUNPCKH${suffix}`, high, { xmm: "sse2" }, interleave(size, n / 2)),
  ];
  if (!mm) return wide;
  return [
    ...wide,
    instruction(`PUNPCKL${suffix}`, {
      forms: [`NP ${low} /r | mm, mm/m32 | mmx`],
      access: "rw r",
      feature: "mmx",
      sem: (o, [dst, src]) => {
        x87Pending(o);
        const b = vectorOf(o, src);
        writeVector(o, dst, interleave(size, 0)(o, vectorOf(o, dst), b));
      },
    }),
    ...packed(`PUNPCKH${suffix}`, high, { mm: "mmx" }, interleave(size, n / 4)),
  ];
}

/** UNPCKLPS and its like: the same, with the prefixes of floating-point instructions. */
function floatUnpack(name: string, row: string, feature: string, size: number, first: number): Instruction {
  return instruction(name, {
    forms: [`${row} /r | xmm, xmm/m128 | sse`],
    access: "rw r",
    feature,
    sem: (o, [dst, src]) => {
      const b = vectorOf(o, src);
      o.write(dst, interleave(size, first)(o, vectorOf(o, dst), b));
    },
  });
}

// ── shuffle by immediate ──────────────────────────────────────────────────────────────────────────────────────────────────

/** Moves the immediate's 2-bit fields to bits 6–7 of the lanes they are for. */
const FIELD = [64, 16, 4, 1];

/** Index bytes of `PSHUFD v, v, imm8`. */
function dwordIndex(o: Sem): Expr {
  const fields = o.op("i32x4.mul", "v128", o.op("i32x4.splat", "v128", immediate(o)), vector(o, 4, FIELD));
  const lane = and(o, o.op("i32x4.shr_u", "v128", fields, o.i32(6)), every(o, 4, 3));
  const scaled = o.op("i32x4.mul", "v128", lane, every(o, 4, 0x0404_0404));
  return o.op("i32x4.add", "v128", scaled, every(o, 4, 0x0302_0100));
}

/** Index bytes that shuffle the four words from word `first` on and leave the others. */
function wordIndex(o: Sem, first: 0 | 4): Expr {
  const inside = (i: number): boolean => (i & 4) === first;
  const factors = vectorBy(o, 2, (i) => (inside(i) ? FIELD[i & 3]! : 0));
  const fields = o.op("i16x8.mul", "v128", o.op("i16x8.splat", "v128", immediate(o)), factors);
  const lane = and(o, o.op("i16x8.shr_u", "v128", fields, o.i32(6)), every(o, 2, 3));
  const base = vectorBy(o, 2, (i) => (inside(i) ? first : i) * 0x0202 + 0x0100);
  return o.op("i16x8.add", "v128", o.op("i16x8.mul", "v128", lane, every(o, 2, 0x0202)), base);
}

function shuffled(name: string, row: string, feature: string, index: (o: Sem) => Expr): Instruction {
  return instruction(name, {
    forms: [row],
    access: "w r",
    feature,
    sem: (o, [dst, src]) => {
      if (dst.kind === "mm") x87Pending(o);
      writeVector(o, dst, swizzle(o, vectorOf(o, src), index(o)));
    },
  });
}

const alignRight = byWidth(
  "PALIGNR",
  "0F 3A 0F",
  { mm: "ssse3", xmm: "ssse3" },
  (o, [dst, src]) => {
    if (dst.kind === "mm") x87Pending(o);
    const low = vectorOf(o, src);
    const high = vectorOf(o, dst);
    const index = o.op("i8x16.add_sat_u", "v128", iota(o), o.op("i8x16.splat", "v128", immediate(o)));
    if (dst.kind === "mm") return writeVector(o, dst, swizzle(o, shuffle(o, pick(8, [0, 2]), low, high), index));
    const above = o.op("i8x16.sub", "v128", index, every(o, 1, 16));
    writeVector(o, dst, o.op("v128.or", "v128", swizzle(o, low, index), swizzle(o, high, above)));
  },
  true,
);

/** Bit `n` of the immediate chooses the half of `v`. */
const chosenHalf = (o: Sem, v: Expr, n: number): Expr => o.select(o.and(immediate(o), 1 << n), half(o, v, 1), half(o, v, 0));

const floatShuffles: readonly Instruction[] = [
  instruction("SHUFPS", {
    forms: ["NP 0F C6 /r ib | xmm, xmm/m128, imm8 | sse"],
    access: "rw r r",
    feature: "sse",
    sem: (o, [dst, src]) => {
      const b = vectorOf(o, src);
      const index = dwordIndex(o);
      o.write(dst, shuffle(o, pick(8, [0, 3]), swizzle(o, vectorOf(o, dst), index), swizzle(o, b, index)));
    },
  }),
  instruction("SHUFPD", {
    forms: ["66 0F C6 /r ib | xmm, xmm/m128, imm8 | sse"],
    access: "rw r r",
    feature: "sse2",
    sem: (o, [dst, src]) => {
      const high = chosenHalf(o, vectorOf(o, src), 1);
      const low = chosenHalf(o, vectorOf(o, dst), 0);
      o.write(dst, o.opImm("i64x2.replace_lane", "v128", 1, splat64(o, low), high));
    },
  }),
];

/** Shuffles and unpacks. */
export const sseShuffle: readonly Instruction[] = [
  ...packed("PSHUFB", "0F 38 00", { mm: "ssse3", xmm: "ssse3" }, shuffleBytes),
  ...unpacks("BW", 1, "0F 60", "0F 68", true),
  ...unpacks("WD", 2, "0F 61", "0F 69", true),
  ...unpacks("DQ", 4, "0F 62", "0F 6A", true),
  ...unpacks("QDQ", 8, "0F 6C", "0F 6D", false),
  floatUnpack("UNPCKLPS", "NP 0F 14", "sse", 4, 0),
  floatUnpack("UNPCKHPS", "NP 0F 15", "sse", 4, 2),
  floatUnpack("UNPCKLPD", "66 0F 14", "sse2", 8, 0),
  floatUnpack("UNPCKHPD", "66 0F 15", "sse2", 8, 1),
  shuffled("PSHUFW", "NP 0F 70 /r ib | mm, mm/m64, imm8 | mmx", "sse", (o) => wordIndex(o, 0)),
  shuffled("PSHUFLW", "F2 0F 70 /r ib | xmm, xmm/m128, imm8 | sse", "sse2", (o) => wordIndex(o, 0)),
  shuffled("PSHUFHW", "F3 0F 70 /r ib | xmm, xmm/m128, imm8 | sse", "sse2", (o) => wordIndex(o, 4)),
  shuffled("PSHUFD", "66 0F 70 /r ib | xmm, xmm/m128, imm8 | sse", "sse2", dwordIndex),
  ...alignRight,
  ...floatShuffles,
];
