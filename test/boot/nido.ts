// The program itself, as built, with a guest in it.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { Received } from "./qemu.ts";

const file = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const PROGRAM = file("bin/nido.mjs");

/** The embedded guest's files and the command line it wants (guest/PROTOCOL.md), to start it as any other kernel. */
export const GUEST = {
  kernel: file("guest/images/vmlinuz"),
  initrd: file("guest/images/initramfs.img"),
  append: "console=ttyS0 quiet cryptomgr.notests",
} as const;

/** What a run gave. */
export interface Outcome {
  /** As a shell tells it: 128 and the signal's number when a signal ended the program that it did not handle. */
  readonly status: number;
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
      this.#process.once("close", (code, signal) => {
        const status = code ?? 128 + constants.signals[signal ?? "SIGKILL"];
        resolve({ status, stdout: this.stdout.text, stderr: this.stderr.text });
      });
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

  /** Reads no more of the program's output, as `head` does when it has enough. */
  closeOutput(): this {
    this.#process.stdout.destroy();
    return this;
  }

  kill(signal: NodeJS.Signals = "SIGKILL"): void {
    this.#process.kill(signal);
  }
}

/** Runs to the end, with the given input. */
export function nidoRun(args: readonly string[], input: string | Uint8Array = ""): Promise<Outcome> {
  return new NidoRun(args).type(input).end().ended;
}
