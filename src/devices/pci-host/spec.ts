// Identities and registers of the chips that a PC's PCI bus begins with.
import type { PciIdentity } from "../../bus/pci/index.ts";

/** A register of configuration space beyond the header, one byte. */
export interface BridgeRegister {
  readonly offset: number;
  readonly value: number;
  /** Bits that software may change. */
  readonly writable: number;
}

/** A bridge chip: who it is and which registers of its own it keeps. */
export interface BridgeSpec {
  readonly identity: PciIdentity;
  readonly registers: readonly BridgeRegister[];
}

// QEMU's subsystem, which guests know and which marks the machine as virtual.
const SUBSYSTEM = { subsystemVendorId: 0x1af4, subsystemId: 0x1100 };

/** Programmable attribute maps, which guests read back; all memory is RAM whatever they say (82441FX datasheet §3.2.18). */
const PAM: readonly BridgeRegister[] = [
  { offset: 0x59, value: 0, writable: 0x30 },
  ...[0x5a, 0x5b, 0x5c, 0x5d, 0x5e, 0x5f].map((offset) => ({ offset, value: 0, writable: 0x33 })),
];

/** System management RAM control (82441FX datasheet §3.2.20). */
const SMRAM: BridgeRegister = { offset: 0x72, value: 0x02, writable: 0x78 };

/** Intel 82441FX, the host bridge of the 440FX chipset. */
export const I440FX: BridgeSpec = {
  identity: { vendorId: 0x8086, deviceId: 0x1237, revision: 2, classCode: 0x06_0000, ...SUBSYSTEM },
  registers: [...PAM, SMRAM],
};

/** First of the four PIRQ route control registers, and the bit that disables one (82371SB datasheet §2.2.10). */
export const PIRQRCA = 0x60;
export const PIRQRC_DISABLE = 0x80;
const PIRQRC_WRITABLE = 0x8f;

/** ISA interrupts that a PIRQ may be routed to (82371SB datasheet §2.2.10); the others are reserved. */
export const PIRQ_TARGETS: readonly number[] = [3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15];

/** Intel 82371SB (PIIX3), the ISA bridge of the 440FX chipset. */
export const PIIX3: BridgeSpec = {
  identity: { vendorId: 0x8086, deviceId: 0x7000, revision: 0, classCode: 0x06_0100, ...SUBSYSTEM },
  registers: [0, 1, 2, 3].map((pirq) => ({ offset: PIRQRCA + pirq, value: PIRQRC_DISABLE, writable: PIRQRC_WRITABLE })),
};
