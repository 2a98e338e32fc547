// Writes little-endian records front to back, as tables of ACPI, SMBIOS and the boot protocols are laid out.

/** A growing little-endian byte sequence. */
export class ByteWriter {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    const at = this.#room(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.#room(2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    const at = this.#room(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  /** A 64-bit field; a number is an address or size below 2^53. */
  u64(value: number | bigint): this {
    const at = this.#room(8);
    this.#view.setBigUint64(at, BigInt(value), true);
    return this;
  }

  bytes(value: ArrayLike<number>): this {
    const at = this.#room(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** Seven-bit text in exactly `size` bytes: cut, or padded with `pad`. */
  ascii(text: string, size: number, pad = 0x20): this {
    for (let index = 0; index < size; index++) {
      this.u8(index < text.length ? text.charCodeAt(index) & 0x7f : pad);
    }
    return this;
  }

  /** `count` zero bytes. */
  zero(count: number): this {
    this.#room(count);
    return this;
  }

  /** Zero bytes up to the next multiple of `alignment`. */
  align(alignment: number): this {
    return this.zero((alignment - (this.#length % alignment)) % alignment);
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #room(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }
}

/** The byte that makes `bytes` sum to zero modulo 256, as ACPI and SMBIOS checksums do. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  return -sum & 0xff;
}
