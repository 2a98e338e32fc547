// Memory accesses that are more than a load or a store: atomic ones, and those of instructions that regions call handlers for.
import { COUNT_REGISTER, POINTERS } from "./encode.ts";
import type { Address } from "./program.ts";
import { condition, jump, type Writer } from "./writer.ts";

const [RSI, RDI] = [6, 7];
const LOCK = 0xf0;

/** Mostly aligned; sometimes over a page border. */
function somewhere(w: Writer): Address["to"] {
  const p = w.prng;
  const offset = p.chance(15) ? 0xff8 + p.below(16) : p.below(0x1f00) & (p.chance(80) ? ~15 : ~0);
  return { area: "data", offset };
}

const ARITHMETIC = [0x00, 0x08, 0x10, 0x18, 0x20, 0x28, 0x30];

/** LOCKed read-modify-writes of all kinds and widths, and what spins on one. */
export function locked(w: Writer): void {
  const p = w.prng;
  const to = somewhere(w);
  const isByte = p.chance(20);
  const wide = isByte ? [] : p.pick([[], [], w.long(), [0x66]]);
  const [small, rex] = wide[0] === 0x66 ? [wide, []] : [[], wide];
  const head = [LOCK, ...small, ...rex];
  const size = isByte ? 0 : 1;
  const register = w.scratch();
  const dice = p.below(8);
  if (dice === 0) return spin(w, to);
  if (dice === 1) w.emitAt([...head, 0x0f, 0xc0 | size], register, to);
  else if (dice === 2) w.emitAt([...head, 0xfe | size], p.below(2), to);
  else if (dice === 3) w.emitAt([...head, 0xf6 | size], p.between(2, 3), to);
  else if (dice === 4) w.emitAt([LOCK, ...w.long(), 0x0f, 0xba], p.between(5, 7), to, [p.below(80)]);
  else if (dice === 5) w.emitAt([...head, 0x0f, 0xb0 | size], register, to);
  else if (dice === 6) w.emitAt([...p.pick([[LOCK], []]), ...p.pick([w.long(), []]), 0x0f, 0xc7], 1, to);
  else w.emitAt([...head, p.pick(ARITHMETIC) | size], register, to);
  if (p.chance(40)) branchOver(w);
}

function branchOver(w: Writer): void {
  const over = w.label();
  w.push(condition(w.prng.below(16), over));
  w.body(1, 3);
  w.mark(over);
}

/** Adds to memory by CMPXCHG, until nobody has been there in between: at once, or for ever when the value is another one. */
function spin(w: Writer, to: Address["to"]): void {
  const again = w.label();
  if (w.style.reserved.has(COUNT_REGISTER)) return;
  w.emitAt([0x8b], 0, to);
  w.mark(again);
  w.emit([0x8d, 0x48, w.prng.between(1, 9)]);
  if (w.prng.chance(30)) w.body(1, 3);
  w.emitAt([LOCK, 0x0f, 0xb1], COUNT_REGISTER, to);
  w.spend();
  w.push(condition(5, again));
}

/** x87 and MMX instructions with an operand at [register + distance]: opcode, its /digit. */
const AT_REGISTER: readonly (readonly [opcode: readonly number[], digit: number])[] = [
  [[0xd9], 0],
  [[0xdd], 0],
  [[0xdb], 0],
  [[0xdf], 5],
  [[0xd9], 3],
  [[0xdd], 3],
  [[0xdb], 3],
  [[0xdf], 7],
  [[0xd8], 0],
  [[0xdc], 1],
  [[0x0f, 0x6f], 1],
  [[0x0f, 0x7f], 2],
  [[0x0f, 0xfe], 3],
];

/** Without operands: FNSTSW AX, FCOMI, FUCOMI, FXCH, FLD1, FCMOVB, EMMS, CPUID. */
const PLAIN: readonly (readonly number[])[] = [
  [0xdf, 0xe0],
  [0xdb, 0xf1],
  [0xdb, 0xe9],
  [0xd9, 0xc9],
  [0xd9, 0xe8],
  [0xda, 0xc1],
  [0x0f, 0x77],
  [0x0f, 0xa2],
];

/** Instructions whose complete handlers regions call, right behind what changes the registers they use. */
export function called(w: Writer): void {
  const p = w.prng;
  for (let left = p.between(1, 3); left > 0; left--) {
    const dice = p.below(10);
    if (dice < 5) atRegister(w);
    else if (dice < 8) plainly(w);
    else copied(w);
    if (p.chance(40)) w.instruction();
  }
}

function atRegister(w: Writer): void {
  const p = w.prng;
  const register = p.pick(POINTERS[w.wishes.mode].filter((n) => n < 8));
  if (p.chance(50)) w.repoint(register);
  else w.emit([...w.long(), 0x83, 0xc0 | register, p.below(32) - 16]);
  const [opcode, digit] = p.pick(AT_REGISTER);
  w.emit([...opcode, 0x40 | (digit << 3) | register, p.below(64) - 32]);
}

function plainly(w: Writer): void {
  const bytes = w.prng.pick(PLAIN);
  // CPUID takes RBX, which pointers are in, and ECX.
  if (bytes[1] === 0xa2 && w.style.reserved.has(COUNT_REGISTER)) return;
  w.emit(bytes);
  if (bytes[1] === 0xa2) w.repoint(3);
  if (w.prng.chance(50)) branchOver(w);
}

/** A short copy or comparison. */
function copied(w: Writer): void {
  const p = w.prng;
  if (w.style.reserved.has(COUNT_REGISTER)) return;
  for (const register of [RSI, RDI]) if (p.chance(70)) w.repoint(register);
  w.load(COUNT_REGISTER, p.below(6));
  w.emit([p.pick([0xf3, 0xf2]), p.pick([0xa4, 0xa5, 0xa6, 0xaa, 0xae])]);
  if (p.chance(50)) branchOver(w);
}

/**
 * Registers that one way gives 32 bits and the other 64, each with a call of a handler behind it, across which compilers keep values in
 * memory; and what reads them where the ways have met.
 */
export function halves(w: Writer): void {
  const p = w.prng;
  if (w.wishes.mode === 32) return called(w);
  const registers = [0, 1, 2].filter((n) => !w.style.reserved.has(n) && p.chance(70));
  const [over, end] = [w.label(), w.label()];
  w.push(condition(p.below(16), over));
  const first = p.below(2);
  arm(w, registers, first === 0);
  w.push(jump(end));
  w.mark(over);
  arm(w, registers, first === 1);
  w.mark(end);
  for (const register of registers) if (p.chance(70)) w.emitAt([0x48, p.pick([0x89, 0x01, 0x3b])], register, somewhere(w));
}

function arm(w: Writer, registers: readonly number[], isNarrow: boolean): void {
  const p = w.prng;
  for (const register of registers) {
    if (isNarrow) w.emitAt(p.pick([[0x8b], [0x0f, 0xb6], [0x0f, 0xb7]]), register, somewhere(w));
    else w.emitAt([0x48, 0x8b], register, somewhere(w));
  }
  if (p.chance(85)) called(w);
}
