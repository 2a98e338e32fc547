// ACPI fixed hardware (ACPI 6.5 §4.8) in the places where the PIIX4 has it (82371AB datasheet "Power Management I/O Registers").
//
//   offset  0         2          4          6        8                 C          E
//          ┌─────────┬──────────┬──────────┬────────┬─────────────────┬──────────┬──────────┐
//          │ PM1_STS │  PM1_EN  │ PM1_CNT  │        │     PM_TMR      │ GPE0_STS │ GPE0_EN  │
//          └─────────┴──────────┴──────────┴────────┴─────────────────┴──────────┴──────────┘

/** First port of the block unless configured otherwise, and how many ports the PIIX4 decodes for it. */
export const DEFAULT_BASE = 0x600;
export const BLOCK_BYTES = 0x40;

/** Double words of the block, by offset. */
export const PM1_EVENT = 0x00;
export const PM1_CONTROL = 0x04;
export const PM_TIMER = 0x08;
export const GPE0 = 0x0c;
/** How many bytes GPE0's status and enable registers take together. */
export const GPE0_BYTES = 4;
export const GPE0_EVENTS = 16;

// PM1 status and enable (ACPI 6.5 §4.8.3.1.1, §4.8.3.1.2). Status bits are cleared by writing ones.
//
//  15  14 13 11  10   9    8   7 6  5   4  3 1  0
// ┌───┬──┬─────┬───┬─────┬───┬────┬───┬──┬────┬───┐
// │WAK│  │     │RTC│SLPBT│PWR│    │GBL│BM│    │TMR│
// └───┴──┴─────┴───┴─────┴───┴────┴───┴──┴────┴───┘
export const TMR_STS = 0x0001;
export const GBL_STS = 0x0020;
export const PWRBTN_STS = 0x0100;
export const SLPBTN_STS = 0x0200;
export const RTC_STS = 0x0400;
export const WAK_STS = 0x8000;
/** Status bits that can raise the SCI. */
export const PM1_EVENTS: number = TMR_STS | GBL_STS | PWRBTN_STS | SLPBTN_STS | RTC_STS;
/** Status bits that exist. */
export const PM1_STATUS: number = PM1_EVENTS | 0x0010 | WAK_STS;

// PM1 control (ACPI 6.5 §4.8.3.2.1).
//
//  15 14  13   12    10 9    3  2   1   0
// ┌─────┬──────┬───────┬──────┬───┬───┬──────┐
// │     │SLP_EN│SLP_TYP│      │GBL│BM │SCI_EN│
// └─────┴──────┴───────┴──────┴───┴───┴──────┘
export const SCI_EN = 0x0001;
export const BM_RLD = 0x0002;
export const SLP_TYP_SHIFT = 10;
export const SLP_TYP: number = 7 << SLP_TYP_SHIFT;
export const SLP_EN = 0x2000;

/** The port that asks for ACPI mode, where the status port follows it (82371AB datasheet "APMC" and "APMS"). */
export const SMI_CMD = 0xb2;
/** Values that the FADT announces for it. */
export const ACPI_ENABLE = 0xf1;
export const ACPI_DISABLE = 0xf0;

/** Reset control register (82371SB datasheet "RC"): a rise of RCPU resets; SRHRE makes it a hard reset. */
export const RESET_CONTROL = 0xcf9;
export const RC_SRHRE = 0x02;
export const RC_RCPU = 0x04;
