// Reads an instance's bytes as far as a comparison must understand them: prefixes, opcode, and where its memory operand lies.
import { DATA_BASE, DATA_BYTES, type TestCase } from "./case.ts";

/** What an instruction's bytes say before its immediates. */
export interface Encoded {
  /** 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A. */
  readonly map: number;
  readonly opcode: number;
  /** ModRM.reg, meaningless where there is no ModRM. */
  readonly digit: number;
  readonly rexW: boolean;
  /** Prefix 66 is there. */
  readonly small: boolean;
  /** Linear address of the ModRM memory operand, if ModRM is there and names memory. */
  readonly address: bigint | undefined;
}

const PREFIXES = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

/** Reads the first instruction of a case, taking it to have a ModRM byte. Addresses of 16 bits are not worked out. */
export function readEncoded(test: TestCase): Encoded {
  const { code, mode } = test;
  const seen = new Set<number>();
  let at = 0;
  while (PREFIXES.has(code[at] ?? 0)) seen.add(code[at++]!);
  const rex = mode === 64 && ((code[at] ?? 0) & 0xf0) === 0x40 ? code[at++]! : 0;
  let map = 0;
  if (code[at] === 0x0f) {
    map = 1;
    at++;
    if (code[at] === 0x38 || code[at] === 0x3a) map = code[at++] === 0x38 ? 2 : 3;
  }
  const opcode = code[at++] ?? 0;
  const digit = ((code[at] ?? 0) >> 3) & 7;
  return { map, opcode, digit, rexW: (rex & 8) !== 0, small: seen.has(0x66), address: address(test, at, rex, seen) };
}

function address(test: TestCase, at: number, rex: number, seen: ReadonlySet<number>): bigint | undefined {
  const { code, mode, state } = test;
  const modrm = code[at] ?? 0xc0;
  const mod = modrm >> 6;
  if (mod === 3 || (mode === 32 && seen.has(0x67))) return undefined;
  const view = new DataView(code.buffer, code.byteOffset, code.length);
  const displacement = (from: number): bigint => {
    const bytes = mod === 1 ? 1 : 4;
    if (from + bytes > code.length) return 0n;
    return BigInt(bytes === 1 ? view.getInt8(from) : view.getInt32(from, true));
  };
  const base = (modrm & 7) === 4 ? sibAddress(test, at, rex) : registerBase(test, modrm, rex);
  const next = at + ((modrm & 7) === 4 ? 2 : 1);
  const absolute = mod === 0 && ((modrm & 7) === 5 || ((modrm & 7) === 4 && ((code[at + 1] ?? 0) & 7) === 5));
  const sum = base + (mod !== 0 || absolute ? displacement(next) : 0n);
  const segment = mode === 32 ? 0n : seen.has(0x64) ? state.fsBase : seen.has(0x65) ? state.gsBase : 0n;
  return BigInt.asUintN(mode, BigInt.asUintN(mode === 64 && !seen.has(0x67) ? 64 : 32, sum) + segment);
}

function registerBase({ mode, state, code }: TestCase, modrm: number, rex: number): bigint {
  if (modrm >> 6 === 0 && (modrm & 7) === 5) return mode === 64 ? state.rip + BigInt(code.length) : 0n;
  return state.gpr((modrm & 7) | ((rex & 1) << 3));
}

function sibAddress({ state, code }: TestCase, at: number, rex: number): bigint {
  const sib = code[at + 1] ?? 0;
  const index = ((sib >> 3) & 7) | ((rex & 2) << 2);
  const scaled = index === 4 ? 0n : state.gpr(index) << BigInt(sib >> 6);
  if ((sib & 7) === 5 && code[at]! >> 6 === 0) return scaled;
  return scaled + state.gpr((sib & 7) | ((rex & 1) << 3));
}

/** The offset in the data area of a linear address, or undefined outside. */
export function dataOffset(linear: bigint | undefined): number | undefined {
  if (linear === undefined) return undefined;
  const offset = linear - BigInt(DATA_BASE);
  return offset >= 0n && offset < BigInt(DATA_BYTES) ? Number(offset) : undefined;
}
