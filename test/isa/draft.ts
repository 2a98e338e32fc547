// An instance in the making: which registers are already spoken for, which prefixes it has, and where its memory operand goes.
import { CODE_BASE, DATA_BASE, type Mode } from "./case.ts";
import type { Prng } from "./prng.ts";
import { ORIGIN, type Override } from "./recipe.ts";
import type { Form } from "../../src/cpu/isa/instruction.ts";

/** The parts of an instruction that follow ModRM, and ModRM itself. */
interface Encoding {
  readonly prefixes: number[];
  rexW: boolean;
  /** Bit 3 of ModRM.reg, SIB.index, and ModRM.rm or base or opcode. */
  rexR: number;
  rexX: number;
  rexB: number;
  /** A REX prefix although no bit asks for one: SPL, BPL, SIL, DIL. */
  rexForced: boolean;
  /** A register AH..BH forbids REX. */
  rexForbidden: boolean;
  mod: number;
  reg: number;
  rm: number;
  sib: number | undefined;
  displacement: number[];
  /** The linear address that a RIP-relative operand must reach (before the segment base). */
  ripTarget: bigint | undefined;
  immediate: number[];
}

/** Bits of an address in the instruction's address size. */
export type AddressSize = 16 | 32 | 64;

/** One instance being put together: choices go in, bytes and overrides come out. */
export class Draft {
  readonly form: Form;
  readonly mode: Mode;
  readonly prng: Prng;
  readonly overrides: Override[] = [];
  /** General registers whose value is fixed already. */
  readonly fixed: Map<number, bigint> = new Map();
  readonly encoding: Encoding = {
    prefixes: [],
    rexW: false,
    rexR: 0,
    rexX: 0,
    rexB: 0,
    rexForced: false,
    rexForbidden: false,
    mod: 3,
    reg: 0,
    rm: 0,
    sib: undefined,
    displacement: [],
    ripTarget: undefined,
    immediate: [],
  };
  addressSize: AddressSize;
  /** In bits, after prefixes. */
  operandSize: 16 | 32 | 64 = 32;
  segmentBase = 0n;
  windows = false;
  origin: number = ORIGIN;

  constructor(form: Form, mode: Mode, prng: Prng) {
    this.form = form;
    this.mode = mode;
    this.prng = prng;
    this.addressSize = mode;
  }

  /** Gives a register a value, whatever the seed would give it; an earlier fixed value stays. Returns the value it has. */
  fix(index: number, value: bigint): bigint {
    const earlier = this.fixed.get(index);
    if (earlier !== undefined) return earlier;
    const whole = BigInt.asUintN(this.mode, value);
    this.fixed.set(index, whole);
    this.overrides.push({ kind: "gpr", index, value: whole });
    return whole;
  }

  /** Points a register to an offset of the data area, in the address size in force. */
  point(index: number, offset: number): void {
    this.windows = true;
    const garbage = this.mode === 64 && this.addressSize === 32 ? BigInt(this.prng.next()) << 32n : 0n;
    this.fix(index, BigInt.asUintN(this.addressSize, BigInt(DATA_BASE + offset) - this.segmentBase) | garbage);
  }

  /** Points RSP or RBP to an offset of the data area: stacks know neither segment overrides nor address sizes. */
  pointStack(index: number, offset: number): void {
    this.windows = true;
    this.fix(index, BigInt(DATA_BASE + offset));
  }

  bytes(offset: number, bytes: Uint8Array | readonly number[]): void {
    this.overrides.push({ kind: "bytes", offset, bytes: Uint8Array.from(bytes) });
  }

  prefix(byte: number): void {
    if (!this.encoding.prefixes.includes(byte)) this.encoding.prefixes.push(byte);
  }

  /** The instruction's bytes. */
  assemble(): Uint8Array {
    const e = this.encoding;
    const head = [...e.prefixes, ...this.rex(), ...this.opcode()];
    if (this.form.modrm !== undefined) {
      head.push((e.mod << 6) | (e.reg << 3) | e.rm);
      if (e.sib !== undefined) head.push(e.sib);
    }
    const length = head.length + e.displacement.length + e.immediate.length;
    if (e.ripTarget !== undefined) {
      const next = BigInt(CODE_BASE + this.origin + length);
      e.displacement = littleEndian(BigInt.asUintN(32, e.ripTarget - next), 4);
    }
    return Uint8Array.from([...head, ...e.displacement, ...e.immediate]);
  }

  private rex(): number[] {
    const e = this.encoding;
    const bits = (e.rexW ? 8 : 0) | (e.rexR << 2) | (e.rexX << 1) | e.rexB;
    return bits !== 0 || e.rexForced ? [0x40 | bits] : [];
  }

  private opcode(): number[] {
    const { map, opcode, plus } = this.form;
    const escape = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]][map]!;
    return [...escape, opcode | (plus ? this.encoding.rm : 0)];
  }
}

/** The low `length` bytes of a value, low first. */
export function littleEndian(value: bigint, length: number): number[] {
  const bytes: number[] = [];
  for (let i = 0; i < length; i++) bytes.push(Number(BigInt.asUintN(8, value >> BigInt(8 * i))));
  return bytes;
}
