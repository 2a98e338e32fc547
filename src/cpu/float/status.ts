// Bits of the x87 status and control words (SDM 1 §8.1.3, §8.1.5).

/**
 * Status word. TOP (bits 11–13) is kept apart, in the state's `ftop`.
 *
 *    15  14  13   11  10   9    8    7    6    5    4    3    2    1    0
 *   ┌───┬────┬───────┬────┬────┬────┬────┬────┬────┬────┬────┬────┬────┬────┐
 *   │ B │ C3 │  TOP  │ C2 │ C1 │ C0 │ ES │ SF │ PE │ UE │ OE │ ZE │ DE │ IE │
 *   └───┴────┴───────┴────┴────┴────┴────┴────┴────┴────┴────┴────┴────┴────┘
 */
// oxfmt-ignore
export const FSW = {
  IE: 1, DE: 2, ZE: 4, OE: 8, UE: 0x10, PE: 0x20, SF: 0x40, ES: 0x80, C0: 0x100, C1: 0x200, C2: 0x400, TOP: 0x3800, C3: 0x4000, B: 0x8000,
} as const;

/** The six exceptions; the control word masks each at the same place. */
export const EXCEPTIONS = 0x3f;

/** Exceptions found before the operation: unmasked, they leave every operand as it was (SDM 1 §8.7). */
export const BEFORE: number = FSW.IE | FSW.DE | FSW.ZE;

/** Control word: precision in bits 8–9, rounding in bits 10–11. */
export const FCW = {
  /** What FNINIT loads: all masked, 64 bits, to nearest. */
  initial: 0x37f,
  precision: 0x300,
  rounding: 0xc00,
  precisionShift: 8,
  roundingShift: 10,
} as const;

/** Values of the rounding field. */
export const ROUNDING = { nearest: 0, down: 1, up: 2, zero: 3 } as const;
