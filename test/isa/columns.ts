// Byte streams for vectors: alike things lie together, so that deflate finds them.
import { deflateRawSync, inflateRawSync } from "node:zlib";

/** Appends integers and bytes. */
export class ByteWriter {
  private bytes = new Uint8Array(256);
  private used = 0;

  private room(n: number): void {
    if (this.used + n <= this.bytes.length) return;
    const bigger = new Uint8Array(Math.max(this.bytes.length * 2, this.used + n));
    bigger.set(this.bytes);
    this.bytes = bigger;
  }

  byte(value: number): void {
    this.room(1);
    this.bytes[this.used++] = value;
  }

  raw(bytes: Uint8Array): void {
    this.room(bytes.length);
    this.bytes.set(bytes, this.used);
    this.used += bytes.length;
  }

  /** Unsigned, up to 64 bits, seven bits a byte. */
  varint(value: number | bigint): void {
    let rest = BigInt(value);
    for (; rest > 0x7fn; rest >>= 7n) this.byte(Number(rest & 0x7fn) | 0x80);
    this.byte(Number(rest));
  }

  /** Signed 64 bits: small magnitudes are short. */
  zigzag(value: bigint): void {
    const signed = BigInt.asIntN(64, value);
    this.varint(signed < 0n ? (-signed << 1n) - 1n : signed << 1n);
  }

  finish(): Uint8Array {
    return this.bytes.subarray(0, this.used);
  }
}

/** Reads what ByteWriter wrote. Throws RangeError beyond the end. */
export class ByteReader {
  private readonly bytes: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    // Plain arrays, where the caller may hold a Buffer.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  byte(): number {
    return this.raw(1)[0]!;
  }

  raw(length: number): Uint8Array {
    if (length > this.bytes.length - this.at) throw new RangeError("Vectors end too early");
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }

  number(): number {
    return Number(this.varint());
  }

  zigzag(): bigint {
    const value = this.varint();
    return (value & 1n) !== 0n ? -((value + 1n) >> 1n) : value >> 1n;
  }
}

/** The streams of a vector file, in their order on disk. */
export const COLUMNS = ["head", "code", "overrides", "values", "outcome", "registers", "flags", "words", "bytes", "memory"] as const;
/** A stream's name. */
export type Column = (typeof COLUMNS)[number];
/** All streams of a file being written. */
export type Writers = Readonly<Record<Column, ByteWriter>>;
/** All streams of a file being read. */
export type Readers = Readonly<Record<Column, ByteReader>>;

/** Empty streams. */
export function newColumns(): Writers {
  return Object.fromEntries(COLUMNS.map((name) => [name, new ByteWriter()])) as Record<Column, ByteWriter>;
}

/** Lengths, then the streams, deflated together. */
export function packColumns(columns: Writers): Uint8Array {
  const body = new ByteWriter();
  const parts = COLUMNS.map((name) => columns[name].finish());
  for (const part of parts) body.varint(part.length);
  for (const part of parts) body.raw(part);
  return deflateRawSync(body.finish(), { level: 9, memLevel: 9 });
}

/** The streams that packColumns packed. Throws when the bytes end early or are damaged. */
export function unpackColumns(packed: Uint8Array): Readers {
  const body = new ByteReader(inflateRawSync(packed));
  const lengths = COLUMNS.map(() => body.number());
  return Object.fromEntries(COLUMNS.map((name, i) => [name, new ByteReader(body.raw(lengths[i]!))])) as Record<Column, ByteReader>;
}

/** Writes where `now` differs from `then`, in words of eight bytes: gap to the next changed word, which bytes, their values. */
export function writeDelta(columns: Writers, then: Uint8Array, now: Uint8Array): void {
  let last = -1;
  for (let at = 0; at < now.length; at += 8) {
    let mask = 0;
    for (let i = 0; i < 8; i++) if (now[at + i] !== then[at + i]) mask |= 1 << i;
    if (mask === 0) continue;
    columns.words.varint(at / 8 - last);
    columns.words.byte(mask);
    for (let i = 0; i < 8; i++) if ((mask & (1 << i)) !== 0) columns.bytes.byte(now[at + i]! ^ then[at + i]!);
    last = at / 8;
  }
  columns.words.varint(0);
}

/** Applies a delta to `bytes`, which hold the earlier contents. */
export function readDelta(columns: Readers, bytes: Uint8Array): void {
  for (let word = -1, gap = columns.words.number(); gap !== 0; gap = columns.words.number()) {
    word += gap;
    if (word * 8 >= bytes.length) throw new RangeError("Vectors change what is not there");
    const mask = columns.words.byte();
    for (let i = 0; i < 8; i++) if ((mask & (1 << i)) !== 0) bytes[word * 8 + i]! ^= columns.bytes.byte();
  }
}
