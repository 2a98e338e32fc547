// Compares what an engine made of a case with what silicon made of it, and says the difference so that a person can act on it.
import { DATA_BASE, initialData, type MemoryBytes, type Outcome, type TestCase, type TestResult } from "./case.ts";
import { GPR_NAMES, SEGMENT_NAMES, type CpuState } from "./state.ts";
import { opennessOf, type Openness, type Row } from "./undefined.ts";

/** One field that differs, as text. */
export interface FieldDifference {
  readonly field: string;
  readonly initial: string;
  readonly expected: string;
  readonly got: string;
}

/** Bits of RFLAGS that user mode can change and see: not RF and TF, which belong to how cases are stopped, nor IF and IOPL. */
const VISIBLE_FLAGS = 0x0024_4cd5n;

const FLAG_LETTERS: readonly (readonly [bit: bigint, name: string])[] = [
  [1n, "CF"],
  [4n, "PF"],
  [16n, "AF"],
  [64n, "ZF"],
  [128n, "SF"],
  [1024n, "DF"],
  [2048n, "OF"],
  [0x4000n, "NT"],
  [0x4_0000n, "AC"],
  [0x20_0000n, "ID"],
];

/** Every field in which `got` differs from `expected`, beyond what the manual leaves open; empty when they agree. */
export function compare(row: Row, test: TestCase, expected: TestResult, got: TestResult): FieldDifference[] {
  const open = opennessOf(row, test);
  const found: FieldDifference[] = [];
  const note = (field: string, initial: string, want: string, have: string): void => {
    if (want !== have) found.push({ field, initial, expected: want, got: have });
  };
  note("outcome", "", outcomeText(expected.outcome), outcomeText(got.outcome));
  if (open.everything || found.length > 0) return found;
  compareGeneral(test, expected.state, got.state, open, note);
  compareVector(test, expected.state, got.state, open, note);
  compareX87(test.state, expected.state, got.state, open, note);
  compareMemory(test, expected.memory, got.memory, open, note);
  return found;
}

type Note = (field: string, initial: string, want: string, have: string) => void;

const VECTOR_NAMES: Readonly<Record<number, string>> = {
  0: "#DE",
  1: "#DB",
  3: "#BP",
  4: "#OF",
  5: "#BR",
  6: "#UD",
  7: "#NM",
  10: "#TS",
  11: "#NP",
  12: "#SS",
  13: "#GP",
  14: "#PF",
  16: "#MF",
  17: "#AC",
  19: "#XM",
};
const WITH_CODE = new Set([10, 11, 12, 13, 14, 17]);

/** An outcome in a few words. Linux reports accesses to its own half of the address space as present pages. */
export function outcomeText(outcome: Outcome): string {
  if (outcome.kind !== "exception") return outcome.kind;
  const { vector, error, cr2 } = outcome;
  const name = VECTOR_NAMES[vector] ?? `vector ${vector}`;
  if (vector === 14) return `${name}(${cr2 >> 47n === 0n ? error : error | 1}) at ${cr2.toString(16)}`;
  return WITH_CODE.has(vector) ? `${name}(${error.toString(16)})` : name;
}

function flagText(flags: bigint): string {
  return (
    FLAG_LETTERS.filter(([bit]) => (flags & bit) !== 0n)
      .map(([, name]) => name)
      .join(" ") || "none"
  );
}

function compareGeneral({ mode, state }: TestCase, want: CpuState, have: CpuState, open: Openness, note: Note): void {
  const hex = (value: bigint): string =>
    BigInt.asUintN(mode, value)
      .toString(16)
      .padStart(mode / 4, "0");
  for (let i = 0; i < (mode === 64 ? 16 : 8); i++) {
    const name = mode === 64 ? GPR_NAMES[i]! : GPR_NAMES[i]!.replace("r", "e");
    note(name, hex(state.gpr(i)), hex(want.gpr(i)), hex(have.gpr(i)));
  }
  note("rip", state.rip.toString(16), want.rip.toString(16), have.rip.toString(16));
  const mask = VISIBLE_FLAGS & ~open.flags;
  note("flags", flagText(state.rflags & mask), flagText(want.rflags & mask), flagText(have.rflags & mask));
  for (let i = 0; i < 6; i++)
    note(SEGMENT_NAMES[i]!, state.segment(i).toString(16), want.segment(i).toString(16), have.segment(i).toString(16));
  if (mode !== 64) return;
  note("fs base", hex(state.fsBase), hex(want.fsBase), hex(have.fsBase));
  note("gs base", hex(state.gsBase), hex(want.gsBase), hex(have.gsBase));
}

function compareVector({ mode, state }: TestCase, want: CpuState, have: CpuState, open: Openness, note: Note): void {
  note("mxcsr", state.mxcsr.toString(16), want.mxcsr.toString(16), have.mxcsr.toString(16));
  for (let i = 0; i < (mode === 64 ? 16 : 8); i++) {
    const [wanted, got] = [want.xmm(i), have.xmm(i)];
    if (open.relative !== 0 && lanesAgree(wanted, got, open.relative)) continue;
    note(`xmm${i}`, vectorText(state.xmm(i)), vectorText(wanted), vectorText(got));
  }
}

/** Lanes of 32 bits, high first, as people write vectors. */
function vectorText(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .reverse()
    .toString("hex")
    .replace(/(.{8})(?!$)/g, "$1_");
}

function lanesAgree(want: Uint8Array, have: Uint8Array, relative: number): boolean {
  const [a, b] = [new DataView(want.buffer, want.byteOffset, 16), new DataView(have.buffer, have.byteOffset, 16)];
  for (let at = 0; at < 16; at += 4) {
    const [x, y] = [a.getFloat32(at, true), b.getFloat32(at, true)];
    const same = a.getUint32(at, true) === b.getUint32(at, true);
    if (!same && !(Number.isFinite(x) && x !== 0 && Math.abs(x - y) <= Math.abs(x) * relative)) return false;
  }
  return true;
}

/** Not compared: FOP, FIP and FDP, which processors since the Pentium 4 update differently (SDM 1 §8.1.8, §8.1.9). */
function compareX87(initial: CpuState, want: CpuState, have: CpuState, open: Openness, note: Note): void {
  const hex = (value: number): string => value.toString(16).padStart(4, "0");
  note("fcw", hex(initial.fcw), hex(want.fcw), hex(have.fcw));
  note("fsw", hex(initial.fsw), hex(want.fsw & ~open.fsw), hex(have.fsw & ~open.fsw));
  note("ftw", hex(initial.ftw), hex(want.ftw), hex(have.ftw));
  for (let i = 0; i < 8; i++) {
    const [wanted, got] = [want.st(i), have.st(i)];
    if (open.ulps > 0 && extendedClose(wanted, got, open.ulps)) continue;
    note(`st${i}`, extendedText(initial.st(i)), extendedText(wanted), extendedText(got));
  }
}

function extendedText(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).reverse().toString("hex");
  return `${text.slice(0, 4)}_${text.slice(4)}`;
}

/** Sign, exponent and significand as one integer that neighbouring numbers differ in by one (the explicit integer bit left out). */
function extendedOrder(bytes: Uint8Array): { negative: boolean; magnitude: bigint } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 10);
  const head = view.getUint16(8, true);
  const fraction = BigInt.asUintN(63, view.getBigUint64(0, true));
  return { negative: head >= 0x8000, magnitude: (BigInt(head & 0x7fff) << 63n) | fraction };
}

function extendedClose(want: Uint8Array, have: Uint8Array, ulps: number): boolean {
  const [a, b] = [extendedOrder(want), extendedOrder(have)];
  const distance = a.magnitude - b.magnitude;
  const special = a.magnitude >> 63n === 0x7fffn || b.magnitude >> 63n === 0x7fffn;
  return distance === 0n && a.negative === b.negative && !special
    ? sameBytes(want, have)
    : !special && a.negative === b.negative && distance <= BigInt(ulps) && distance >= -BigInt(ulps);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i]);
}

function compareMemory(test: TestCase, want: readonly MemoryBytes[], have: readonly MemoryBytes[], open: Openness, note: Note): void {
  if (want.length === 0 && have.length === 0) return;
  const before = initialData(test);
  const [wanted, got] = [before.slice(), before.slice()];
  for (const { offset, bytes } of want) wanted.set(bytes, offset);
  for (const { offset, bytes } of have) got.set(bytes, offset);
  for (const [from, to] of open.memory) got.set(wanted.subarray(from, to), from);
  for (let at = 0; at < wanted.length; at += 8) {
    const text = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(at, at + 8)).toString("hex");
    if (text(wanted) !== text(got)) note(`[${(DATA_BASE + at).toString(16)}]`, text(before), text(wanted), text(got));
  }
}
