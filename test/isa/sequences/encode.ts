// One instance of a row within a sequence: registers by what the sequence uses them for, memory operands through its pointers.
import type { Access, OperandSpec } from "../../../src/cpu/isa/instruction.ts";
import type { Prng } from "../prng.ts";
import { type Address, type Bytes, type Mode, word } from "./program.ts";
import type { Row } from "./rows.ts";
import { DATA } from "./space.ts";

/** Registers that hold pointers into the data window, in encoding order. */
export const POINTERS: Readonly<Record<Mode, readonly number[]>> = { 64: [3, 5, 6, 7, 12, 13], 32: [3, 6, 7] };
const SCRATCH: Readonly<Record<Mode, readonly number[]>> = { 64: [0, 1, 2, 8, 9, 10, 11, 14], 32: [0, 1, 2] };
const RCX = 1;
const RSP = 4;
const RBP = 5;

/** What instances of one sequence have in common. */
export interface Style {
  readonly mode: Mode;
  readonly prng: Prng;
  /** Registers that loops count in. */
  readonly reserved: Set<number>;
}

/** The parts of an instruction. */
class Instance {
  readonly #row: Row;
  readonly #mode: Mode;
  readonly #prng: Prng;
  readonly #style: Style;
  readonly #prefixes: number[] = [];
  readonly #before: number[] = [];
  rex = 0;
  /** A byte register that only a REX prefix gives, or forbids. */
  #forced = false;
  #forbidden = false;
  #mod = 3;
  #reg = 0;
  #rm = 0;
  #sib = -1;
  #displacement: number[] = [];
  #address: Address["to"] | undefined;
  readonly #immediate: number[] = [];

  constructor(row: Row, style: Style) {
    this.#row = row;
    this.#style = style;
    this.#mode = style.mode;
    this.#prng = style.prng;
  }

  /** The instance, behind what makes its index small; undefined when the operands do not go together. */
  build(): readonly Bytes[] | undefined {
    const { form } = this.#row;
    this.#choosePrefixes();
    form.operands.forEach((operand, i) => this.#place(operand, this.#row.instruction.access[i] ?? "r"));
    if (form.modrm?.fixed !== undefined) this.#fixed(form.modrm.fixed, form.modrm.anyRm === true);
    else if (form.modrm?.digit !== undefined) this.#reg = form.modrm.digit;
    if (this.#forbidden && (this.rex !== 0 || this.#forced)) return undefined;
    const self = this.#assemble();
    return this.#before.length > 0 ? [plain(this.#before), self] : [self];
  }

  #has(attribute: string): boolean {
    return this.#row.form.attributes.has(attribute);
  }

  #choosePrefixes(): void {
    const { form } = this.#row;
    const wide = this.#mode === 64 && (this.#has("d64") || this.#has("f64") || (this.#has("o64") && this.#has("any")));
    if (form.rexW || (form.opsize === 64 && !wide)) this.rex |= 8;
    if (form.opsize === 16 && !(this.#mode === 64 && this.#has("f64"))) this.#prefixes.push(0x66);
    if (form.prefix !== "" && form.prefix !== "NP") this.#prefixes.push(parseInt(form.prefix, 16));
    if ((this.#has("a32") && this.#mode === 64) || (this.#has("a16") && this.#mode === 32)) this.#prefixes.unshift(0x67);
  }

  #fixed(modrm: number, anyRm: boolean): void {
    this.#mod = modrm >> 6;
    this.#reg = (modrm >> 3) & 7;
    this.#rm = anyRm ? this.#prng.below(8) : modrm & 7;
  }

  #place(operand: OperandSpec, access: Access): void {
    const { form } = this.#row;
    if (operand.kind === "imm") return this.#placeImmediate(operand);
    if (operand.kind === "moffs") return this.#placeOffset(operand);
    if (operand.kind === "mem" || (operand.from === "rm" && operand.kind !== "reg" && !this.#staysRegister(operand)))
      return this.#placeMemory(operand, access);
    if (operand.from === "reg") {
      const n = this.#register(operand, access);
      this.#reg = n & 7;
      if (n > 7) this.rex |= 4;
    } else if (operand.from === "rm" || operand.from === "opcode") {
      const n = this.#register(operand, access, form.map === 0 && form.opcode === 0x90 ? 1 : 0);
      this.#rm = n & 7;
      if (n > 7) this.rex |= 1;
    }
  }

  #staysRegister(operand: OperandSpec): boolean {
    const either = operand.kind === "rm" || operand.kind === "xmmrm" || operand.kind === "mmrm";
    return !either || this.#prng.chance(operand.kind === "rm" ? 62 : 75);
  }

  #register(operand: OperandSpec, access: Access, least = 0): number {
    const p = this.#prng;
    if (operand.kind === "sreg") return p.pick([0, 3, 4, 5]);
    if (operand.kind === "mm" || operand.kind === "mmrm" || operand.kind === "st") return p.below(8);
    // Few vector registers, so that values meet.
    if (operand.kind === "xmm" || operand.kind === "xmmrm") return p.chance(80) ? p.below(4) : p.below(this.#mode === 64 ? 16 : 8);
    if (operand.width === 8) return this.#byteRegister(access);
    return Math.max(least, this.#general(access));
  }

  #general(access: Access): number {
    const p = this.#prng;
    const writes = access.includes("w");
    for (;;) {
      const n = p.chance(writes ? 95 : 65) ? p.pick(SCRATCH[this.#mode]) : p.below(this.#mode === 64 ? 16 : 8);
      if (writes && (this.#style.reserved.has(n) || (n === RSP && !p.chance(5)))) continue;
      return n;
    }
  }

  /** Encodings 4 to 7: AH to BH, or SPL to DIL with a REX prefix. */
  #byteRegister(access: Access): number {
    const n = this.#general(access);
    if (n > 3 && n < 8) this.#forced = true;
    const high = n < 4 && this.#prng.chance(18) && !(access.includes("w") && n === 3 && !this.#prng.chance(10));
    if (!high || this.#forced || this.rex !== 0) return n;
    this.#forbidden = true;
    return n + 4;
  }

  // ── memory ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #placeMemory(operand: OperandSpec, access: Access): void {
    const p = this.#prng;
    const isAddress = access === "-";
    if (this.#has("lock") && access.includes("w") && p.chance(8)) this.#prefixes.unshift(0xf0);
    const dice = isAddress ? p.below(60) : p.below(100);
    if (dice < 66) this.#based(operand);
    else if (dice < 78) this.#indexed(operand);
    else if (dice < 90) this.#onStack(operand);
    else if (dice < 98) this.#absolute(p.below(0x1f80 / 16) * 16 + this.#skew(operand));
    else this.#absolute(this.#special());
    if (p.chance(3)) this.#throughSegment(operand);
    // 32-bit addresses in 64-bit code; 16-bit ones in 32-bit code lead nowhere.
    if (p.chance(this.#mode === 64 ? 2 : 0.4) && !this.#prefixes.includes(0x67)) this.#prefixes.unshift(0x67);
  }

  /** Bytes from one access of the operand's size to the next, sometimes any. */
  #skew({ width }: OperandSpec): number {
    const p = this.#prng;
    const size = Math.max(1, Math.min(16, width >> 3));
    if (width === 128 ? p.chance(90) : p.chance(75)) return (p.below(8) - 4) * size;
    return p.chance(80) ? p.below(24) - 12 : p.below(512) - 256;
  }

  #displace(value: number): void {
    if (value === 0 && (this.#rm & 7) !== RBP && this.#sib < 0) this.#mod = 0;
    else if (value >= -128 && value < 128) [this.#mod, this.#displacement] = [1, [value & 0xff]];
    else [this.#mod, this.#displacement] = [2, word(value)];
  }

  #base(n: number): void {
    this.#rm = n & 7;
    if (n > 7) this.rex |= 1;
    if (this.#rm === RSP) this.#sib = (RSP << 3) | RSP;
  }

  #based(operand: OperandSpec): void {
    this.#base(this.#prng.pick(POINTERS[this.#mode]));
    this.#displace(this.#skew(operand));
  }

  #onStack(operand: OperandSpec): void {
    this.#base(RSP);
    this.#displace(this.#skew(operand));
  }

  /** Through an index that is mostly made small just before. */
  #indexed(operand: OperandSpec): void {
    const base = this.#prng.pick(POINTERS[this.#mode]);
    const free = SCRATCH[this.#mode].filter((n) => !this.#style.reserved.has(n));
    const index = this.#prng.pick(free);
    if (this.#prng.chance(85)) this.#before.push(...(index > 7 ? [0x41] : []), 0x83, 0xe0 | (index & 7), this.#prng.pick([1, 7, 15, 31]));
    this.#rm = RSP;
    this.#sib = (this.#prng.below(4) << 6) | ((index & 7) << 3) | (base & 7);
    if (index > 7) this.rex |= 2;
    if (base > 7) this.rex |= 1;
    this.#displace(operand.width === 128 && this.#prng.chance(50) ? 0 : this.#skew(operand));
    if (this.#mod === 0 || this.#displacement.length === 0) [this.#mod, this.#displacement] = [1, [0]];
  }

  /** RIP-relative in 64-bit code. */
  #absolute(offset: number): void {
    this.#mod = 0;
    this.#rm = RBP;
    this.#displacement = [0, 0, 0, 0];
    this.#address = { area: "data", offset };
  }

  /** Where accesses are not what they usually are: nothing mapped, read-only, a device, borders of these. */
  #special(): number {
    return this.#prng.pick([DATA.unmapped, DATA.readOnly, DATA.device, DATA.readOnly - 4, DATA.unmapped - 3]) + this.#prng.below(4) * 4;
  }

  /** FS and GS begin at the data window; ES, CS, SS and DS mean nothing in 64-bit code. */
  #throughSegment(operand: OperandSpec): void {
    const p = this.#prng;
    this.#prefixes.unshift(p.pick(this.#mode === 64 ? [0x64, 0x65, 0x2e, 0x36] : [0x26, 0x2e, 0x36, 0x3e, 0x64]));
    if (this.#mode === 32 || this.#prefixes[0]! < 0x64) return;
    this.rex &= ~3;
    [this.#mod, this.#rm, this.#sib, this.#address] = [0, RSP, 0x25, undefined];
    this.#displacement = word(p.below(0x1f00) & -Math.max(1, Math.min(16, operand.width >> 3)));
  }

  #placeOffset({ width }: OperandSpec): void {
    this.#immediate.push(0, 0, 0, 0, ...(this.#mode === 64 ? [0, 0, 0, 0] : []));
    this.#address = { area: "data", offset: this.#prng.below(0x1ff0) & -(width >> 3) };
  }

  // ── immediates ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #placeImmediate(operand: OperandSpec): void {
    const { form } = this.#row;
    const mine = form.operands.filter((o) => o.kind === "imm").indexOf(operand);
    const bytes = form.immediates[mine] ?? operand.width / 8;
    const p = this.#prng;
    const small = p.chance(60);
    const value = small ? p.below(40) - 6 : p.chance(30) ? 0x7fff_ffff + p.below(3) : p.next();
    const high = small ? (value < 0 ? -1 : 0) : p.next();
    this.#immediate.push(...[...word(value), ...word(high)].slice(0, bytes));
  }

  #assemble(): Bytes {
    const { map, opcode, plus, modrm } = this.#row.form;
    const head = [...this.#prefixes];
    if (this.rex !== 0 || this.#forced) head.push(0x40 | this.rex);
    head.push(...[[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]][map]!, opcode | (plus ? this.#rm : 0));
    if (modrm) {
      head.push((this.#mod << 6) | (this.#reg << 3) | this.#rm);
      if (this.#sib >= 0) head.push(this.#sib);
    }
    const addresses = this.#address ? [this.#addressAt(head.length, modrm !== undefined, this.#address)] : [];
    return { kind: "bytes", bytes: [...head, ...this.#displacement, ...this.#immediate], addresses };
  }

  #addressAt(at: number, relative: boolean, to: Address["to"]): Address {
    return relative ? { at, to } : { at, to, absolute: true };
  }
}

/** An instruction without addresses. */
export function plain(bytes: readonly number[]): Bytes {
  return { kind: "bytes", bytes, addresses: [] };
}

/** An instance of a row; undefined where none could be made. Repeated string instructions are patterns. */
export function encode(row: Row, style: Style): readonly Bytes[] | undefined {
  if (/^(MUL|DIV|IDIV|IMUL)$/.test(row.instruction.name) && style.reserved.has(0)) return undefined;
  if (row.instruction.name === "XLAT" && style.prng.chance(50)) return undefined;
  return new Instance(row, style).build();
}

/** The count register of LOOP, REP and shifts. */
export const COUNT_REGISTER: number = RCX;
