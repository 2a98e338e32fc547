// Motorola MC146818A real-time clock (the DS12887 is its superset with 128 bytes), and the use a PC/AT makes of its RAM.
//
//   register A                           register B
//     7   6   5   4   3   2   1   0        7   6   5   4   3    2   1     0
//   +---+-----------+---------------+    +---+---+---+---+----+---+-----+---+
//   |UIP|    DV     |      RS       |    |SET|PIE|AIE|UIE|SQWE| DM|24/12|DSE|
//   +---+-----------+---------------+    +---+---+---+---+----+---+-----+---+
//
//   register C                           register D
//     7    6   5   4   3   2   1   0       7   6   5   4   3   2   1   0
//   +----+---+---+---+---------------+   +---+---------------------------+
//   |IRQF| PF| AF| UF|       0       |   |VRT|             0             |
//   +----+---+---+---+---------------+   +---+---------------------------+

/** Ports: the index (with the NMI mask in bit 7), then the data. */
export const RTC_BASE = 0x70;
export const NMI_MASK = 0x80;
/** Bytes behind the index. */
export const SIZE = 128;

/** Time, alarm and calendar bytes. */
export const SECONDS = 0x00;
export const SECONDS_ALARM = 0x01;
export const MINUTES = 0x02;
export const MINUTES_ALARM = 0x03;
export const HOURS = 0x04;
export const HOURS_ALARM = 0x05;
export const DAY_OF_WEEK = 0x06;
export const DATE_OF_MONTH = 0x07;
export const MONTH = 0x08;
export const YEAR = 0x09;
export const REGISTER_A = 0x0a;
export const REGISTER_B = 0x0b;
export const REGISTER_C = 0x0c;
export const REGISTER_D = 0x0d;
/** Where a PC/AT keeps the century, in the format of the other bytes (FADT.CENTURY, ACPI 6.5 §5.2.9). */
export const CENTURY = 0x32;

/** Registers A to D. */
export const A_UIP = 0x80;
export const A_RS = 0x0f;
/** DV = 11x holds the divider in reset; every other value counts here as the 32.768 kHz crystal's 010. */
export const A_DIVIDER_RESET = 0x60;
export const B_SET = 0x80;
export const B_PIE = 0x40;
export const B_AIE = 0x20;
export const B_UIE = 0x10;
export const B_SQWE = 0x08;
export const B_DM = 0x04;
export const B_24H = 0x02;
export const C_IRQF = 0x80;
export const C_PF = 0x40;
export const C_AF = 0x20;
export const C_UF = 0x10;
export const D_VRT = 0x80;

/** An alarm byte with both upper bits set matches everything. */
export const DONT_CARE = 0xc0;
/** PM in the 12-hour format. */
export const PM = 0x80;

// 64 periods of the 32.768 kHz crystal are a whole number of ns.
const PERIODS = 64;
const NS_PER_64_PERIODS = 1_953_125;

/** How many periods of the crystal have passed at a time in ns. Exact for every time below 2^53 ns. */
export function crystalAt(ns: number): number {
  const whole = Math.floor(ns / NS_PER_64_PERIODS);
  return whole * PERIODS + Math.floor(((ns - whole * NS_PER_64_PERIODS) * PERIODS) / NS_PER_64_PERIODS);
}

/** The first whole ns at which `periods` periods of the crystal have passed. */
export function nsOfCrystal(periods: number): number {
  const whole = Math.floor(periods / PERIODS);
  return whole * NS_PER_64_PERIODS + Math.ceil(((periods - whole * PERIODS) * NS_PER_64_PERIODS) / PERIODS);
}

/** UIP leads the update cycle by t_BUC = 244 us; the cycle takes t_UC = 1984 us (MC146818A datasheet, "Update Cycle Times"). */
export const UPDATE_MS: number = 0.244 + 1.984;

/** Periods of the crystal between periodic interrupts, or 0 for none (MC146818A datasheet, "Periodic Interrupt Rate"). */
export function periodOf(registerA: number): number {
  const rate = registerA & A_RS;
  if (rate === 0 || isDividerReset(registerA)) return 0;
  return rate < 3 ? 1 << (rate + 6) : 1 << (rate - 1);
}

/** Whether the divider chain is held in reset: no updates, no periodic interrupts. */
export function isDividerReset(registerA: number): boolean {
  return (registerA & A_DIVIDER_RESET) === A_DIVIDER_RESET;
}
