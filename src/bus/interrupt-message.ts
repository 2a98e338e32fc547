// What travels between interrupt sources (IO-APIC pins, MSI writes, inter-processor interrupts) and local APICs.

/** Delivery modes, encoded alike in redirection entries, MSI data and the ICR (SDM 3A §11.6.1, 82093AA datasheet §3.2.4). */
export const DELIVERY = { FIXED: 0, LOWEST_PRIORITY: 1, SMI: 2, NMI: 4, INIT: 5, START_UP: 6, EXT_INT: 7 } as const;

/** A delivery mode's code; 3 is reserved and reaches nobody. */
export type DeliveryMode = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;

/** The physical destination that means every local APIC. Senders with 8-bit destinations send this for FFh. */
export const BROADCAST = 0xffff_ffff;

/** One interrupt message. */
export interface InterruptMessage {
  /** APIC ID, or the message destination address that logical IDs are matched with. */
  readonly destination: number;
  /** True when `destination` is matched with logical APIC IDs. */
  readonly logical: boolean;
  readonly delivery: DeliveryMode;
  /** 0..255; the start page number for START_UP. */
  readonly vector: number;
  /** True for level-triggered interrupts, whose EOI is broadcast to the IO-APICs. */
  readonly level: boolean;
}

/** Hands a message to the local APICs; true when at least one took it. */
export type DeliverInterrupt = (message: InterruptMessage) => boolean;

/** An 8-bit destination as messages carry it: physical FFh is a broadcast (SDM 3A §11.6.2.1). */
export function destination8(id: number, logical: boolean): number {
  return id === 0xff && !logical ? BROADCAST : id;
}
