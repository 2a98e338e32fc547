// How a machine presents itself (DSP0134 3.0 §7.2).
import type { SystemIdentity } from "../../firmware/platform.ts";

const VERSION_AT = 6;
const VARIANT_AT = 8;

/** A board's name, and a random identifier (a UUID of version 4). */
export function identityOf(product: string, random: (into: Uint8Array) => void): SystemIdentity {
  const uuid = new Uint8Array(16);
  random(uuid);
  uuid[VERSION_AT] = (uuid[VERSION_AT]! & 0x0f) | 0x40;
  uuid[VARIANT_AT] = (uuid[VARIANT_AT]! & 0x3f) | 0x80;
  return { manufacturer: "Nido", product, version: "1", serial: "", uuid };
}
