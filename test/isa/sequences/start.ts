// What a sequence finds: registers, memory, and how it is run.
import { Prng } from "../prng.ts";
import { Values, type Lane } from "../values.ts";
import { writeSequence } from "./patterns.ts";
import type { Mode, Program } from "./program.ts";
import { DATA, dataBase, PRIVATE, slotOffset, SLOTS } from "./space.ts";

/** General registers and XMM registers, in the state's form; x87 registers by number, 16 bytes each. */
export interface StartState {
  readonly gpr: BigUint64Array;
  readonly xmm: Uint8Array;
  readonly x87: Uint8Array;
  readonly rflags: number;
  readonly mxcsr: number;
  readonly fcw: number;
  readonly ftop: number;
  readonly ftw: number;
}

/** How often the processor is interrupted in the run that is compared. */
export interface Schedule {
  /** Largest budget of one `run`, in instructions. */
  readonly budget: number;
  readonly interrupts: boolean;
  readonly kicks: boolean;
  /** With an empty TLB. */
  readonly cold: boolean;
  /**
   * What happens to the code between translation and the run: nothing, the same bytes again, other bytes and back, or another page in
   * place of one and back.
   */
  readonly rewrite: "none" | "same" | "other" | "remap";
  /** Regions also begin at so many labels. */
  readonly inner: number;
  /** Translated when it has run for so many instructions already; 0 for before. */
  readonly late: number;
}

/** A sequence with all that it depends on. */
export interface Sequence {
  readonly seed: number;
  readonly slot: number;
  readonly cpl: 0 | 3;
  readonly program: Program;
  readonly start: StartState;
  readonly schedule: Schedule;
}

const LANES: readonly Lane[] = ["i8", "i16", "i32", "i64", "f32", "f32", "f32", "f64", "f64", "f64", "f80"];
const POOL_BYTES = 0x1_0000;
let pooled: Uint8Array | undefined;

/** Random values of every kind, of which sequences get parts. */
function pool(): Uint8Array {
  if (pooled) return pooled;
  pooled = new Uint8Array(POOL_BYTES);
  const view = new DataView(pooled.buffer);
  const prng = new Prng(0x5eed);
  for (let at = 0; at + 64 <= POOL_BYTES; at += 64) new Values(prng).fill(view, at, 64, prng.pick(LANES));
  return pooled;
}

function part(prng: Prng, length: number): Uint8Array {
  const at = prng.below((POOL_BYTES - length) / 16) * 16;
  return pool().subarray(at, at + length);
}

const MXCSR_MASKED = 0x1f80;

/** All exceptions masked mostly; rounding, FTZ, DAZ, sticky flags and unmasked exceptions by chance. */
function someMxcsr(prng: Prng): number {
  if (prng.chance(35)) return MXCSR_MASKED | (prng.chance(60) ? 0x20 : 0);
  const rounding = prng.chance(50) ? 0 : prng.below(4) << 13;
  const flush = (prng.chance(30) ? 0x8000 : 0) | (prng.chance(30) ? 0x40 : 0);
  const masks = (prng.chance(70) ? 0x3f : prng.below(64)) << 7;
  return rounding | flush | masks | (prng.chance(50) ? 0x20 : prng.below(64));
}

function someFcw(prng: Prng): number {
  if (prng.chance(50)) return 0x37f;
  return 0x40 | (prng.chance(60) ? 0x3f : prng.below(64)) | (prng.pick([3, 3, 2, 0]) << 8) | (prng.below(4) << 10);
}

const FLAGS = 0x8d5;
/** RSP RBX RBP RSI RDI R12 R13: where pointers point to, as offsets in the data window. */
const POINTERS: readonly (readonly [register: number, offset: number])[] = [
  [4, DATA.stack + 0x1020],
  [3, 0xff0],
  [5, DATA.stack + 0x1040],
  [6, 0x400],
  [7, 0xc00],
  [12, 0x1f80],
  [13, 0x1010],
];

function startState(prng: Prng, mode: Mode, slot: number): StartState {
  const gpr = new BigUint64Array(16);
  const count = mode === 64 ? 16 : 8;
  const { buffer, byteOffset } = part(prng, count * 8);
  const view = new DataView(buffer, byteOffset);
  for (let i = 0; i < count; i++) gpr[i] = mode === 64 ? view.getBigUint64(i * 8, true) : BigInt(view.getUint32(i * 8, true));
  for (const [register, offset] of POINTERS) {
    if (register >= count) continue;
    const shift = prng.chance(90) ? (prng.below(8) - 4) * 16 : prng.below(64);
    gpr[register] = BigInt(dataBase(slot) + offset + shift);
  }
  return {
    gpr,
    xmm: part(prng, 256),
    x87: extended(prng),
    rflags: 0x202 | (prng.next() & FLAGS) | (prng.chance(3) ? 0x400 : 0),
    mxcsr: someMxcsr(prng),
    fcw: someFcw(prng),
    ftop: prng.below(8),
    ftw: prng.chance(60) ? 0xff : prng.chance(50) ? 0 : prng.next() & 0xff,
  };
}

function extended(prng: Prng): Uint8Array {
  const bytes = new Uint8Array(128);
  const values = new Values(prng);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 8; i++) values.write(view, i * 16, "f80");
  return bytes;
}

/** Writes the data of a slot's memory at its start; the code pages are left alone. */
export function fillData({ seed, start }: Sequence, memory: Uint8Array): void {
  const prng = new Prng(seed ^ 0xda7a);
  for (const offset of [0, 0x1000, DATA.readOnly, DATA.stack, DATA.stack + 0x1000])
    memory.set(part(prng, 0x1000), slotOffset("data", offset));
  const at = slotOffset("data", DATA.private);
  memory.fill(0, at, at + 0x1000);
  const view = new DataView(memory.buffer, memory.byteOffset + at);
  view.setUint32(PRIVATE.outer, 10, true);
  view.setUint32(PRIVATE.fuel, 24, true);
  for (let i = 0; i < 16; i++) view.setUint32(PRIVATE.mxcsr + i * 4, i === 0 ? start.mxcsr : someMxcsr(prng), true);
  for (let i = 0; i < 8; i++) view.setUint16(PRIVATE.fcw + i * 2, someFcw(prng), true);
}

function scheduleOf(prng: Prng): Schedule {
  const often = prng.chance(20);
  return {
    budget: often ? prng.pick([1, 3, 10, 40]) : 100_000,
    interrupts: (often && prng.chance(60)) || prng.chance(3),
    kicks: often && prng.chance(30),
    cold: prng.chance(10),
    rewrite: prng.chance(6) ? "same" : prng.chance(6) ? "other" : prng.chance(8) ? "remap" : "none",
    inner: prng.chance(20) ? prng.between(1, 3) : 0,
    late: prng.chance(4) ? (prng.chance(60) ? prng.between(1, 12) : prng.between(5, 200)) : 0,
  };
}

/** The sequence of a seed; its slot is the seed's remainder. */
export function sequenceOf(seed: number): Sequence {
  const prng = new Prng(Math.imul(seed, 0x9e37_79b1) ^ (seed / 0x1_0000_0000));
  const slot = seed % SLOTS;
  const mode = prng.chance(65) ? 64 : 32;
  const cpl = prng.chance(60) ? 3 : 0;
  const rounds = prng.chance(30) ? 10 : 1;
  const schedule = scheduleOf(prng);
  const start = startState(prng, mode, slot);
  const program = writeSequence({ mode, cpl, instructions: prng.between(5, 50), rounds }, prng);
  return { seed, slot, cpl, program, start, schedule };
}
