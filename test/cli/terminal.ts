// A terminal with a person in front of it, by way of tmux: keys go in, a screen comes out.
import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

/** The peer that these tests need. */
export const TMUX = "tmux";

/** A shell in a terminal of its own, which ends when it is disposed of. */
export class Terminal implements Disposable {
  readonly #socket: string = `nido-test-${process.pid}-${performance.now()}`;

  constructor(columns: number, rows: number) {
    // A shell that reads no profile, with a prompt that no guest has.
    this.#tmux("new-session", "-d", "-x", String(columns), "-y", String(rows), "env", "PS1=host> ", "ENV=", "sh");
  }

  /** What the screen shows, without the spaces at the ends of its lines. */
  get screen(): string {
    return this.#tmux("capture-pane", "-p").trimEnd();
  }

  /** Types keys by tmux's names for them: `C-c`, `Escape`, `Enter`; other text as it is. */
  press(...keys: readonly string[]): void {
    this.#tmux("send-keys", ...keys);
  }

  /** Types a line. */
  type(line: string): void {
    this.#tmux("send-keys", "-l", line);
    this.press("Enter");
  }

  resize(columns: number, rows: number): void {
    this.#tmux("resize-window", "-x", String(columns), "-y", String(rows));
  }

  /** Resolves with the screen once it matches; fails, and says what it shows, after `limitMs`. */
  async until(wanted: RegExp, limitMs = 60_000): Promise<string> {
    const late = Date.now() + limitMs;
    for (;;) {
      const { screen } = this;
      if (wanted.test(screen)) return screen;
      if (Date.now() > late) throw new Error(`no ${String(wanted)} after ${limitMs} ms on the screen:\n${screen}`);
      await sleep(50);
    }
  }

  [Symbol.dispose](): void {
    this.#tmux("kill-server");
  }

  #tmux(...args: readonly string[]): string {
    return execFileSync(TMUX, ["-L", this.#socket, "-f", "/dev/null", ...args], { encoding: "utf8" });
  }
}
