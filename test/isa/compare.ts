// Compares what an engine made of a case with what silicon made of it, and says the difference so that a person can act on it.
import { changedWords, DATA_BASE, initialData, type MemoryBytes, type Outcome, type TestCase, type TestResult, USER_CODE } from "./case.ts";
import { FX_OFFSET, GPR_NAMES, SEGMENT_NAMES, type CpuState } from "./state.ts";
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
  const [want, have] = [outcomeText(expected.outcome, open), outcomeText(got.outcome, open)];
  if (want !== have) found.push({ field: "outcome", initial: "", expected: want, got: have });
  if (open.everything || found.length > 0) return found;
  compareGeneral(test, expected.state, got.state, open, found);
  compareVector(test, expected.state, got.state, open, found);
  compareX87(test.state, expected.state, got.state, open, found);
  if (!open.partial || expected.outcome.kind === "ok") compareMemory(test, expected.memory, got.memory, open, found);
  return found;
}

/** Notes a field that differs; only then are the values turned into text. */
function note<T>(found: FieldDifference[], field: string, [initial, want, have]: readonly [T, T, T], text: (value: T) => string): void {
  found.push({ field, initial: text(initial), expected: text(want), got: text(have) });
}

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

/** The last page below the canonical limit is Linux' too (TASK_SIZE_MAX). */
const LINUX_USER_END = 0x7fff_ffff_f000n;

/** An outcome in a few words. Linux reports accesses to its own half of the address space as present pages. */
export function outcomeText(outcome: Outcome, open?: Openness): string {
  if (outcome.kind !== "exception") return outcome.kind;
  const { vector, error, cr2 } = outcome;
  const name = VECTOR_NAMES[vector] ?? `vector ${vector}`;
  if (vector === 14) return `${name}(${cr2 < LINUX_USER_END ? error : error | 1}) at ${(open?.partial ? cr2 & ~0xfffn : cr2).toString(16)}`;
  return WITH_CODE.has(vector) ? `${name}(${error.toString(16)})` : name;
}

function flagText(flags: bigint): string {
  return (
    FLAG_LETTERS.filter(([bit]) => (flags & bit) !== 0n)
      .map(([, name]) => name)
      .join(" ") || "none"
  );
}

/** Null selectors are one: the IRET by which the recorder's handler came to run clears their RPL. */
function selector(value: number): bigint {
  return BigInt(value < 4 ? 0 : value);
}

function compareGeneral({ mode, state }: TestCase, want: CpuState, have: CpuState, open: Openness, found: FieldDifference[]): void {
  // Who comes to compatibility mode finds the upper halves of registers undefined (SDM 1 §3.4.1.1).
  const bits = want.segment(1) === USER_CODE[32] ? 32 : mode;
  const hex = (value: bigint): string => value.toString(16).padStart(bits / 4, "0");
  const check = (field: string, of: (s: CpuState) => bigint, text: (value: bigint) => string = hex): void => {
    const values = [of(state), of(want), of(have)] as const;
    if (values[1] !== values[2]) note(found, field, values, text);
  };
  for (let i = 0; i < (mode === 64 ? 16 : 8); i++) {
    const name = GPR_NAMES[i]!;
    check(mode === 64 ? name : name.replace("r", "e"), (s) => BigInt.asUintN(bits, s.gpr(i)));
  }
  check("rip", (s) => s.rip);
  const mask = VISIBLE_FLAGS & ~open.flags;
  check("flags", (s) => s.rflags & mask, flagText);
  for (let i = 0; i < 6; i++) check(SEGMENT_NAMES[i]!, (s) => selector(s.segment(i)));
  if (mode !== 64) return;
  check("fs base", (s) => s.fsBase);
  check("gs base", (s) => s.gsBase);
}

function compareVector({ mode, state }: TestCase, want: CpuState, have: CpuState, open: Openness, found: FieldDifference[]): void {
  if (want.mxcsr !== have.mxcsr) note(found, "mxcsr", [state.mxcsr, want.mxcsr, have.mxcsr], (value) => value.toString(16));
  if (sameBytes(want.fx.subarray(FX_OFFSET.xmm), have.fx.subarray(FX_OFFSET.xmm))) return;
  for (let i = 0; i < (mode === 64 ? 16 : 8); i++) {
    const values = [state.xmm(i), want.xmm(i), have.xmm(i)] as const;
    if (sameBytes(values[1], values[2]) || (open.relative !== 0 && lanesAgree(values[1], values[2], open.relative))) continue;
    note(found, `xmm${i}`, values, vectorText);
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
function compareX87(initial: CpuState, want: CpuState, have: CpuState, open: Openness, found: FieldDifference[]): void {
  const check = (field: string, of: (s: CpuState) => number): void => {
    const values = [of(initial), of(want), of(have)] as const;
    if (values[1] !== values[2]) note(found, field, values, (value) => value.toString(16).padStart(4, "0"));
  };
  check("fcw", (s) => s.fcw);
  check("fsw", (s) => s.fsw & ~open.fsw);
  check("ftw", (s) => s.ftw);
  if (sameBytes(want.fx.subarray(FX_OFFSET.st, FX_OFFSET.xmm), have.fx.subarray(FX_OFFSET.st, FX_OFFSET.xmm))) return;
  for (let i = 0; i < 8; i++) {
    const values = [initial.st(i), want.st(i), have.st(i)] as const;
    if (sameBytes(values[1], values[2]) || (open.ulps > 0 && extendedClose(values[1], values[2], open.ulps))) continue;
    note(found, `st${i}`, values, extendedText);
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

/** Whether two ordinary numbers of one sign are neighbours within `ulps`. */
function extendedClose(want: Uint8Array, have: Uint8Array, ulps: number): boolean {
  const [a, b] = [extendedOrder(want), extendedOrder(have)];
  const special = a.magnitude >> 63n === 0x7fffn || b.magnitude >> 63n === 0x7fffn;
  const distance = a.magnitude - b.magnitude;
  return !special && a.negative === b.negative && distance !== 0n && distance <= BigInt(ulps) && distance >= -BigInt(ulps);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function compareMemory(
  test: TestCase,
  want: readonly MemoryBytes[],
  have: readonly MemoryBytes[],
  open: Openness,
  found: FieldDifference[],
): void {
  if (want.length === have.length && want.every(({ offset, bytes }, i) => offset === have[i]?.offset && sameBytes(bytes, have[i].bytes)))
    return;
  const before = initialData(test);
  const after = (changes: readonly MemoryBytes[]): Uint8Array => {
    const data = before.slice();
    for (const { offset, bytes } of changes) data.set(bytes, offset);
    return data;
  };
  const [wanted, got] = [after(want), after(have)];
  for (const [from, to] of open.memory) got.set(wanted.subarray(from, to), from);
  for (const { offset } of changedWords(wanted, got, 8)) {
    const word = (bytes: Uint8Array): Uint8Array => bytes.subarray(offset, offset + 8);
    note(found, `[${(DATA_BASE + offset).toString(16)}]`, [word(before), word(wanted), word(got)], (bytes) =>
      Buffer.from(bytes).toString("hex"),
    );
  }
}
