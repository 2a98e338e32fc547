// What the program's exit status says. Numbers of our own keep clear of those that commands use: sysexits.h where it has one,
// 120 and up for what happens to guests, 124 for a timeout as timeout(1) has it.
import type { MachineEnd } from "../machine/machine.ts";
import { unreachable } from "../support/assert.ts";
import { VmError, type ErrorCode } from "../support/errors.ts";

/** Every exit status of the program's own, by name. */
export const EXIT = {
  success: 0,
  usage: 64,
  badInput: 65,
  internal: 70,
  hostIo: 74,
  tripleFault: 120,
  panic: 121,
  reset: 122,
  timeout: 124,
  brokenPipe: 141,
} as const;

/** One of the program's own exit statuses, by name. */
export type ExitName = keyof typeof EXIT;

/** What each exit status means; help and documentation show this table. */
export const EXIT_MEANINGS: Readonly<Record<ExitName, string>> = {
  success: "the guest powered off, or the escape key was used",
  usage: "the command line is wrong",
  badInput: "a file cannot be used: missing, truncated, of another kind, too large for the memory",
  internal: "a bug in Nido",
  hostIo: "the host failed: a disk filled up, a file disappeared, even if the guest lived on",
  tripleFault: "the guest's processor shut down (triple fault)",
  panic: "the guest's kernel panicked",
  reset: "the guest reset its board where it should not (--no-reboot, or with a command)",
  timeout: "the time of --timeout ran out",
  brokenPipe: "nobody reads the output any more",
};

const STATUS_OF_CODE: Readonly<Record<ErrorCode, ExitName>> = {
  CONFIG_INVALID: "usage",
  FILE_NOT_FOUND: "badInput",
  KERNEL_INVALID: "badInput",
  INITRD_INVALID: "badInput",
  SYMBOLS_INVALID: "badInput",
  MEMORY_INVALID: "badInput",
  DISK_INVALID: "badInput",
  DISK_READ_ONLY: "badInput",
  DISK_OUT_OF_RANGE: "hostIo",
  DISK_IO: "hostIo",
  STATE_INVALID: "badInput",
  GUEST_MEMORY: "internal",
  GUEST_SHUTDOWN: "tripleFault",
  GUEST_PANIC: "panic",
  TIMEOUT: "timeout",
  INTERNAL: "internal",
};

/** The exit status for an error; anything but a VmError is a bug of ours. */
export function statusOfError(error: unknown): number {
  return EXIT[VmError.is(error) ? STATUS_OF_CODE[error.code] : "internal"];
}

/** The exit status for a machine's end. */
export function statusOfEnd(end: MachineEnd): number {
  switch (end.kind) {
    case "powerOff":
    case "stopped":
      return EXIT.success;
    case "exit":
    case "debugExit":
      return end.status & 0xff;
    case "tripleFault":
    case "panic":
    case "reset":
    case "timeout":
      return EXIT[end.kind];
    case "error":
      return statusOfError(end.error);
    default:
      return unreachable(end);
  }
}
