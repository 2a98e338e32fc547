// How much memory this host can give to guests.
import { freemem, totalmem } from "node:os";
import { VmError } from "../../support/errors.ts";
import { formatSize } from "../../support/quantity.ts";

/** Bytes of memory: all that this process may use, and what is free of it. */
export interface HostMemory {
  readonly total: number;
  readonly free: number;
}

/** The host's memory, or the limit of the container that we are in when that is lower. */
export function hostMemory(): HostMemory {
  const limit = process.constrainedMemory();
  const total = limit > 0 && limit < totalmem() ? limit : totalmem();
  return { total, free: Math.min(freemem(), total) };
}

/** Throws MEMORY_INVALID when the host does not have that much memory. What is merely in use may be given back, so it counts. */
export function checkHostMemory(bytes: number, memory: HostMemory = hostMemory()): void {
  if (bytes <= memory.total) return;
  const total = formatSize(Math.floor(memory.total / 2 ** 20) * 2 ** 20);
  throw new VmError("MEMORY_INVALID", `Cannot give the guest ${formatSize(bytes)} of memory: this host has ${total}`, {
    data: { bytes, total: memory.total },
  });
}
