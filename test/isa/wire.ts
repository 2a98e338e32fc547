// The recorder's binary conversation (recorder/abi.h draws the layouts): cases out, results in.
import { CODE_MAX, type MemoryBytes, type Outcome, type TestCase, type TestResult } from "./case.ts";
import { CpuState, STATE_BYTES } from "./state.ts";

/** First word and version of the recorder's greeting, and its size in bytes. */
export const ABI_MAGIC = 0x4f44_494e;
export const ABI_VERSION = 1;
export const HELLO_BYTES = 104;
/** The recorder's input buffer, in bytes. */
const BATCH_MAX = 16 << 20;
const CASE_HEAD = 16;
const RESULT_HEAD = 24;

/** The processor the recorder runs on. */
export interface HostCpu {
  readonly vendor: string;
  readonly brand: string;
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
  /** CPUID.1 ECX and EDX, CPUID.7.0 EBX, ECX and EDX. */
  readonly features: readonly number[];
  /** The host's kernel lets user mode choose segment bases. */
  readonly fsgsbase: boolean;
}

const pad8 = (n: number): number => (n + 7) & ~7;

/** Decodes the recorder's greeting; undefined when it is not one. */
export function decodeHello(bytes: Uint8Array): HostCpu | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== ABI_MAGIC || view.getUint32(4, true) !== ABI_VERSION) return undefined;
  const text = (at: number, length: number): string => {
    const raw = bytes.subarray(at, at + length);
    const end = raw.indexOf(0);
    return new TextDecoder().decode(end < 0 ? raw : raw.subarray(0, end)).trim();
  };
  const signature = view.getUint32(12, true);
  const family = (signature >> 8) & 15;
  // SDM 2A CPUID, figure 3-6: extended family counts for family 15, extended model for 6 and 15.
  const extended = family === 6 || family === 15;
  return {
    vendor: text(40, 16),
    brand: text(56, 48),
    family: family === 15 ? family + ((signature >> 20) & 0xff) : family,
    model: ((signature >> 4) & 15) | (extended ? (signature >> 12) & 0xf0 : 0),
    stepping: signature & 15,
    features: [16, 20, 24, 28, 32].map((at) => view.getUint32(at, true)),
    fsgsbase: view.getUint32(8, true) !== 0,
  };
}

/** Bytes a case takes in a batch. */
export function caseBytes(test: TestCase): number {
  return test.memory.reduce((n, m) => n + 8 + pad8(m.bytes.length), CASE_HEAD + STATE_BYTES + pad8(test.code.length));
}

/** Encodes a batch. Throws when its cases do not fit BATCH_MAX together, or the code of one CODE_MAX. */
export function encodeBatch(cases: readonly TestCase[]): Uint8Array {
  const size = cases.reduce((n, c) => n + caseBytes(c), 0);
  if (size > BATCH_MAX) throw new RangeError(`a batch of ${size} bytes`);
  const bytes = new Uint8Array(8 + size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, cases.length, true);
  view.setUint32(4, size, true);
  let at = 8;
  for (const c of cases) at = encodeCase(c, bytes, view, at);
  return bytes;
}

function encodeCase(test: TestCase, bytes: Uint8Array, view: DataView, at: number): number {
  if (test.code.length > CODE_MAX) throw new RangeError(`code of ${test.code.length} bytes`);
  const size = caseBytes(test);
  const codeEnd = CASE_HEAD + STATE_BYTES + pad8(test.code.length);
  view.setUint32(at, size, true);
  view.setUint8(at + 4, test.mode);
  view.setUint8(at + 5, test.stop === "step" ? 1 : 0);
  view.setUint16(at + 6, test.code.length, true);
  view.setUint32(at + 8, size - codeEnd, true);
  bytes.set(test.state.bytes, at + CASE_HEAD);
  bytes.set(test.code, at + CASE_HEAD + STATE_BYTES);
  let to = at + codeEnd;
  for (const patch of test.memory) {
    view.setUint32(to, patch.offset, true);
    view.setUint32(to + 4, patch.bytes.length, true);
    bytes.set(patch.bytes, to + 8);
    to += 8 + pad8(patch.bytes.length);
  }
  return at + size;
}

/** Decodes the records of a batch of results; they keep `bytes` alive. */
export function decodeResults(bytes: Uint8Array, count: number): TestResult[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const results: TestResult[] = [];
  for (let at = 0; results.length < count; at += view.getUint32(at, true)) results.push(decodeResult(bytes, view, at));
  return results;
}

function decodeResult(bytes: Uint8Array, view: DataView, at: number): TestResult {
  const memory: MemoryBytes[] = [];
  let from = at + RESULT_HEAD + STATE_BYTES;
  for (let left = view.getUint16(at + 6, true); left > 0; left--) {
    const length = view.getUint32(from + 4, true);
    memory.push({ offset: view.getUint32(from, true), bytes: bytes.subarray(from + 8, from + 8 + length) });
    from += 8 + pad8(length);
  }
  const state = new CpuState(bytes.subarray(at + RESULT_HEAD, at + RESULT_HEAD + STATE_BYTES));
  return { outcome: decodeOutcome(view, at), state, memory };
}

function decodeOutcome(view: DataView, at: number): Outcome {
  switch (view.getUint8(at + 4)) {
    case 0:
      return { kind: "ok" };
    case 1:
      return {
        kind: "exception",
        vector: view.getUint8(at + 5),
        error: view.getUint32(at + 8, true),
        cr2: view.getBigUint64(at + 16, true),
      };
    case 2:
      return { kind: "timeout" };
    default:
      return { kind: "syscall" };
  }
}
