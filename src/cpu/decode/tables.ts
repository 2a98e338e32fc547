// Decoder tables as the decoder reads them: numbers in typed arrays, so that they can be written at build time (engine/plan.ts) and
// nothing of the rows has to be loaded to decode. decode/build-tables.ts makes them.
//
// For each world, opcode map and opcode there is a list of entries in the order in which they are tried. An entry matches when
// `context & mask = value`, where the context holds everything about prefixes and ModRM that selects a row:
//
//    17   16   15   14   13   12   11   10  9    8    7     6 5   3 2   0
//   ┌────┬────┬────┬────┬────┬────┬────┬────┬────┬────┬───────┬─────┬─────┐
//   │a32 │a16 │o32 │o16 │ B  │ W  │ 66 │ F2 │ F3 │ r  │  mod  │ reg │ rm  │
//   └────┴────┴────┴────┴────┴────┴────┴────┴────┴────┴───────┴─────┴─────┘
//
// r: ModRM.mod is 3 · F3 F2: the repeat prefix in force · 66: an operand-size prefix is there · W B: of REX · o16 o32: operand size in
// force, 64 when neither · a16 a32: address size in force, 64 when neither.

/** Bits of the context. */
// oxfmt-ignore
export const CONTEXT = {
  modrm: 0xff, register: 0x100, f3: 0x200, f2: 0x400, operandPrefix: 0x800, rexW: 0x1000, rexB: 0x2000,
  size16: 0x4000, size32: 0x8000, address16: 0x1_0000, address32: 0x2_0000,
} as const;

/**
 * Words of an entry. `handlerRow`: handler id, and the row's number (index of isa/handlers.ts' variants) in the upper half.
 *
 *            31    24 23    16 15     8 7      0
 *           ┌────────┬────────┬────────┬────────┐
 *   sources │ flags  │ how C  │ how B  │ how A  │   how a register number becomes a field of the record
 *   fields  │   0    │field C │field B │field A │   fields that are always the same
 *   sizes   │   0    │   0    │ second │ first  │   bytes of the immediates
 *           └────────┴────────┴────────┴────────┘
 */
export const ENTRY = { mask: 0, value: 1, handlerRow: 2, sources: 3, fields: 4, sizes: 5, words: 6 } as const;

/** `how` of an operand: where its number comes from in bits 0–1, and what it becomes in bits 2–4. */
export const SOURCE = { fixed: 0, reg: 1, rm: 2, opcode: 3, mask: 3 } as const;
/** What a register's number becomes: as it is, × 8, × 16, of 8 registers × 16, of 8 registers, or the offset of a byte register. */
export const FIELD = { number: 0, general: 4, vector: 8, stack: 12, segment: 16, byte: 20, mask: 0x1c } as const;

/** Flags of an entry. */
export const ENTRY_FLAGS = {
  /** ModRM.rm addresses memory unless mod is 3. */
  address: 0x0100_0000,
  /** LOCK is allowed. */
  lock: 0x0200_0000,
  /** The immediate is a branch displacement. */
  relative: 0x0400_0000,
  /** A full address takes the immediate's place. */
  moffs: 0x0800_0000,
  /** An operand is the constant 1. */
  one: 0x1000_0000,
} as const;

/** Opcodes of one world: four maps of 256. */
export const OPCODES = 0x400;

/** What the decoder knows about instructions. */
export interface DecodeTables {
  /** For each opcode of each map in 64-bit code, then in other code, the number of its first entry; its last is before the next one's first. */
  readonly first: Uint16Array;
  /** For each opcode of each map, 1 when a ModRM byte follows. */
  readonly modrm: Uint8Array;
  /** ENTRY.words words for each entry. */
  readonly entries: Int32Array;
}

/** Index of an opcode in one world's part of the tables. */
export function tableIndex(map: number, opcode: number): number {
  return (map << 8) | opcode;
}
