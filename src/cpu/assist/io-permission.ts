// The I/O permission bitmap of the running task (SDM 1 §18.5.2).
import { VECTOR } from "../mmu/control.ts";
import type { CpuContext } from "./context.ts";

/** Where a 32- or 64-bit TSS keeps the offset of its bitmap. */
const MAP_BASE = 102n;
/** Type bit of descriptors with 32 and more bits; 16-bit task states have no bitmap. */
const TYPE_32 = 8;

/** Raises #GP(0) unless the bitmap has a zero for every port. @param argument port | bytes << 16 */
export function ioPermission(cpu: CpuContext, argument: number): number {
  const port = argument & 0xffff;
  const bytes = argument >>> 16;
  const base = cpu.get64("trBase");
  const limit = BigInt(cpu.get32("trLimit"));
  if ((cpu.get32("trAccess") & TYPE_32) === 0 || limit < MAP_BASE + 1n) cpu.raise(VECTOR.GP, 0);
  const map = cpu.systemLoad(base + MAP_BASE, 2) + BigInt(port >> 3);
  // Two bytes are read always, which is why a bitmap ends in a byte of ones.
  if (map + 1n > limit) cpu.raise(VECTOR.GP, 0);
  const wanted = ((1 << bytes) - 1) << (port & 7);
  if ((Number(cpu.systemLoad(base + map, 2)) & wanted) !== 0) cpu.raise(VECTOR.GP, 0);
  return 0;
}
