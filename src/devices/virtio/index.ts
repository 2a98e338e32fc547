// The virtio family: every device on either transport, ready for a registry.
import type { DeviceType } from "../device.ts";
import { virtioBlk, type BlockConfig, type BlockState, type VirtioBlock } from "./block/index.ts";
import { virtioConsole, type ConsoleConfig, type ConsoleState, type VirtioConsole } from "./console/index.ts";
import type { VirtioState } from "./registers.ts";
import { virtioRng, type RngConfig, type RngState, type VirtioRng } from "./rng/index.ts";
import { virtioMmio, type VirtioMmio, type VirtioMmioConfig } from "./transport-mmio.ts";
import { virtioPci, type VirtioPci, type VirtioPciState } from "./transport-pci.ts";

export type { BlockConfig, BlockStorage, VirtioBlock } from "./block/index.ts";
export type { ConsoleConfig, ConsolePort, VirtioConsole } from "./console/index.ts";
export type { RngConfig, VirtioRng } from "./rng/index.ts";
export type { VirtioDevice } from "./device.ts";
export { MMIO_LENGTH, VirtioMmio, type VirtioMmioConfig } from "./transport-mmio.ts";
export { VirtioPci, type VirtioPciState } from "./transport-pci.ts";

/** Block device as a PCI function. */
export const virtioBlkPci: DeviceType<BlockConfig, VirtioPciState<BlockState>, VirtioPci<BlockState, VirtioBlock>> = virtioPci(virtioBlk);
/** Block device behind memory-mapped registers. */
export const virtioBlkMmio: DeviceType<
  VirtioMmioConfig<BlockConfig>,
  VirtioState<BlockState>,
  VirtioMmio<BlockState, VirtioBlock>
> = virtioMmio(virtioBlk);
/** Console as a PCI function. */
export const virtioConsolePci: DeviceType<ConsoleConfig, VirtioPciState<ConsoleState>, VirtioPci<ConsoleState, VirtioConsole>> = virtioPci(
  virtioConsole,
);
/** Console behind memory-mapped registers. */
export const virtioConsoleMmio: DeviceType<
  VirtioMmioConfig<ConsoleConfig>,
  VirtioState<ConsoleState>,
  VirtioMmio<ConsoleState, VirtioConsole>
> = virtioMmio(virtioConsole);
/** Entropy device as a PCI function. */
export const virtioRngPci: DeviceType<RngConfig, VirtioPciState<RngState>, VirtioPci<RngState, VirtioRng>> = virtioPci(virtioRng);
/** Entropy device behind memory-mapped registers. */
export const virtioRngMmio: DeviceType<VirtioMmioConfig<RngConfig>, VirtioState<RngState>, VirtioMmio<RngState, VirtioRng>> = virtioMmio(
  virtioRng,
);
