// Random instances of a row: registers, memory, prefixes, immediates. Deterministic: the same row, mode and seed give the same
// recipe.
import type { Form, OperandSpec } from "../../src/cpu/isa/instruction.ts";
import { chooseAddressSize, chooseOffset, chooseSegment, encodeMemory } from "./addressing.ts";
import { CODE_BYTES, DATA_BASE, type Mode, type Stop } from "./case.ts";
import { Draft, littleEndian } from "./draft.ts";
import { settleExplicit, type Places } from "./explicit.ts";
import { byOpcode, CODE_SELECTORS, landingTarget, settleImplicit } from "./implicit.ts";
import { Prng, seedOf } from "./prng.ts";
import type { Profile, Recipe } from "./recipe.ts";
import { LANE_BYTES, type Lane } from "./values.ts";

/** What the generator may count on. */
export interface GeneratorOptions {
  /** The host can give FS and GS a base in 64-bit mode. Default true. */
  readonly segmentBases?: boolean;
}

/** Whether a row has instances in a mode at all. */
export function existsIn(form: Form, mode: Mode): boolean {
  const has = (attribute: string): boolean => form.attributes.has(attribute);
  if (mode === 32) return !(form.rexW || form.opsize === 64 || has("o64") || has("a64") || form.operands.some((o) => isWide(o)));
  return !has("i64") && !has("a16") && !((has("d64") || has("f64")) && form.opsize === 32);
}

function isWide(operand: OperandSpec): boolean {
  return operand.width === 64 && (operand.kind === "reg" || operand.kind === "rm" || operand.kind === "moffs");
}

/** Control transfers are stepped, so that their targets may be anywhere. IRET sets the trap flag itself. */
function stopOf(form: Form): Stop {
  return /^(J|CALL|LOOP|RET)/.test(form.instruction) ? "step" : "landing";
}

/** The registers that matter to a row. */
export function profileOf(form: Form): Profile {
  const name = form.instruction;
  const kinds = new Set(form.operands.map((o) => o.kind));
  if (name.startsWith("CVT") && name.includes("PI")) return name.includes("PS") ? "mmx-f32" : "mmx-f64";
  if (kinds.has("mm") || kinds.has("mmrm") || name === "EMMS") return "mmx";
  if ((form.map === 0 && form.opcode >= 0xd8 && form.opcode <= 0xdf) || /^(FX|F?WAIT|XSAVE|XRSTOR)/.test(name)) return "x87";
  if (!kinds.has("xmm") && !kinds.has("xmmrm")) return "int";
  if (name.startsWith("P") || /DQ/.test(name)) return "simd-int";
  return /(PS|SS)$|[PS]S2/.test(name) ? "simd-f32" : /(PD|SD)$|[PS]D2/.test(name) ? "simd-f64" : "simd-int";
}

/** One instance of a row. The row must exist in the mode. */
export function generate(form: Form, mode: Mode, index: number, options: GeneratorOptions = {}): Recipe {
  const seed = seedOf(`${form.instruction} ${form.text} ${mode}`, index);
  const d = new Draft(form, mode, new Prng(seed));
  choosePrefixes(d, options.segmentBases ?? true);
  settleImplicit(d);
  const places = placeOperands(d);
  settleExplicit(d, places);
  d.encoding.immediate.push(...addressImmediate(d));
  const code = chooseOrigin(d);
  const { overrides, windows } = d;
  return { mode, stop: stopOf(form), profile: profileOf(form), windows, seed: stateSeed(form, mode, index), code, overrides };
}

/** The seed of an instance's state: computable from the row, so that vectors need not store it. */
export function stateSeed(form: Pick<Form, "instruction" | "text">, mode: Mode, index: number): number {
  return seedOf(`${form.instruction} ${form.text} ${mode} state`, index);
}

function choosePrefixes(d: Draft, bases: boolean): void {
  const { form, prng, mode } = d;
  chooseOperandSize(d);
  if (form.prefix !== "" && form.prefix !== "NP") d.encoding.prefixes.push(parseInt(form.prefix, 16));
  if (form.attributes.has("a32") && mode === 64) forceAddressSize(d, 32);
  if (form.attributes.has("a16") && mode === 32) forceAddressSize(d, 16);
  chooseAddressSize(d);
  chooseSegment(d, bases);
  if (form.attributes.has("rep") && prng.chance(70)) d.encoding.prefixes.unshift(prng.pick([0xf2, 0xf3]));
  if (prng.chance(form.attributes.has("lock") ? 15 : 1)) d.prefix(0xf0);
}

function forceAddressSize(d: Draft, size: 16 | 32): void {
  d.prefix(0x67);
  d.addressSize = size;
}

function chooseOperandSize(d: Draft): void {
  const { form, mode, prng } = d;
  const has = (attribute: string): boolean => form.attributes.has(attribute);
  const prefixed = has("any") ? anySize(d) : form.opsize;
  // Near branches and stack operations of 64-bit mode: 64 bits without asking.
  const wide = mode === 64 && (has("d64") || has("f64") || (has("o64") && has("any")));
  const fixed = mode === 64 && has("f64");
  d.encoding.rexW = form.rexW || (prefixed === 64 && (!wide || has("any")));
  if (prefixed === 16 && !fixed) d.prefix(0x66);
  else if (mode === 64 && form.prefix === "" && prng.chance(4)) d.encoding.rexForced = true;
  d.operandSize = fixed ? 64 : prefixed === 16 && !has("any") ? 16 : wide ? 64 : prefixed === 0 ? 32 : prefixed;
}

/** For rows of any operand size: 0 for no prefix mostly, since a sibling row may own a prefix. */
function anySize({ form, mode, prng }: Draft): 0 | 16 | 64 {
  const dice = prng.below(100);
  // An immediate of 32 bits would become one of 16.
  const small = dice < 7 && !form.operands.some(({ kind, width }) => kind === "imm" && width === 32);
  return small ? 16 : dice < 14 && mode === 64 ? 64 : 0;
}

/** Gives every operand a register or an address. */
function placeOperands(d: Draft): Places {
  let places: Places = { reg: -1, rm: -1, offset: undefined };
  const e = d.encoding;
  const { modrm } = d.form;
  if (modrm?.fixed !== undefined) placeFixed(d, modrm.fixed, modrm.anyRm === true);
  else if (modrm) e.reg = modrm.digit ?? d.prng.below(8);
  for (const operand of d.form.operands) {
    if (operand.from === "reg") places = { ...places, reg: placeRegister(d, operand) };
    else if (operand.from === "opcode") setRm(d, chooseRegister(d, operand));
    else if (operand.kind === "imm" || operand.kind === "rel" || operand.kind === "ptr") placeImmediate(d, operand);
  }
  // ModRM.rm last: whether REX is forbidden (AH..BH) is known by then.
  const rm = d.form.operands.find((operand) => operand.from === "rm");
  if (rm && modrm?.fixed === undefined) return placeRm(d, rm, places);
  if (modrm?.anyRm) return { ...places, rm: e.rm };
  if (modrm && modrm.fixed === undefined && !rm) setRm(d, d.prng.below(8));
  return places;
}

function placeFixed(d: Draft, modrm: number, anyRm: boolean): void {
  d.encoding.mod = modrm >> 6;
  d.encoding.reg = (modrm >> 3) & 7;
  d.encoding.rm = anyRm ? d.prng.below(8) : modrm & 7;
}

function setRm(d: Draft, register: number): number {
  d.encoding.rm = register & 7;
  d.encoding.rexB = register >> 3;
  return register;
}

/** A register number for an operand; eight-bit ones settle whether a REX prefix is there. */
function chooseRegister(d: Draft, operand: OperandSpec): number {
  const extended = d.mode === 64 && !d.encoding.rexForbidden;
  if (operand.kind === "mm" || operand.kind === "mmrm" || operand.kind === "st") return d.prng.below(8);
  if (operand.kind === "sreg") return d.prng.chance(95) ? d.prng.pick([0, 2, 3, 4, 5]) : d.prng.below(8);
  // Register 0 of row 90 +r is NOP's.
  const register = d.prng.between(d.form.map === 0 && d.form.opcode === 0x90 ? 1 : 0, extended ? 15 : 7);
  const byte = operand.width === 8 && (operand.kind === "reg" || operand.kind === "rm");
  if (byte && extended && register >= 4 && register < 8) settleRex(d);
  return register;
}

/** Encodings 4 to 7 of a byte register: AH to BH, or SPL to DIL with a REX prefix. */
function settleRex({ encoding: e, prng }: Draft): void {
  const high = !(e.rexW || e.rexForced || e.rexR || e.rexX || e.rexB) && prng.chance(50);
  if (high) e.rexForbidden = true;
  else e.rexForced = true;
}

function placeRegister(d: Draft, operand: OperandSpec): number {
  const register = chooseRegister(d, operand);
  d.encoding.reg = register & 7;
  d.encoding.rexR = register >> 3;
  return register;
}

function placeRm(d: Draft, operand: OperandSpec, places: Places): Places {
  const e = d.encoding;
  const canBeMemory = operand.kind === "rm" || operand.kind === "xmmrm" || operand.kind === "mmrm" || operand.kind === "mem";
  if (!canBeMemory || (operand.kind !== "mem" && d.prng.chance(50))) {
    e.mod = 3;
    return { ...places, rm: setRm(d, chooseRegister(d, operand)) };
  }
  const size = memorySize(d.form, operand);
  const align = alignment(d.form, operand, size);
  const chosen = d.prng.chance(96) ? chooseOffset(d.prng, { size, ...align }) : undefined;
  // A locked access across cache lines stops every core of the host for a while (split lock).
  const offset = chosen !== undefined && isLocked(d) ? chosen & -size : chosen;
  encodeMemory(d, offset);
  const lane = laneOf(d.form, operand);
  if (offset !== undefined && lane && offset >= 0 && offset + size <= 0x3000) {
    d.overrides.push({ kind: "fill", offset, lane, count: Math.max(1, Math.floor(size / LANE_BYTES[lane])) });
  }
  return { ...places, offset };
}

function isLocked({ form, encoding }: Draft): boolean {
  return encoding.prefixes.includes(0xf0) || (form.map === 0 && (form.opcode === 0x86 || form.opcode === 0x87));
}

/** Memory operands without a width of their own, by opcode: state images and cache lines. */
const UNSIZED: Readonly<Record<string, number>> = {
  "1:ae/0": 512,
  "1:ae/1": 512,
  "1:ae/4": 576,
  "1:ae/5": 576,
  "1:ae/6": 576,
  "1:c7/4": 576,
  "0:d9/4": 28,
  "0:d9/6": 28,
  "0:dd/4": 108,
  "0:dd/6": 108,
};

function memorySize(form: Form, operand: OperandSpec): number {
  return byOpcode(UNSIZED, form) ?? (operand.width === 0 ? 8 : Math.ceil(operand.width / 8));
}

function alignment(form: Form, operand: OperandSpec, size: number): { align: number; demanded: boolean } {
  if (size >= 512) return { align: size === 512 ? 16 : 64, demanded: true };
  if (operand.width === 128 && operand.kind !== "rm") return { align: 16, demanded: !/U$|^MOVU|LDDQU/.test(form.instruction) };
  return { align: size >= 8 ? 8 : size >= 4 ? 4 : size, demanded: false };
}

const INTEGER_LANES: Readonly<Record<number, Lane>> = { 8: "i8", 16: "i16", 32: "i32", 64: "i64" };

/** What a memory operand holds; undefined leaves the window's random bytes. */
function laneOf(form: Form, operand: OperandSpec): Lane | undefined {
  const { text, width } = operand;
  if (text.endsWith("fp")) return width === 32 ? "f32" : width === 64 ? "f64" : "f80";
  if (/(dec|bcd)$/.test(text)) return "bcd";
  if (text.endsWith("int")) return INTEGER_LANES[width];
  if (operand.kind === "rm") return INTEGER_LANES[width];
  if (form.instruction.includes("CVTPI2")) return "i32";
  const profile = profileOf(form);
  if (profile.endsWith("f32")) return "f32";
  if (profile.endsWith("f64")) return "f64";
  return width >= 64 ? "i32" : undefined;
}

function placeImmediate(d: Draft, operand: OperandSpec): void {
  const { immediate } = d.encoding;
  if (operand.kind === "ptr") {
    immediate.push(...littleEndian(landingTarget(d), operand.width / 8), d.prng.pick(CODE_SELECTORS) & 0xff, 0);
    return;
  }
  const bytes = immediateBytes(d, operand);
  immediate.push(...littleEndian(immediateValue(d, bytes), bytes));
}

/** The row's immediates belong to its immediate operands in order. */
function immediateBytes({ form }: Draft, operand: OperandSpec): number {
  const mine = form.operands.filter((o) => o.kind === "imm" || o.kind === "rel").indexOf(operand);
  return form.immediates[mine] ?? operand.width / 8;
}

function immediateValue(d: Draft, bytes: number): bigint {
  const p = d.prng;
  if (d.form.instruction === "ENTER") return BigInt(bytes === 2 ? p.below(p.chance(90) ? 64 : 0x1_0000) : p.below(p.chance(80) ? 4 : 256));
  const bits = BigInt(bytes * 8);
  switch (p.below(8)) {
    case 0:
      return BigInt(p.below(4));
    case 1:
      return 1n << BigInt(p.below(bytes * 8));
    case 2:
      return (1n << bits) - 1n - BigInt(p.below(4));
    case 3:
      return (1n << (bits - 1n)) - BigInt(p.below(2));
    case 4:
      return BigInt(p.below(64));
    default:
      return (BigInt(p.next()) << 32n) | BigInt(p.next());
  }
}

/** moffs: an address as wide as the address size, after the opcode. */
function addressImmediate(d: Draft): number[] {
  const operand = d.form.operands.find((o) => o.kind === "moffs");
  if (!operand) return [];
  d.windows = true;
  const offset = chooseOffset(d.prng, { size: operand.width / 8, align: operand.width / 8, demanded: false });
  const address = d.prng.chance(95) ? BigInt(DATA_BASE + offset) - d.segmentBase : BigInt(d.prng.next());
  return littleEndian(address, d.addressSize / 8);
}

/** Puts some instances across the code's page border, at its end, or cut off by it. */
function chooseOrigin(d: Draft): Uint8Array {
  const dice = d.prng.below(200);
  const { length } = d.assemble();
  if (dice >= 8) return d.assemble();
  const beforeEnd = dice >= 4 ? 0x1000 + d.prng.between(1, length) : dice >= 2 ? length : d.prng.between(1, length);
  d.origin = CODE_BYTES - beforeEnd;
  d.overrides.push({ kind: "origin", offset: d.origin });
  return d.assemble().slice(0, beforeEnd);
}
