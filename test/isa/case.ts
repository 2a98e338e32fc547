// What a case and its result are, whoever runs it: the recorder on silicon or one of Nido's engines.
import type { CpuState } from "./state.ts";

/** 64-bit mode, or compatibility mode with flat 32-bit segments. */
export type Mode = 64 | 32;

/** `landing`: run until the instruction pointer leaves the code. `step`: run one instruction (control transfers). */
export type Stop = "landing" | "step";

/** Bytes at an offset from DATA_BASE. */
export interface MemoryBytes {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A case: mode, code, and the state before it. */
export interface TestCase {
  readonly mode: Mode;
  readonly stop: Stop;
  /** At `state.rip`; at most 512 bytes. */
  readonly code: Uint8Array;
  readonly state: CpuState;
  /** The data area is zero except here. */
  readonly memory: readonly MemoryBytes[];
}

/** How a case ended. */
export type Outcome =
  | { readonly kind: "ok" }
  /** `cr2` counts for page faults (vector 14) only and is 0 otherwise. */
  | { readonly kind: "exception"; readonly vector: number; readonly error: number; readonly cr2: bigint }
  /** Did not end within 50 ms, or tried a system call: such cases prove nothing. */
  | { readonly kind: "timeout" }
  | { readonly kind: "syscall" };

/** What a case came to. */
export interface TestResult {
  readonly outcome: Outcome;
  /** At an exception: as the handler would find it, with RIP at the faulting instruction (after it for traps). */
  readonly state: CpuState;
  /** Changed words of the data area, ascending, whole 8-byte words. */
  readonly memory: readonly MemoryBytes[];
}

/**
 * The address space of every case; an engine under test provides the same.
 *
 *     CODE_BASE  2 pages, user, executable, filled with INT3, then nothing mapped
 *     DATA_BASE  2 pages, user, writable, not executable; then 1 read-only page; nothing before and behind
 *
 * CPL 3, IOPL 0, CR0 = PE MP ET NE WP AM PG, CR4 with OSFXSR OSXMMEXCPT FSGSBASE OSXSAVE and neither TSD, PCE nor UMIP visible.
 */
export const CODE_BASE = 0x1000_0000;
export const CODE_BYTES = 0x2000;
export const DATA_BASE = 0x2000_0000;
export const DATA_BYTES = 0x3000;
export const DATA_WRITABLE = 0x2000;
/** Code of a case may be this long, in bytes. */
export const CODE_MAX = 512;

/** Linux' flat user segments: SS, DS and ES always hold USER_DATA; FS and GS too in 32-bit mode, and 0 in 64-bit mode. */
export const USER_DATA = 0x2b;
export const USER_CODE: Readonly<Record<Mode, number>> = { 64: 0x33, 32: 0x23 };

/** An engine under test. */
export interface VectorEngine {
  readonly name: string;
  /** Runs one case in the address space described above. Must not keep or change `test`. */
  run(test: TestCase): TestResult;
}

/** The bytes of the data area at the start of a case, in `data` when it is given. */
export function initialData(test: TestCase, data: Uint8Array = new Uint8Array(DATA_BYTES)): Uint8Array {
  data.fill(0);
  for (const { offset, bytes } of test.memory) data.set(bytes, offset);
  return data;
}

/**
 * The changed words between two images of the data area, in the form a result has them: runs of whole 8-byte words, none longer
 * than `longest` bytes. Both images are DATA_BYTES long and begin at a multiple of 8 in their buffers.
 */
export function changedWords(before: Uint8Array, after: Uint8Array, longest: number = DATA_WRITABLE): MemoryBytes[] {
  const [then, now] = [before, after].map((bytes) => new Int32Array(bytes.buffer, bytes.byteOffset, DATA_WRITABLE / 4)) as [
    Int32Array,
    Int32Array,
  ];
  const same = (word: number): boolean => then[word] === now[word] && then[word + 1] === now[word + 1];
  const runs: MemoryBytes[] = [];
  for (let word = 0; word < then.length; word += 2) {
    const from = word;
    while (word < then.length && (word - from) * 4 < longest && !same(word)) word += 2;
    if (word === from) continue;
    runs.push({ offset: from * 4, bytes: after.slice(from * 4, word * 4) });
    word -= 2;
  }
  return runs;
}
