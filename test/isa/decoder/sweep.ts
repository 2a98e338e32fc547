// Every opcode under every prefix combination that matters, as byte sequences; and how two decoders disagree about them.
import { Decoder, STATUS } from "../../../src/cpu/decode/decoder.ts";
import { buildTables } from "../../../src/cpu/decode/build-tables.ts";
import { enumerateHandlers } from "../../../src/cpu/isa/handlers.ts";
import { INSTRUCTIONS } from "../../../src/cpu/isa/index.ts";
import { MODE } from "../../../src/cpu/state.ts";

export type SweepMode = 16 | 32 | 64;
export const SWEEP_MODES: readonly SweepMode[] = [64, 32, 16];

const MODE_BITS: Readonly<Record<SweepMode, number>> = { 16: 0, 32: MODE.code32 | MODE.stack32, 64: MODE.long };

/** One byte of mode, 16 of instruction: what lengths.c reads. */
export const CASE_BYTES = 17;

// oxfmt-ignore
const LEGACY_PREFIXES: readonly (readonly number[])[] = [
  [], [0x66], [0x67], [0xf2], [0xf3], [0xf0], [0x66, 0xf2], [0x66, 0xf3], [0xf2, 0x66], [0x66, 0x67], [0x2e], [0x64], [0xf0, 0x66], [0xf2, 0xf3],
];
/** Bytes that are prefixes in every mode. */
export const LEGACY_PREFIX_BYTES: ReadonlySet<number> = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

// oxfmt-ignore
const REX_PREFIXES: readonly (readonly number[])[] = [[0x48], [0x41], [0x4f], [0x66, 0x48], [0xf2, 0x48], [0xf3, 0x48], [0xf0, 0x48], [0x48, 0x66]];

const MAPS: readonly (readonly number[])[] = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];

/** Prefix bytes are no opcodes, nor are escapes. VEX, EVEX and XOP begin with bytes that are instructions in their other reading. */
function isOpcode(map: number, opcode: number, mode: SweepMode): boolean {
  if (map === 1) return opcode !== 0x38 && opcode !== 0x3a;
  if (map !== 0) return true;
  if (opcode === 0x0f || LEGACY_PREFIX_BYTES.has(opcode)) return false;
  return !(mode === 64 && opcode >= 0x40 && opcode <= 0x4f);
}

/** ModRM bytes: all of them without prefixes, otherwise every digit with the addressing forms that differ in length. */
function modrmBytes(prefixed: boolean): number[] {
  if (!prefixed) return Array.from({ length: 256 }, (_, i) => i);
  const list: number[] = [];
  for (let reg = 0; reg < 8; reg++) for (const mod of [0, 1, 2, 3]) for (const rm of [0, 4, 5, 6]) list.push((mod << 6) | (reg << 3) | rm);
  return list;
}

/** Prefixes and opcode bytes that are tried in a mode. */
function* heads(mode: SweepMode): Generator<{ readonly prefixed: boolean; readonly bytes: readonly number[] }> {
  const prefixLists = mode === 64 ? [...LEGACY_PREFIXES, ...REX_PREFIXES] : LEGACY_PREFIXES;
  for (const prefixes of prefixLists) {
    for (const [map, escape] of MAPS.entries()) {
      for (let opcode = 0; opcode < 256; opcode++) {
        if (isOpcode(map, opcode, mode)) yield { prefixed: prefixes.length > 0, bytes: [...prefixes, ...escape, opcode] };
      }
    }
  }
}

/** Calls `visit` with the bytes of every case (CASE_BYTES each, reused). */
export function sweep(visit: (bytes: Uint8Array) => void): void {
  const bytes = new Uint8Array(CASE_BYTES);
  for (const mode of SWEEP_MODES) {
    for (const head of heads(mode)) {
      for (const modrm of modrmBytes(head.prefixed)) {
        // A SIB byte without base (mod 0, base 5) has a displacement of its own: alternate.
        const sib = modrm & 8 ? 0x65 : 0x24;
        bytes.fill(0x11);
        bytes[0] = mode;
        bytes.set([...head.bytes, modrm, sib], 1);
        visit(bytes);
      }
    }
  }
}

/** Our decoder on one case → length, 0 when it is no instruction. */
export function ourLength(): (bytes: Uint8Array) => number {
  const decoder = new Decoder(buildTables(enumerateHandlers(INSTRUCTIONS)));
  return (bytes) => (decoder.decode(bytes, 1, CASE_BYTES - 1, MODE_BITS[bytes[0] as SweepMode]) === STATUS.ok ? decoder.length : 0);
}

/** The bytes of a case for a person. */
export function describeCase(bytes: Uint8Array): string {
  return `${bytes[0]}-bit ${Buffer.from(bytes.subarray(1, 9)).toString("hex").replace(/../g, "$& ").trim()}`;
}
