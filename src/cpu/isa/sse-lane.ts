// Single lanes of vectors: blends, inserts, extracts, sign masks, and lanes made wider (SDM 1 §5.5.3, §5.6.3, §5.10.4, §5.10.7, §5.10.8).
import type { Expr } from "../ir/types.ts";
import { type Instruction, instruction, type Operand } from "./instruction.ts";
import { enterMmx, half, immediate, iota, vectorBy, vectorOf, writeVector, x87Pending } from "./packed.ts";
import type { Sem } from "./sem.ts";

type Size = 1 | 2 | 4 | 8;

const SHAPE: Readonly<Record<Size, string>> = { 1: "i8x16", 2: "i16x8", 4: "i32x4", 8: "i64x2" };
const splat = (o: Sem, size: Size, i32: Expr): Expr => o.op(`${SHAPE[size]}.splat`, "v128", size === 8 ? o.extU(i32) : i32);
const equal = (o: Sem, size: Size, a: Expr, b: Expr): Expr => o.op(`${SHAPE[size]}.eq`, "v128", a, b);
/** `a` where `mask` has ones, `b` elsewhere. */
const choose = (o: Sem, mask: Expr, a: Expr, b: Expr): Expr => o.op("v128.bitselect", "v128", a, b, mask);

// ── blend ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** All ones in lanes of `size` bytes whose bit in the low bits of `i32` is set. */
function bitMask(o: Sem, size: Size, i32: Expr): Expr {
  const bits = vectorBy(o, size, (i) => 1 << i);
  return equal(o, size, o.op("v128.and", "v128", splat(o, size, i32), bits), bits);
}

/** Lanes of the source where the immediate's bits, or the sign bits of XMM0's lanes, say so. */
function blend(name: string, row: string, size: Size): Instruction {
  return instruction(name, {
    forms: [row],
    access: "rw r r",
    feature: "sse4_1",
    sem: (o, [dst, src, control]) => {
      const b = vectorOf(o, src);
      const mask =
        control.kind === "imm"
          ? bitMask(o, size, immediate(o))
          : o.op(`${SHAPE[size]}.shr_s`, "v128", o.read(control), o.i32(size * 8 - 1));
      o.write(dst, choose(o, mask, b, o.read(dst)));
    },
  });
}

// ── insert and extract ────────────────────────────────────────────────────────────────────────────────────────────────────

/** Replaces lane number `lane` (i32) by an i32 or i64. */
function replaceLane(o: Sem, v: Expr, size: Size, lane: Expr, value: Expr): Expr {
  const chosen = equal(
    o,
    size,
    vectorBy(o, size, (i) => i),
    splat(o, size, lane),
  );
  return choose(o, chosen, o.op(`${SHAPE[size]}.splat`, "v128", value), v);
}

/** Moves lane number `lane` (i32) to lane 0. */
function laneDown(o: Sem, v: Expr, size: Size, lane: Expr): Expr {
  const from = o.op("i8x16.add", "v128", iota(o), o.op("i8x16.splat", "v128", o.mul(lane, size)));
  return o.op("i8x16.swizzle", "v128", v, from);
}

/** The lane that the immediate's low bits name, of an XMM or MMX register. */
const laneOf = (o: Sem, register: Operand, size: Size): Expr => o.and(immediate(o), (register.width >> 3) / size - 1);

function insert(name: string, forms: readonly string[], size: Size, feature: string): Instruction {
  return instruction(name, {
    forms,
    access: "rw r r",
    feature,
    sem: (o, [dst, src]) => {
      if (dst.kind === "mm") x87Pending(o);
      const value = o.read(src);
      writeVector(o, dst, replaceLane(o, vectorOf(o, dst), size, laneOf(o, dst, size), size === 8 ? value : o.wrap(value)));
    },
  });
}

/** A register destination is `r32`: written whole, zero-extended, however narrow the lane. */
function extract(name: string, forms: readonly string[], size: Size, feature: string): Instruction {
  return instruction(name, {
    forms,
    access: "w r r",
    feature,
    sem: (o, [dst, src]) => {
      if (src.kind === "mm") x87Pending(o);
      const lane = half(o, laneDown(o, vectorOf(o, src), size, laneOf(o, src, size)), 0);
      if (src.kind === "mm") enterMmx(o);
      o.write(dst, o.zext(lane, size * 8));
    },
  });
}

/** imm8: bits 7–6 the source's lane (a register's), 5–4 the destination's, 3–0 lanes to clear. */
const insertPs: Instruction = instruction("INSERTPS", {
  forms: ["66 0F 3A 21 /r ib | xmm, xmm/m32, imm8 | sse"],
  access: "rw r r",
  feature: "sse4_1",
  sem: (o, [dst, src]) => {
    const control = immediate(o);
    const from = src.kind === "mem" ? vectorOf(o, src) : laneDown(o, vectorOf(o, src), 4, o.shrU(control, 6));
    const value = o.opImm("i32x4.extract_lane", "i32", 0, from);
    const inserted = replaceLane(o, o.read(dst), 4, o.and(o.shrU(control, 4), 3), value);
    o.write(dst, o.op("v128.andnot", "v128", inserted, bitMask(o, 4, control)));
  },
});

// ── masks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The sign bits of all lanes as an integer. */
function signs(name: string, rows: readonly string[], shape: string, feature: string): Instruction {
  return instruction(name, {
    forms: rows,
    access: "w r",
    feature,
    sem: (o, [dst, src]) => {
      if (src.kind === "mm") x87Pending(o);
      const mask = o.op(`${shape}.bitmask`, "i32", vectorOf(o, src));
      const value = src.kind === "mm" ? o.and(mask, 0xff) : mask;
      if (src.kind === "mm") enterMmx(o);
      o.write(dst, o.extU(value));
    },
  });
}

// ── wider lanes ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** PMOVSXBW … PMOVZXDQ: the low lanes, two, four or eight times as wide. */
function extend(name: string, opcode: string, sign: "s" | "u", from: number, to: number): Instruction {
  return instruction(name, {
    forms: [`66 0F 38 ${opcode} /r | xmm, xmm/m${(128 * from) / to} | sse`],
    access: "w r",
    feature: "sse4_1",
    sem: (o, [dst, src]) => {
      let v = vectorOf(o, src);
      for (let width = from; width < to; width *= 2)
        v = o.op(`i${width * 2}x${64 / width}.extend_low_i${width}x${128 / width}_${sign}`, "v128", v);
      o.write(dst, v);
    },
  });
}

// oxfmt-ignore
const WIDER: readonly (readonly [suffix: string, low: string, from: number, to: number])[] = [
  ["BW", "0", 8, 16], ["BD", "1", 8, 32], ["BQ", "2", 8, 64], ["WD", "3", 16, 32], ["WQ", "4", 16, 64], ["DQ", "5", 32, 64],
];

/** Blends, inserts, extracts, sign masks and extensions. */
export const sseLane: readonly Instruction[] = [
  blend("PBLENDW", "66 0F 3A 0E /r ib | xmm, xmm/m128, imm8 | sse", 2),
  blend("BLENDPS", "66 0F 3A 0C /r ib | xmm, xmm/m128, imm8 | sse", 4),
  blend("BLENDPD", "66 0F 3A 0D /r ib | xmm, xmm/m128, imm8 | sse", 8),
  blend("PBLENDVB", "66 0F 38 10 /r | xmm, xmm/m128, XMM0 | sse", 1),
  blend("BLENDVPS", "66 0F 38 14 /r | xmm, xmm/m128, XMM0 | sse", 4),
  blend("BLENDVPD", "66 0F 38 15 /r | xmm, xmm/m128, XMM0 | sse", 8),
  insert("PINSRW", ["NP 0F C4 /r ib | mm, r32., imm8 | mmx", "NP 0F C4 /r ib | mm, m16, imm8 | mmx"], 2, "sse"),
  insert("PINSRW", ["66 0F C4 /r ib | xmm, r32., imm8 | sse", "66 0F C4 /r ib | xmm, m16, imm8 | sse"], 2, "sse2"),
  insert("PINSRB", ["66 0F 3A 20 /r ib | xmm, r32., imm8 | sse", "66 0F 3A 20 /r ib | xmm, m8, imm8 | sse"], 1, "sse4_1"),
  insert("PINSRD", ["66 0F 3A 22 /r ib | xmm, r/m32, imm8 | sse"], 4, "sse4_1"),
  insert("PINSRQ", ["66 REX.W + 0F 3A 22 /r ib | xmm, r/m64, imm8 | sse"], 8, "sse4_1"),
  insertPs,
  extract("PEXTRW", ["NP 0F C5 /r ib | r32, mm., imm8 | mmx"], 2, "sse"),
  extract("PEXTRW", ["66 0F C5 /r ib | r32, xmm., imm8 | sse"], 2, "sse2"),
  extract("PEXTRW", ["66 0F 3A 15 /r ib | r32., xmm, imm8 | sse", "66 0F 3A 15 /r ib | m16, xmm, imm8 | sse"], 2, "sse4_1"),
  extract("PEXTRB", ["66 0F 3A 14 /r ib | r32., xmm, imm8 | sse", "66 0F 3A 14 /r ib | m8, xmm, imm8 | sse"], 1, "sse4_1"),
  extract("PEXTRD", ["66 0F 3A 16 /r ib | r/m32, xmm, imm8 | sse"], 4, "sse4_1"),
  extract("PEXTRQ", ["66 REX.W + 0F 3A 16 /r ib | r/m64, xmm, imm8 | sse"], 8, "sse4_1"),
  extract("EXTRACTPS", ["66 0F 3A 17 /r ib | r/m32, xmm, imm8 | sse"], 4, "sse4_1"),
  signs("PMOVMSKB", ["NP 0F D7 /r | r32, mm. | mmx"], "i8x16", "sse"),
  signs("PMOVMSKB", ["66 0F D7 /r | r32, xmm. | sse"], "i8x16", "sse2"),
  signs("MOVMSKPS", ["NP 0F 50 /r | r32, xmm. | sse"], "i32x4", "sse"),
  signs("MOVMSKPD", ["66 0F 50 /r | r32, xmm. | sse"], "i64x2", "sse2"),
  ...WIDER.flatMap(([suffix, low, from, to]) => [
    extend(`PMOVSX${suffix}`, `2${low}`, "s", from, to),
    extend(`PMOVZX${suffix}`, `3${low}`, "u", from, to),
  ]),
];
