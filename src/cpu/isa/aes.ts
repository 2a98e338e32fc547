// AES-NI (FIPS 197 §5, SDM 2A "AESENC"). The state is a column after the other: byte 4c + r is row r of column c.
//
// The S-box is looked up sixteen bytes at a time: sixteen tables of sixteen entries, of which `i8x16.swizzle` gives 0 for every
// index that belongs to another.
import type { Builder } from "../ir/builder.ts";
import { routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { type Instruction, instruction } from "./instruction.ts";
import { bytes, every, immediate, shuffle, vector, vectorOf, zero } from "./packed.ts";
import type { Sem } from "./sem.ts";

const times = <T>(n: number, f: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => f(i));

/** Product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197 §4.2). */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let x = a, y = b; y !== 0; y >>= 1) {
    if (y & 1) product ^= x;
    x = (x << 1) ^ (x & 0x80 ? 0x11b : 0);
  }
  return product;
}

/** SBOX(): multiplicative inverse, then an affine map (FIPS 197 §5.1.1). */
function substitution(): number[] {
  return times(256, (x) => {
    let inverse = 255;
    while (inverse > 0 && multiply(x, inverse) !== 1) inverse--;
    const rotated = times(5, (i) => ((inverse << i) | (inverse >> (8 - i))) & 0xff);
    return rotated.reduce((sum, r) => sum ^ r, 0x63);
  });
}

/** INVSBOX() (FIPS 197 §5.3.2). */
function substitutionInverse(): number[] {
  const forward = substitution();
  return times(256, (y) => forward.indexOf(y));
}

function defineSubstitution(name: string, makeTable: () => readonly number[]): Routine {
  return routine(name, ["v128"], "v128", (b, state) => {
    const table = makeTable();
    const found = times(16, (high) => {
      const index = b.op("v128.xor", "v128", state, every(b, 1, high << 4));
      return b.op("i8x16.swizzle", "v128", bytes(b, table.slice(high * 16, high * 16 + 16)), index);
    });
    b.return(found.reduce((sum, part) => b.op("v128.or", "v128", sum, part)));
  });
}

/** SubBytes and InvSubBytes (FIPS 197 §5.1.1, §5.3.2). */
const substitute = defineSubstitution("aes.sub", substitution);
const substituteInverse = defineSubstitution("aes.subInverse", substitutionInverse);

/** Byte 4c + r comes from column c + shift × r, row r + rotation. */
function permute(b: Builder, v: Expr, shift: number, rotation: number): Expr {
  const from = times(16, (i) => 4 * (((i >> 2) + shift * (i & 3)) & 3) + ((i + rotation) & 3));
  return shuffle(b, from, v, v);
}
const shiftRows = (b: Builder, v: Expr): Expr => permute(b, v, 1, 0);
const shiftRowsInverse = (b: Builder, v: Expr): Expr => permute(b, v, 3, 0);
/** Each byte replaced by the one `n` rows below it. */
const rotate = (b: Builder, v: Expr, n: number): Expr => permute(b, v, 0, n);

const xor = (b: Builder, x: Expr, y: Expr): Expr => b.op("v128.xor", "v128", x, y);

/** XTIMES (FIPS 197 §4.2): every byte times 2. */
function double(b: Builder, v: Expr): Expr {
  const reduced = b.op("v128.and", "v128", b.op("i8x16.lt_s", "v128", v, zero(b)), every(b, 1, 0x1b));
  return xor(b, b.op("i8x16.add", "v128", v, v), reduced);
}

/** MixColumns (FIPS 197 §5.1.3): 2·s0 + 3·s1 + s2 + s3 = 2·(s0 + s1) + s1 + (s2 + s3). */
function mix(b: Builder, v: Expr): Expr {
  const below = rotate(b, v, 1);
  const sum = xor(b, v, below);
  return xor(b, xor(b, double(b, sum), below), rotate(b, sum, 2));
}

/** InvMixColumns (FIPS 197 §5.3.3): its matrix is MixColumns' times one that adds 4·(s0 + s2) to each. */
const mixInverse: Routine = routine("aes.mixInverse", ["v128"], "v128", (b, state) => {
  const quadruple = double(b, double(b, xor(b, state, rotate(b, state, 2))));
  b.return(mix(b, xor(b, state, quadruple)));
});

/** A round: the destination is the state, the source the round key. */
function round(name: string, opcode: string, transform: (o: Sem, state: Expr) => Expr): Instruction {
  return instruction(name, {
    forms: [`66 0F 38 ${opcode} /r | xmm, xmm/m128 | sse`],
    access: "rw r",
    feature: "aes",
    sem: (o, [dst, src]) => {
      const key = vectorOf(o, src);
      o.write(dst, xor(o, transform(o, o.read(dst)), key));
    },
  });
}

/** AES-NI. */
export const aes: readonly Instruction[] = [
  round("AESENC", "DC", (o, state) => mix(o, o.call(substitute, shiftRows(o, state)))),
  round("AESENCLAST", "DD", (o, state) => o.call(substitute, shiftRows(o, state))),
  round("AESDEC", "DE", (o, state) => o.call(mixInverse, o.call(substituteInverse, shiftRowsInverse(o, state)))),
  round("AESDECLAST", "DF", (o, state) => o.call(substituteInverse, shiftRowsInverse(o, state))),
  instruction("AESIMC", {
    forms: ["66 0F 38 DB /r | xmm, xmm/m128 | sse"],
    access: "w r",
    feature: "aes",
    sem: (o, [dst, src]) => o.write(dst, o.call(mixInverse, vectorOf(o, src))),
  }),
  instruction("AESKEYGENASSIST", {
    forms: ["66 0F 3A DF /r ib | xmm, xmm/m128, imm8 | sse"],
    access: "w r r",
    feature: "aes",
    // SubWord of dwords 1 and 3, each as it is and rotated with the round constant added (SDM 2A "AESKEYGENASSIST").
    sem: (o, [dst, src]) => {
      const words = o.call(substitute, vectorOf(o, src));
      const arranged = shuffle(o, [4, 5, 6, 7, 5, 6, 7, 4, 12, 13, 14, 15, 13, 14, 15, 12], words, words);
      const constant = o.op("v128.and", "v128", o.op("i32x4.splat", "v128", immediate(o)), vector(o, 4, [0, -1, 0, -1]));
      o.write(dst, xor(o, arranged, constant));
    },
  }),
];
