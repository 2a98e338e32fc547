// PCI: what a board builds a bus from, and what a device needs to be a function on it.
export { assignResources } from "./assign.ts";
export type { BarSpec } from "./bar.ts";
export { PciBus } from "./bus.ts";
export type { Capability, DeliverMsi } from "./capability.ts";
export { ecamRegion } from "./ecam.ts";
export { PCI_FUNCTION_STATE, PciFunction, pciFunctionStates, type PciFunctionState, type PciIdentity, type PciSlot } from "./function.ts";
export { CONFIG_ADDRESS, ConfigMechanism1 } from "./mechanism1.ts";
export type { Msix } from "./msix.ts";
