// Intel 8254 Programmable Interval Timer, order number 231164, and its place in a PC/AT.
//
//   port 43h: control word               port 43h: read-back command
//    7   6   5   4   3   2   1   0         7   6    5      4      3  2  1  0
//   +-------+-------+-----------+---+     +---+---+------+------+---------+---+
//   |  SC   |  RW   |     M     |BCD|     | 1   1 |COUNT#|STATUS| counters| 0 |
//   +-------+-------+-----------+---+     +---+---+------+------+---------+---+
//
//   status byte
//    7    6          5   4   3   2   1   0
//   +---+-----------+-------+-----------+---+
//   |OUT|NULL COUNT |  RW   |     M     |BCD|
//   +---+-----------+-------+-----------+---+

/** First port; counters 0 to 2 and the control word follow one another. */
export const PIT_BASE = 0x40;
/** Offset of the control word register. */
export const CONTROL_WORD = 3;

/** SC field: counter 0 to 2, or the read-back command. */
export const SC_SHIFT = 6;
export const SC_READ_BACK = 3;
/** RW field: 0 is the counter latch command. */
export const RW_SHIFT = 4;
export const RW_LATCH = 0;
export const RW_LSB = 1;
export const RW_MSB = 2;
export const RW_BOTH = 3;
/** M field. Modes 2 and 3 may also be written as 6 and 7. */
export const M_SHIFT = 1;
export const BCD = 0x01;

/** Read-back: COUNT# and STATUS# are active low; bits 1 to 3 choose counters. */
export const READ_BACK_COUNT = 0x20;
export const READ_BACK_STATUS = 0x10;

/** Status byte. */
export const STATUS_OUT = 0x80;
export const STATUS_NULL_COUNT = 0x40;

// The PC's clock is the 14.31818 MHz (315/22 MHz) crystal divided by 12: 105/88 MHz, a tick every 17600/21 ns.
const NS_PER_21_TICKS = 17_600;
const TICKS = 21;

/** How many ticks of CLK have passed at a time in ns. Exact for every time below 2^53 ns. */
export function ticksAt(ns: number): number {
  const whole = Math.floor(ns / NS_PER_21_TICKS);
  return whole * TICKS + Math.floor(((ns - whole * NS_PER_21_TICKS) * TICKS) / NS_PER_21_TICKS);
}

/** The first whole ns at which `ticks` ticks have passed. */
export function nsOfTick(ticks: number): number {
  const whole = Math.floor(ticks / TICKS);
  return whole * NS_PER_21_TICKS + Math.ceil(((ticks - whole * TICKS) * NS_PER_21_TICKS) / TICKS);
}
