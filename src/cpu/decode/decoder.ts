// The decoder: bytes → row, handler and operand fields (SDM 2A chapter 2).
//
// It knows prefixes, ModRM, SIB, displacements and immediates; everything about single instructions comes from the tables.
import type { Variant } from "../isa/handlers.ts";
import type { OperandSpec } from "../isa/instruction.ts";
import { MODE, RIP_PAGE, SEG_BASE, ZERO } from "../state.ts";
import { type Candidate, type DecodeTables, tableIndex } from "./tables.ts";

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
  readonly #tables: DecodeTables;
  variant: Variant | undefined;
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

  constructor(tables: DecodeTables) {
    this.#tables = tables;
  }

  /** Decodes at `bytes[at]`, not looking beyond `end`, for code mode `mode` (state.ts MODE) → STATUS. */
  decode(bytes: Uint8Array, at: number, end: number, mode: number): number {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = Math.min(end, at + MAX_LENGTH);
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
    if (this.#tables.modrm[index]) {
      if (this.#at >= this.#end) return STATUS.more;
      modrm = this.#bytes[this.#at]!;
    }
    const candidate = this.#select(this.#tables.candidates[index]!, modrm);
    if (candidate === undefined) return STATUS.undefined;
    return this.#operands(candidate, opcode, modrm);
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

  #select(list: readonly Candidate[], modrm: number): Candidate | undefined {
    for (const c of list) if (this.#matches(c, modrm)) return c;
    return undefined;
  }

  #matches(c: Candidate, modrm: number): boolean {
    if (c.digit >= 0 && ((modrm >> 3) & 7) !== c.digit) return false;
    if (c.fixed >= 0 && (modrm & c.fixedMask) !== (c.fixed & c.fixedMask)) return false;
    if (!this.#prefixMatches(c.prefix) || (c.noRepeat && this.repeatPrefix !== 0)) return false;
    const v = c.variant;
    if (c.rexW && !(this.rex & 8)) return false;
    if (c.noRexB && this.rex & 1) return false;
    if (c.opsize && c.opsize !== this.#sizeFor(v)) return false;
    if ((this.#long ? v.long : v.legacy) < 0) return false;
    if (modrm >= 0 && c.fixed < 0 && !this.#modMatches(v, modrm >= 0xc0)) return false;
    return v.form.attributes.has("rep") ? v.repeat === this.#repeat() : this.#addressMatches(v);
  }

  /** JCXZ and the like have one row for each address size. */
  #addressMatches(v: Variant): boolean {
    const a = v.form.attributes;
    if (a.has("a16")) return this.address16;
    if (a.has("a32")) return this.address32;
    if (a.has("a64")) return !this.address16 && !this.address32;
    return true;
  }

  #repeat(): string {
    return this.repeatPrefix === 0xf3 ? "repe" : this.repeatPrefix === 0xf2 ? "repne" : "";
  }

  /** F2 and F3 win over 66 as mandatory prefixes. */
  #prefixMatches(prefix: Candidate["prefix"]): boolean {
    switch (prefix) {
      case 0:
        return true;
      case 1:
        return this.repeatPrefix === 0 && !this.operandPrefix;
      case 2:
        return this.repeatPrefix === 0 && this.operandPrefix;
      case 3:
        return this.repeatPrefix === 0xf3;
      case 4:
        return this.repeatPrefix === 0xf2;
    }
  }

  #sizeFor(v: Variant): number {
    if (!this.#long) return this.opsize;
    const a = v.form.attributes;
    if (a.has("f64")) return 64;
    if (a.has("d64")) return this.opsize === 32 ? 64 : this.opsize;
    return this.opsize;
  }

  #modMatches(v: Variant, register: boolean): boolean {
    // MOV to and from control and debug registers takes ModRM.mod for 3 whatever it is (SDM 2B, MOV—Move to/from Control Registers).
    if (v.form.operands.some((o) => o.kind === "cr" || o.kind === "dr")) return true;
    const rm = v.form.operands.find((o) => o.from === "rm");
    return rm === undefined || register !== v.memory;
  }

  #operands(c: Candidate, opcode: number, modrm: number): number {
    const v = c.variant;
    this.variant = v;
    this.handler = this.#long ? v.long : v.legacy;
    this.base = this.index = this.seg = ZERO;
    this.scale = 0;
    this.displacement = 0;
    this.ripRelative = false;
    this.segment = this.override >= 0 ? this.override : 3;
    this.#applyOverride();
    if (modrm >= 0) {
      this.#at++;
      const memory = v.memory || (c.fixed < 0 && modrm < 0xc0 && !v.form.operands.some((o) => o.kind === "cr" || o.kind === "dr"));
      if (memory && !this.#memory(modrm)) return STATUS.more;
    }
    v.form.operands.forEach((o, i) => (this.operand[i] = this.#register(o, opcode, modrm)));
    const status = this.#immediates(v);
    // Only now, since the bytes are fetched, and may fault, before they are judged.
    return status === STATUS.ok && this.lock && !(v.memory && v.form.attributes.has("lock")) ? STATUS.undefined : status;
  }

  #applyOverride(): void {
    if (this.#long && this.override >= 4) this.seg = SEG_BASE + this.override * 8;
  }

  #register(o: OperandSpec, opcode: number, modrm: number): number {
    const rex = this.rex;
    let n = o.fixed;
    if (o.from === "reg") n = ((modrm >> 3) & 7) | ((rex & 4) << 1);
    else if (o.from === "rm") n = (modrm & 7) | ((rex & 1) << 3);
    else if (o.from === "opcode") n = (opcode & 7) | ((rex & 1) << 3);
    switch (o.kind) {
      case "reg":
      case "rm":
        return o.width === 8 && rex === 0 && o.from !== "fixed" && n >= 4 ? (n - 4) * 8 + 1 : n * 8;
      case "xmm":
      case "xmmrm":
        return n * 16;
      case "mm":
      case "mmrm":
      case "st":
        return (n & 7) * 16;
      case "sreg":
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

  #immediates(v: Variant): number {
    this.immLow = this.immHigh = 0;
    this.relative = false;
    const first = v.form.operands.find((o) => o.from === "imm");
    if (first === undefined && v.form.immediates.length === 0) return STATUS.ok;
    if (first?.kind === "one") this.immLow = 1;
    if (first?.kind === "moffs") return this.#moffs();
    this.relative = first?.kind === "rel";
    let n = 0;
    for (const size of v.form.immediates) {
      if (this.#at + size > this.#end) return STATUS.more;
      const value = this.#signed(size === 8 ? 4 : size);
      if (n++ > 0) {
        // Selector of a far pointer, or ENTER's level: kept where a displacement would be.
        this.displacement = value & (size === 1 ? 0xff : 0xffff);
        continue;
      }
      this.immLow = value;
      this.immHigh = size === 8 ? this.#signed(4) : value >> 31;
    }
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
