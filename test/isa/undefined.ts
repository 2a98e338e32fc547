// What the manual leaves open in an instance's result, and which precision it asks for. A row says which flags it leaves
// undefined; where that depends on a count or an operand, the case decides. Nothing here touches what was recorded.
import type { Instruction } from "../../src/cpu/isa/instruction.ts";
import type { TestCase } from "./case.ts";

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
  /** Single-precision lanes may differ by this fraction (SDM 2B RCPPS, RSQRTPS: 1.5 · 2^-12 either way). */
  readonly relative: number;
}

export const FLAG: Readonly<Record<string, bigint>> = { CF: 1n, PF: 4n, AF: 16n, ZF: 64n, SF: 128n, OF: 2048n };
const CONDITION: Readonly<Record<string, number>> = { C0: 0x100, C1: 0x200, C2: 0x400, C3: 0x4000 };
const C1 = 0x200;
const PE = 0x20;

const TRANSCENDENTAL = /^(FSIN|FCOS|FSINCOS|FPTAN|FPATAN|F2XM1|FYL2X|FYL2XP1)$/;
const APPROXIMATE = /^(RCP|RSQRT)[PS]S$/;

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
    relative: APPROXIMATE.test(row.name) ? 3 / 4096 : 0,
  };
}

/** Shifts and rotates: what is undefined depends on the count. Undefined for other instructions. */
function shiftFlags(row: Row, test: TestCase): bigint | undefined {
  const kind = /^(SHL|SAL|SHR|SAR|ROL|ROR|RCL|RCR|SHLD|SHRD)$/.test(row.name) ? row.name : undefined;
  if (!kind) return undefined;
  const { count, width } = shiftCount(test);
  if (count === 0) return 0n;
  const overflow = count === 1 ? 0n : FLAG.OF!;
  if (/^R/.test(kind)) return overflow;
  const carry = count >= width && kind !== "SAR" ? FLAG.CF! : 0n;
  return overflow | FLAG.AF! | (kind.length === 4 ? 0n : carry);
}

function isOverlongDoubleShift(row: Row, test: TestCase): boolean {
  if (row.name !== "SHLD" && row.name !== "SHRD") return false;
  const { count, width } = shiftCount(test);
  return count > width;
}

/** Masked count and operand width of a shift, read from its bytes (SDM 2A table A-2, groups 2 and 0F A4, A5, AC, AD). */
function shiftCount(test: TestCase): { count: number; width: number } {
  const { code, mode } = test;
  let at = 0;
  let word = false;
  while ([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3].includes(code[at]!)) word = code[at++] === 0x66 || word;
  const wide = mode === 64 && (code[at]! & 0xf0) === 0x40 ? (code[at++]! & 8) !== 0 : false;
  if (code[at] === 0x0f) at++;
  const opcode = code[at]!;
  const byte = [0xc0, 0xd0, 0xd2].includes(opcode);
  const width = byte ? 8 : wide ? 64 : word ? 16 : 32;
  const raw = [0xd0, 0xd1].includes(opcode)
    ? 1
    : [0xc0, 0xc1, 0xa4, 0xac].includes(opcode)
      ? code.at(-1)!
      : Number(test.state.gpr(1) & 0xffn);
  return { count: raw & (wide ? 63 : 31), width };
}
