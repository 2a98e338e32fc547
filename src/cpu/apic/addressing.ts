// Logical destinations: which APICs a message destination address means (SDM 3A §11.6.2.2 and §11.12.10).

const FLAT = 0xf;
const CLUSTER = 0;

/** The logical x2APIC ID that goes with an x2APIC ID: ((ID >> 4) << 16) | (1 << (ID & 15)) (SDM 3A §11.12.10.2). */
export function logicalX2apicId(id: number): number {
  return ((((id >>> 4) & 0xffff) << 16) | (1 << (id & 15))) >>> 0;
}

/** Whether a 32-bit destination, cluster above and members below, includes an x2APIC ID. */
export function matchesLogicalX2apic(destination: number, id: number): boolean {
  const own = logicalX2apicId(id);
  return destination >>> 16 === own >>> 16 && (destination & own & 0xffff) !== 0;
}

/**
 * Whether an 8-bit destination includes the APIC with these registers.
 * @param ldr logical destination register, the logical ID in bits 31:24
 * @param dfr destination format register, the model in bits 31:28
 */
export function matchesLogical(destination: number, ldr: number, dfr: number): boolean {
  const own = ldr >>> 24;
  const model = dfr >>> 28;
  if (destination > 0xff) return false;
  if (model === FLAT) return (destination & own) !== 0;
  if (model !== CLUSTER) return false;
  return destination === 0xff || (destination >>> 4 === own >>> 4 && (destination & own & 15) !== 0);
}
