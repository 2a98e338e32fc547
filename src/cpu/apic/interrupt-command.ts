// The interrupt command register as a message and where it goes (SDM 3A §11.6.1 and §11.12.9).
import { BROADCAST, DELIVERY, destination8, type DeliveryMode, type InterruptMessage } from "../../bus/interrupt-message.ts";
import { ICR_ASSERT, ICR_LEVEL, ICR_LOGICAL, ICR_MODE_SHIFT, ICR_SHORTHAND_SHIFT, SHORTHAND } from "./registers.ts";

/** An inter-processor interrupt: `addressed` goes to whom the message names, which may include the sender. */
export interface InterprocessorInterrupt {
  readonly to: "self" | "others" | "addressed";
  readonly message: InterruptMessage;
}

/**
 * What a write of the register sends; undefined for commands that send nothing: reserved modes, INIT level de-assert (not supported since the
 * Pentium 4), and shorthands with modes they cannot carry (table 11-3: self and all-including-self are for fixed interrupts alone).
 * @param low    the register's low half
 * @param high   its high half: the destination, in bits 31:24 unless in x2APIC mode
 */
export function decodeCommand(low: number, high: number, x2apic: boolean): InterprocessorInterrupt | "illegal-vector" | undefined {
  const delivery = ((low >>> ICR_MODE_SHIFT) & 7) as DeliveryMode;
  const shorthand = (low >>> ICR_SHORTHAND_SHIFT) & 3;
  const vector = low & 0xff;
  if ((delivery === DELIVERY.FIXED || delivery === DELIVERY.LOWEST_PRIORITY) && vector < 16) return "illegal-vector";
  if (!sends(low, delivery, shorthand)) return undefined;
  if (shorthand !== SHORTHAND.NONE) {
    const to = shorthand === SHORTHAND.SELF ? "self" : shorthand === SHORTHAND.OTHERS ? "others" : "addressed";
    return { to, message: { destination: BROADCAST, logical: false, delivery, vector, level: false } };
  }
  const logical = (low & ICR_LOGICAL) !== 0;
  const destination = x2apic ? high : destination8(high >>> 24, logical);
  return { to: "addressed", message: { destination, logical, delivery, vector, level: false } };
}

function sends(low: number, delivery: DeliveryMode, shorthand: number): boolean {
  if (delivery === 3 || delivery === DELIVERY.EXT_INT) return false;
  if (delivery === DELIVERY.INIT && (low & (ICR_LEVEL | ICR_ASSERT)) === ICR_LEVEL) return false;
  return shorthand === SHORTHAND.NONE || shorthand === SHORTHAND.OTHERS || delivery === DELIVERY.FIXED;
}
