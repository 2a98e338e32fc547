// IA32_APIC_BASE: where the register page is, and the transitions between the APIC's modes (SDM 3A §11.4.4 and §11.12.5).
import type { ApicMode, LocalApicState } from "./apic-state.ts";
import { BASE_BSP, BASE_EN, BASE_EXTD } from "./registers.ts";

const FLAGS = BASE_BSP | BASE_EXTD | BASE_EN;
const MODE_FLAGS: Readonly<Record<ApicMode, number>> = { disabled: 0, xapic: BASE_EN, x2apic: BASE_EN | BASE_EXTD };

// SDM 3A figure 11-27. x2APIC mode is entered from xAPIC mode alone and left by disabling alone.
const REACHABLE: Readonly<Record<ApicMode, readonly ApicMode[]>> = {
  disabled: ["disabled", "xapic"],
  xapic: ["xapic", "disabled", "x2apic"],
  x2apic: ["x2apic", "disabled"],
};

/** A value of IA32_APIC_BASE taken apart. */
export interface ApicBase {
  readonly mode: ApicMode;
  readonly base: number;
  readonly bootstrap: boolean;
}

/** The MSR's value. */
export function encodeApicBase({ mode, base, bootstrap }: Pick<LocalApicState, "mode" | "base" | "bootstrap">): bigint {
  return BigInt(base) | BigInt(MODE_FLAGS[mode] | (bootstrap ? BASE_BSP : 0));
}

/**
 * What a write asks for, or undefined when it raises #GP: reserved bits, EXTD without EN, or a transition that does not exist.
 * @param physicalBits MAXPHYADDR
 */
export function decodeApicBase(value: bigint, from: ApicMode, physicalBits: number, x2apic: boolean): ApicBase | undefined {
  if (value >> BigInt(physicalBits) !== 0n) return undefined;
  const flags = Number(value & 0xfffn);
  if ((flags & ~FLAGS) !== 0) return undefined;
  const mode = (Object.keys(MODE_FLAGS) as ApicMode[]).find((each) => MODE_FLAGS[each] === (flags & (BASE_EN | BASE_EXTD)));
  if (mode === undefined || !REACHABLE[from].includes(mode) || (mode === "x2apic" && !x2apic)) return undefined;
  return { mode, base: Number(value & ~0xfffn), bootstrap: (flags & BASE_BSP) !== 0 };
}
