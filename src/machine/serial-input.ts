// Input on its way to the serial line, which takes a kilobyte at a time.
import type { Serial16550 } from "../devices/serial16550/index.ts";

interface Pending {
  bytes: Uint8Array;
  readonly taken: () => void;
}

/** Hands bytes to a serial port as it takes them, in order. */
export class SerialInput {
  readonly #serial: Pick<Serial16550, "receive">;
  readonly #queue: Pending[] = [];

  constructor(serial: Pick<Serial16550, "receive">) {
    this.#serial = serial;
  }

  /** Resolves when the port has taken all of it. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((taken) => {
      this.#queue.push({ bytes, taken });
      if (this.#queue.length === 1) this.room();
    });
  }

  /** The port takes more. */
  room(): void {
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      first.bytes = first.bytes.subarray(this.#serial.receive(first.bytes));
      if (first.bytes.length > 0) return;
      this.#queue.shift();
      first.taken();
    }
  }
}
