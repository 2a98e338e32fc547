// Recognises a Linux kernel's panic by what it prints on the serial console, because a kernel that panicked just hangs.
//
// A shell can print such lines too. So the first line is only a suspicion; certain is the kernel's last word ("---[ end Kernel panic"), or a reset
// that follows. Somebody who types disproves it.

const PANIC = /Kernel panic - not syncing: (.{1,400})/;
const LAST_WORD = "---[ end Kernel panic";
const LONGEST_LINE = 512;
const LF = 0x0a;
const CR = 0x0d;

/** Reads the serial console's output. */
export class PanicWatch {
  readonly #confirmed: (message: string) => void;
  #line = "";
  #suspicion: string | undefined;

  /** @param confirmed called with the kernel's message */
  constructor(confirmed: (message: string) => void) {
    this.#confirmed = confirmed;
  }

  /** The message of a panic that seems to have happened. */
  get suspicion(): string | undefined {
    return this.#suspicion;
  }

  /** A byte of output. */
  output(byte: number): void {
    if (byte === LF) this.#endLine();
    else if (byte !== CR && this.#line.length < LONGEST_LINE) this.#line += String.fromCharCode(byte);
  }

  /** Somebody types, and so does not look at a dead machine. */
  input(): void {
    this.#suspicion = undefined;
  }

  #endLine(): void {
    const line = this.#line;
    this.#line = "";
    if (!line.includes("Kernel panic")) return;
    if (line.includes(LAST_WORD)) {
      if (this.#suspicion !== undefined) this.#confirmed(this.#suspicion);
    } else this.#suspicion = PANIC.exec(line)?.[1] ?? this.#suspicion;
  }
}
