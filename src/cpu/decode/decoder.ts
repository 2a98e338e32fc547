// The decoder: bytes → row, handler and operand fields (SDM 2A chapter 2).
//
// It knows prefixes, ModRM, SIB, displacements and immediates; everything about single instructions comes from the tables.
import { MODE, RIP_PAGE, SEG_BASE, ZERO } from "../state.ts";
import { CONTEXT, type DecodeTables, ENTRY, ENTRY_FLAGS, FIELD, OPCODES, SOURCE, tableIndex } from "./tables.ts";

/** What decoding gave. */
export const STATUS = {
  ok: 0,
  /** The bytes end before the instruction does. */
  more: 1,
  /** No such instruction: #UD. */
  undefined: 2,
  /** More than 15 bytes: #GP(0) (SDM 3A §6.15, interrupt 13). */
  tooLong: 3,
} as const;

/** SDM 2A §2.3.11. */
const MAX_LENGTH = 15;

/** 16-bit addressing (SDM 2A table 2-1): base and index register numbers, -1 for none. */
const ADDRESS16: readonly (readonly [base: number, index: number])[] = [
  [3, 6],
  [3, 7],
  [5, 6],
  [5, 7],
  [6, -1],
  [7, -1],
  [5, -1],
  [3, -1],
];

/** Decodes one instruction at a time; the fields hold the last one. */
export class Decoder {
  readonly #first: Uint16Array;
  readonly #modrm: Uint8Array;
  readonly #entries: Int32Array;
  /** The row that matched: its number in the handler set's variants (isa/handlers.ts). */
  row = 0;
  handler = 0;
  length = 0;
  /** Operand fields of the record. */
  readonly operand: Uint8Array = new Uint8Array(3);
  base: number = ZERO;
  index: number = ZERO;
  scale = 0;
  seg: number = ZERO;
  segment = 0;
  displacement = 0;
  ripRelative = false;
  address16 = false;
  address32 = false;
  immLow = 0;
  immHigh = 0;
  /** The immediate is a branch displacement. */
  relative = false;
  lock = false;
  /** Prefixes as they were, for the disassembler. */
  rex = 0;
  opsize: 16 | 32 | 64 = 32;
  repeatPrefix = 0;
  override = -1;
  operandPrefix = false;

  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  #long = false;
  #mode = 0;

  constructor(tables: DecodeTables) {
    this.#first = tables.first;
    this.#modrm = tables.modrm;
    this.#entries = tables.entries;
  }

  /** Code mode of the last instruction (state.ts MODE). */
  get mode(): number {
    return this.#mode;
  }

  /** Decodes at `bytes[at]`, not looking beyond `end`, for code mode `mode` (state.ts MODE) → STATUS. */
  decode(bytes: Uint8Array, at: number, end: number, mode: number): number {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = Math.min(end, at + MAX_LENGTH);
    this.#mode = mode;
    this.#long = (mode & MODE.long) !== 0;
    const code32 = (mode & MODE.code32) !== 0;
    const status = this.#instruction(code32);
    this.length = this.#at - at;
    return status === STATUS.more && end >= at + MAX_LENGTH ? STATUS.tooLong : status;
  }

  #instruction(code32: boolean): number {
    if (!this.#prefixes()) return STATUS.more;
    const long = this.#long;
    const defaultSmall = !long && !code32;
    this.opsize = this.rex & 8 ? 64 : this.operandPrefix !== defaultSmall ? 16 : 32;
    this.address16 = !long && this.#addressPrefix === code32;
    this.address32 = long ? this.#addressPrefix : !this.address16;
    const map = this.#opcodeMap();
    if (map < 0 || this.#at >= this.#end) return STATUS.more;
    const opcode = this.#bytes[this.#at++]!;
    const index = tableIndex(map, opcode);
    let modrm = -1;
    if (this.#modrm[index]) {
      if (this.#at >= this.#end) return STATUS.more;
      modrm = this.#bytes[this.#at]!;
    }
    const entry = this.#select(long ? index : index + OPCODES, this.#context(modrm));
    if (entry < 0) {
      // What it is judged by is part of it: when that byte changes, it is to be decoded again.
      if (modrm >= 0) this.#at++;
      return STATUS.undefined;
    }
    return this.#operands(entry, opcode, modrm);
  }

  #addressPrefix = false;

  /** Legacy prefixes in any order, then REX. False when the bytes end. */
  #prefixes(): boolean {
    this.rex = 0;
    this.operandPrefix = false;
    this.#addressPrefix = false;
    this.repeatPrefix = 0;
    this.override = -1;
    this.lock = false;
    for (; this.#at < this.#end; this.#at++) {
      const b = this.#bytes[this.#at]!;
      if (this.#long && (b & 0xf0) === 0x40) {
        this.rex = b;
        continue;
      }
      if (!this.#legacyPrefix(b)) return true;
      this.rex = 0; // a REX that is not last is ignored (SDM 2A §2.2.1)
    }
    return false;
  }

  #legacyPrefix(b: number): boolean {
    switch (b) {
      case 0x66:
        this.operandPrefix = true;
        return true;
      case 0x67:
        this.#addressPrefix = true;
        return true;
      case 0xf0:
        this.lock = true;
        return true;
      case 0xf2:
      case 0xf3:
        this.repeatPrefix = b;
        return true;
      case 0x26:
      case 0x2e:
      case 0x36:
      case 0x3e:
        // ES CS SS DS overrides do nothing in 64-bit mode, not even to a FS or GS override before them.
        if (!this.#long) this.override = (b >> 3) & 3;
        return true;
      case 0x64:
      case 0x65:
        this.override = b & 7;
        return true;
      default:
        return false;
    }
  }

  #opcodeMap(): number {
    if (this.#bytes[this.#at] !== 0x0f) return 0;
    if (++this.#at >= this.#end) return -1;
    const b = this.#bytes[this.#at];
    if (b !== 0x38 && b !== 0x3a) return 1;
    this.#at++;
    return b === 0x38 ? 2 : 3;
  }

  /** Everything that selects an entry, see tables.ts. */
  #context(modrm: number): number {
    let context = modrm >= 0xc0 ? modrm | CONTEXT.register : modrm & CONTEXT.modrm;
    if (this.repeatPrefix !== 0) context |= this.repeatPrefix === 0xf3 ? CONTEXT.f3 : CONTEXT.f2;
    if (this.operandPrefix) context |= CONTEXT.operandPrefix;
    context |= ((this.rex & 8) << 9) | ((this.rex & 1) << 13);
    if (this.opsize !== 64) context |= this.opsize === 16 ? CONTEXT.size16 : CONTEXT.size32;
    if (this.address16) context |= CONTEXT.address16;
    if (this.address32) context |= CONTEXT.address32;
    return context;
  }

  /** Where the words of the first entry that matches begin, -1 for none. */
  #select(index: number, context: number): number {
    const entries = this.#entries;
    const end = this.#first[index + 1]! * ENTRY.words;
    for (let e = this.#first[index]! * ENTRY.words; e < end; e += ENTRY.words)
      if ((context & entries[e]!) === entries[e + ENTRY.value]!) return e;
    return -1;
  }

  #operands(entry: number, opcode: number, modrm: number): number {
    const handlerRow = this.#entries[entry + ENTRY.handlerRow]!;
    const sources = this.#entries[entry + ENTRY.sources]!;
    const fields = this.#entries[entry + ENTRY.fields]!;
    this.row = handlerRow >>> 16;
    this.handler = handlerRow & 0xffff;
    this.base = this.index = this.seg = ZERO;
    this.scale = 0;
    this.displacement = 0;
    this.ripRelative = false;
    this.segment = this.override >= 0 ? this.override : 3;
    if (this.#long && this.override >= 4) this.seg = SEG_BASE + this.override * 8;
    if (modrm >= 0) {
      this.#at++;
      if (modrm < 0xc0 && sources & ENTRY_FLAGS.address && !this.#memory(modrm)) return STATUS.more;
    }
    this.operand[0] = this.#register(sources & 0xff, fields & 0xff, opcode, modrm);
    this.operand[1] = this.#register((sources >> 8) & 0xff, (fields >> 8) & 0xff, opcode, modrm);
    this.operand[2] = this.#register((sources >> 16) & 0xff, fields >> 16, opcode, modrm);
    const status = this.#immediates(sources, this.#entries[entry + ENTRY.sizes]!);
    // Only now, since the bytes are fetched, and may fault, before they are judged.
    return status === STATUS.ok && this.lock && !(sources & ENTRY_FLAGS.lock) ? STATUS.undefined : status;
  }

  /** An operand's field of the record: SOURCE and FIELD in `how`, or `fixed`. */
  #register(how: number, fixed: number, opcode: number, modrm: number): number {
    const rex = this.rex;
    let n = 0;
    switch (how & SOURCE.mask) {
      case SOURCE.fixed:
        return fixed;
      case SOURCE.reg:
        n = ((modrm >> 3) & 7) | ((rex & 4) << 1);
        break;
      case SOURCE.rm:
        n = (modrm & 7) | ((rex & 1) << 3);
        break;
      default:
        n = (opcode & 7) | ((rex & 1) << 3);
    }
    switch (how & FIELD.mask) {
      case FIELD.general:
        return n * 8;
      case FIELD.byte:
        return rex === 0 && n >= 4 ? (n - 4) * 8 + 1 : n * 8;
      case FIELD.vector:
        return n * 16;
      case FIELD.stack:
        return (n & 7) * 16;
      case FIELD.segment:
        return n & 7;
      default:
        return n;
    }
  }

  #memory(modrm: number): boolean {
    const mod = modrm >> 6;
    if (this.address16) return this.#memory16(mod, modrm & 7);
    let rm = modrm & 7;
    let size = mod === 1 ? 1 : mod === 2 ? 4 : 0;
    if (rm === 4) {
      if (this.#at >= this.#end) return false;
      const sib = this.#bytes[this.#at++]!;
      const index = ((sib >> 3) & 7) | ((this.rex & 2) << 2);
      if (index !== 4) {
        this.index = index * 8;
        this.scale = sib >> 6;
      }
      rm = sib & 7;
      if (rm === 5 && mod === 0) size = 4;
      else this.#setBase(rm | ((this.rex & 1) << 3));
    } else if (rm === 5 && mod === 0) {
      size = 4;
      if (this.#long) {
        this.ripRelative = true;
        this.base = RIP_PAGE;
      }
    } else this.#setBase(rm | ((this.rex & 1) << 3));
    return this.#displacement(size);
  }

  #setBase(register: number): void {
    this.base = register * 8;
    // RSP and RBP as base address the stack segment; R12 and R13 do not (SDM 1 table 3-5).
    if ((register === 4 || register === 5) && this.override < 0) this.segment = 2;
  }

  #memory16(mod: number, rm: number): boolean {
    if (mod === 0 && rm === 6) return this.#displacement(2);
    const [base, index] = ADDRESS16[rm]!;
    this.base = base * 8;
    if (index >= 0) this.index = index * 8;
    if (base === 5 && this.override < 0) this.segment = 2;
    return this.#displacement(mod === 1 ? 1 : mod === 2 ? 2 : 0);
  }

  #displacement(size: number): boolean {
    if (this.#at + size > this.#end) return false;
    this.displacement = this.#signed(size);
    return true;
  }

  /** Reads `size` (0, 1, 2, 4) bytes, sign-extended. The caller has checked that they are there. */
  #signed(size: number): number {
    const b = this.#bytes;
    const at = this.#at;
    this.#at += size;
    switch (size) {
      case 0:
        return 0;
      case 1:
        return (b[at]! << 24) >> 24;
      case 2:
        return ((b[at]! | (b[at + 1]! << 8)) << 16) >> 16;
      default:
        return b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24);
    }
  }

  #immediates(flags: number, sizes: number): number {
    this.relative = (flags & ENTRY_FLAGS.relative) !== 0;
    this.immLow = flags & ENTRY_FLAGS.one ? 1 : 0;
    this.immHigh = 0;
    if (flags & ENTRY_FLAGS.moffs) return this.#moffs();
    const first = sizes & 0xff;
    const second = sizes >> 8;
    if (this.#at + first + second > this.#end) return STATUS.more;
    if (first !== 0) {
      this.immLow = this.#signed(first === 8 ? 4 : first);
      this.immHigh = first === 8 ? this.#signed(4) : this.immLow >> 31;
    }
    // Selector of a far pointer, or ENTER's level: kept where a displacement would be.
    if (second !== 0) this.displacement = this.#signed(second) & (second === 1 ? 0xff : 0xffff);
    return STATUS.ok;
  }

  /** A full address instead of ModRM; 64-bit ones do not fit the displacement and take the immediate, see isa/move.ts. */
  #moffs(): number {
    const size = this.address16 ? 2 : this.address32 ? 4 : 8;
    if (this.#at + size > this.#end) return STATUS.more;
    const value = this.#signed(size === 8 ? 4 : size);
    const wide = size === 8 ? this.#signed(4) : 0;
    this.immLow = size === 2 ? value & 0xffff : value;
    this.immHigh = wide;
    this.displacement = this.immLow;
    return STATUS.ok;
  }
}
