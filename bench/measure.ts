// Running programs and measuring them: time to a line of output, memory, medians.
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/** Median of a non-empty list. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export interface RunResult {
  /** Milliseconds from the start to the marker. */
  readonly ms: number;
  /** Peak resident size in bytes when the marker came. */
  readonly peakBytes: number;
  readonly output: string;
}

/** Starts a program and waits until its output holds `marker`; then ends it. Throws when it ends or `limitMs` passes before. */
export async function untilOutput(command: readonly string[], marker: string, limitMs = 300_000, input = ""): Promise<RunResult> {
  const start = performance.now();
  const child = spawn(command[0]!, command.slice(1), { stdio: ["pipe", "pipe", "ignore"] });
  child.stdin.on("error", () => undefined);
  if (input !== "") child.stdin.write(input);
  let output = "";
  try {
    return await new Promise<RunResult>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${command[0]}: no "${marker}" within ${limitMs / 1000} s; last: ${output.slice(-300)}`)),
        limitMs,
      );
      child.stdout.on("data", (chunk: Buffer) => {
        output += chunk.toString("latin1");
        if (!output.includes(marker)) return;
        clearTimeout(timer);
        resolve({ ms: performance.now() - start, peakBytes: peakResident(child), output });
      });
      child.on("exit", (code) => {
        clearTimeout(timer);
        reject(new Error(`${command[0]} ended with ${code} before "${marker}"; last: ${output.slice(-300)}`));
      });
    });
  } finally {
    child.removeAllListeners("exit");
    child.kill("SIGKILL");
  }
}

/** Bytes that a running process had resident at most so far (its VmHWM). */
export function peakResident(child: ChildProcess): number {
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  return Number(status.match(/VmHWM:\s+(\d+) kB/)?.[1] ?? 0) * 1024;
}

const TICKS_A_SECOND = 100;

/** Processor time in seconds that a running process took so far, in steps of 10 ms: fields 14 and 15 of proc(5)'s stat. */
export function cpuSeconds(child: ChildProcess): number {
  const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8");
  // The second field is the program's name in parentheses, and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}
