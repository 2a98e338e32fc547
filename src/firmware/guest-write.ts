// What firmware and boot loaders leave in guest memory, as data.
import type { Gpa } from "../memory/gpa.ts";
import type { GuestMemory } from "../memory/guest-memory.ts";

/** Bytes to place at a guest-physical address before the first instruction. `bytes` may be a view of an image file. */
export interface GuestWrite {
  readonly gpa: Gpa;
  readonly bytes: Uint8Array;
}

/** A range of guest memory that must read as zero before the first instruction (bss). */
export interface GuestZero {
  readonly gpa: Gpa;
  readonly length: number;
}

/** Clears `zero`, then places `writes`. Throws GUEST_MEMORY when one of them is not in RAM. */
export function writeGuest(memory: GuestMemory, writes: readonly GuestWrite[], zero: readonly GuestZero[] = []): void {
  for (const { gpa, length } of zero) {
    memory.bytes(gpa, length).fill(0);
    memory.wrote(memory.hostOffset(gpa, length), length);
  }
  for (const { gpa, bytes } of writes) memory.write(gpa, bytes);
}
