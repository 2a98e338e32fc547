// A growing buffer of WebAssembly code and the typed emitters over it.
import { bug } from "../support/assert.ts";
import { MEMORY_OPS, opcode } from "./opcodes.ts";

/** Binary encodings of value types (WebAssembly Core §5.3.1). */
export const VALUE_TYPE = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;
/** A value type by its name in the text format. */
export type ValueType = keyof typeof VALUE_TYPE;

/** A block type: nothing, or one result. */
const EMPTY_BLOCK = 0x40;

const encoder = new TextEncoder();
const PLAIN_TEXT = /^[ -~]*$/;

/** Instructions, or any other part of a module, in their binary form; every method appends and returns the same object. */
export class Code {
  #bytes: Uint8Array;
  #length = 0;

  /** @param capacity bytes that are there from the start; more come as they are needed */
  constructor(capacity = 64) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** Bytes so far. */
  get length(): number {
    return this.#length;
  }

  /** What has been written: a view, valid until the next write. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** What has been written, for itself; this one is empty again and keeps its room. */
  take(): Code {
    const taken = new Code(this.#length).raw(this.bytes());
    this.#length = 0;
    return taken;
  }

  /** One byte; higher bits are cut off. */
  byte(b: number): this {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = b;
    return this;
  }

  raw(b: Uint8Array): this {
    if (this.#length + b.length > this.#bytes.length) this.#grow(b.length);
    this.#bytes.set(b, this.#length);
    this.#length += b.length;
    return this;
  }

  #grow(by: number): void {
    const bigger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + by));
    bigger.set(this.#bytes);
    this.#bytes = bigger;
  }

  /** Unsigned LEB128 of 0..2^32-1. */
  u(n: number): this {
    let v = n >>> 0;
    while (v >= 0x80) {
      this.byte((v & 0x7f) | 0x80);
      v >>>= 7;
    }
    return this.byte(v);
  }

  /** Signed LEB128 of a 32-bit integer. */
  s32(n: number): this {
    let v = n | 0;
    for (;;) {
      const b = v & 0x7f;
      v >>= 7;
      if ((v === 0 && !(b & 0x40)) || (v === -1 && b & 0x40)) return this.byte(b);
      this.byte(b | 0x80);
    }
  }

  /** Signed LEB128 of a 64-bit integer. */
  s64(n: bigint): this {
    if (n === BigInt.asIntN(32, n)) return this.s32(Number(n));
    let v = BigInt.asIntN(64, n);
    for (;;) {
      const b = Number(v & 0x7fn);
      v >>= 7n;
      if ((v === 0n && !(b & 0x40)) || (v === -1n && b & 0x40)) return this.byte(b);
      this.byte(b | 0x80);
    }
  }

  /** UTF-8 text with its length (WebAssembly Core §5.2.4). */
  name(s: string): this {
    // Nearly all names are short and plain.
    if (s.length > 0x7f || !PLAIN_TEXT.test(s)) {
      const b = encoder.encode(s);
      return this.u(b.length).raw(b);
    }
    this.byte(s.length);
    for (let i = 0; i < s.length; i++) this.byte(s.charCodeAt(i));
    return this;
  }

  i32(n: number): this {
    return this.byte(0x41).s32(n);
  }
  i64(n: bigint): this {
    return this.byte(0x42).s64(n);
  }

  /** f64.const; a NaN loses its payload. */
  f64(n: number): this {
    const b = new Uint8Array(8);
    new DataView(b.buffer).setFloat64(0, n, true);
    return this.byte(0x44).raw(b);
  }

  /** v128.const of 16 bytes. */
  v128(b: Uint8Array): this {
    return this.byte(0xfd).u(12).raw(b);
  }
  localGet(i: number): this {
    return this.byte(0x20).u(i);
  }
  localSet(i: number): this {
    return this.byte(0x21).u(i);
  }
  localTee(i: number): this {
    return this.byte(0x22).u(i);
  }
  call(f: number): this {
    return this.byte(0x10).u(f);
  }
  callIndirect(type: number, table = 0): this {
    return this.byte(0x11).u(type).u(table);
  }
  block(): this {
    return this.byte(0x02).byte(EMPTY_BLOCK);
  }
  loop(): this {
    return this.byte(0x03).byte(EMPTY_BLOCK);
  }
  if(): this {
    return this.byte(0x04).byte(EMPTY_BLOCK);
  }
  else(): this {
    return this.byte(0x05);
  }
  end(): this {
    return this.byte(0x0b);
  }
  br(depth: number): this {
    return this.byte(0x0c).u(depth);
  }
  brIf(depth: number): this {
    return this.byte(0x0d).u(depth);
  }
  return(): this {
    return this.byte(0x0f);
  }
  drop(): this {
    return this.byte(0x1a);
  }
  unreachable(): this {
    return this.byte(0x00);
  }
  memoryCopy(): this {
    return this.byte(0xfc).u(10).u(0).u(0);
  }
  memoryFill(): this {
    return this.byte(0xfc).u(11).u(0);
  }

  /** br_table: `depths[n]` for n on the stack, `other` beyond them. */
  brTable(depths: readonly number[], other: number): this {
    this.byte(0x0e).u(depths.length);
    for (const d of depths) this.u(d);
    return this.u(other);
  }

  /** A load or store at `offset`; the address (and value) are on the stack. Alignment is 2^0: guest data may lie anywhere. */
  memory(name: string, offset: number): this {
    const op = MEMORY_OPS.get(name);
    if (!op) bug(`no memory operator ${name}`);
    if (op[0] > 0xff) this.byte(0xfd).u(op[0] & 0xff);
    else this.byte(op[0]);
    return this.u(0).u(offset);
  }

  /** Any other operator by name, with its lane or shuffle immediate. */
  op(name: string, imm?: number | Uint8Array): this {
    const o = opcode(name);
    if (!o) bug(`no operator ${name}`);
    if (!o.isSimd) return this.byte(o.code);
    this.byte(0xfd).u(o.code);
    if (!o.takesImmediate) return this;
    return imm instanceof Uint8Array ? this.raw(imm) : this.byte(imm ?? 0);
  }
}
