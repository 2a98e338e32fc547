// MMX moves and EMMS, and what passes between MMX and SSE registers (SDM 1 §5.4.1, §5.4.7, §5.6.3). Arithmetic of both register
// widths is in sse-integer.ts, sse-shift.ts, sse-shuffle.ts and sse-lane.ts.
import type { Expr } from "../ir/types.ts";
import { at } from "../state.ts";
import { type Instruction, instruction, type Operand } from "./instruction.ts";
import { enterMmx, half, low64, x87Pending } from "./packed.ts";
import { REG, type Sem } from "./sem.ts";

/** Before a store: on silicon TOP is 0 already when it faults, while the tags have not changed (MASKMOVQ changes both). */
function beginMmx(o: Sem): void {
  o.store("i32.store8", o.base(), o.i32(0), at("ftop"));
}

/** A move that has an MMX register on one side at least. */
function move(name: string, feature: string, forms: readonly string[]): Instruction {
  return instruction(name, {
    forms: forms.map((row) => `${row} | mmx`),
    access: "w r",
    feature,
    sem: (o, [dst, src]) => {
      x87Pending(o);
      const value = o.read(src);
      beginMmx(o);
      o.write(dst, o.zext(value, dst.width));
      enterMmx(o);
    },
  });
}

/**
 * Stores the bytes of a value whose mask byte has its sign bit set, to DS:rDI (another segment by prefix). Like silicon, which
 * works in eight bytes, the upper ones first, it needs the whole operand to be writable whatever the mask is.
 */
function maskedStore(o: Sem, parts: readonly Expr[], chosen: Expr): void {
  const mask = o.addressMask();
  const at = parts.map((_, i) => o.segmentLinear(o.segmentNumber(), o.and(o.add(o.reg(REG.rdi, 64), BigInt(8 * i)), mask), 8, true));
  for (const address of at.toReversed()) o.probe(address, 64);
  for (let i = 0; i < parts.length * 8; i++) {
    const linear = o.add(at[i >> 3]!, BigInt(i & 7));
    o.if(o.and(chosen, 1 << i), () =>
      o.storeMemory(o.long ? linear : o.and(linear, 0xffff_ffffn), 8, o.zext(o.shrU(parts[i >> 3]!, 8 * (i & 7)), 8)),
    );
  }
}

/** Sign bits of a mask register's bytes. */
const chosenBytes = (o: Sem, mask: Operand): Expr =>
  o.op("i8x16.bitmask", "i32", mask.kind === "xmm" ? o.read(mask) : low64(o, o.read(mask)));

/** MMX moves and state. */
export const mmx: readonly Instruction[] = [
  move("MOVD", "mmx", ["NP 0F 6E /r | mm, r/m32", "NP 0F 7E /r | r/m32, mm"]),
  move("MOVQ", "mmx", [
    "NP REX.W + 0F 6E /r | mm, r/m64",
    "NP REX.W + 0F 7E /r | r/m64, mm",
    "NP 0F 6F /r | mm, mm/m64",
    "NP 0F 7F /r | mm/m64, mm",
  ]),
  move("MOVNTQ", "sse", ["NP 0F E7 /r | m64, mm"]),
  instruction("MOVQ2DQ", {
    forms: ["F3 0F D6 /r | xmm, mm. | mmx sse"],
    access: "w r",
    feature: "sse2",
    sem: (o, [dst, src]) => {
      x87Pending(o);
      const value = o.read(src);
      enterMmx(o);
      o.write(dst, low64(o, value));
    },
  }),
  instruction("MOVDQ2Q", {
    forms: ["F2 0F D6 /r | mm, xmm. | mmx sse"],
    access: "w r",
    feature: "sse2",
    sem: (o, [dst, src]) => {
      x87Pending(o);
      enterMmx(o);
      o.write(dst, half(o, o.read(src), 0));
    },
  }),
  instruction("MASKMOVQ", {
    forms: ["NP 0F F7 /r | mm, mm. | mmx"],
    access: "r r",
    feature: "sse",
    sem: (o, [value, mask]) => {
      x87Pending(o);
      enterMmx(o);
      maskedStore(o, [o.read(value)], chosenBytes(o, mask));
    },
  }),
  instruction("MASKMOVDQU", {
    forms: ["66 0F F7 /r | xmm, xmm. | sse"],
    access: "r r",
    feature: "sse2",
    sem: (o, [value, mask]) => {
      const v = o.read(value);
      maskedStore(o, [half(o, v, 0), half(o, v, 1)], chosenBytes(o, mask));
    },
  }),
  instruction("EMMS", {
    forms: ["NP 0F 77 | | mmx"],
    feature: "mmx",
    sem: (o) => {
      x87Pending(o);
      enterMmx(o);
      o.store("i32.store8", o.base(), o.i32(0), at("ftw"));
    },
  }),
];
