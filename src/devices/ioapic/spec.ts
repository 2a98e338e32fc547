// The 82093AA datasheet's registers, with the EOI register that later IO-APICs (version 20h) added (ICH9 datasheet §13.5).

/** Memory-mapped registers, as offsets into the page (§3.1). */
export const IOREGSEL = 0x00;
export const IOWIN = 0x10;
export const EOIR = 0x40;

/** Registers behind IOREGSEL and IOWIN (§3.2). */
export const IOAPICID = 0x00;
export const IOAPICVER = 0x01;
export const IOAPICARB = 0x02;
/** Low half of redirection entry 0; entry n is at IOREDTBL + 2n. */
export const IOREDTBL = 0x10;

/** Input pins. */
export const PIN_COUNT = 24;
/** Version 20h: the EOI register exists. */
export const VERSION: number = ((PIN_COUNT - 1) << 16) | 0x20;
export const DEFAULT_BASE = 0xfec0_0000;
export const PAGE_BYTES = 0x1000;

// Redirection table entry (§3.2.4).
//
//  63         56 55        17 16 15 14  13 12 11 10   8 7      0
// ┌─────────────┬────────────┬──┬──┬───┬──┬──┬──┬──────┬────────┐
// │ destination │  reserved  │ M│TM│IRR│IP│DS│DM│ mode │ vector │
// └─────────────┴────────────┴──┴──┴───┴──┴──┴──┴──────┴────────┘
export const RTE_VECTOR = 0xff;
export const RTE_DELIVERY_SHIFT = 8;
export const RTE_LOGICAL: number = 1 << 11;
export const RTE_DELIVERY_STATUS: number = 1 << 12;
export const RTE_POLARITY_LOW: number = 1 << 13;
export const RTE_REMOTE_IRR: number = 1 << 14;
export const RTE_LEVEL: number = 1 << 15;
export const RTE_MASKED: number = 1 << 16;
/** Bits of the low half that software can set. */
export const RTE_WRITABLE: number = RTE_VECTOR | (7 << RTE_DELIVERY_SHIFT) | RTE_LOGICAL | RTE_POLARITY_LOW | RTE_LEVEL | RTE_MASKED;
