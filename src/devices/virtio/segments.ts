// The bytes of a buffer that a driver described piece by piece, addressed as one run. Every piece was checked to be RAM when it was added.
// Nothing may be assumed about where pieces begin and end (VIRTIO 1.3 §2.7.4.1), so devices use offsets into the run only.
import type { GuestMemory } from "../../memory/guest-memory.ts";

/** One direction of a descriptor chain. */
export class Segments {
  readonly #memory: GuestMemory;
  readonly #offsets: number[] = [];
  readonly #lengths: number[] = [];
  #count = 0;
  #length = 0;

  constructor(memory: GuestMemory) {
    this.#memory = memory;
  }

  /** Bytes in all. */
  get length(): number {
    return this.#length;
  }

  /** Forgets all pieces. */
  clear(): void {
    this.#count = 0;
    this.#length = 0;
  }

  /** Appends a piece of RAM by host offset; pieces that follow one another in memory become one. */
  add(hostOffset: number, length: number): void {
    const last = this.#count - 1;
    this.#length += length;
    if (last >= 0 && this.#offsets[last]! + this.#lengths[last]! === hostOffset) {
      this.#lengths[last]! += length;
      return;
    }
    this.#offsets[this.#count] = hostOffset;
    this.#lengths[this.#count++] = length;
  }

  /** A live view of [at, at+length) when it is one piece of memory, else undefined. After writing through it call `wrote`. */
  view(at: number, length: number): Uint8Array | undefined {
    for (let i = 0, start = 0; i < this.#count; start += this.#lengths[i++]!) {
      if (at >= start + this.#lengths[i]!) continue;
      if (at + length > start + this.#lengths[i]!) return undefined;
      const host = this.#offsets[i]! + at - start;
      return this.#memory.u8.subarray(host, host + length);
    }
    return undefined;
  }

  /** Calls `visit` with a live view of each piece, in order. */
  forEach(visit: (bytes: Uint8Array) => void): void {
    for (let i = 0; i < this.#count; i++) {
      const host = this.#offsets[i]!;
      visit(this.#memory.u8.subarray(host, host + this.#lengths[i]!));
    }
  }

  /** Copies bytes from offset `at` out of guest memory; returns how many there were. */
  read(at: number, into: Uint8Array): number {
    return this.#pieces(at, into.length, (host, length, done) => into.set(this.#memory.u8.subarray(host, host + length), done));
  }

  /** Copies bytes into guest memory at offset `at`; returns how many fitted. */
  write(at: number, bytes: Uint8Array): number {
    return this.#pieces(at, bytes.length, (host, length, done) => {
      this.#memory.u8.set(length === bytes.length ? bytes : bytes.subarray(done, done + length), host);
      this.#memory.wrote(host, length);
    });
  }

  /** Tells the engines that bytes were changed through a view. */
  wrote(at: number, length: number): void {
    this.#pieces(at, length, (host, piece) => this.#memory.wrote(host, piece));
  }

  /** The byte at an offset; 0 past the end. */
  u8(at: number): number {
    for (let i = 0, start = 0; i < this.#count; start += this.#lengths[i++]!) {
      if (at < start + this.#lengths[i]!) return this.#memory.u8[this.#offsets[i]! + at - start]!;
    }
    return 0;
  }

  /** Little-endian 16 bits; bytes past the end count as 0. */
  u16(at: number): number {
    return this.u8(at) | (this.u8(at + 1) << 8);
  }

  /** Little-endian 32 bits, unsigned. */
  u32(at: number): number {
    return this.u16(at) + this.u16(at + 2) * 0x1_0000;
  }

  /** Little-endian 64 bits as a number: exact up to 2^53, and past every real size or address beyond. */
  u64(at: number): number {
    return this.u32(at) + this.u32(at + 4) * 2 ** 32;
  }

  /** Sets the byte at an offset; nothing past the end. */
  setU8(at: number, value: number): void {
    for (let i = 0, start = 0; i < this.#count; start += this.#lengths[i++]!) {
      if (at >= start + this.#lengths[i]!) continue;
      const host = this.#offsets[i]! + at - start;
      this.#memory.u8[host] = value;
      this.#memory.wrote(host, 1);
      return;
    }
  }

  #pieces(at: number, wanted: number, each: (host: number, length: number, done: number) => void): number {
    let done = 0;
    for (let i = 0, start = 0; i < this.#count && done < wanted; start += this.#lengths[i++]!) {
      const from = at + done - start;
      if (from >= this.#lengths[i]!) continue;
      const length = Math.min(this.#lengths[i]! - from, wanted - done);
      each(this.#offsets[i]! + from, length, done);
      done += length;
    }
    return done;
  }
}
