import type { CpuHost } from "../cpu/engine/engine.ts";

/** A processor's machine with nothing in it: reads float to all-ones, no interrupt comes, time stands still. */
export const NO_DEVICES: CpuHost = {
  portRead: () => 0xffff_ffff,
  portWrite: () => {},
  mmioRead: () => 0xffff_ffff,
  mmioWrite: () => {},
  acknowledgeInterrupt: () => -1,
  readTsc: () => 0,
  readMsr: () => undefined,
  writeMsr: () => undefined,
  readCr8: () => 0,
  writeCr8: () => {},
  random: () => 0n,
  ferr: () => {},
};
