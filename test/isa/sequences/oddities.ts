// What only tests and kernels do: flags taken from the stack, faults, control registers, devices; and by name, what else is odd.
import { POINTERS } from "./encode.ts";
import { dispatch } from "./dispatch.ts";
import { called, halves, locked } from "./memory-oddities.ts";
import { word } from "./program.ts";
import { overlap, patch } from "./self-modification.ts";
import { DATA, PRIVATE, SELECTOR } from "./space.ts";
import type { Writer } from "./writer.ts";

type Oddity = (w: Writer) => void;

const RAX = 0;
/** CR0.TS, and EFLAGS that make every instruction special, or the odd one. */
const TS = 8;
const [TF, DF, NT, AC] = [0x100, 0x400, 0x4000, 0x4_0000];
const ARITHMETIC_FLAGS = 0x8d5;
const INTERRUPT_FLAG = 0x202;

/** MXCSR or the x87 control word from the private page. */
function controlWord(w: Writer): void {
  const p = w.prng;
  if (p.chance(75)) w.emitAt([0x0f, 0xae], 2, { area: "data", offset: DATA.private + PRIVATE.mxcsr + p.below(16) * 4 });
  else w.emitAt([0xd9], 5, { area: "data", offset: DATA.private + PRIVATE.fcw + p.below(8) * 2 });
}

function fault(w: Writer): void {
  const p = w.prng;
  const register = w.scratch();
  const dice = p.below(7);
  if (dice === 0) w.emit([0x0f, 0x0b]);
  else if (dice === 1) divide(w);
  else if (dice === 2) w.emitAt([0x8b], register, { area: "data", offset: DATA.unmapped + p.below(64) });
  else if (dice === 3) w.emitAt([p.pick([0x89, 0x01, 0x31])], register, { area: "data", offset: DATA.readOnly + p.between(-6, 64) });
  else if (dice === 4) w.emitAt([0x0f, p.pick([0x28, 0x29, 0x58])], p.below(8), { area: "data", offset: p.below(0x1000) | p.below(16) });
  else if (dice === 5) w.emitAt([...w.long(), p.pick([0x01, 0x8b])], register, { area: "data", offset: DATA.unmapped - p.below(9) });
  else w.emit([0xf0, 0x01, 0xc0 | register]);
}

function divide(w: Writer): void {
  const wide = w.prng.chance(50) ? w.long() : [];
  w.emit(
    w.prng.pick([
      [0x31, 0xd2],
      [...wide, 0x99],
      [0x89, 0xc2],
    ]),
  );
  w.emit([...wide, 0xf7, w.prng.pick([0xf1, 0xf9, 0xf3, 0xf2])]);
}

/** POPF of what PUSHF left, or of any image. */
function flagImage(w: Writer): void {
  const p = w.prng;
  if (p.chance(50)) w.emit([0x9c]);
  else {
    const rare = (p.chance(25) ? TF : 0) | (p.chance(10) ? AC : 0) | (p.chance(8) ? NT : 0) | (p.chance(8) ? DF : 0);
    w.emit([0x68, ...word((p.next() & ARITHMETIC_FLAGS) | INTERRUPT_FLAG | rare)]);
  }
  w.body(p.below(2), 3);
  w.emit([0x9d]);
}

function device(w: Writer): void {
  w.emitAt([w.prng.pick([0x8b, 0x89, 0x8a, 0x88, 0x03])], w.scratch(), { area: "data", offset: DATA.device + w.prng.below(64) });
}

function systemCall(w: Writer): void {
  if (w.wishes.cpl === 3 && w.wishes.mode === 64 && w.prng.chance(50)) w.emit([0x0f, 0x05]);
  else w.emit([0xcd, w.prng.pick([0x80, 0x2e, 0x21])]);
}

/** Flat data mostly; in 32-bit code also data that begins elsewhere, and nothing. In 64-bit code the bases of FS and GS too. */
function segment(w: Writer): void {
  const p = w.prng;
  if (w.wishes.mode === 64 && p.chance(40)) {
    w.repoint(RAX);
    return w.emit([0xf3, 0x48, 0x0f, 0xae, p.pick([0xd0, 0xd8])]);
  }
  const number = p.pick([0, 0, 3, 4, 5]);
  const load = (selector: number): void => {
    w.load(RAX, selector);
    w.emit([0x8e, 0xc0 | (number << 3) | RAX]);
  };
  load(p.pick([SELECTOR.userData, SELECTOR.userData, SELECTOR.shifted, 0, 0x1234]));
  if (p.chance(40)) return;
  w.body(p.below(3), 3);
  load(SELECTOR.userData);
}

/** Instructions of kernels; in user mode they fault. */
function kernel(w: Writer): void {
  const p = w.prng;
  if (w.wishes.cpl === 3 && !p.chance(25)) return w.instruction();
  const dice = p.below(7);
  if (dice === 0) w.emit([p.pick([0xfa, 0xfb])]);
  else if (dice === 1) w.emitAt([0x0f, 0x01], 7, { area: "data", offset: p.below(0x5000) });
  else if (dice === 2) w.emit([p.pick([0xe4, 0xe5, 0xe6, 0xe7]), p.below(256)]);
  else if (dice === 3) w.emit([p.pick([0xec, 0xed, 0xee, 0xef])]);
  else if (dice === 4) w.emit([0x0f, 0x06]);
  else changeControlRegister(w);
}

/** CR3 as it is, or CR0 with TS, which takes SSE and x87 away. */
function changeControlRegister(w: Writer): void {
  const number = w.prng.chance(50) ? 3 : 0;
  const modrm = 0xc0 | (number << 3) | RAX;
  w.emit([0x0f, 0x20, modrm]);
  if (number === 0) w.emit([0x83, w.prng.chance(60) ? 0xc8 : 0xf0, TS]);
  w.emit([0x0f, 0x22, modrm]);
}

/** Oddities by what a sequence may be about. */
export const ODDITIES: Readonly<Record<string, Oddity>> = {
  controlWord,
  patch,
  overlap,
  locked,
  dispatch,
  called,
  halves,
  fault,
  flagImage,
  device,
  systemCall,
  segment,
  kernel,
};

/** Nothing odd: a pointer that went astray comes back. */
export function restorePointer(w: Writer): void {
  w.repoint(w.prng.pick(POINTERS[w.wishes.mode].filter((n) => n < 8 && n !== 5)));
}
