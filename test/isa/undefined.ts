// What the manual leaves open in an instance's result, and which precision it asks for. A row says which flags it leaves
// undefined; where that depends on a count or an operand, the case decides. Nothing here touches what was recorded.
import type { Instruction } from "../../src/cpu/isa/instruction.ts";
import type { TestCase } from "./case.ts";
import { dataOffset, readEncoded } from "./encoded.ts";

/** The part of an instruction that a comparison needs. */
export type Row = Pick<Instruction, "name" | "undefinedFlags">;

/** What of a case's result does not count. */
export interface Openness {
  /** Bits of RFLAGS. */
  readonly flags: bigint;
  /** Bits of the x87 status word. */
  readonly fsw: number;
  /** The whole result is undefined. */
  readonly everything: boolean;
  /** Units in the last place by which 80-bit results may differ (SDM 1 §8.3.10). */
  readonly ulps: number;
  /** A page fault may be at any byte of its page, after any part of the memory was written: state images of many accesses. */
  readonly partial: boolean;
  /** Ranges of the data area. */
  readonly memory: readonly (readonly [from: number, to: number])[];
  /** Single-precision lanes may differ by this fraction (SDM 2B RCPPS, RSQRTPS: 1.5 · 2^-12 either way). */
  readonly relative: number;
}

const CF = 1n;
const AF = 0x10n;
const OF = 0x800n;
const FLAG: Readonly<Record<string, bigint>> = { CF, PF: 4n, AF, ZF: 0x40n, SF: 0x80n, OF };
const CONDITION: Readonly<Record<string, number>> = { C0: 0x100, C1: 0x200, C2: 0x400, C3: 0x4000 };
const C1 = 0x200;
const PE = 0x20;

const TRANSCENDENTAL = /^(FSIN|FCOS|FSINCOS|FPTAN|FPATAN|F2XM1|FYL2X|FYL2XP1)$/;
const APPROXIMATE = /^(RCP|RSQRT)[PS]S$/;

const STATE_IMAGE = /^(FX|X|FN?)(SAVE|RSTOR)|^(FN?ST|FLD)ENV/;

/** What counts in the result of `test`, an instance of `row`. */
export function opennessOf(row: Row, test: TestCase): Openness {
  const flags = [...row.undefinedFlags].reduce((bits, name) => bits | (FLAG[name] ?? 0n), 0n);
  const fsw = [...row.undefinedFlags].reduce((bits, name) => bits | (CONDITION[name] ?? 0), 0);
  const transcendental = TRANSCENDENTAL.test(row.name);
  return {
    flags: shiftFlags(row, test) ?? flags,
    // Where the last bit is open, so is the direction it was rounded in, and whether it was.
    fsw: fsw | (transcendental ? C1 | PE : 0),
    everything: isOverlongDoubleShift(row, test),
    ulps: transcendental ? 1 : 0,
    partial: STATE_IMAGE.test(row.name),
    memory: openBytes(row, test),
    relative: APPROXIMATE.test(row.name) ? 3 / 4096 : 0,
  };
}

/** Shifts and rotates: what is undefined depends on the count. Undefined for other instructions. */
function shiftFlags(row: Row, test: TestCase): bigint | undefined {
  const kind = /^(SHL|SAL|SHR|SAR|ROL|ROR|RCL|RCR|SHLD|SHRD)$/.test(row.name) ? row.name : undefined;
  if (!kind) return undefined;
  const { count, width } = shiftCount(test);
  if (count === 0) return 0n;
  const overflow = count === 1 ? 0n : OF;
  if (kind.startsWith("R")) return overflow;
  const carry = count >= width && kind !== "SAR" ? CF : 0n;
  return overflow | AF | (kind.length === 4 ? 0n : carry);
}

function isOverlongDoubleShift(row: Row, test: TestCase): boolean {
  if (row.name !== "SHLD" && row.name !== "SHRD") return false;
  const { count, width } = shiftCount(test);
  return count > width;
}

/** Masked count and operand width of a shift (SDM 2A table A-2, groups 2 and 0F A4, A5, AC, AD). */
function shiftCount(test: TestCase): { count: number; width: number } {
  const { map, opcode, rexW, small } = readEncoded(test);
  const width = map === 0 && (opcode & 1) === 0 ? 8 : rexW ? 64 : small ? 16 : 32;
  const immediate = map === 0 ? opcode < 0xd0 : (opcode & 1) === 0;
  const raw = map === 0 && opcode < 0xd2 && opcode >= 0xd0 ? 1 : immediate ? (test.code.at(-1) ?? 0) : Number(test.state.gpr(1) & 0xffn);
  return { count: raw & (rexW ? 63 : 31), width };
}

/**
 * Bytes of a stored state image that do not count, from its start: the x87's opcode and pointers (SDM 1 §8.1.8, §8.1.9), and
 * MXCSR_MASK, which is the processor's own.
 */
function imageOpening(test: TestCase): readonly (readonly [from: number, to: number])[] {
  const { map, opcode, digit, small } = readEncoded(test);
  if (map === 1 && ((opcode === 0xae && [0, 4, 6].includes(digit)) || (opcode === 0xc7 && digit === 4)))
    return [
      [6, 24],
      [28, 32],
    ];
  if (map === 0 && (opcode === 0xd9 || opcode === 0xdd) && digit === 6) return small ? [[6, 14]] : [[12, 28]];
  return [];
}

/** Which bytes of the data area do not count. */
function openBytes(row: Row, test: TestCase): readonly (readonly [from: number, to: number])[] {
  if (!/^(FX|X|FN?)SAVE|^FN?STENV/.test(row.name)) return [];
  const start = dataOffset(readEncoded(test).address);
  return start === undefined ? [] : imageOpening(test).map(([from, to]) => [start + from, start + to]);
}
