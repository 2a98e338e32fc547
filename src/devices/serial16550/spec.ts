// Registers of the PC16550D datasheet, table II. Offsets 0 and 1 are the divisor latch while LCR_DLAB is set.
//
//   offset  0          1    2          3    4    5    6    7
//   read   ┌──────────┬────┬──────────┬────┬────┬────┬────┬────┐
//          │ RBR      │IER │ IIR      │LCR │MCR │LSR │MSR │SCR │
//   write  │ THR      │IER │ FCR      │LCR │MCR │    │    │SCR │
//   DLAB   │ DLL      │DLM │          │    │    │    │    │    │
//          └──────────┴────┴──────────┴────┴────┴────┴────┴────┘

/** Register offsets; some share one, told apart by direction or LCR_DLAB. */
export const RBR = 0;
export const THR = 0;
export const DLL = 0;
export const IER = 1;
export const DLM = 1;
export const IIR = 2;
export const FCR = 2;
export const LCR = 3;
export const MCR = 4;
export const LSR = 5;
export const MSR = 6;
export const SCR = 7;
export const REGISTERS = 8;

/** Where a PC has its serial ports. */
export const COM1 = 0x3f8;

// Interrupt enable.
export const IER_ERBFI = 0x01;
export const IER_ETBEI = 0x02;
export const IER_ELSI = 0x04;
export const IER_EDSSI = 0x08;
export const IER_WRITABLE = 0x0f;

// Interrupt identification, in falling priority (table IV).
export const IIR_LINE_STATUS = 0x06;
export const IIR_DATA = 0x04;
export const IIR_TIMEOUT = 0x0c;
export const IIR_THR_EMPTY = 0x02;
export const IIR_MODEM_STATUS = 0x00;
export const IIR_NONE = 0x01;
export const IIR_FIFOS = 0xc0;

// FIFO control.
export const FCR_ENABLE = 0x01;
export const FCR_CLEAR_RECEIVER = 0x02;
export const FCR_CLEAR_TRANSMITTER = 0x04;
export const FCR_TRIGGER_SHIFT = 6;
/** Receiver trigger levels by FCR bits 7:6, in bytes. */
export const TRIGGER_LEVELS = [1, 4, 8, 14] as const;
export const FIFO_BYTES = 16;

// Line control.
export const LCR_WORD_LENGTH = 0x03;
export const LCR_STOP = 0x04;
export const LCR_PARITY = 0x08;
export const LCR_BREAK = 0x40;
export const LCR_DLAB = 0x80;

// Modem control.
export const MCR_DTR = 0x01;
export const MCR_RTS = 0x02;
export const MCR_OUT1 = 0x04;
export const MCR_OUT2 = 0x08;
export const MCR_LOOP = 0x10;
export const MCR_WRITABLE = 0x1f;

// Line status.
export const LSR_DR = 0x01;
export const LSR_OE = 0x02;
export const LSR_PE = 0x04;
export const LSR_FE = 0x08;
export const LSR_BI = 0x10;
export const LSR_THRE = 0x20;
export const LSR_TEMT = 0x40;
export const LSR_FIFO_ERROR = 0x80;
/** Errors that belong to a received character and travel with it through the FIFO. */
export const LSR_CHARACTER_ERRORS: number = LSR_PE | LSR_FE | LSR_BI;
/** Conditions that raise the line status interrupt. */
export const LSR_ERRORS: number = LSR_OE | LSR_CHARACTER_ERRORS;

// Modem status: inputs above, what changed about each below (RI: its trailing edge alone).
export const MSR_DCTS = 0x01;
export const MSR_DDSR = 0x02;
export const MSR_TERI = 0x04;
export const MSR_DDCD = 0x08;
export const MSR_CTS = 0x10;
export const MSR_DSR = 0x20;
export const MSR_RI = 0x40;
export const MSR_DCD = 0x80;
export const MSR_DELTAS = 0x0f;
export const MSR_INPUTS = 0xf0;

/** Input clock in Hz; a bit lasts 16 times the divisor of it. */
export const CLOCK_HZ = 1_843_200;
