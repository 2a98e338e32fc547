// One SMBIOS structure: a formatted area, then its strings, then a double null (DSP0134 3.0 §6.1).
import { assert } from "../../support/assert.ts";
import { ByteWriter } from "../byte-writer.ts";

/** Strings of one structure; fields hold their 1-based number, 0 = none. */
export class StringSet {
  readonly #texts: string[] = [];

  /** The number to store for a text; an empty text has none. Characters outside printable ASCII become "?". */
  number(text: string): number {
    const clean = text
      .replaceAll(/[^ -~]/g, "?")
      .slice(0, 64)
      .trim();
    if (clean === "") return 0;
    return this.#texts.includes(clean) ? this.#texts.indexOf(clean) + 1 : this.#texts.push(clean);
  }

  /** The texts, each ended by a null, and the null that ends the set. */
  encode(): Uint8Array {
    const w = new ByteWriter();
    for (const text of this.#texts) w.ascii(text, text.length).u8(0);
    if (this.#texts.length === 0) w.u8(0);
    return w.u8(0).finish();
  }
}

/** A whole structure. `fill` writes the formatted area after the 4-byte header and numbers its strings. */
export function structure(type: number, handle: number, fill: (w: ByteWriter, strings: StringSet) => void): Uint8Array {
  const body = new ByteWriter();
  const strings = new StringSet();
  fill(body, strings);
  assert(body.length + 4 < 256, `SMBIOS type ${type} length`);
  return new ByteWriter()
    .u8(type)
    .u8(body.length + 4)
    .u16(handle)
    .bytes(body.finish())
    .bytes(strings.encode())
    .finish();
}
