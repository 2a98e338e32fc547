// Bytes between a machine and the program's own streams, at the pace of the slower side.
import type { Readable, Writable } from "node:stream";

/** Writes and waits until the stream has taken it; rejects when nobody reads it any more (EPIPE) or it fails. */
export function write(stream: Writable, bytes: Uint8Array | string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
}

/** Writes everything that comes; a failure is told to `broken` and the rest is read and forgotten. */
export async function copy(source: AsyncIterable<Uint8Array>, stream: Writable, broken: (error: Error) => void): Promise<void> {
  let writable = true;
  for await (const bytes of source) {
    if (!writable) continue;
    try {
      await write(stream, bytes);
    } catch (error) {
      writable = false;
      broken(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

/** Reads an input piece by piece, each only when the one before has been delivered. */
export class InputPump {
  readonly #input: Readable;
  readonly #deliver: (bytes: Uint8Array) => Promise<void>;
  readonly #ended: () => void;
  readonly #onData = (bytes: Uint8Array): void => void this.#take(bytes);
  readonly #onEnd = (): void => {
    this.close();
    this.#ended();
  };

  /** @param ended called when the input has ended or failed, not when the pump is closed */
  constructor(input: Readable, deliver: (bytes: Uint8Array) => Promise<void>, ended: () => void = () => {}) {
    this.#input = input;
    this.#deliver = deliver;
    this.#ended = ended;
    input.on("data", this.#onData).on("end", this.#onEnd).on("error", this.#onEnd);
  }

  /** Stops reading. Idempotent. */
  close(): void {
    this.#input.off("data", this.#onData).off("end", this.#onEnd);
    this.#input.pause();
  }

  async #take(bytes: Uint8Array): Promise<void> {
    this.#input.pause();
    await this.#deliver(bytes);
    if (this.#input.listeners("data").includes(this.#onData)) this.#input.resume();
  }
}

/** The last bytes of a stream. */
export class Tail {
  readonly #limit: number;
  #text = "";

  /** @param limit characters to keep */
  constructor(limit: number) {
    this.#limit = limit;
  }

  add(bytes: Uint8Array): void {
    this.#text = (this.#text + new TextDecoder().decode(bytes)).slice(-this.#limit);
  }

  /** The last lines, without what would move a terminal's cursor or change its colours. */
  lines(count: number): string[] {
    const [first = "", ...sequences] = this.#text.split("\u001b[");
    const plain = [first, ...sequences.map((rest) => rest.replace(/^[0-9;?]*[A-Za-z]/, ""))].join("");
    const printable = Array.from(plain)
      .filter((character) => character >= " " || character === "\n" || character === "\t")
      .join("");
    return printable
      .split("\n")
      .filter((line) => line !== "")
      .slice(-count);
  }
}
