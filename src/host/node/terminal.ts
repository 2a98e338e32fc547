// The terminal behind a program's input, in raw mode: every key goes to the guest. Whatever ends the program, the terminal is
// given back as it was; for signals the owner calls `restore` (see termination.ts), for everything else an exit hook does.
import type { ReadStream, WriteStream } from "node:tty";

/** Colours off, cursor shown, bracketed paste and mouse reports off: what a guest may have left on. */
const SANE = "\u001b[0m\u001b[?25h\u001b[?2004l\u001b[?1000l";

/** A terminal in raw mode. */
export class RawTerminal implements Disposable {
  readonly #input: ReadStream;
  readonly #output: WriteStream | undefined;
  readonly #onExit = (): void => this.restore();
  readonly #onContinue = (): void => this.#setRaw(false, true);
  #raw = true;

  /** Switches `input` to raw mode. `output` is the same terminal's other side, if it is one. */
  constructor(input: ReadStream, output: WriteStream | undefined) {
    this.#input = input;
    this.#output = output;
    process.on("exit", this.#onExit);
    // A shell that takes the terminal while we are stopped leaves its own mode behind.
    process.on("SIGCONT", this.#onContinue);
    this.#setRaw(true);
  }

  /** Gives the terminal back as it was. Idempotent. */
  restore(): void {
    if (!this.#raw) return;
    this.#raw = false;
    process.off("exit", this.#onExit);
    process.off("SIGCONT", this.#onContinue);
    this.#setRaw(false);
    try {
      this.#output?.write(SANE);
    } catch {
      // The terminal is gone, and nothing is left to restore.
    }
  }

  [Symbol.dispose](): void {
    this.restore();
  }

  #setRaw(...modes: readonly boolean[]): void {
    try {
      for (const mode of modes) this.#input.setRawMode(mode);
    } catch {
      // The terminal was hung up: it has no mode any more.
    }
  }
}

/** Calls `resized` with the terminal's size in characters, now and whenever it changes. Returns how to stop. */
export function watchSize(output: WriteStream, resized: (rows: number, columns: number) => void): () => void {
  const tell = (): void => {
    if (output.rows > 0 && output.columns > 0) resized(output.rows, output.columns);
  };
  tell();
  output.on("resize", tell);
  return () => void output.off("resize", tell);
}
