// System control ports A and B of a PC/AT (82371SB datasheet, "NMISC—NMI Status and Control Register" and "Port 92 Register").
//
//   port 61h (B)                                    port 92h (A)
//     7    6     5    4     3     2    1     0        7..2      1         0
//   +----+-----+----+-----+-----+----+----+-----+   +--------+-------+---------+
//   |SERR|IOCHK|OUT2|REFR |IOCHK|SERR|SPKR|GATE2|   |   0    | A20   |FAST INIT|
//   |    |     |    |     | DIS | DIS|    |     |   |        |       |         |
//   +----+-----+----+-----+-----+----+----+-----+   +--------+-------+---------+

/** System control port B. */
export const PORT_B = 0x61;
export const B_GATE2 = 0x01;
export const B_SPEAKER = 0x02;
export const B_OUT2 = 0x20;
export const B_REFRESH = 0x10;
/** Bits that read as written. */
export const B_WRITABLE = 0x0f;

/** System control port A. */
export const PORT_A = 0x92;
/** A write of 1 after 0 resets the processor. */
export const A_FAST_INIT = 0x01;
export const A_A20 = 0x02;
export const A_WRITABLE = 0x03;

/** The refresh bit changes with every memory refresh: 15.085 us apart, 18 ticks of the 8254's clock. */
export const REFRESH_NS: number = (18 * 17_600) / 21;
