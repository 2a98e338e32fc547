// The lines by which a guest tells where it is: `MARK name-start` and `MARK name-end`, the latter with ` ck=` and what came out.

/** One piece of work between its two marks. */
export interface Work {
  readonly name: string;
  readonly seconds: number;
  /** Processor time that the whole program took meanwhile, its compiler's threads included. */
  readonly cpuSeconds: number;
  /** What the guest said the result was; empty when it said nothing. */
  readonly checksum: string;
}

/** What a guest has said so far. */
export interface Story {
  /** Seconds from the start of the program to the guest's first line, `BOOTED`; undefined before it. */
  readonly booted: number | undefined;
  readonly done: readonly Work[];
  /** What was begun and has not ended. */
  readonly open: string | undefined;
  /** Whether `MARK poweroff` came. */
  readonly complete: boolean;
}

/** Reads a console as it comes, in pieces of any size. Times are those at which the end of a line came. */
export class MarkReader {
  #rest = "";
  #booted: number | undefined;
  #open: { name: string; at: number; cpu: number } | undefined;
  #complete = false;
  readonly #done: Work[] = [];

  get story(): Story {
    return { booted: this.#booted, done: this.#done, open: this.#open?.name, complete: this.#complete };
  }

  /** Takes what came on the console `at` this many seconds after the start of the program, which has taken `cpu` seconds by then. */
  feed(text: string, at: number, cpu = 0): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#line(line.trimEnd(), at, cpu);
  }

  #line(line: string, at: number, cpu: number): void {
    // The firmware or the kernel may have begun a line of its own before.
    if (line.includes("BOOTED uptime=")) this.#booted ??= at;
    if (line.endsWith("MARK poweroff")) this.#complete = true;
    const [, name = "", edge, checksum = ""] = /MARK (\S+)-(start|end)(?: ck=(.*))?$/.exec(line) ?? [];
    if (edge === "start") this.#open = { name, at, cpu };
    if (edge !== "end") return;
    if (this.#open?.name !== name) throw new Error(`the guest ended ${name}, which it had not begun`);
    this.#done.push({ name, seconds: at - this.#open.at, cpuSeconds: cpu - this.#open.cpu, checksum: checksum.trim() });
    this.#open = undefined;
  }
}
