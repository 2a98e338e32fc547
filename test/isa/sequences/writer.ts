// The pieces that patterns are made of: labels, instructions with addresses, registers that are free.
import type { Prng } from "../prng.ts";
import { plain, type Style } from "./encode.ts";
import { type Address, type Branch, type Bytes, type Mode, type Node, word } from "./program.ts";
import { DATA, PRIVATE } from "./space.ts";

/** What a sequence is to be like. */
export interface Wishes {
  readonly mode: Mode;
  readonly cpl: 0 | 3;
  readonly instructions: number;
  /** Runs the whole sequence this many times. */
  readonly rounds: number;
}

/** Branches to a label: on a condition, always, and with a return address. */
export const condition = (cc: number, label: number): Branch => ({
  kind: "branch",
  short: [0x70 | cc],
  long: [0x0f, 0x80 | cc],
  label,
});
export const jump = (label: number): Branch => ({ kind: "branch", short: [0xeb], long: [0xe9], label });
export const call = (label: number): Branch => ({ kind: "branch", short: undefined, long: [0xe8], label });

const NEGATIVE = 8;

/** Writes nodes. */
export abstract class Writer {
  readonly wishes: Wishes;
  readonly prng: Prng;
  readonly style: Style;
  nodes: Node[] = [];
  /** Labels of MOVs of an immediate, one byte behind them. */
  readonly patchable: number[] = [];
  /** Instructions that are still to come. */
  left: number;
  /** Where the sequence ends. */
  readonly end: number;
  #labels = 0;

  constructor(wishes: Wishes, prng: Prng) {
    this.wishes = wishes;
    this.prng = prng;
    this.style = { mode: wishes.mode, prng, reserved: new Set() };
    this.left = wishes.instructions;
    this.end = this.label();
  }

  /** Up to `most` elements; deep ones do not nest further. */
  abstract body(most: number, depth: number): void;
  /** A plain instruction. */
  abstract instruction(): void;

  /** A new label. */
  label(): number {
    return this.#labels++;
  }

  /** Any label that there is, its place known or not. */
  someLabel(): number {
    return this.prng.below(this.#labels);
  }

  mark(label: number): void {
    this.nodes.push({ kind: "label", label });
  }

  push(node: Bytes | Branch): void {
    this.nodes.push(node);
    this.left--;
  }

  emit(bytes: readonly number[], address?: Address): void {
    this.push(address ? { kind: "bytes", bytes, addresses: [address] } : plain(bytes));
  }

  /** An instruction with an operand at an address: ModRM says so; `reg` is its other field. */
  emitAt(opcode: readonly number[], reg: number, to: Address["to"], tail: readonly number[] = []): void {
    this.emit([...opcode, (reg << 3) | 5, 0, 0, 0, 0, ...tail], { at: opcode.length + 1, to });
  }

  /** The prefix for the mode's whole registers. */
  long(): readonly number[] {
    return this.wishes.mode === 64 ? [0x48] : [];
  }

  scratch(): number {
    return this.prng.pick([0, 1, 2].filter((n) => !this.style.reserved.has(n)));
  }

  /** Ends the sequence when its fuel is used up: in front of whatever might go on for ever. */
  spend(): void {
    this.emitAt([0x83], 5, { area: "data", offset: DATA.private + PRIVATE.fuel }, [1]);
    this.push(condition(NEGATIVE, this.end));
  }

  /** The address of a label, into a register. */
  takeAddress(register: number, label: number): void {
    this.address(register, { area: "label", label, offset: 0 });
  }

  /** Gives a pointer a value again. */
  repoint(register: number): void {
    const offset = this.prng.pick([0x100, 0xff0, 0x1000, 0x800]) + this.prng.below(8) * 8;
    this.address(register, { area: "data", offset });
  }

  /** Any address, into a register. */
  address(register: number, to: Address["to"]): void {
    if (this.wishes.mode === 64) this.emitAt([0x48, 0x8d], register, to);
    else this.emit([0xb8 | register, 0, 0, 0, 0], { at: 1, to });
  }

  /** A number, into a register. */
  load(register: number, value: number): void {
    this.emit([0xb8 | register, ...word(value)]);
  }
}
