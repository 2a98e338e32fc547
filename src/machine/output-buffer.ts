// Gathers a stream's bytes, which a guest sends one at a time, into messages.

/** Bytes that are sent at once at most. */
const CAPACITY = 0x1_0000;

/** A buffer in front of a sink. Whoever owns it calls `flush` soon after `add` returned true. */
export class OutputBuffer {
  readonly #send: (bytes: Uint8Array) => void;
  #bytes = new Uint8Array(256);
  #length = 0;

  /** @param send takes ownership of the bytes */
  constructor(send: (bytes: Uint8Array) => void) {
    this.#send = send;
  }

  /** Copies the bytes; true when the buffer was empty before and holds something now. */
  add(bytes: Uint8Array): boolean {
    const wasEmpty = this.#length === 0;
    for (let at = 0; at < bytes.length;) {
      if (this.#length === CAPACITY) this.flush();
      const part = bytes.subarray(at, at + CAPACITY - this.#length);
      this.#reserve(this.#length + part.length);
      this.#bytes.set(part, this.#length);
      this.#length += part.length;
      at += part.length;
    }
    return wasEmpty && this.#length > 0;
  }

  /** Sends what there is. */
  flush(): void {
    if (this.#length === 0) return;
    const bytes = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    this.#send(bytes);
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.min(CAPACITY, Math.max(length, this.#bytes.length * 2)));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
