// Bounded reading of an untrusted file: a read beyond the end is a KERNEL_INVALID that names what was being read.
import { addressText, kernelInvalid } from "./boot-request.ts";

/** A kernel file with checked little-endian reads. */
export class ImageView {
  readonly bytes: Uint8Array;
  readonly label: string;
  readonly #view: DataView;

  /** @param label what to call the file in messages */
  constructor(bytes: Uint8Array, label: string) {
    this.bytes = bytes;
    this.label = label;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.bytes.length;
  }

  u8(at: number, what: string): number {
    this.need(at, 1, what);
    return this.#view.getUint8(at);
  }

  u16(at: number, what: string): number {
    this.need(at, 2, what);
    return this.#view.getUint16(at, true);
  }

  u32(at: number, what: string): number {
    this.need(at, 4, what);
    return this.#view.getUint32(at, true);
  }

  /** A 64-bit field that must stand for an address, offset or size: at most 2^53 - 1. */
  u64(at: number, what: string): number {
    this.need(at, 8, what);
    const value = Number(this.#view.getBigUint64(at, true));
    if (!Number.isSafeInteger(value)) throw kernelInvalid(this.label, `${what} at offset ${addressText(at)} is beyond any address`);
    return value;
  }

  /** A view of part of the file. */
  slice(at: number, length: number, what: string): Uint8Array {
    this.need(at, length, what);
    return this.bytes.subarray(at, at + length);
  }

  /** Throws KERNEL_INVALID unless [at, at + length) lies in the file. */
  need(at: number, length: number, what: string): void {
    if (at >= 0 && at + length <= this.bytes.length) return;
    const why = `the file is truncated: ${what} at offset ${addressText(at)} needs ${length} bytes, but the file ends at ${this.bytes.length}`;
    throw kernelInvalid(this.label, why, { offset: at, bytes: length, fileBytes: this.bytes.length });
  }
}
