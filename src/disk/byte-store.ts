// Where the bytes of a disk image live: memory, a file, an HTTP server, browser storage. A store knows nothing of formats.
import { assert } from "../support/assert.ts";

/** Random access to bytes. Errors of the host are VmError DISK_IO; ranges beyond `size` are the caller's bug. */
export interface ByteStore extends AsyncDisposable {
  /** Bytes. */
  readonly size: number;
  readonly writable: boolean;
  /** Fills `into` with the bytes from offset `at` on. */
  read(at: number, into: Uint8Array): Promise<void>;
  /** Writes all of `bytes` at offset `at`; does not grow the store. */
  write(at: number, bytes: Uint8Array): Promise<void>;
  /** Changes the size; new bytes read as zeroes. */
  truncate(size: number): Promise<void>;
  /** Everything written before this is durable when it resolves. */
  flush(): Promise<void>;
  /** Gives the range back to the host; it reads as zeroes afterwards. Absent when the store cannot. */
  deallocate?(at: number, length: number): Promise<void>;
}

/** A store in memory, for tests and for scratch disks. */
export class MemoryByteStore implements ByteStore {
  readonly writable: boolean;
  #bytes: Uint8Array;

  /** @param content its size in bytes, or the bytes themselves (not copied) */
  constructor(content: number | Uint8Array, options: { readonly writable?: boolean } = {}) {
    this.#bytes = typeof content === "number" ? new Uint8Array(content) : content;
    this.writable = options.writable ?? true;
  }

  get size(): number {
    return this.#bytes.length;
  }

  /** A live view of the content, until the next `truncate`. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  async read(at: number, into: Uint8Array): Promise<void> {
    this.#check(at, into.length);
    into.set(this.#bytes.subarray(at, at + into.length));
  }

  async write(at: number, bytes: Uint8Array): Promise<void> {
    assert(this.writable, "write to a read-only store");
    this.#check(at, bytes.length);
    this.#bytes.set(bytes, at);
  }

  async truncate(size: number): Promise<void> {
    assert(this.writable, "truncation of a read-only store");
    const bytes = new Uint8Array(size);
    bytes.set(this.#bytes.subarray(0, size));
    this.#bytes = bytes;
  }

  async flush(): Promise<void> {}

  async deallocate(at: number, length: number): Promise<void> {
    assert(this.writable, "deallocation in a read-only store");
    this.#check(at, length);
    this.#bytes.fill(0, at, at + length);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #check(at: number, length: number): void {
    assert(at >= 0 && at + length <= this.#bytes.length, `store access at ${at}, ${length} bytes, of ${this.#bytes.length}`);
  }
}
