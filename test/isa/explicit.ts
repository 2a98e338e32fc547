// Values of explicit operands that random ones would hardly ever hit: selectors, jump targets, bit offsets, shift counts, far
// pointers, state images. Called once the operands have their places. Keyed by opcode like implicit.ts.
import { littleEndian, type Draft } from "./draft.ts";
import { anyTarget, byOpcode, CODE_SELECTORS, landingTarget, SELECTORS } from "./implicit.ts";

/** Where the operands of an instance are. */
export interface Places {
  /** Register number of the ModRM.reg operand, or -1. */
  readonly reg: number;
  /** Register number of the ModRM.rm operand, or -1 when it is memory. */
  readonly rm: number;
  /** Offset of the memory operand in the data area; undefined when there is none or it is wild. */
  readonly offset: number | undefined;
}

type Setter = (d: Draft, places: Places) => unknown;

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;

/** Gives the explicit operands of a placed instance telling values. */
export function settleExplicit(d: Draft, places: Places): void {
  byOpcode(SETTERS, d.form)?.(d, places);
}

const SETTERS: Readonly<Record<string, Setter>> = Object.fromEntries([
  ...rows("0:8e 1:0/0 1:0/2 1:0/3 1:0/4 1:0/5 1:2 1:3", (d, p) => setGeneral(d, p, BigInt(d.prng.pick(SELECTORS)), 2)),
  ...rows("0:cd", avoidSystemCall),
  ...rows("0:ff/2 0:ff/4", (d, p) => setGeneral(d, p, d.prng.chance(70) ? landingTarget(d) : anyTarget(d), d.operandSize / 8)),
  ...rows("0:ff/3 0:ff/5", (d, p) =>
    setMemory(d, p, [...littleEndian(landingTarget(d), d.operandSize / 8), d.prng.pick(CODE_SELECTORS) & 0xff, 0]),
  ),
  ...rows("0:c4 0:c5 1:b2 1:b4 1:b5", farPointer),
  ...rows("1:a3 1:ab 1:b3 1:bb", (d, p) => p.rm < 0 && d.fix(p.reg, BigInt(d.prng.between(-2048, 2048)))),
  ...rows("1:d1 1:d2 1:d3 1:e1 1:e2 1:f1 1:f2 1:f3", packedCount),
  ...rows("3:60 3:61 3:62 3:63", text),
  ...rows("1:b0 1:b1", (d, p) => d.prng.chance(50) && compareEqual(d, p)),
  ...rows("1:c7/1", (d, p) => d.prng.chance(60) && compareWide(d, p)),
  ...rows("0:62", bound),
  ...rows("1:ae/2", (d, p) => setMemory(d, p, littleEndian(BigInt(controlWord(d)), 4))),
  ...rows("1:ae/1 1:ae/5", stateImage),
  ...rows("0:d9/f0", (d) => d.overrides.push({ kind: "st", index: 0, bytes: extendedBelow(d, 0x3ffe) })),
  ...rows("0:d9/f9", (d) => d.overrides.push({ kind: "st", index: 0, bytes: extendedBelow(d, 0x3ffc) })),
]);

function rows(keys: string, setter: Setter): [string, Setter][] {
  return keys.split(" ").map((key) => [key, setter]);
}

function setMemory(d: Draft, { offset }: Places, bytes: readonly number[]): void {
  if (offset === undefined || offset < 0 || offset + bytes.length > 0x3000) return;
  d.bytes(offset, bytes);
}

/** The rm operand, be it a register or memory. */
function setGeneral(d: Draft, places: Places, value: bigint, size: number): void {
  if (places.rm >= 0) d.fix(places.rm, value | (size === 2 && d.prng.chance(30) ? BigInt(d.prng.next() & 0xff) << 24n : 0n));
  else setMemory(d, places, littleEndian(value, size));
}

/** INT 80h is Linux' 32-bit system call. */
function avoidSystemCall(d: Draft): void {
  if (d.encoding.immediate[0] === 0x80) d.encoding.immediate[0] = 0x81;
}

function farPointer(d: Draft, places: Places): void {
  setMemory(d, places, [...littleEndian(BigInt(d.prng.next()), d.operandSize / 8), ...littleEndian(BigInt(d.prng.pick(SELECTORS)), 2)]);
}

function packedCount(d: Draft, places: Places): void {
  if (d.prng.chance(20)) return;
  const bytes = littleEndian(BigInt(d.prng.below(70)), 8);
  if (places.rm < 0) setMemory(d, places, bytes);
  else d.overrides.push({ kind: d.form.prefix === "66" ? "xmm" : "st", index: places.rm, bytes: Uint8Array.from(bytes) });
}

/** Strings over a small alphabet with an end now and then, in elements of a byte or a word. */
function text(d: Draft, { reg, rm, offset }: Places): void {
  const word = (d.encoding.immediate[0]! & 1) !== 0;
  const base = d.prng.pick([1, 0x61, 0x7e, 0xfe]);
  const string = (): number[] => {
    const ends = d.prng.below(24);
    return Array.from({ length: 16 }, (_, i) => {
      const element = word ? i >> 1 : i;
      if (element === ends) return 0;
      return word && (i & 1) === 1 ? 0x80 * d.prng.below(2) : base + d.prng.below(4);
    }).map((byte) => byte & 0xff);
  };
  d.overrides.push({ kind: "xmm", index: reg, bytes: Uint8Array.from(string()) });
  if (rm >= 0) d.overrides.push({ kind: "xmm", index: rm, bytes: Uint8Array.from(string()) });
  else setMemory(d, { reg, rm, offset }, string());
}

function compareEqual(d: Draft, places: Places): void {
  const value = (BigInt(d.prng.next()) << 32n) | BigInt(d.prng.next());
  const accumulator = d.fix(RAX, value);
  const size = d.form.opcode === 0xb0 ? 1 : d.operandSize / 8;
  if (places.rm < 0) setMemory(d, places, littleEndian(accumulator, size));
  else d.fix(places.rm, accumulator);
}

function compareWide(d: Draft, places: Places): void {
  const half = d.operandSize === 64 ? 8 : 4;
  const halves = [RAX, RDX].map((register) => d.fix(register, (BigInt(d.prng.next()) << 32n) | BigInt(d.prng.next())));
  const bytes = halves.flatMap((value) => littleEndian(value, half));
  setMemory(d, places, bytes);
  for (const register of [RCX, RBX]) d.fix(register, BigInt(d.prng.next()));
}

function bound(d: Draft, places: Places): void {
  const size = d.operandSize / 8;
  const [low, high] = [d.prng.between(-60, 10), d.prng.between(-10, 60)];
  if (d.prng.chance(90))
    d.fix(places.reg, BigInt(d.prng.chance(30) ? d.prng.pick([low - 1, low, high, high + 1]) : d.prng.between(-60, 60)));
  setMemory(d, places, [...littleEndian(BigInt(low), size), ...littleEndian(BigInt(high), size)]);
}

function controlWord(d: Draft): number {
  return (d.prng.next() & 0xffff) | (d.prng.chance(15) ? 1 << d.prng.between(16, 31) : 0);
}

/** FXRSTOR and XRSTOR: MXCSR's reserved bits and the header must be mostly acceptable (SDM 1 §10.5.1, §13.4.2). */
function stateImage(d: Draft, { offset }: Places): void {
  if (offset === undefined || offset < 0 || offset + 576 > 0x3000) return;
  d.overrides.push({ kind: "fill", offset: offset + 32, lane: "f80", count: 1 });
  d.overrides.push({ kind: "fill", offset: offset + 160, lane: "f32", count: 32 });
  d.bytes(offset, [...littleEndian(BigInt(d.prng.next()) & 0x3f_1f3fn, 4), d.prng.next() & 0xff, 0, 0, 0]);
  d.bytes(offset + 24, littleEndian(BigInt(controlWord(d)), 4));
  const header = [d.prng.below(4), 0, 0, 0, 0, 0, 0, 0, ...new Array<number>(56).fill(0)];
  if (d.prng.chance(10)) header[d.prng.between(8, 23)] = 1;
  if (d.form.modrm?.digit === 5) d.bytes(offset + 512, header);
}

/** A number of magnitude below 2^(exponent - 16382): outside, F2XM1 and FYL2XP1 are undefined (SDM 2A). */
function extendedBelow(d: Draft, exponent: number): Uint8Array {
  const e = exponent - (d.prng.chance(70) ? d.prng.below(12) : d.prng.below(80));
  const fraction = littleEndian((BigInt(d.prng.next() | 0x8000_0000) << 32n) | BigInt(d.prng.next()), 8);
  return Uint8Array.from([...fraction, e & 0xff, (e >> 8) | (d.prng.below(2) << 7)]);
}
