// x87 state images: FNSTENV, FLDENV, FNSAVE, FRSTOR (SDM 1 §8.1.10, §8.1.11).
//
//   32-bit protected              16-bit protected          real and virtual-8086 (32-bit / 16-bit)
//    0  FCW                        0  FCW                     as protected, but
//    4  FSW                        2  FSW                    12 /  6  FIP 15–0
//    8  FTW                        4  FTW                    16 /  8  FIP 31–16 (19–16) in bits 12 up, FOP
//   12  FIP                        6  FIP                    20 / 10  FDP 15–0
//   16  FCS, FOP in bits 16–26     8  FCS                    24 / 12  FDP 31–16 (19–16) in bits 12 up
//   20  FDP                       10  FDP
//   24  FDS                       12  FDS                    behind it, for FNSAVE: ST(0)…ST(7), 10 bytes each
//
// The upper halves of words in 32-bit images are all ones.
import { exponentOf } from "../../float/extended.ts";
import { EXPONENT_MAX } from "../../float/extended-format.ts";
import { EXCEPTIONS, FSW } from "../../float/status.ts";
import { type Builder, routine } from "../../ir/builder.ts";
import type { Expr, Routine } from "../../ir/types.ts";
import { CR0, EFLAGS } from "../../mmu/control.ts";
import { at, type StateName, X87 } from "../../state.ts";
import { type Instruction, instruction, type Operand } from "../instruction.ts";
import type { Sem } from "../sem.ts";
import { initialize, loadControl, wholeStatusWord } from "./control.ts";
import { inside } from "./move.ts";
import { begin, controlWord, fpu, headOf, isEmpty, setStatusWord, setTags, setTop, significandOf, top } from "./stack.ts";

/** Tags of the full tag word (SDM 1 figure 8-7). */
const TAG = { valid: 0, zero: 1, special: 2, empty: 3 } as const;

/** The full tag word from the abridged one and the registers' contents: (base). */
export const fullTags: Routine = routine("x87.fullTags", ["i32"], "i32", (b, base) => {
  const word = b.variable(b.i32(0));
  const n = b.variable(b.i32(7));
  b.while(
    () => b.geS(b.get(n), 0),
    () => {
      const i = b.get(n);
      b.set(word, b.or(b.shl(b.get(word), 2), b.select(isEmpty(b, base, i), b.i32(TAG.empty), tagOf(b, base, i))));
      b.set(n, b.sub(i, 1));
    },
  );
  b.return(b.get(word));
});

function tagOf(b: Builder, base: Expr, n: Expr): Expr {
  const exponent = exponentOf(b, headOf(b, base, n));
  const significand = significandOf(b, base, n);
  const small = b.select(b.ne(significand, 0n), b.i32(TAG.special), b.i32(TAG.zero));
  const ordinary = b.and(b.ne(exponent, EXPONENT_MAX), b.ltS(significand, 0n));
  return b.select(exponent, b.select(ordinary, b.i32(TAG.valid), b.i32(TAG.special)), small);
}

/** The abridged tag word of a full one: (word). */
const abridgedTags: Routine = routine("x87.abridgedTags", ["i32"], "i32", (b, word) => {
  // A pair of ones is an empty register: gather the complement of "both bits set", every second bit, into a byte.
  let e = b.and(b.xor(b.and(word, b.shrU(word, 1)), -1), 0x5555);
  for (const [shift, mask] of [
    [1, 0x3333],
    [2, 0x0f0f],
    [4, 0x00ff],
  ] as const)
    e = b.and(b.or(e, b.shrU(e, shift)), mask);
  b.return(e);
});

const pointer = (o: Sem, name: StateName): Expr => o.wrap(o.state64(name));
const selector = (o: Sem, name: StateName): Expr => o.load("i32.load16_u", o.base(), at(name));

/** 1 when images have the form of real-address mode. */
function realForm(o: Sem): Expr {
  const protectedMode = o.and(o.state("cr0"), CR0.PE);
  return o.or(o.not(protectedMode), o.ne(o.and(o.state("eflags"), EFLAGS.VM), 0));
}

/** Bits 16 up of a pointer, where images of real mode have them: from bit 12. */
const upper = (o: Sem, p: Expr, bits: number): Expr => o.and(o.shrU(p, 4), ((1 << bits) - 1) << 12);

/** Images by operand size: bytes of a word, and of the whole environment. */
interface Layout {
  readonly step: 2 | 4;
  readonly size: 14 | 28;
}

const LAYOUT = { 16: { step: 2, size: 14 }, 32: { step: 4, size: 28 } } as const satisfies Record<number, Layout>;

/** The four words behind the tag word. */
function pointers(o: Sem, { step }: Layout): Expr[] {
  const [fip, fdp, fop] = [pointer(o, "fip"), pointer(o, "fdp"), selector(o, "fop")];
  const ones = (e: Expr): Expr => (step === 4 ? o.or(e, 0xffff_0000) : e);
  const fcs = selector(o, "fcs");
  const inProtected = [fip, step === 4 ? o.or(fcs, o.shl(fop, 16)) : fcs, fdp, ones(selector(o, "fds"))];
  if (o.long) return inProtected;
  const bits = step === 4 ? 16 : 4;
  const inReal = [ones(o.and(fip, 0xffff)), o.or(upper(o, fip, bits), fop), ones(o.and(fdp, 0xffff)), upper(o, fdp, bits)];
  const real = realForm(o);
  return inProtected.map((e, i) => o.select(real, inReal[i]!, e));
}

function storeEnvironment(o: Sem, linear: Expr, layout: Layout): void {
  const { step } = layout;
  const words = [controlWord(o, o.base()), wholeStatusWord(o), o.call(fullTags, o.base())].map((e) =>
    step === 4 ? o.or(e, 0xffff_0000) : e,
  );
  [...words, ...pointers(o, layout)].forEach((e, i) => o.storeMemory(inside(o, linear, i * step), step * 8, o.extU(e)));
}

/** The four words behind the tag word: two offsets, each before its selector (and FCS below FOP). */
type Pointers = readonly [fip: Expr, fcs: Expr, fdp: Expr, fds: Expr];

/** An environment that has been read. */
interface Environment {
  readonly control: Expr;
  readonly status: Expr;
  readonly tags: Expr;
  readonly pointers: Pointers;
}

function loadEnvironment(o: Sem, linear: Expr, { step }: Layout): Environment {
  const word = (i: number): Expr => o.wrap(o.loadMemory(inside(o, linear, i * step), step * 8));
  return { control: word(0), status: word(1), tags: word(2), pointers: [word(3), word(4), word(5), word(6)] };
}

function setPointers(o: Sem, [a, c, d, e]: Pointers, { step }: Layout): void {
  const bits = step === 4 ? 16 : 4;
  const join = (low: Expr, high: Expr): Expr => o.or(o.and(low, 0xffff), o.and(o.shl(high, 4), ((1 << bits) - 1) << 16));
  const real = o.long ? o.i32(0) : realForm(o);
  const wide = step === 4 ? a : o.and(a, 0xffff);
  const far = step === 4 ? d : o.and(d, 0xffff);
  o.setState64("fip", o.extU(o.select(real, join(a, c), wide)));
  o.setState64("fdp", o.extU(o.select(real, join(d, e), far)));
  const opcode = step === 4 ? o.and(o.shrU(c, 16), 0x7ff) : o.i32(0);
  o.store("i32.store16", o.base(), o.select(real, o.and(c, 0x7ff), opcode), at("fop"));
}

function setEnvironment(o: Sem, e: Environment, layout: Layout): void {
  const base = o.base();
  setPointers(o, e.pointers, layout);
  setTop(o, base, o.shrU(e.status, 11));
  setTags(o, base, o.call(abridgedTags, e.tags));
  setStatusWord(o, base, o.and(e.status, 0xffff & ~FSW.TOP));
  loadControl(o, e.control);
}

/** All exceptions become masked (SDM 2A, FSTENV). */
function maskAll(o: Sem): void {
  loadControl(o, o.or(controlWord(o, o.base()), EXCEPTIONS));
}

/** Runs over ST(0)…ST(7): host address (X87 to be added) and linear address behind the environment. */
function eachRegister(o: Sem, linear: Expr, { size }: Layout, body: (host: Expr, address: Expr) => void): void {
  const first = inside(o, linear, size);
  const i = o.variable(o.i32(0));
  o.while(
    () => o.ltU(o.get(i), 8),
    () => {
      const offset = o.add(first, o.extU(o.mul(o.get(i), 10)));
      const n = o.and(o.add(top(o, o.base()), o.get(i)), 7);
      body(o.add(o.base(), o.shl(n, 4)), o.long ? offset : o.zext(offset, 32));
      o.set(i, o.add(o.get(i), 1));
    },
  );
}

/** The first word and the last byte are looked at before anything else, as on silicon: an image has at most two pages. */
function check(o: Sem, linear: Expr, { step }: Layout, bytes: number, write: boolean): void {
  const last = inside(o, linear, bytes - 1);
  if (write) {
    o.probe(linear, step * 8);
    o.probe(last, 8);
  } else {
    o.loadMemory(linear, step * 8);
    o.loadMemory(last, 8);
  }
}

/** Bytes at which the parts of a register lie that are moved at a time: images need not be aligned to more than 2 or 4 bytes (SDM 3A table 6-7). */
const PARTS = [0, 2, 4, 6, 8] as const;

/** Rows of an instruction with two image sizes, in bits; 64-bit operand size has the 32-bit image. */
const images = (opcode: string, small: number, large: number): string[] =>
  fpu(`${opcode} | m${small} | o16`, `${opcode} | m${large} | any`);

function image(
  name: string,
  rows: readonly string[],
  access: "r" | "w",
  meaning: (o: Sem, op: Operand, layout: Layout) => void,
): Instruction {
  return instruction(name, { forms: rows, access, sem: (o, [m], form) => meaning(o, m, LAYOUT[form.opsize === 16 ? 16 : 32]) });
}

/** Instructions that store and load the state. */
export const x87Environment: readonly Instruction[] = [
  image("FNSTENV", images("D9 /6", 112, 224), "w", (o, m, layout) => {
    const linear = o.address(m);
    check(o, linear, layout, layout.size, true);
    storeEnvironment(o, linear, layout);
    maskAll(o);
  }),
  image("FLDENV", images("D9 /4", 112, 224), "r", (o, m, layout) => {
    begin(o);
    const linear = o.address(m);
    check(o, linear, layout, layout.size, false);
    setEnvironment(o, loadEnvironment(o, linear, layout), layout);
  }),
  image("FNSAVE", images("DD /6", 752, 864), "w", (o, m, layout) => {
    const linear = o.address(m);
    check(o, linear, layout, layout.size + 80, true);
    storeEnvironment(o, linear, layout);
    eachRegister(o, linear, layout, (host, address) => {
      for (const part of PARTS) o.storeMemory(inside(o, address, part), 16, o.load("i64.load16_u", host, X87 + part));
    });
    initialize(o);
  }),
  image("FRSTOR", images("DD /4", 752, 864), "r", (o, m, layout) => {
    begin(o);
    const linear = o.address(m);
    check(o, linear, layout, layout.size + 80, false);
    setEnvironment(o, loadEnvironment(o, linear, layout), layout);
    eachRegister(o, linear, layout, (host, address) => {
      for (const part of PARTS) o.store("i64.store16", host, o.loadMemory(inside(o, address, part), 16), X87 + part);
    });
  }),
];
