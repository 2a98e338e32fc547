// Builds the recorder with gcc, keeps one process of it running and feeds it cases in batches.
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from "node:child_process";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestCase, TestResult } from "./case.ts";
import { caseBytes, decodeHello, decodeResults, encodeBatch, HELLO_BYTES, type HostCpu } from "./wire.ts";

const SOURCES = join(dirname(fileURLToPath(import.meta.url)), "recorder");
// Freestanding and linked far above 4 GiB: RECORDER_BASE in abi.h.
const GCC_FLAGS = [
  "-O2",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-ffreestanding",
  "-fno-stack-protector",
  "-fcf-protection=none",
  "-fno-asynchronous-unwind-tables",
  "-fpie",
  "-mno-red-zone",
  "-mfsgsbase",
  "-nostdlib",
  "-static",
  "-no-pie",
  "-Wl,-Ttext-segment=0x523400000000",
  "-Wl,--build-id=none",
  "-Wl,-z,noexecstack",
];
const BATCH_CASES = 2000;
/** Half of the recorder's buffer, so that results (which may carry more memory) fit theirs. */
const BATCH_BYTES = 8 << 20;

/** Why recording is impossible on this host, or undefined when it is possible. */
export function whyNoRecorder(): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64")
    return `recording needs Linux on x86-64, this is ${process.platform}-${process.arch}`;
  return spawnSync("gcc", ["--version"]).status === 0 ? undefined : "recording needs gcc, which is not installed";
}

/** Compiles the recorder when its sources are newer than `binary`; returns the path. Throws with gcc's messages. */
export function buildRecorder(binary: string = join(tmpdir(), `nido-isa-recorder-${process.getuid?.() ?? 0}`, "recorder")): string {
  const files = ["main.c", "run.c", "abi.h", "linux.h", "run.h"].map((name) => join(SOURCES, name));
  const newest = Math.max(...files.map((file) => statSync(file).mtimeMs));
  if (existsSync(binary) && statSync(binary).mtimeMs > newest) return binary;
  mkdirSync(dirname(binary), { recursive: true, mode: 0o700 });
  const sources = files.filter((file) => file.endsWith(".c"));
  const gcc = spawnSync("gcc", [...GCC_FLAGS, "-o", binary, ...sources], { encoding: "utf8" });
  if (gcc.status !== 0) throw new Error(`gcc cannot build the recorder: ${gcc.stderr || String(gcc.error)}`);
  return binary;
}

/** Collects a child's output and hands it out in exact amounts. */
class ByteQueue {
  private readonly chunks: Uint8Array[] = [];
  private available = 0;
  private wanted = 0;
  private wake: ((error?: Error) => void) | undefined;
  private failure: Error | undefined;

  push(chunk: Uint8Array): void {
    this.chunks.push(chunk);
    this.available += chunk.length;
    if (this.available >= this.wanted) this.wake?.();
  }

  fail(error: Error): void {
    this.failure = error;
    this.wake?.(error);
  }

  async take(length: number): Promise<Uint8Array> {
    this.wanted = length;
    if (this.available < length) {
      if (this.failure) throw this.failure;
      await new Promise<void>((resolve, reject) => {
        this.wake = (error) => (error ? reject(error) : resolve());
      });
      this.wake = undefined;
    }
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) at += this.moveInto(bytes, at);
    this.available -= length;
    return bytes;
  }

  private moveInto(bytes: Uint8Array, at: number): number {
    const head = this.chunks[0]!;
    const part = head.subarray(0, bytes.length - at);
    bytes.set(part, at);
    if (part.length === head.length) this.chunks.shift();
    else this.chunks[0] = head.subarray(part.length);
    return part.length;
  }
}

/** Runs cases on the host's processor. One `record` at a time. */
export class Recorder {
  readonly cpu: HostCpu;
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly queue: ByteQueue;

  private constructor(cpu: HostCpu, child: ChildProcessWithoutNullStreams, queue: ByteQueue) {
    this.cpu = cpu;
    this.child = child;
    this.queue = queue;
  }

  /** Builds (when needed) and starts the recorder. Throws when the host cannot record (`whyNoRecorder`). */
  static async start(): Promise<Recorder> {
    const reason = whyNoRecorder();
    if (reason !== undefined) throw new Error(reason);
    const child = spawn(buildRecorder(), { stdio: ["pipe", "pipe", "pipe"] });
    const queue = new ByteQueue();
    child.stdout.on("data", (chunk: Uint8Array) => queue.push(chunk));
    child.stdin.on("error", () => {});
    child.on("error", (error) => queue.fail(error));
    child.on("exit", (code, signal) => queue.fail(new Error(`The recorder ended with ${signal ?? `status ${code}`}`)));
    const cpu = decodeHello(await queue.take(HELLO_BYTES));
    if (!cpu) throw new Error("The recorder's greeting is not of this version");
    return new Recorder(cpu, child, queue);
  }

  /** Runs the cases in order; results in the same order. */
  async record(cases: readonly TestCase[]): Promise<TestResult[]> {
    const results: TestResult[] = [];
    for (let from = 0; from < cases.length;) {
      let to = from;
      for (let bytes = 0; to < cases.length && to - from < BATCH_CASES; to++) {
        bytes += caseBytes(cases[to]!);
        if (bytes > BATCH_BYTES) break;
      }
      results.push(...(await this.batch(cases.slice(from, to))));
      from = to;
    }
    return results;
  }

  private async batch(cases: readonly TestCase[]): Promise<TestResult[]> {
    this.child.stdin.write(encodeBatch(cases));
    const head = await this.queue.take(8);
    const view = new DataView(head.buffer);
    const body = await this.queue.take(view.getUint32(4, true));
    return decodeResults(body, view.getUint32(0, true));
  }

  /** Ends the process. */
  close(): void {
    this.child.stdin.end();
  }
}
