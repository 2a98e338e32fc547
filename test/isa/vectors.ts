// Recorded vectors: one file an instruction, a line of JSON that says where it comes from, then the cases' columns, deflated.
//
//   {"format":"nido-isa-vectors","version":1,"cpu":…,"date":…,"rows":[{"text":…,"cases":…,"growth":…}]}\n  columns (columns.ts)
//
// Of a case only its code, its overrides and what changed are stored; the state before grows from the row's text and the case's
// number (recipe.ts). `growth` is a checksum of what grew when the row was recorded: should it differ, the row is recorded anew.
import { crc32 } from "node:zlib";
import { changedWords, DATA_BASE, initialData, type MemoryBytes, type Mode, type Outcome, type TestCase, type TestResult } from "./case.ts";
import { newColumns, packColumns, readDelta, unpackColumns, writeDelta, type Readers, type Writers } from "./columns.ts";
import { stateSeed } from "./generator.ts";
import { seedOf } from "./prng.ts";
import { expand, PROFILES, type Override, type Recipe } from "./recipe.ts";
import { FX_OFFSET, type CpuState } from "./state.ts";
import { LANES } from "./values.ts";

/** Version of the file format. */
export const VECTORS_VERSION = 1;

/** Where vectors come from. */
export interface Provenance {
  readonly cpu: {
    readonly vendor: string;
    readonly brand: string;
    readonly family: number;
    readonly model: number;
    readonly stepping: number;
  };
  /** As the host's kernel tells it, e.g. "0x21000161"; empty when it does not. */
  readonly microcode: string;
  /** YYYY-MM-DD. */
  readonly date: string;
}

/** A row in a file's header: its text, how many cases follow, and the checksum of what they grow from. */
export interface RowHeader {
  readonly text: string;
  readonly cases: number;
  readonly growth: number;
}

/** The first line of a vector file. */
export interface VectorHeader extends Provenance {
  readonly format: "nido-isa-vectors";
  readonly version: number;
  readonly instruction: string;
  readonly rows: readonly RowHeader[];
}

/** A case of a row with its result; `index` is the instance's number. */
export interface Vector {
  readonly index: number;
  readonly recipe: Recipe;
  readonly test: TestCase;
  readonly expected: TestResult;
}

/** The vectors of one row, by its text. */
export interface RowVectors {
  readonly text: string;
  readonly vectors: readonly Vector[];
}

const GROWTH_SAMPLE = 4;

function growthOf(vectors: readonly Vector[]): number {
  return vectors.slice(0, GROWTH_SAMPLE).reduce((crc, { test }) => crc32(initialData(test), crc32(test.state.bytes, crc)), 0);
}

/** Encodes the vectors of one instruction. */
export function encodeVectors(instruction: string, provenance: Provenance, rows: readonly RowVectors[]): Uint8Array {
  const header: VectorHeader = {
    format: "nido-isa-vectors",
    version: VECTORS_VERSION,
    instruction,
    ...provenance,
    rows: rows.map(({ text, vectors }) => ({ text, cases: vectors.length, growth: growthOf(vectors) })),
  };
  const columns = newColumns();
  for (const { vectors } of rows) {
    let previous = 0;
    for (const vector of vectors) {
      columns.head.zigzag(BigInt(vector.index - previous));
      previous = vector.index;
      writeRecipe(columns, vector.recipe);
      writeResult(columns, vector.test, vector.expected);
    }
  }
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), packColumns(columns)]);
}

/** The first line of a vector file. Throws when it is not one, or of another version. */
export function readHeader(file: Uint8Array): VectorHeader {
  const end = file.indexOf(10);
  const header = JSON.parse(new TextDecoder().decode(file.subarray(0, Math.max(end, 0)))) as VectorHeader;
  if (header.format !== "nido-isa-vectors" || header.version !== VECTORS_VERSION) throw new Error("Not a vector file of this version");
  return header;
}

/** Decodes a vector file. Throws when a row's states no longer grow as they did when it was recorded. */
export function decodeVectors(file: Uint8Array): { header: VectorHeader; rows: RowVectors[] } {
  const header = readHeader(file);
  const columns = unpackColumns(file.subarray(file.indexOf(10) + 1));
  const rows = header.rows.map((row) => {
    const vectors: Vector[] = [];
    for (let i = 0, index = 0; i < row.cases; i++) {
      index += Number(columns.head.zigzag());
      const recipe = readRecipe(columns, { instruction: header.instruction, text: row.text }, index);
      const test = expand(recipe);
      vectors.push({ index, recipe, test, expected: readResult(columns, test) });
    }
    if (growthOf(vectors) !== row.growth) throw new Error(`Vectors of ${header.instruction} "${row.text}" are stale: record them anew`);
    return { text: row.text, vectors };
  });
  return { header, rows };
}

function writeRecipe(columns: Writers, recipe: Recipe): void {
  const { mode, stop, windows, profile, code, overrides } = recipe;
  columns.head.byte((mode === 64 ? 1 : 0) | (stop === "step" ? 2 : 0) | (windows ? 4 : 0) | (PROFILES.indexOf(profile) << 3));
  columns.head.byte(overrides.length);
  columns.code.varint(code.length);
  columns.code.raw(code);
  for (const override of overrides) writeOverride(columns, override);
}

function readRecipe(columns: Readers, row: { instruction: string; text: string }, index: number): Recipe {
  const head = columns.head.byte();
  const count = columns.head.byte();
  const mode: Mode = (head & 1) !== 0 ? 64 : 32;
  const code = columns.code.raw(columns.code.number());
  const overrides = Array.from({ length: count }, () => readOverride(columns));
  return {
    mode,
    stop: (head & 2) !== 0 ? "step" : "landing",
    windows: (head & 4) !== 0,
    profile: PROFILES[head >> 3]!,
    seed: stateSeed(row, mode, index),
    code,
    overrides,
  };
}

const OVERRIDE_KINDS = ["gpr", "base", "fill", "bytes", "origin", "xmm", "st"] as const;

function writeOverride({ overrides, values }: Writers, override: Override): void {
  overrides.byte(OVERRIDE_KINDS.indexOf(override.kind));
  switch (override.kind) {
    case "gpr":
    case "base":
      overrides.byte(override.index);
      return values.zigzag(override.value - BigInt(DATA_BASE));
    case "fill":
      overrides.byte(LANES.indexOf(override.lane));
      overrides.varint(override.count);
      return values.varint(override.offset);
    case "origin":
      return values.varint(override.offset);
    default:
      overrides.varint(override.kind === "bytes" ? override.offset : override.index);
      overrides.varint(override.bytes.length);
      return values.raw(override.bytes);
  }
}

function readOverride({ overrides, values }: Readers): Override {
  const kind = OVERRIDE_KINDS[overrides.byte()]!;
  switch (kind) {
    case "gpr":
    case "base":
      return { kind, index: overrides.byte(), value: BigInt.asUintN(64, values.zigzag() + BigInt(DATA_BASE)) };
    case "fill":
      return { kind, lane: LANES[overrides.byte()]!, count: overrides.number(), offset: values.number() };
    case "origin":
      return { kind, offset: values.number() };
    default: {
      const where = overrides.number();
      const bytes = values.raw(overrides.number());
      return kind === "bytes" ? { kind, offset: where, bytes } : { kind, index: where, bytes };
    }
  }
}

/** The x87's opcode and pointers are not compared (compare.ts), so they are not stored. */
function forgetPointers(state: CpuState, initial: CpuState): void {
  state.fx.set(initial.fx.subarray(6, 24), 6);
  state.fx.set(initial.fx.subarray(28, 32), 28);
}

/** Turns the x87 registers by `by` places: stack order to physical order by TOP, and back by -TOP. A push then changes one. */
function rotateStack(state: CpuState, by: number): void {
  if ((by & 7) === 0) return;
  const area = state.fx.subarray(FX_OFFSET.st, FX_OFFSET.xmm);
  const before = area.slice();
  for (let i = 0; i < 8; i++) area.set(before.subarray(i * 16, i * 16 + 16), ((i + by) & 7) * 16);
}

const topOf = (state: CpuState): number => (state.fsw >> 11) & 7;

function writeResult(columns: Writers, test: TestCase, { outcome, state, memory }: TestResult): void {
  const [initial, expected] = [test.state.clone(), state.clone()];
  forgetPointers(expected, initial);
  writeOutcome(columns, outcome);
  const end = test.state.rip + BigInt(test.code.length);
  columns.registers.zigzag(expected.rip - end);
  columns.flags.varint(expected.rflags ^ test.state.rflags);
  expected.rip = initial.rip;
  expected.rflags = initial.rflags;
  rotateStack(initial, topOf(initial));
  rotateStack(expected, topOf(expected));
  writeDelta(columns, initial.bytes, expected.bytes);
  columns.memory.byte(memory.length > 0 ? 1 : 0);
  if (memory.length === 0) return;
  const [before, after] = [initialData(test), initialData(test)];
  for (const { offset, bytes } of memory) after.set(bytes, offset);
  writeDelta(columns, before, after);
}

function readResult(columns: Readers, test: TestCase): TestResult {
  const outcome = readOutcome(columns);
  const rip = BigInt.asUintN(64, test.state.rip + BigInt(test.code.length) + columns.registers.zigzag());
  const rflags = test.state.rflags ^ columns.flags.varint();
  const state = test.state.clone();
  rotateStack(state, topOf(state));
  readDelta(columns, state.bytes);
  rotateStack(state, -topOf(state));
  state.rip = rip;
  state.rflags = rflags;
  const memory: MemoryBytes[] = [];
  if (columns.memory.byte() !== 0) {
    const [before, after] = [initialData(test), initialData(test)];
    readDelta(columns, after);
    memory.push(...changedWords(before, after));
  }
  return { outcome, state, memory };
}

function writeOutcome({ outcome: column }: Writers, outcome: Outcome): void {
  if (outcome.kind !== "exception") return column.byte(0);
  column.byte(outcome.vector + 1);
  column.varint(outcome.error);
  column.zigzag(outcome.cr2 - BigInt(DATA_BASE));
}

function readOutcome({ outcome: column }: Readers): Outcome {
  const head = column.byte();
  if (head === 0) return { kind: "ok" };
  return { kind: "exception", vector: head - 1, error: column.number(), cr2: BigInt.asUintN(64, column.zigzag() + BigInt(DATA_BASE)) };
}

/** Where an instruction's vectors lie below the vectors folder: letters, digits and a short hash when the name has others. */
export function fileNameOf(instruction: string): string {
  const plain = instruction.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return plain === instruction.toLowerCase() ? `${plain}.vec` : `${plain}-${(seedOf(instruction, 0) & 0xfff).toString(16)}.vec`;
}
