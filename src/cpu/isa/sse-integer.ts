// Packed integer instructions of MMX, SSE2, SSSE3, SSE4.1 and SSE4.2, in both register widths where both exist (SDM 1 §5.4, §5.6.3,
// §5.8, §5.10, §5.11).
import type { Expr } from "../ir/types.ts";
import { type Instruction, instruction } from "./instruction.ts";
import {
  every,
  gathered,
  immediate,
  iota,
  lanes,
  low64,
  packed,
  type Packed,
  pick,
  shuffle,
  vector,
  vectorOf,
  type Widths,
  zero,
} from "./packed.ts";

const MMX: Widths = { mm: "mmx", xmm: "sse2" };
/** Added to MMX by SSE, and by SSE2. */
const SSE: Widths = { mm: "sse", xmm: "sse2" };
const SSE2: Widths = { mm: "sse2", xmm: "sse2" };
const SSSE3: Widths = { mm: "ssse3", xmm: "ssse3" };
const SSE41: Widths = { xmm: "sse4_1" };
const SSE42: Widths = { xmm: "sse4_2" };

/** Lane by lane operators that WebAssembly has too: name, opcode, widths, operator. */
// oxfmt-ignore
const DIRECT: readonly (readonly [name: string, opcode: string, widths: Widths, operator: string])[] = [
  ["PADDB", "0F FC", MMX, "i8x16.add"], ["PADDW", "0F FD", MMX, "i16x8.add"], ["PADDD", "0F FE", MMX, "i32x4.add"], ["PADDQ", "0F D4", SSE2, "i64x2.add"],
  ["PADDSB", "0F EC", MMX, "i8x16.add_sat_s"], ["PADDSW", "0F ED", MMX, "i16x8.add_sat_s"],
  ["PADDUSB", "0F DC", MMX, "i8x16.add_sat_u"], ["PADDUSW", "0F DD", MMX, "i16x8.add_sat_u"],
  ["PSUBB", "0F F8", MMX, "i8x16.sub"], ["PSUBW", "0F F9", MMX, "i16x8.sub"], ["PSUBD", "0F FA", MMX, "i32x4.sub"], ["PSUBQ", "0F FB", SSE2, "i64x2.sub"],
  ["PSUBSB", "0F E8", MMX, "i8x16.sub_sat_s"], ["PSUBSW", "0F E9", MMX, "i16x8.sub_sat_s"],
  ["PSUBUSB", "0F D8", MMX, "i8x16.sub_sat_u"], ["PSUBUSW", "0F D9", MMX, "i16x8.sub_sat_u"],
  ["PMULLW", "0F D5", MMX, "i16x8.mul"], ["PMADDWD", "0F F5", MMX, "i32x4.dot_i16x8_s"],
  ["PAVGB", "0F E0", SSE, "i8x16.avgr_u"], ["PAVGW", "0F E3", SSE, "i16x8.avgr_u"],
  ["PMINUB", "0F DA", SSE, "i8x16.min_u"], ["PMAXUB", "0F DE", SSE, "i8x16.max_u"], ["PMINSW", "0F EA", SSE, "i16x8.min_s"], ["PMAXSW", "0F EE", SSE, "i16x8.max_s"],
  ["PCMPEQB", "0F 74", MMX, "i8x16.eq"], ["PCMPEQW", "0F 75", MMX, "i16x8.eq"], ["PCMPEQD", "0F 76", MMX, "i32x4.eq"],
  ["PCMPGTB", "0F 64", MMX, "i8x16.gt_s"], ["PCMPGTW", "0F 65", MMX, "i16x8.gt_s"], ["PCMPGTD", "0F 66", MMX, "i32x4.gt_s"],
  ["PAND", "0F DB", MMX, "v128.and"], ["POR", "0F EB", MMX, "v128.or"], ["PXOR", "0F EF", MMX, "v128.xor"],
  ["PMINSB", "0F 38 38", SSE41, "i8x16.min_s"], ["PMAXSB", "0F 38 3C", SSE41, "i8x16.max_s"],
  ["PMINUW", "0F 38 3A", SSE41, "i16x8.min_u"], ["PMAXUW", "0F 38 3E", SSE41, "i16x8.max_u"],
  ["PMINSD", "0F 38 39", SSE41, "i32x4.min_s"], ["PMAXSD", "0F 38 3D", SSE41, "i32x4.max_s"],
  ["PMINUD", "0F 38 3B", SSE41, "i32x4.min_u"], ["PMAXUD", "0F 38 3F", SSE41, "i32x4.max_u"],
  ["PMULLD", "0F 38 40", SSE41, "i32x4.mul"], ["PCMPEQQ", "0F 38 29", SSE41, "i64x2.eq"], ["PCMPGTQ", "0F 38 37", SSE42, "i64x2.gt_s"],
];

/** Packs: source lanes of both operands become half as wide, saturated. */
// oxfmt-ignore
const PACKS: typeof DIRECT = [
  ["PACKSSWB", "0F 63", MMX, "i8x16.narrow_i16x8_s"], ["PACKUSWB", "0F 67", MMX, "i8x16.narrow_i16x8_u"],
  ["PACKSSDW", "0F 6B", MMX, "i16x8.narrow_i32x4_s"], ["PACKUSDW", "0F 38 2B", SSE41, "i16x8.narrow_i32x4_u"],
];

/** Upper halves of 16-bit products. */
const multiplyHigh =
  (sign: "s" | "u"): Packed =>
  (o, a, b) => {
    const product = (part: "low" | "high"): Expr => o.op(`i32x4.extmul_${part}_i16x8_${sign}`, "v128", a, b);
    return shuffle(o, pick(2, [1, 3, 5, 7, 9, 11, 13, 15]), product("low"), product("high"));
  };

/** Products of the even 32-bit lanes, 64 bits wide. */
const multiplyEven =
  (sign: "s" | "u"): Packed =>
  (o, a, b) => {
    const even = (v: Expr): Expr => shuffle(o, pick(4, [0, 2, 0, 2]), v, v);
    return o.op(`i64x2.extmul_low_i32x4_${sign}`, "v128", even(a), even(b));
  };

/** (a × b + 4000h) >> 15, where WebAssembly saturates the one product, 8000h × 8000h, that the processor wraps. */
const multiplyRound: Packed = (o, a, b) => {
  const least = every(o, 2, 0x8000);
  const both = o.op("v128.and", "v128", o.op("i16x8.eq", "v128", a, least), o.op("i16x8.eq", "v128", b, least));
  return o.op("v128.xor", "v128", o.op("i16x8.q15mulr_sat_s", "v128", a, b), both);
};

/** Unsigned bytes of `a` times signed bytes of `b`, neighbours added with saturation. Single products fit 16 bits. */
const multiplyAddBytes: Packed = (o, a, b) => {
  const by8 = (op: string, v: Expr): Expr => o.op(`i16x8.${op}`, "v128", v, o.i32(8));
  const even = o.op("i16x8.mul", "v128", by8("shr_u", by8("shl", a)), by8("shr_s", by8("shl", b)));
  const odd = o.op("i16x8.mul", "v128", by8("shr_u", a), by8("shr_s", b));
  return o.op("i16x8.add_sat_s", "v128", even, odd);
};

/** Sums of absolute byte differences, one for each half. */
const sumDifferences: Packed = (o, a, b) => {
  const difference = o.op("v128.or", "v128", o.op("i8x16.sub_sat_u", "v128", a, b), o.op("i8x16.sub_sat_u", "v128", b, a));
  const fours = o.op("i32x4.extadd_pairwise_i16x8_u", "v128", o.op("i16x8.extadd_pairwise_i8x16_u", "v128", difference));
  const low = o.op("v128.and", "v128", fours, vector(o, 4, [-1, 0, -1, 0]));
  return o.op("i64x2.add", "v128", low, o.op("i64x2.shr_u", "v128", fours, o.i32(32)));
};

const andNot: Packed = (o, a, b) => o.op("v128.andnot", "v128", b, a);

/** Negates the lanes of `a` where `b` is negative, clears them where it is 0. */
const sign =
  (shape: string, width: number): Packed =>
  (o, a, b) => {
    const negative = o.op(`${shape}.shr_s`, "v128", b, o.i32(width - 1));
    const signed = o.op(`${shape}.sub`, "v128", o.op("v128.xor", "v128", a, negative), negative);
    return o.op("v128.andnot", "v128", signed, o.op(`${shape}.eq`, "v128", b, zero(o)));
  };

const absolute =
  (shape: string): Packed =>
  (o, _, b) =>
    o.op(`${shape}.abs`, "v128", b);

/** Lane 0 op lane 1, lane 2 op lane 3, … of `a`, then of `b`. */
const horizontal =
  (size: 2 | 4, operator: string): Packed =>
  (o, a, b) => {
    const second = (first: number): number[] => Array.from({ length: 16 / size }, (_, i) => 2 * i + first);
    const spread = (first: number): Expr => shuffle(o, pick(size, second(first)), a, b);
    return o.op(operator, "v128", spread(0), spread(1));
  };

/** Eight sums of four absolute byte differences: the source's group imm8[1:0] against the destination's groups from byte 4 × imm8[2] on. */
const multipleSums: Instruction = instruction("MPSADBW", {
  forms: ["66 0F 3A 42 /r ib | xmm, xmm/m128, imm8 | sse"],
  access: "rw r r",
  feature: "sse4_1",
  sem: (o, [dst, src]) => {
    const group = vectorOf(o, src);
    const windows = o.read(dst);
    const control = immediate(o);
    const at = (n: Expr): Expr => o.op("i8x16.splat", "v128", n);
    const words = (v: Expr, index: Expr): Expr => o.op("i16x8.extend_low_i8x16_u", "v128", o.op("i8x16.swizzle", "v128", v, index));
    const difference = (k: number): Expr => {
      const window = o.op("i8x16.add", "v128", iota(o), at(o.add(o.and(control, 4), k)));
      const fixed = at(o.add(o.shl(o.and(control, 3), 2), k));
      return o.op("i16x8.abs", "v128", o.op("i16x8.sub", "v128", words(windows, window), words(group, fixed)));
    };
    o.write(
      dst,
      [1, 2, 3].reduce((sum, k) => o.op("i16x8.add", "v128", sum, difference(k)), difference(0)),
    );
  },
});

/** The least of eight words and where it was first; each word carries its number along as the low bits of a key. */
const leastWord: Instruction = instruction("PHMINPOSUW", {
  forms: ["66 0F 38 41 /r | xmm, xmm/m128 | sse"],
  access: "w r",
  feature: "sse4_1",
  sem: (o, [dst, src]) => {
    const v = vectorOf(o, src);
    const keys = (part: "low" | "high", first: number): Expr => {
      const wide = o.op(`i32x4.extend_${part}_i16x8_u`, "v128", v);
      return o.op(
        "v128.or",
        "v128",
        o.op("i32x4.shl", "v128", wide, o.i32(3)),
        vector(
          o,
          4,
          [0, 1, 2, 3].map((i) => first + i),
        ),
      );
    };
    const least = (a: Expr, b: Expr): Expr => o.op("i32x4.min_u", "v128", a, b);
    const four = least(keys("low", 0), keys("high", 4));
    const two = least(four, shuffle(o, pick(4, [2, 3, 0, 1]), four, four));
    const one = least(two, shuffle(o, pick(4, [1, 0, 3, 2]), two, two));
    const key = o.extU(o.opImm("i32x4.extract_lane", "i32", 0, one));
    o.write(dst, low64(o, o.or(o.shrU(key, 3), o.shl(o.and(key, 7n), 16))));
  },
});

const test: Instruction = instruction("PTEST", {
  forms: ["66 0F 38 17 /r | xmm, xmm/m128 | sse"],
  access: "r r",
  flags: "CF PF AF ZF SF OF",
  feature: "sse4_1",
  sem: (o, [dst, src]) => {
    const b = vectorOf(o, src);
    const a = o.read(dst);
    const none = (v: Expr): Expr => o.not(o.op("v128.any_true", "i32", v));
    const zf = none(o.op("v128.and", "v128", b, a));
    o.setArithmetic(o.or(o.shl(zf, 6), none(o.op("v128.andnot", "v128", b, a))));
  },
});

/** Packed integer arithmetic and comparison. */
export const sseInteger: readonly Instruction[] = [
  ...DIRECT.flatMap(([name, opcode, widths, operator]) => packed(name, opcode, widths, lanes(operator))),
  ...PACKS.flatMap(([name, opcode, widths, operator]) => gathered(name, opcode, widths, lanes(operator))),
  ...packed("PANDN", "0F DF", MMX, andNot),
  ...packed("PMULHW", "0F E5", MMX, multiplyHigh("s")),
  ...packed("PMULHUW", "0F E4", SSE, multiplyHigh("u")),
  ...packed("PMULUDQ", "0F F4", SSE2, multiplyEven("u")),
  ...packed("PMULDQ", "0F 38 28", SSE41, multiplyEven("s")),
  ...packed("PMULHRSW", "0F 38 0B", SSSE3, multiplyRound),
  ...packed("PMADDUBSW", "0F 38 04", SSSE3, multiplyAddBytes),
  ...packed("PSADBW", "0F F6", SSE, sumDifferences),
  ...packed("PSIGNB", "0F 38 08", SSSE3, sign("i8x16", 8)),
  ...packed("PSIGNW", "0F 38 09", SSSE3, sign("i16x8", 16)),
  ...packed("PSIGND", "0F 38 0A", SSSE3, sign("i32x4", 32)),
  ...packed("PABSB", "0F 38 1C", SSSE3, absolute("i8x16")),
  ...packed("PABSW", "0F 38 1D", SSSE3, absolute("i16x8")),
  ...packed("PABSD", "0F 38 1E", SSSE3, absolute("i32x4")),
  ...gathered("PHADDW", "0F 38 01", SSSE3, horizontal(2, "i16x8.add")),
  ...gathered("PHADDD", "0F 38 02", SSSE3, horizontal(4, "i32x4.add")),
  ...gathered("PHADDSW", "0F 38 03", SSSE3, horizontal(2, "i16x8.add_sat_s")),
  ...gathered("PHSUBW", "0F 38 05", SSSE3, horizontal(2, "i16x8.sub")),
  ...gathered("PHSUBD", "0F 38 06", SSSE3, horizontal(4, "i32x4.sub")),
  ...gathered("PHSUBSW", "0F 38 07", SSSE3, horizontal(2, "i16x8.sub_sat_s")),
  multipleSums,
  leastWord,
  test,
];
