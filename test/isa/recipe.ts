// A recipe is what is stored of a case: the code, a seed from which the state grows, and the few values that the code needs to
// be certain ones (pointers into the data area, counts). Growing is frozen: a change here makes every recorded vector void,
// which its checksum then says (vectors.ts).
import { CODE_BASE, USER_CODE, USER_DATA, type MemoryBytes, type Mode, type Stop, type TestCase } from "./case.ts";
import { Prng } from "./prng.ts";
import { CpuState } from "./state.ts";
import { LANE_BYTES, Values, type Lane } from "./values.ts";

/** Which registers get interesting contents; everything else stays at its initial value. */
export const PROFILES = ["int", "x87", "mmx", "simd-int", "simd-f32", "simd-f64", "mmx-f32", "mmx-f64"] as const;
/** One of PROFILES. */
export type Profile = (typeof PROFILES)[number];

/** A value that replaces what the seed gave. */
export type Override =
  | { readonly kind: "gpr"; readonly index: number; readonly value: bigint }
  /** Segment base in 64-bit mode: 0 = FS, 1 = GS. */
  | { readonly kind: "base"; readonly index: number; readonly value: bigint }
  /** `count` values of a kind at an offset of the data area. */
  | { readonly kind: "fill"; readonly offset: number; readonly lane: Lane; readonly count: number }
  /** The low bytes of a vector register, or of ST(index). */
  | { readonly kind: "xmm" | "st"; readonly index: number; readonly bytes: Uint8Array }
  | { readonly kind: "bytes"; readonly offset: number; readonly bytes: Uint8Array }
  /** Where the code lies, as an offset from CODE_BASE. */
  | { readonly kind: "origin"; readonly offset: number };

/** All that a case grows from. */
export interface Recipe {
  readonly mode: Mode;
  readonly stop: Stop;
  readonly profile: Profile;
  /** The code touches memory: its windows get random contents. */
  readonly windows: boolean;
  readonly seed: number;
  readonly code: Uint8Array;
  readonly overrides: readonly Override[];
}

/** Where code lies unless an override says otherwise, as an offset from CODE_BASE. */
export const ORIGIN = 0x800;

/** The parts of the data area that get random contents: around each page border, inside and before the end. */
export const WINDOWS = [
  { offset: 0, length: 64 },
  { offset: 0xf80, length: 256 },
  { offset: 0x1fc0, length: 128 },
  { offset: 0x2fc0, length: 64 },
] as const;

const FLAG_BITS = [0x1, 0x4, 0x10, 0x40, 0x80, 0x800];
const DF = 0x400;
const AC = 0x4_0000;

/** Grows the case that a recipe stands for. */
export function expand(recipe: Recipe): TestCase {
  const state = new CpuState();
  const prng = new Prng(recipe.seed);
  const values = new Values(prng);
  fillGeneral(state, recipe.mode, prng, values);
  fillVector(state, recipe, prng, values);
  fillX87(state, recipe.profile, prng, values);
  const memory: MemoryBytes[] = recipe.windows ? WINDOWS.map(({ offset, length }) => ({ offset, bytes: randomBytes(prng, length) })) : [];
  for (const override of recipe.overrides) applyOverride(state, memory, override, values);
  return { mode: recipe.mode, stop: recipe.stop, code: recipe.code, state, memory };
}

function fillGeneral(state: CpuState, mode: Mode, prng: Prng, values: Values): void {
  for (let i = 0; i < (mode === 64 ? 16 : 8); i++) {
    values.write(state.view, i * 8, "i64");
    if (mode === 32) state.view.setUint32(i * 8 + 4, 0, true);
  }
  let flags = 0x202;
  for (const bit of FLAG_BITS) if (prng.chance(50)) flags |= bit;
  if (prng.chance(25)) flags |= DF;
  if (prng.chance(2)) flags |= AC;
  state.rflags = BigInt(flags);
  state.rip = BigInt(CODE_BASE + ORIGIN);
  const data = mode === 32 ? USER_DATA : 0;
  [USER_DATA, USER_CODE[mode], USER_DATA, USER_DATA, data, data].forEach((selector, i) => state.setSegment(i, selector));
}

const SINGLES: readonly Lane[] = ["f32", "f32", "f32", "f32", "f32", "i32"];
const DOUBLES: readonly Lane[] = ["f64", "f64", "f64", "f64", "f64", "i64"];
const SIMD_LANES: Readonly<Record<string, readonly Lane[]>> = {
  "simd-int": ["i8", "i16", "i32", "i64"],
  "simd-f32": SINGLES,
  "simd-f64": DOUBLES,
  "mmx-f32": SINGLES,
  "mmx-f64": DOUBLES,
};

function fillVector(state: CpuState, { mode, profile }: Recipe, prng: Prng, values: Values): void {
  state.mxcsr = 0x1f80;
  const lanes = SIMD_LANES[profile];
  if (!lanes) return;
  for (let i = 0; i < (mode === 64 ? 16 : 8); i++) {
    const xmm = state.xmm(i);
    if (i > 0 && prng.chance(8)) xmm.set(state.xmm(prng.below(i)));
    else values.fill(state.view, xmm.byteOffset - state.bytes.byteOffset, 16, prng.pick(lanes));
  }
  if (profile === "simd-int") return;
  const rounding = prng.below(4) << 13;
  const flush = (prng.chance(25) ? 0x8000 : 0) | (prng.chance(25) ? 0x40 : 0);
  const masks = (prng.chance(65) ? 0x3f : prng.below(64)) << 7;
  state.mxcsr = rounding | flush | masks | (prng.chance(30) ? prng.below(64) : 0);
}

function fillX87(state: CpuState, profile: Profile, prng: Prng, values: Values): void {
  state.fcw = 0x37f;
  if (profile !== "x87" && !profile.startsWith("mmx")) return;
  const masks = prng.chance(60) ? 0x3f : prng.below(64);
  const precision = prng.pick([3, 3, 3, 2, 2, 0, 0, 1]);
  state.fcw = 0x40 | masks | (precision << 8) | (prng.below(4) << 10) | (prng.below(2) << 12);
  // Pending unmasked exceptions make every waiting instruction raise #MF before it does anything: keep them rare.
  const sticky = prng.chance(30) ? prng.below(128) : 0;
  const flags = prng.chance(5) ? sticky : sticky & (masks | 0x40);
  const pending = (flags & 0x3f & ~masks) !== 0 ? 0x8080 : 0;
  state.fsw = flags | pending | (prng.below(8) << 11) | (prng.below(8) << 8) | (prng.below(2) << 14);
  state.ftw = prng.chance(55) ? 0xff : prng.chance(20) ? 0 : prng.next() & 0xff;
  for (let i = 0; i < 8; i++) {
    const at = state.st(i).byteOffset - state.bytes.byteOffset;
    if (profile === "x87") values.write(state.view, at, "f80");
    else fillMmx(state, at, prng, values);
  }
}

function fillMmx(state: CpuState, at: number, prng: Prng, values: Values): void {
  values.fill(state.view, at, 8, prng.pick(["i8", "i16", "i32", "i64"]));
  state.view.setUint16(at + 8, prng.chance(50) ? 0xffff : prng.below(0x1_0000), true);
}

function randomBytes(prng: Prng, length: number): Uint8Array {
  const words = new Uint32Array(length / 4);
  for (let i = 0; i < words.length; i++) words[i] = prng.next();
  return new Uint8Array(words.buffer);
}

function applyOverride(state: CpuState, memory: MemoryBytes[], override: Override, values: Values): void {
  switch (override.kind) {
    case "gpr":
      state.setGpr(override.index, override.value);
      break;
    case "base":
      if (override.index === 0) state.fsBase = override.value;
      else state.gsBase = override.value;
      break;
    case "xmm":
      state.xmm(override.index).set(override.bytes);
      break;
    case "st":
      state.st(override.index).set(override.bytes);
      break;
    case "bytes":
      memory.push({ offset: override.offset, bytes: override.bytes });
      break;
    case "origin":
      state.rip = BigInt(CODE_BASE + override.offset);
      break;
    case "fill": {
      const bytes = new Uint8Array(override.count * LANE_BYTES[override.lane]);
      values.fill(new DataView(bytes.buffer), 0, bytes.length, override.lane);
      memory.push({ offset: override.offset, bytes });
      break;
    }
  }
}
