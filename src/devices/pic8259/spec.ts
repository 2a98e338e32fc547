// Intel 8259A Programmable Interrupt Controller, order number 231468, and the pair of them in a PC/AT. The edge/level control
// registers are the PIIX's (82371SB datasheet, "ELCR1/ELCR2—Edge/Level Control Registers").
//
//   ICW1, even port                            ICW4, odd port
//     7   6   5   4    3     2    1     0        7   6   5    4    3   2    1    0
//   +-----------+---+-----+----+-----+----+    +-----------+----+---+---+-----+---+
//   |  (8080)   | 1 |LTIM |ADI |SNGL |IC4 |    |  0  0  0  |SFNM|BUF|M/S|AEOI |uPM|
//   +-----------+---+-----+----+-----+----+    +-----------+----+---+---+-----+---+
//
//   OCW2, even port                            OCW3, even port
//     7   6   5   4   3   2   1   0              7    6    5   4   3   2   1    0
//   +---+---+---+---+---+-----------+          +---+----+----+---+---+---+----+---+
//   | R | SL|EOI| 0   0 |  L2 L1 L0 |          | 0 |ESMM|SMM | 0   1 | P | RR |RIS|
//   +---+---+---+---+---+-----------+          +---+----+----+---+---+---+----+---+

/** First port of each controller; the second port follows. */
export const MASTER_BASE = 0x20;
export const SLAVE_BASE = 0xa0;
/** Edge/level control registers: master, then slave. */
export const ELCR_BASE = 0x4d0;

/** ICW1: D4 tells it from the OCWs. LTIM is ignored as in the PIIX, which has the ELCR instead. */
export const ICW1 = 0x10;
export const ICW1_SNGL = 0x02;
export const ICW1_IC4 = 0x01;

/** ICW2: bits 7 to 3 of the vector. */
export const ICW2_BASE = 0xf8;
/** ICW3 of a slave: its identity. */
export const ICW3_ID = 0x07;

/** ICW4. The controllers answer as for an 8086 whatever uPM says. */
export const ICW4_SFNM = 0x10;
export const ICW4_AEOI = 0x02;

/** OCW2: D7 to D5. */
export const OCW2_LEVEL = 0x07;
export const OCW2_ROTATE_AEOI_CLEAR = 0;
export const OCW2_EOI = 1;
export const OCW2_NOP = 2;
export const OCW2_EOI_SPECIFIC = 3;
export const OCW2_ROTATE_AEOI_SET = 4;
export const OCW2_ROTATE_EOI = 5;
export const OCW2_SET_PRIORITY = 6;
export const OCW2_ROTATE_EOI_SPECIFIC = 7;

/** OCW3: D3 tells it from OCW2. */
export const OCW3 = 0x08;
export const OCW3_ESMM = 0x40;
export const OCW3_SMM = 0x20;
export const OCW3_P = 0x04;
export const OCW3_RR = 0x02;
export const OCW3_RIS = 0x01;

/** Bit 7 of a polled read: there was a request. */
export const POLL_REQUEST = 0x80;

/** The level that answers when the request has gone: 8259A datasheet, "Edge and Level Triggered Modes", "a DEFAULT IR7 will occur". */
export const SPURIOUS_LEVEL = 7;

/** The master's input that the slave drives. */
export const CASCADE_LEVEL = 2;

/** Writable bits: IRQ 0, 1, 2, 8 and 13 are always edge-triggered. */
export const ELCR_MASTER_MASK = 0xf8;
export const ELCR_SLAVE_MASK = 0xde;
