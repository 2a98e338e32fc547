// A machine's output as an async iterable that never lets the guest fill the host's memory: while it is read, the reader sets the
// pace; while nobody reads, the last part is kept and the rest forgotten.

/** Bytes kept of an output that nobody reads. */
export const UNREAD_LIMIT: number = 1 << 20;

interface Chunk {
  readonly bytes: Uint8Array;
  /** Whether the machine has been told that there is room again. */
  acknowledged: boolean;
}

/** Chunks of bytes as they come, until the machine has ended. One reader at a time. */
export class OutputStream implements AsyncIterable<Uint8Array> {
  readonly #taken: (bytes: number) => void;
  #chunks: Chunk[] = [];
  #held = 0;
  #readers = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  /** @param taken told how many bytes no longer occupy the machine's window */
  constructor(taken: (bytes: number) => void) {
    this.#taken = taken;
  }

  /** Adds output; the bytes now belong to the stream. */
  push(bytes: Uint8Array): void {
    const chunk = { bytes, acknowledged: false };
    this.#chunks.push(chunk);
    this.#held += bytes.length;
    if (this.#readers === 0) this.#forget();
    this.#wake?.();
  }

  /** No more will come. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    this.#readers++;
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        if (chunk !== undefined) {
          this.#held -= chunk.bytes.length;
          yield chunk.bytes;
          this.#acknowledge(chunk);
        } else if (this.#ended) return;
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
      }
    } finally {
      this.#readers--;
      if (this.#readers === 0) this.#forget();
    }
  }

  /** Without a reader everything counts as taken, and only the end is kept. */
  #forget(): void {
    for (const chunk of this.#chunks) this.#acknowledge(chunk);
    while (this.#held > UNREAD_LIMIT) this.#held -= this.#chunks.shift()?.bytes.length ?? 0;
  }

  #acknowledge(chunk: Chunk): void {
    if (chunk.acknowledged) return;
    chunk.acknowledged = true;
    this.#taken(chunk.bytes.length);
  }
}
