// A host's stream into a virtio console port: in order, at the guest's pace, with an end.
import type { ConsolePort } from "../devices/virtio/index.ts";

interface Pending {
  readonly bytes: Uint8Array;
  readonly taken: () => void;
}

/** Writes into a port. Nothing is sent before `open`. */
export class PortWriter {
  readonly #port: ConsolePort;
  readonly #queue: Pending[] = [];
  #open = false;
  #full = false;
  #ending = false;

  constructor(port: ConsolePort) {
    this.#port = port;
    port.connect({ data: () => {}, drain: () => this.#drained() });
  }

  /** The guest listens. */
  open(): void {
    this.#open = true;
    this.#flush();
  }

  /** Resolves when the port takes more. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((taken) => {
      this.#queue.push({ bytes, taken });
      this.#flush();
    });
  }

  /** Nothing follows: the guest sees the end once it has had everything. */
  end(): void {
    this.#ending = true;
    this.#flush();
  }

  #drained(): void {
    this.#full = false;
    this.#flush();
  }

  #flush(): void {
    if (!this.#open) return;
    while (!this.#full) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      this.#full = !this.#port.write(next.bytes);
      next.taken();
    }
    if (this.#ending && this.#queue.length === 0) this.#port.end();
  }
}
