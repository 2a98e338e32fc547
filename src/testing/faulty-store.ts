// A byte store that misbehaves on purpose: it fails or forgets what a plan says, and keeps writes in a volatile cache until they
// are flushed, as a disk does, so that a test can cut the power between any two operations.
import { MemoryByteStore, type ByteStore } from "../disk/byte-store.ts";
import { VmError } from "../support/errors.ts";

/** What is about to happen to the store; `index` counts all operations from 0. */
export interface StoreOperation {
  readonly kind: "read" | "write" | "flush" | "truncate" | "deallocate";
  readonly index: number;
  readonly at: number;
  readonly length: number;
}

/** What becomes of an operation: it happens, it rejects with DISK_IO, or it seems to succeed and does nothing. */
export type Fault = "pass" | "fail" | "drop";

interface Change {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** A store over another one. Reads see every write; the inner store sees a write only once it is flushed. */
export class FaultyStore implements ByteStore {
  readonly writable: boolean;
  /** Decides the fate of each operation. */
  plan: (operation: StoreOperation) => Fault = () => "pass";
  /** Operations so far, in order. */
  readonly operations: StoreOperation[] = [];
  readonly #inner: ByteStore;
  #unflushed: Change[] = [];

  constructor(inner: ByteStore) {
    this.#inner = inner;
    this.writable = inner.writable;
  }

  get size(): number {
    return this.#inner.size;
  }

  /** Changes that a loss of power now would put at risk. */
  get unflushed(): number {
    return this.#unflushed.length;
  }

  async read(at: number, into: Uint8Array): Promise<void> {
    if (!this.#happens("read", at, into.length)) return;
    await this.#inner.read(at, into);
    for (const change of this.#unflushed) overlay(into, at, change);
  }

  async write(at: number, bytes: Uint8Array): Promise<void> {
    if (this.#happens("write", at, bytes.length)) this.#unflushed.push({ at, bytes: bytes.slice() });
  }

  async deallocate(at: number, length: number): Promise<void> {
    if (this.#happens("deallocate", at, length)) this.#unflushed.push({ at, bytes: new Uint8Array(length) });
  }

  async truncate(size: number): Promise<void> {
    if (!this.#happens("truncate", 0, size)) return;
    await this.#settle();
    await this.#inner.truncate(size);
  }

  async flush(): Promise<void> {
    if (!this.#happens("flush", 0, 0)) return;
    await this.#settle();
    await this.#inner.flush();
  }

  /**
   * The content after a loss of power: what was flushed, and of the rest only the changes that `survives` picks (none by default;
   * disks may write back in any order). This store goes on undisturbed.
   */
  async losePower(survives: (change: number) => boolean = () => false): Promise<MemoryByteStore> {
    const left = new Uint8Array(this.#inner.size);
    await this.#inner.read(0, left);
    this.#unflushed.forEach((change, index) => {
      if (survives(index)) overlay(left, 0, change);
    });
    return new MemoryByteStore(left);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#settle();
    await this.#inner[Symbol.asyncDispose]();
  }

  async #settle(): Promise<void> {
    const changes = this.#unflushed;
    this.#unflushed = [];
    for (const { at, bytes } of changes) await this.#inner.write(at, bytes);
  }

  #happens(kind: StoreOperation["kind"], at: number, length: number): boolean {
    const operation: StoreOperation = { kind, index: this.operations.length, at, length };
    this.operations.push(operation);
    const fault = this.plan(operation);
    if (fault === "fail") throw new VmError("DISK_IO", `Injected failure of a ${kind} at ${at}`, { data: { ...operation } });
    return fault === "pass";
  }
}

/** Copies the part of `change` that lies within `into`, whose first byte is at offset `at`. */
function overlay(into: Uint8Array, at: number, change: Change): void {
  const from = Math.max(at, change.at);
  const to = Math.min(at + into.length, change.at + change.bytes.length);
  if (from < to) into.set(change.bytes.subarray(from - change.at, to - change.at), from - at);
}
