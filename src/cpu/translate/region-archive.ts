// Regions as bytes, to be kept. All numbers are little-endian; lists begin with their length (u32), texts are bytes of UTF-8.
//
//   ┌────────┬─────────┬───────────┬─────────────────┬──────────────────────────────────────────────────────────────────────┐
//   │ "NREG" │ version │ imports   │ name, types     │ regions: mode, age, instructions, wide, open, entries, keys, pages,     │
//   │        │ u32     │           │                 │ ranges, parameters, bytes, records, body                                │
//   └────────┴─────────┴───────────┴─────────────────┴──────────────────────────────────────────────────────────────────────┘
//
// Whoever keeps the bytes sees to it that they come back as they were. What is read is checked all the same, as far as what is made of
// it reaches: a region that names other places than its own bytes and pages is none.
import type { ValueType } from "../../wasm/code.ts";
import { isTranslatable, MOST_PAGES, type RegionParameter, type RegionShape, SEEN } from "../engine/region-shape.ts";
import { RECORD } from "../engine/layout.ts";
import type { RegionImport } from "./region-module.ts";

/** A region with its function's body. */
export interface KeptRegion {
  readonly shape: RegionShape;
  readonly body: Uint8Array;
  /** How many starts in a row did not use it. */
  readonly age: number;
}

/** What is kept of one image's regions. */
export interface RegionArchive {
  /** What all bodies import, by function index. */
  readonly imports: readonly RegionImport[];
  /** In the order in which they were needed. */
  readonly regions: readonly KeptRegion[];
}

const MAGIC = 0x4745_524e;
const VERSION = 3;
const TYPES: readonly ValueType[] = ["i32", "i64", "f32", "f64", "v128"];
const NO_TYPE = 255;
/** What else is said of a region, in bits. */
const [WIDE, OPEN] = [1, 2];
/** Longest lists of one region; longest code, records and function, in bytes. All are far above what the translator makes. */
const MOST_ITEMS = 0x2000;
const MOST_CODE = 0x1_0000;
const MOST_RECORDS = 0x4_0000;
const MOST_BODY = 0x10_0000;
const MOST_IMPORTS = 1024;
const MOST_REGIONS = 0x4000;

/** The bytes of an archive. */
export function packArchive({ imports, regions }: RegionArchive): Uint8Array {
  const out = new Writer();
  out.u32(MAGIC);
  out.u32(VERSION);
  out.list(imports, ({ name, params, result }) => {
    out.bytes(new TextEncoder().encode(name));
    out.list([...params, result], (type) => out.u32(type === undefined ? NO_TYPE : TYPES.indexOf(type)));
  });
  out.list(regions, (region) => packRegion(out, region));
  return out.finish();
}

function packRegion(out: Writer, { shape, body, age }: KeptRegion): void {
  for (const n of [shape.mode, age, shape.instructions, (shape.isWide ? WIDE : 0) | (shape.isOpen ? OPEN : 0)]) out.u32(n);
  for (const list of [shape.entries, shape.keys, shape.pages]) out.list(list, (n) => out.u32(n));
  out.list(shape.ranges, (r) => {
    out.u32(r.delta);
    out.u32(r.length);
  });
  out.list(shape.parameters, (p) => {
    for (const n of [p.at, p.size, p.to, p.as, p.add]) out.u32(n);
  });
  for (const bytes of [shape.bytes, shape.records, body]) out.bytes(bytes);
}

/** What `packArchive` was given; undefined when the bytes are no archive of this version. */
export function unpackArchive(bytes: Uint8Array): RegionArchive | undefined {
  const from = new Reader(bytes);
  try {
    if (from.u32() !== MAGIC || from.u32() !== VERSION) return undefined;
    const imports = from.list(MOST_IMPORTS, () => unpackImport(from));
    const regions = from.list(MOST_REGIONS, () => unpackRegion(from));
    return from.isAtEnd ? { imports, regions } : undefined;
  } catch (error) {
    if (error instanceof Damaged) return undefined;
    throw error;
  }
}

function unpackImport(from: Reader): RegionImport {
  const name = from.text(256);
  const types = from.list(64, () => from.u32());
  const last = types.pop();
  return { name, params: types.map(typeOf), result: last === NO_TYPE ? undefined : typeOf(last) };
}

function typeOf(n: number | undefined): ValueType {
  return TYPES[n ?? TYPES.length] ?? damaged();
}

function unpackRegion(from: Reader): KeptRegion {
  const [mode, age, instructions, bits] = [from.u32(), from.u32(), from.u32(), from.u32()];
  const numbers = (most: number): number[] => from.list(most, () => from.i32());
  const shape: RegionShape = {
    mode,
    instructions,
    isWide: (bits & WIDE) !== 0,
    isOpen: (bits & OPEN) !== 0,
    entries: numbers(MOST_ITEMS),
    keys: numbers(MOST_ITEMS).map((n) => n >>> 0),
    pages: numbers(MOST_PAGES),
    ranges: from.list(MOST_ITEMS, () => ({ delta: from.i32(), length: from.u32() })),
    parameters: from.list(MOST_ITEMS, () => unpackParameter(from)),
    bytes: from.bytes(MOST_CODE),
    records: from.bytes(MOST_RECORDS),
  };
  const body = from.bytes(MOST_BODY);
  return isSound(shape) ? { shape, body, age } : damaged();
}

function unpackParameter(from: Reader): RegionParameter {
  const [at, size, to, as, add] = [from.u32(), from.u32(), from.u32(), from.u32(), from.i32()];
  return (size === 4 || size === 8) && (as === 4 || as === 8) ? { at, size, to, as, add } : damaged();
}

/** Whether nothing in a shape leads outside its own bytes, pages and records. */
function isSound({ mode, entries, keys, pages, ranges, bytes, parameters, records }: RegionShape): boolean {
  const isCode = (delta: number): boolean => ranges.some((r) => delta >= r.delta && delta < r.delta + r.length);
  const isInPage = ({ delta, length }: RegionShape["ranges"][number]): boolean =>
    length > 0 && (delta & 0xfff) + length <= 0x1000 && pages.includes(delta >> 12);
  const isInside = (p: RegionParameter): boolean => p.at + p.size <= bytes.length && p.to + p.as <= records.length;
  return (
    isTranslatable(mode) &&
    entries.length > 0 &&
    entries.length === keys.length &&
    entries.every(isCode) &&
    ranges.every(isInPage) &&
    ranges.reduce((n, r) => n + r.length, 0) === bytes.length &&
    parameters.every((p, n) => isInside(p) && p.at >= (parameters[n - 1]?.at ?? 0)) &&
    records.length >= SEEN.size &&
    records.length % RECORD.size === 0
  );
}

/** Thrown and caught in this file only. */
class Damaged extends Error {}

function damaged(): never {
  throw new Damaged();
}

class Writer {
  #bytes = new Uint8Array(0x1_0000);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  #room(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    if (this.#at > this.#bytes.length) {
      const bigger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#at));
      bigger.set(this.#bytes);
      this.#bytes = bigger;
      this.#view = new DataView(bigger.buffer);
    }
    return at;
  }

  u32(n: number): void {
    const at = this.#room(4);
    this.#view.setUint32(at, n, true);
  }

  bytes(b: Uint8Array): void {
    this.u32(b.length);
    const at = this.#room(b.length);
    this.#bytes.set(b, at);
  }

  list<T>(items: readonly T[], write: (item: T) => void): void {
    this.u32(items.length);
    items.forEach((item) => write(item));
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (bytes > this.#bytes.length - at) damaged();
    this.#at += bytes;
    return at;
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  i32(): number {
    return this.u32() | 0;
  }

  #length(most: number): number {
    const length = this.u32();
    return length <= most ? length : damaged();
  }

  bytes(most: number): Uint8Array {
    const length = this.#length(most);
    const at = this.#take(length);
    return this.#bytes.slice(at, at + length);
  }

  text(most: number): string {
    return new TextDecoder().decode(this.bytes(most));
  }

  list<T>(most: number, read: () => T): T[] {
    const items: T[] = [];
    for (let left = this.#length(most); left > 0; left--) items.push(read());
    return items;
  }
}
