// QEMU's isa-debug-exit: a write of any width to its four ports ends the machine.

/** Where test kernels look for it; 501h is the other common place. */
export const DEFAULT_PORT = 0xf4;
/** Ports it covers. */
export const LENGTH = 4;

/** The exit status of the process for a value written: odd, so that a guest cannot pretend to have ended well. */
export function exitStatus(value: number): number {
  return ((value << 1) | 1) & 0xff;
}
