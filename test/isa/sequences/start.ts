// What a sequence finds when it starts: registers, and the data in its slot.
import { Prng } from "../prng.ts";
import { type Lane, Values } from "../values.ts";
import type { Mode } from "./program.ts";
import { CODE_BYTES, DATA, dataBase, otherBase, PRIVATE, SHIFT, SLOT_PAGES, slotOffset } from "./space.ts";

/** Segments of 32-bit code: all of memory, all of it from 64 KiB on, or (ES and DS) not quite all. 64-bit code has none. */
export type Segments = "flat" | "shifted" | "limited";

/** General registers and XMM registers, in the state's form; x87 registers by number, 16 bytes each. */
export interface StartState {
  readonly gpr: BigUint64Array;
  readonly xmm: Uint8Array;
  readonly x87: Uint8Array;
  readonly rflags: number;
  readonly mxcsr: number;
  readonly fcw: number;
  readonly ftop: number;
  readonly ftw: number;
  /** Where in the pool the slot's pages come from; the private page is `control`'s. */
  readonly data: readonly number[];
  readonly control: ControlWords;
}

/** Values for MXCSR and the x87 control word, in the private page. */
interface ControlWords {
  readonly mxcsr: readonly number[];
  readonly fcw: readonly number[];
}

const LANES: readonly Lane[] = ["i8", "i16", "i32", "i64", "f32", "f32", "f32", "f64", "f64", "f64", "f80"];
const POOL_BYTES = 0x1_0000;

/** Random values of every kind, of which starts get parts; and such as x87 registers hold, 16 bytes each. */
class Pool {
  readonly mixed = new Uint8Array(POOL_BYTES);
  readonly extended = new Uint8Array(POOL_BYTES / 4);
  /** Parts of a page each, made once. */
  readonly pages: readonly Uint8Array[];

  constructor() {
    const view = new DataView(this.mixed.buffer);
    const prng = new Prng(0x5eed);
    for (let at = 0; at + 64 <= POOL_BYTES; at += 64) new Values(prng).fill(view, at, 64, prng.pick(LANES));
    const values = new DataView(this.extended.buffer);
    for (let at = 0; at < this.extended.length; at += 128) {
      const related = new Values(prng);
      for (let i = 0; i < 8; i++) related.write(values, at + i * 16, "f80");
    }
    const count = ((POOL_BYTES - 0x1000) / PAGE_STEP) | 0;
    this.pages = Array.from({ length: count }, (_, i) => this.mixed.subarray(i * PAGE_STEP, i * PAGE_STEP + 0x1000));
  }

  part(prng: Prng, length: number): Uint8Array {
    const at = prng.below((POOL_BYTES - length) / 16) * 16;
    return this.mixed.subarray(at, at + length);
  }

  registers(prng: Prng): Uint8Array {
    const at = prng.below(this.extended.length / 128) * 128;
    return this.extended.subarray(at, at + 128);
  }
}

const PAGE_STEP = 48;
let made: Pool | undefined;
const pool = (): Pool => (made ??= new Pool());

const MXCSR_MASKED = 0x1f80;

/** All exceptions masked mostly; rounding, FTZ, DAZ, sticky flags and unmasked exceptions by chance. */
function someMxcsr(prng: Prng): number {
  if (prng.chance(35)) return MXCSR_MASKED | (prng.chance(60) ? 0x20 : 0);
  const rounding = prng.chance(50) ? 0 : prng.below(4) << 13;
  const flush = (prng.chance(30) ? 0x8000 : 0) | (prng.chance(30) ? 0x40 : 0);
  const masks = (prng.chance(70) ? 0x3f : prng.below(64)) << 7;
  return rounding | flush | masks | (prng.chance(50) ? 0x20 : prng.below(64));
}

function someFcw(prng: Prng): number {
  if (prng.chance(50)) return 0x37f;
  return 0x40 | (prng.chance(60) ? 0x3f : prng.below(64)) | (prng.pick([3, 3, 2, 0]) << 8) | (prng.below(4) << 10);
}

const FLAGS = 0x8d5;
/** RSP RBX RBP RSI RDI R12 R13: where pointers point to, as offsets in the data window. */
const POINTERS: readonly (readonly [register: number, offset: number])[] = [
  [4, DATA.stack + 0x1020],
  [3, 0xff0],
  [5, DATA.stack + 0x1040],
  [6, 0x400],
  [7, 0xc00],
  [12, 0x1f80],
  [13, 0x1010],
];

/** Where a start's pointers lead. */
export interface Whereabouts {
  readonly mode: Mode;
  readonly slot: number;
  readonly segments: Segments;
  readonly isAliased: boolean;
}

/** Linear address of the data window that a start's pointers lead to. */
function windowOf({ slot, isAliased }: Whereabouts): number {
  return isAliased ? otherBase(dataBase(slot)) : dataBase(slot);
}

/** Random registers and data. */
export function startState(prng: Prng, where: Whereabouts): StartState {
  const { mode, segments } = where;
  const gpr = new BigUint64Array(16);
  const count = mode === 64 ? 16 : 8;
  const { buffer, byteOffset } = pool().part(prng, count * 8);
  const view = new DataView(buffer, byteOffset);
  for (let i = 0; i < count; i++) gpr[i] = mode === 64 ? view.getBigUint64(i * 8, true) : BigInt(view.getUint32(i * 8, true));
  const window = windowOf(where) - (segments === "shifted" ? SHIFT : 0);
  for (const [register, offset] of POINTERS) {
    if (register >= count) continue;
    const shift = prng.chance(90) ? (prng.below(8) - 4) * 16 : prng.below(64);
    gpr[register] = BigInt(window + offset + shift);
  }
  const mxcsr = someMxcsr(prng);
  return {
    gpr,
    xmm: pool().part(prng, 256),
    x87: pool().registers(prng),
    rflags: 0x202 | (prng.next() & FLAGS) | (prng.chance(3) ? 0x400 : 0),
    mxcsr,
    fcw: someFcw(prng),
    ftop: prng.below(8),
    ftw: prng.chance(60) ? 0xff : prng.chance(50) ? 0 : prng.next() & 0xff,
    data: DATA_PAGES.map(() => prng.below(pool().pages.length)),
    control: {
      mxcsr: Array.from({ length: 16 }, (_, i) => (i === 0 ? mxcsr : someMxcsr(prng))),
      fcw: Array.from({ length: 8 }, () => someFcw(prng)),
    },
  };
}

const pageOf = (offset: number): number => slotOffset("data", offset) >> 12;
const DATA_PAGES: readonly number[] = [0, 0x1000, DATA.readOnly, DATA.stack, DATA.stack + 0x1000].map(pageOf);
const PRIVATE_PAGE: number = pageOf(DATA.private);
const CODE_PAGES: number = CODE_BYTES >> 12;
const ZEROS = new Uint8Array(0x1000);

/** A slot's pages as a sequence finds them, in their physical order; code and the spare page are whoever's. */
export class StartPages {
  readonly pages: Uint8Array[] = Array.from({ length: SLOT_PAGES }, () => ZEROS);
  readonly #private = new Uint8Array(0x1000);
  readonly #view = new DataView(this.#private.buffer);

  constructor() {
    this.pages[PRIVATE_PAGE] = this.#private;
    this.#view.setUint32(PRIVATE.outer, 10, true);
    this.#view.setUint32(PRIVATE.fuel, 24, true);
  }

  /** Takes a start's data. */
  fill({ data, control }: StartState): void {
    data.forEach((part, i) => (this.pages[DATA_PAGES[i]!] = pool().pages[part]!));
    control.mxcsr.forEach((value, i) => this.#view.setUint32(PRIVATE.mxcsr + i * 4, value, true));
    control.fcw.forEach((value, i) => this.#view.setUint16(PRIVATE.fcw + i * 2, value, true));
  }

  /** Takes a program's code, three pages. */
  takeCode(code: Uint8Array): void {
    for (let page = 0; page < CODE_BYTES; page += 0x1000) this.pages[slotOffset("code", page) >> 12] = code.subarray(page, page + 0x1000);
  }
}

/** Pages of a slot from here on hold data. */
export const FIRST_DATA_PAGE: number = CODE_PAGES;
