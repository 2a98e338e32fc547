// String comparison of SSE4.2: PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (SDM 2B §4.1).
//
// imm8:   7     6        5 4        3 2           1        0
//       ┌───┬────────┬──────────┬─────────────┬────────┬───────┐
//       │ 0 │ output │ polarity │ aggregation │ signed │ words │
//       └───┴────────┴──────────┴─────────────┴────────┴───────┘
//
// `a` is the destination (the set, the ranges, the needle), `b` the source (the text). Sets of elements are bit masks, element 0
// in bit 0.
import type { Builder } from "../ir/builder.ts";
import { routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { XMM } from "../state.ts";
import { type Instruction, instruction, type Operands } from "./instruction.ts";
import { every, immediate, low64, shuffle, vectorBy, zero } from "./packed.ts";
import { REG, type Sem } from "./sem.ts";

const IMM = { words: 1, signed: 2, aggregation: 2, polarity: 4, last: 0x40, expand: 0x40 } as const;
/** Length argument that says: up to the first element that is 0. */
const IMPLICIT = -1;
/** In a comparison's result above the 16 elements: the strings end inside their registers. */
const ENDS = { a: 16, b: 17 } as const;

/** The operators of elements of `size` bytes. */
class Elements {
  readonly count: number;
  readonly #b: Builder;
  readonly #size: 1 | 2;
  readonly #shape: string;

  constructor(b: Builder, size: 1 | 2) {
    this.#b = b;
    this.#size = size;
    this.count = 16 / size;
    this.#shape = size === 1 ? "i8x16" : "i16x8";
  }

  /** Elements of `x` and `y` for which a comparison holds, as a mask. */
  where(comparison: "eq" | "ge_s" | "le_s", x: Expr, y: Expr): Expr {
    return this.#b.op(`${this.#shape}.bitmask`, "i32", this.#b.op(`${this.#shape}.${comparison}`, "v128", x, y));
  }

  /** Element number `lane` everywhere. */
  everywhere(v: Expr, lane: 0 | 1): Expr {
    return this.#b.op(`${this.#shape}.splat`, "v128", this.#b.opImm(`${this.#shape}.extract_lane_u`, "i32", lane, v));
  }

  /** Moves all elements down by `by`. */
  down(v: Expr, by: 1 | 2): Expr {
    const from = Array.from({ length: 16 }, (_, i) => (i + by * this.#size) & 15);
    return shuffle(this.#b, from, v, v);
  }

  /** The smallest signed element everywhere: xor with it turns unsigned order into signed. */
  least(): Expr {
    return every(this.#b, this.#size, this.#size === 1 ? 0x80 : 0x8000);
  }

  /** How many elements a string has: its length, at most all, or up to its end mark. */
  length(v: Expr, given: Expr): Expr {
    const b = this.#b;
    const marked = b.ctz(b.or(this.where("eq", v, zero(b)), 1 << this.count));
    return b.select(b.eq(given, IMPLICIT), marked, b.select(b.gtU(given, this.count), b.i32(this.count), given));
  }
}

/** Walks `a`'s elements in steps: `body` gets those left, the first one lowest, and the number of the first. */
function walk(b: Builder, e: Elements, a: Expr, length: Expr, step: 1 | 2, body: (left: Expr, i: Expr) => void): void {
  const left = b.variable(a);
  const i = b.variable(b.i32(0));
  b.while(
    () => b.leU(b.add(b.get(i), step), length),
    () => {
      body(b.get(left), b.get(i));
      b.set(left, e.down(b.get(left), step));
      b.set(i, b.add(b.get(i), step));
    },
  );
}

/** (a, b, length of a, length of b, imm8) → IntRes2 with ENDS. Lengths may be IMPLICIT. */
function defineCompare(size: 1 | 2): Routine {
  return routine(`string.compare${size * 8}`, ["v128", "v128", "i32", "i32", "i32"], "i32", (b, set, text, setGiven, textGiven, imm) => {
    const e = new Elements(b, size);
    const setLength = e.length(set, setGiven);
    const textLength = e.length(text, textGiven);
    const full = (1 << e.count) - 1;
    const valid = (length: Expr): Expr => b.sub(b.shl(b.i32(1), length), 1);
    const validText = valid(textLength);
    const result = b.variable(b.i32(0));
    const add = (mask: Expr): void => b.set(result, b.or(b.get(result), mask));
    const equalAny = (): void => {
      walk(b, e, set, setLength, 1, (left) => add(e.where("eq", text, e.everywhere(left, 0))));
      b.set(result, b.and(b.get(result), validText));
    };
    const ranges = (): void => {
      const flip = b.select(b.and(imm, IMM.signed), zero(b), e.least());
      const signed = b.op("v128.xor", "v128", text, flip);
      walk(b, e, b.op("v128.xor", "v128", set, flip), setLength, 2, (left) => {
        add(b.and(e.where("ge_s", signed, e.everywhere(left, 0)), e.where("le_s", signed, e.everywhere(left, 1))));
      });
      b.set(result, b.and(b.get(result), validText));
    };
    const equalEach = (): void => {
      const validSet = valid(setLength);
      const equal = b.and(b.and(e.where("eq", set, text), validSet), validText);
      // Elements behind both ends are equal too.
      b.set(result, b.or(equal, b.and(b.xor(b.or(validSet, validText), -1), full)));
    };
    const equalOrdered = (): void => {
      b.set(result, b.i32(full));
      walk(b, e, set, setLength, 1, (left, i) => {
        // What would lie beyond the register is not compared.
        const equal = b.or(b.and(e.where("eq", text, e.everywhere(left, 0)), validText), ~full);
        b.set(result, b.and(b.get(result), b.shrU(equal, i)));
      });
    };
    b.switch(b.and(b.shrU(imm, IMM.aggregation), 3), [equalAny, ranges, equalEach], equalOrdered);
    // Polarity 1 negates all elements, 3 those of the text.
    const polarity = b.and(b.shrU(imm, IMM.polarity), 3);
    const negated = b.select(b.and(polarity, 1), b.select(b.and(polarity, 2), validText, b.i32(full)), b.i32(0));
    const ends = b.or(b.shl(b.ltU(setLength, e.count), ENDS.a), b.shl(b.ltU(textLength, e.count), ENDS.b));
    b.return(b.or(b.xor(b.get(result), negated), ends));
  });
}

const compareBytes = defineCompare(1);
const compareWords = defineCompare(2);

/** |n|, at most 16; the sign is that of the register's width. */
function explicitLength(o: Sem, register: number, width: number): Expr {
  const n = o.sext(o.reg(register, width), width);
  const magnitude = o.select(o.ltS(n, 0n), o.sub(o.i64(0), n), n);
  return o.wrap(o.select(o.gtU(magnitude, 16n), o.i64(16), magnitude));
}

/** ECX: the first or last element of the set, or how many there could be. */
function writeIndex(o: Sem, found: Expr): void {
  const none = o.select(o.and(immediate(o), IMM.words), o.i32(8), o.i32(16));
  const end = o.select(o.and(immediate(o), IMM.last), o.sub(o.i32(31), o.clz(found)), o.ctz(found));
  o.setReg(REG.rcx, 32, o.extU(o.select(found, end, none)));
}

/** XMM0: the bits, or a mask of whole elements. */
function writeMask(o: Sem, found: Expr): void {
  const both = o.op("i16x8.splat", "v128", found);
  const spread = (v: Expr, shape: string, bits: Expr): Expr => o.op(`${shape}.eq`, "v128", o.op("v128.and", "v128", v, bits), bits);
  const byteOf = Array.from({ length: 16 }, (_, i) => i >> 3);
  const power = (i: number): number => 1 << (i & 7);
  const asBytes = spread(shuffle(o, byteOf, both, both), "i8x16", vectorBy(o, 1, power));
  const asWords = spread(both, "i16x8", vectorBy(o, 2, power));
  const expanded = o.select(o.and(immediate(o), IMM.words), asWords, asBytes);
  const mask = o.select(o.and(immediate(o), IMM.expand), expanded, low64(o, o.extU(found)));
  o.store("v128.store", o.base(), mask, XMM);
}

type Lengths = (o: Sem, width: number) => readonly [a: Expr, b: Expr];

const explicit: Lengths = (o, width) => [explicitLength(o, REG.rax, width), explicitLength(o, REG.rdx, width)];
const implicit: Lengths = (o) => [o.i32(IMPLICIT), o.i32(IMPLICIT)];

function compare(o: Sem, [dst, src]: Operands, lengths: readonly [Expr, Expr]): Expr {
  const b = o.read(src);
  const a = o.read(dst);
  const imm = immediate(o);
  return o.choose(
    o.and(imm, IMM.words),
    () => o.call(compareWords, a, b, ...lengths, imm),
    () => o.call(compareBytes, a, b, ...lengths, imm),
  );
}

function define(name: string, opcode: string, lengths: Lengths, write: (o: Sem, found: Expr) => void): Instruction {
  const row = (rex: string): string => `66 ${rex}0F 3A ${opcode} /r ib | xmm, xmm/m128, imm8 | sse`;
  return instruction(name, {
    // REX.W makes the lengths 64 bits wide.
    forms: lengths === explicit ? [row(""), row("REX.W + ")] : [row("")],
    access: "r r r",
    flags: "CF PF AF ZF SF OF",
    feature: "sse4_2",
    sem: (o, operands, form) => {
      const result = compare(o, operands, lengths(o, form.rexW ? 64 : 32));
      const found = o.and(result, 0xffff);
      write(o, found);
      const bit = (from: number, to: number): Expr => o.shl(o.and(o.shrU(result, from), 1), to);
      o.setArithmetic(o.or(o.or(o.ne(found, 0), bit(ENDS.b, 6)), o.or(bit(ENDS.a, 7), bit(0, 11))));
    },
  });
}

/** The four string comparisons. */
export const sseString: readonly Instruction[] = [
  define("PCMPESTRM", "60", explicit, writeMask),
  define("PCMPESTRI", "61", explicit, writeIndex),
  define("PCMPISTRM", "62", implicit, writeMask),
  define("PCMPISTRI", "63", implicit, writeIndex),
];
