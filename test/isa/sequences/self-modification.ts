// Code that writes code: immediates, opcodes, by all kinds of stores and at both of its addresses; and code that lies within code.
import { COUNT_REGISTER } from "./encode.ts";
import { type Address, word } from "./program.ts";
import { condition, jump, type Writer } from "./writer.ts";

const RDI = 7;
const MOV_IMMEDIATE = 0xb8;

/** Writes into a MOV of an immediate ahead, or behind where there is one; now and then what is there already. */
export function patch(w: Writer): void {
  const p = w.prng;
  const behind = w.patchable.length > 0 && p.chance(60) ? p.pick(w.patchable) : undefined;
  const label = behind ?? w.label();
  const area = p.chance(25) ? "alias" : "label";
  const at = (offset: number): Address["to"] => ({ area, label, offset });
  const dice = p.below(10);
  if (dice === 0) w.emitAt([0xc6], 0, at(1), [p.below(256)]);
  else if (dice === 1) w.emitAt([0xc7], 0, at(1), word(p.below(8)));
  else if (dice === 2) w.emitAt([0x88], w.scratch(), at(1));
  else if (dice === 3) w.emitAt([0x80], 1, at(1), [0]);
  else if (dice === 4) w.emitAt([...w.long(), 0x31], w.scratch(), at(p.between(-8, 1)));
  else if (dice === 5) w.emitAt([0xff], p.below(2), at(1));
  else if (dice === 6) w.emitAt([0xc6], 0, at(0), [MOV_IMMEDIATE | w.scratch()]);
  else if (dice === 7) rewriteVector(w, at(-p.below(12)));
  else if (dice === 8) fill(w, at(1));
  else w.emitAt([0xf0, ...p.pick([[0x01], [0x31], [0x0f, 0xc1], [0x0f, 0xb1]])], w.scratch(), at(1));
  w.body(p.below(3), 3);
  if (behind !== undefined) return;
  w.patchable.push(label);
  w.mark(label);
  w.load(w.scratch(), p.below(8));
}

/** Sixteen bytes of code as they are, or one of them other. */
function rewriteVector(w: Writer, to: Address["to"]): void {
  const register = w.prng.below(4);
  w.emitAt([0x0f, 0x10], register, to);
  if (w.prng.chance(30)) w.emit([0x66, 0x0f, 0xc4, 0xc0 | (register << 3) | w.scratch(), w.prng.below(8)]);
  w.emitAt([0x0f, 0x11], register, to);
}

/** Up to four bytes by REP STOSB. */
function fill(w: Writer, to: Address["to"]): void {
  if (w.style.reserved.has(COUNT_REGISTER)) return;
  w.address(RDI, to);
  w.load(COUNT_REGISTER, w.prng.between(1, 4));
  w.emit([0xf3, 0xaa]);
  w.repoint(RDI);
}

/** Instructions of two bytes, two of which are an immediate as well: INC, XCHG, NOP, a jump over the next. */
const INNER: readonly (readonly number[])[] = [
  [0xff, 0xc0],
  [0x91, 0x91],
  [0x90, 0x90],
  [0xeb, 0x00],
  [0x31, 0xd2],
  [0x85, 0xc0],
];

/** A MOV whose immediate is code that something leads to as well. */
export function overlap(w: Writer): void {
  const p = w.prng;
  const [inner, end] = [w.label(), w.label()];
  const way = p.below(4);
  if (way < 2) w.push(condition(p.below(16), inner));
  else if (way === 2) {
    w.spend();
    w.push(jump(inner));
  }
  w.body(p.below(2), 3);
  w.emit([MOV_IMMEDIATE | w.scratch()]);
  w.mark(inner);
  w.emit([...p.pick(INNER), ...p.pick(INNER)]);
  if (p.chance(40)) {
    w.push(condition(p.below(16), end));
    w.spend();
    w.push(condition(p.below(16), inner));
  }
  w.mark(end);
}
