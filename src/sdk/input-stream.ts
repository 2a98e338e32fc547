// A machine's input: each piece resolves when the guest's side has taken it, so that a writer who awaits never runs ahead.

/** Bytes a message. */
const PIECE = 0x8000;

/** Takes bytes or text (sent as UTF-8) for a machine. */
export class InputWriter {
  readonly #post: (bytes: Uint8Array) => void;
  #waiting: (() => void)[] = [];
  #open = true;

  constructor(post: (bytes: Uint8Array) => void) {
    this.#post = post;
  }

  /** Resolves when all of it is taken, or when the machine has ended and nothing will be. */
  async write(data: Uint8Array | string): Promise<void> {
    if (!this.#open) return;
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    const pieces: Promise<void>[] = [];
    for (let at = 0; at < bytes.length; at += PIECE) {
      pieces.push(new Promise<void>((resolve) => this.#waiting.push(resolve)));
      this.#post(bytes.slice(at, at + PIECE));
    }
    await Promise.all(pieces);
  }

  /** The machine has taken the oldest piece. */
  accepted(): void {
    this.#waiting.shift()?.();
  }

  /** The machine has ended. */
  end(): void {
    this.#open = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
