// Memory operands: every addressing form of SDM 2A tables 2-1 to 2-3, solved so that most of them reach the data area.
import { DATA_BASE } from "./case.ts";
import { littleEndian, type Draft } from "./draft.ts";
import type { Prng } from "./prng.ts";

/** How a memory operand behaves where its target is chosen. */
export interface Access {
  /** Bytes that are read or written there. */
  readonly size: number;
  /** Alignment that the instruction demands, or that half of the instances should have. */
  readonly align: number;
  readonly demanded: boolean;
}

const RSP = 4;
const RBP = 5;
const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

/** An offset in the data area: mostly inside a window, now and then across a page border or beyond an end. */
export function chooseOffset(prng: Prng, { size, align, demanded }: Access): number {
  const dice = prng.below(100);
  let offset: number;
  if (size > 128) offset = prng.between(0xe00, 0x1100);
  else if (dice < 82) offset = prng.between(0xf80, 0x1080 - size);
  else if (dice < 90) offset = 0x2000 - prng.between(0, 2 * size); // into the read-only page
  else if (dice < 94) offset = 0x3000 - prng.between(0, 2 * size); // off its end
  else if (dice < 97) offset = prng.between(-size, size); // from before the beginning
  else offset = prng.between(0xff8, 0x1000); // across a border between writable pages
  const aligned = prng.chance(demanded ? 80 : 50);
  return aligned ? offset & -align : offset;
}

/** Chooses a segment override; FS and GS get a base in 64-bit mode. */
export function chooseSegment(d: Draft, bases: boolean): void {
  if (!d.prng.chance(12)) return;
  const prefix = d.prng.pick(SEGMENT_PREFIXES);
  d.prefix(prefix);
  if (d.mode === 32 || prefix < 0x64 || !bases) return;
  d.segmentBase = BigInt(d.prng.between(-0x1000_0000, 0x1000_0000));
  d.overrides.push({ kind: "base", index: prefix - 0x64, value: BigInt.asUintN(64, d.segmentBase) });
}

/** Chooses 67: 32-bit addresses in 64-bit mode, 16-bit ones in 32-bit mode. */
export function chooseAddressSize(d: Draft): void {
  if (d.form.attributes.has("a16") || d.form.attributes.has("a32") || d.form.attributes.has("a64")) return;
  if (!d.prng.chance(d.mode === 64 ? 10 : 4)) return;
  d.prefix(0x67);
  d.addressSize = d.mode === 64 ? 32 : 16;
}

/** Encodes a memory operand whose linear address is the data area's `offset`, or a wild one for undefined. */
export function encodeMemory(d: Draft, offset: number | undefined): void {
  d.windows = true;
  if (d.addressSize === 16) return encode16(d);
  const effective = offset === undefined ? undefined : BigInt.asUintN(d.addressSize, BigInt(DATA_BASE + offset) - d.segmentBase);
  if (effective !== undefined && d.prng.chance(12)) encodeWithoutBase(d, effective);
  else encodeWithBase(d, effective);
}

// The data area lies far above the 64 KiB a 16-bit address reaches: such instances prove the address by where they fault.
function encode16(d: Draft): void {
  const e = d.encoding;
  e.mod = d.prng.below(3);
  e.rm = d.prng.below(8);
  const bytes = e.mod === 2 || (e.mod === 0 && e.rm === 6) ? 2 : e.mod;
  e.displacement = littleEndian(BigInt(d.prng.next()), bytes);
}

function encodeWithoutBase(d: Draft, effective: bigint): void {
  const e = d.encoding;
  e.mod = 0;
  const style = d.prng.below(3);
  if (style === 0) {
    e.rm = RBP;
    e.displacement = littleEndian(effective, 4);
    if (d.mode === 64) e.ripTarget = effective;
    return;
  }
  e.rm = RSP;
  const index = style === 1 ? RSP : chooseIndex(d);
  const scale = d.prng.below(4);
  let rest = effective;
  if (index !== RSP) rest -= fixIndex(d, index) << BigInt(scale);
  e.displacement = littleEndian(BigInt.asUintN(32, rest), 4);
  // The displacement is sign-extended: a far index would need more than 32 bits.
  if (BigInt.asIntN(d.addressSize, rest) !== BigInt.asIntN(32, rest)) encodeWithBase(d, effective);
  else setSib(d, scale, index, RBP);
}

function setSib(d: Draft, scale: number, index: number, base: number): void {
  const e = d.encoding;
  e.rm = RSP;
  e.sib = (scale << 6) | ((index & 7) << 3) | (base & 7);
  e.rexX = index >> 3;
  e.rexB = base >> 3;
}

function registers(d: Draft): number {
  return d.mode === 64 && !d.encoding.rexForbidden ? 16 : 8;
}

function chooseIndex(d: Draft): number {
  return d.prng.below(registers(d));
}

/** The value an index register contributes; gives it one when it has none. */
function fixIndex(d: Draft, index: number): bigint {
  const small = d.prng.chance(70) ? d.prng.between(-16, 64) : d.prng.between(-0x1000_0000, 0x1000_0000);
  return BigInt.asIntN(d.addressSize, d.fix(index, BigInt(small)));
}

function encodeWithBase(d: Draft, effective: bigint | undefined): void {
  const e = d.encoding;
  for (let attempt = 0; attempt < 20; attempt++) {
    const base = d.prng.below(registers(d));
    const index = d.prng.chance(40) ? chooseIndex(d) : RSP;
    if (effective !== undefined && base === index && index !== RSP) continue;
    const scale = d.prng.below(4);
    const mod = d.fixed.has(base) ? 2 : chooseMod(d.prng, base);
    const displacement = displacementFor(d, { base, index, scale, mod }, effective);
    if (displacement === undefined) continue;
    e.mod = mod;
    e.sib = undefined;
    e.displacement = displacement;
    e.rexX = 0;
    e.rexB = base >> 3;
    e.rm = base & 7;
    if (index !== RSP || e.rm === RSP || d.prng.chance(5)) setSib(d, scale, index, base);
    return;
  }
  // Every register is spoken for: an absolute address.
  e.mod = 0;
  e.displacement = littleEndian(effective ?? 0n, 4);
  setSib(d, 0, RSP, RBP);
}

/** mod 0 with RBP or R13 means something else. */
function chooseMod(prng: Prng, base: number): number {
  return (base & 7) === RBP ? prng.between(1, 2) : prng.below(3);
}

interface BaseForm {
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly mod: number;
}

/** Chooses the displacement and solves for the base register, or the other way round; undefined when it does not fit. */
function displacementFor(d: Draft, { base, index, scale, mod }: BaseForm, effective: bigint | undefined): number[] | undefined {
  const bytes = [0, 1, 4][mod]!;
  const random = bytes === 1 ? d.prng.between(-128, 127) : d.prng.chance(50) ? d.prng.between(-300, 300) : d.prng.next() | 0;
  if (effective === undefined) return littleEndian(BigInt(random), bytes);
  const scaled = index === RSP ? 0n : fixIndex(d, index) << BigInt(scale);
  const known = d.fixed.get(base);
  if (known !== undefined) {
    const rest = BigInt.asIntN(d.addressSize, effective - scaled - known);
    return mod === 2 && rest === BigInt.asIntN(32, rest) ? littleEndian(rest, 4) : undefined;
  }
  const value = BigInt.asUintN(d.addressSize, effective - scaled - (bytes === 0 ? 0n : BigInt(random)));
  const garbage = d.mode === 64 && d.addressSize === 32 ? BigInt(d.prng.next()) << 32n : 0n;
  d.fix(base, value | garbage);
  return littleEndian(BigInt(random), bytes);
}
