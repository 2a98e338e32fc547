// The program itself, as built, with a guest in it.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Received } from "./qemu.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/nido.mjs", import.meta.url));

/** What a run gave. */
export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A `nido run` under way. */
export class NidoRun {
  readonly stdout = new Received();
  readonly stderr = new Received();
  readonly ended: Promise<Outcome>;
  readonly #process: ChildProcessWithoutNullStreams;

  constructor(args: readonly string[]) {
    this.#process = spawn(process.execPath, [PROGRAM, "run", ...args], { stdio: "pipe" });
    this.#process.stdout.on("data", (chunk: Buffer) => this.stdout.add(chunk));
    this.#process.stderr.on("data", (chunk: Buffer) => this.stderr.add(chunk));
    this.#process.stdin.on("error", () => {});
    this.ended = new Promise((resolve) => {
      this.#process.once("close", (status) => resolve({ status, stdout: this.stdout.text, stderr: this.stderr.text }));
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  type(data: string | Uint8Array): this {
    this.#process.stdin.write(data);
    return this;
  }

  /** The end of the program's input. */
  end(): this {
    this.#process.stdin.end();
    return this;
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }
}

/** Runs to the end, with the given input. */
export function nidoRun(args: readonly string[], input: string | Uint8Array = ""): Promise<Outcome> {
  return new NidoRun(args).type(input).end().ended;
}
