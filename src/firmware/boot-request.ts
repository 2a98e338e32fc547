// What a boot starts from and what it results in. Loaders are pure: bytes and options in, a plan out.
import { VmError } from "../support/errors.ts";
import type { CpuStart } from "./cpu-start.ts";
import type { GuestWrite, GuestZero } from "./guest-write.ts";
import type { FirmwareTables } from "./tables.ts";

/** A boot module (multiboot, PVH) with the text that goes with it. */
export interface BootModule {
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** Which of a Linux kernel's entry points to use; "auto" takes the widest one it has. */
export type LinuxEntry = "auto" | "16" | "32" | "64";

/** A kernel file and what goes with it. All bytes are untrusted. */
export interface BootRequest {
  readonly kernel: Uint8Array;
  /** What to call the kernel in messages: its path. */
  readonly kernelName?: string | undefined;
  readonly initrd?: Uint8Array | undefined;
  readonly initrdName?: string | undefined;
  readonly commandLine?: string | undefined;
  /** Further modules for multiboot and PVH kernels; an `initrd` comes before them. */
  readonly modules?: readonly BootModule[] | undefined;
  readonly entry?: LinuxEntry | undefined;
  /** The board has a VGA in text mode 3, which a Linux kernel is told about. */
  readonly vgaText?: boolean | undefined;
  readonly tables: FirmwareTables;
}

/** How a kernel is started. */
export type BootProtocol = "linux" | "pvh" | "multiboot";

/** Everything that must be in place before the first instruction: zeroed ranges first, then bytes, then registers. */
export interface BootPlan {
  readonly protocol: BootProtocol;
  readonly zero: readonly GuestZero[];
  readonly writes: readonly GuestWrite[];
  readonly cpu: CpuStart;
}

/** The kernel's name for messages, in quotes when it is a path. */
export function kernelLabel(request: BootRequest): string {
  return request.kernelName === undefined ? "the kernel" : `"${request.kernelName}"`;
}

/** A KERNEL_INVALID error: `why` completes "Cannot boot <kernel>: ". */
export function kernelInvalid(label: string, why: string, data: Record<string, unknown> = {}): VmError {
  return new VmError("KERNEL_INVALID", `Cannot boot ${label}: ${why}`, { data });
}

/** A MEMORY_INVALID error for a kernel that does not fit: `why` completes "Cannot boot <kernel>: ". */
export function memoryTooSmall(label: string, why: string, data: Record<string, unknown> = {}): VmError {
  return new VmError("MEMORY_INVALID", `Cannot boot ${label}: ${why}`, { data });
}

/** Bytes as a person reads them: whole MiB rounded up, or bytes below one MiB. */
export function sizeText(bytes: number): string {
  return bytes < 0x10_0000 ? `${bytes} bytes` : `${Math.ceil(bytes / 0x10_0000)} MiB`;
}

/** An address as a person reads it. */
export function addressText(address: number): string {
  return `0x${address.toString(16)}`;
}

/** A command line as a null-terminated string. Throws CONFIG_INVALID for a null in it, or beyond `limit` bytes without the null. */
export function commandLineBytes(text: string, limit: number): Uint8Array {
  const encoded = new TextEncoder().encode(text);
  if (encoded.includes(0)) throw new VmError("CONFIG_INVALID", "The kernel's command line contains a null character");
  if (encoded.length > limit) {
    throw new VmError("CONFIG_INVALID", `The kernel's command line has ${encoded.length} bytes; this kernel takes ${limit}`, {
      data: { bytes: encoded.length, limit },
    });
  }
  const bytes = new Uint8Array(encoded.length + 1);
  bytes.set(encoded);
  return bytes;
}
