// Memory-mapped configuration space (PCI FW 3.2 §4.1): 1 MiB for a bus, 4 KiB for a function. Functions here have the 256
// bytes of conventional PCI; beyond them reads give all-ones, which tells software that there is no more.
//
//     27        20 19    15 14   12 11            0
//    +------------+--------+-------+---------------+
//    |    Bus     | Device | Func. |   Register    |
//    +------------+--------+-------+---------------+
import type { MmioRegion } from "../region.ts";
import type { PciBus } from "./bus.ts";

/** Bytes of memory-mapped configuration space of one bus. */
export const ECAM_BUS_LENGTH = 0x10_0000;

/** Bus 0's configuration space as a region of memory at `base`, a multiple of ECAM_BUS_LENGTH. */
export function ecamRegion(bus: PciBus, base: number): MmioRegion {
  return {
    name: "pci-ecam",
    base,
    length: ECAM_BUS_LENGTH,
    read: (offset, width) => bus.read(offset >> 15, (offset >> 12) & 7, offset & 0xfff, width),
    write: (offset, width, value) => bus.write(offset >> 15, (offset >> 12) & 7, offset & 0xfff, width, value),
  };
}
