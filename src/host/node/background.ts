// Threads that work ahead of a machine, and must not take the processor from it. A process without rights may lower priorities, never raise
// them: so it is the others that step back. Only on Linux does a thread have a priority of its own.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { constants, getPriority, setPriority } from "node:os";

/** Against this one a machine's thread has nine tenths of a processor (setpriority(2), sched(7)). */
const NICE = constants.priority.PRIORITY_BELOW_NORMAL;
/** What a process has from its begin: the program's thread, the one for delayed tasks, then V8's. */
const THREADS_BEFORE_V8 = 2;
const THREADS_OF_V8 = 4;
/** Numbers of threads begin anew behind this one (proc(5), pid_max on 64-bit hosts). */
const MOST_THREADS = 2 ** 22;

/** The calling thread works in the background from now on. Where threads have no priorities, nothing changes. */
export function workInBackground(): void {
  const id = Number(
    readOr("", () => readlinkSync("/proc/thread-self"))
      .split("/")
      .at(-1),
  );
  if (id > 0) stepBack(id);
}

/**
 * V8's own threads, which optimize code and collect garbage for all threads of this process, work in the background from now on.
 * For programs that do nothing but run machines.
 */
export function optimizeInBackground(): void {
  for (const id of threadsOfV8()) stepBack(id);
}

/** By name from Node 24 on; before, they have none, and are known by the order in which a process starts its threads. */
function threadsOfV8(): number[] {
  const ids = readOr([], () => readdirSync("/proc/self/task"))
    .map(Number)
    .toSorted((a, b) => ageOf(a) - ageOf(b));
  const named = ids.filter((id) => readOr("", () => readFileSync(`/proc/self/task/${id}/comm`, "utf8")).includes("V8Worker"));
  return named.length > 0 ? named : ids.slice(THREADS_BEFORE_V8, THREADS_BEFORE_V8 + THREADS_OF_V8);
}

/** How many numbers were given away between this process' first thread and another. */
function ageOf(thread: number): number {
  return (thread - process.pid + MOST_THREADS) % MOST_THREADS;
}

function stepBack(thread: number): void {
  try {
    if (getPriority(thread) < NICE) setPriority(thread, NICE);
  } catch {
    // A host that forbids it, or a thread that has ended: then it competes.
  }
}

function readOr<T>(otherwise: T, read: () => T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
