// PCI: what a board builds a bus from, and what a device needs to be a function on it.
export { assignResources, type AddressWindow, type PciResources } from "./assign.ts";
export type { BarSpec } from "./bar.ts";
export { intxWire, PciBus, type PciUpstream } from "./bus.ts";
export type { Capability, DeliverMsi } from "./capability.ts";
export { ECAM_BUS_LENGTH, ecamRegion } from "./ecam.ts";
export {
  PCI_FUNCTION_STATE,
  PciFunction,
  pciFunctionStates,
  type PciFunctionState,
  type PciIdentity,
  type PciSlot,
  type PciTarget,
} from "./function.ts";
export { CONFIG_ADDRESS, ConfigMechanism1, type MechanismState } from "./mechanism1.ts";
export type { Msi } from "./msi.ts";
export type { Msix } from "./msix.ts";
