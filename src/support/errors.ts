// The one error type that crosses the public API. A guest's oddity is a value and never gets here; a host or user problem is a
// VmError with a code to match on and a remedy to act on; a bug of ours is an assertion (assert.ts).

/** Every error code with what a user can do about it. docs/errors.md is generated from this table. */
export const REMEDIES = {
  CONFIG_INVALID: "Correct the named option; `nido run --help` lists them with their ranges.",
  FILE_NOT_FOUND: "Check the path and that you may read the file.",
  KERNEL_INVALID: "Give a Linux bzImage, an ELF file with a PVH note, or a multiboot kernel for x86.",
  INITRD_INVALID: "Give an initramfs that fits into the guest's memory, or more --memory.",
  MEMORY_INVALID: "Choose a --memory between 16M and 3584M that this host has free.",
  DISK_INVALID: "Check that the disk image is a whole number of 512-byte sectors and is what format= says.",
  DISK_READ_ONLY: "Attach the disk with readonly, or make the file writable.",
  DISK_OUT_OF_RANGE: "The access lies beyond the end of the disk; the image may have been truncated.",
  DISK_IO: "Check the file system that holds the disk image: free space, permissions, whether the file is still there.",
  SYMBOLS_INVALID: "Give System.map, /proc/kallsyms as the guest's root reads it, what `nm` prints, or an ELF file that has its symbols.",
  STATE_INVALID: "The saved state is damaged or from another version; start the machine afresh.",
  GUEST_MEMORY: "A device was programmed with an address that is not memory.",
  GUEST_SHUTDOWN: "The guest's processor shut down (triple fault); its console output may tell why.",
  GUEST_PANIC: "The guest's kernel panicked; its messages (--verbose) tell why.",
  TIMEOUT: "The guest did not finish in time; give a longer --timeout.",
  INTERNAL: "This is a bug in Nido. Please report it with the message and the command line.",
} as const;

/** What went wrong, as a word to match on. */
export type ErrorCode = keyof typeof REMEDIES;

/** The plain form of a VmError, as it crosses worker and HTTP borders. */
export interface VmErrorJson {
  readonly name: "VmError";
  readonly code: ErrorCode;
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A host or user problem: `code` to match on, `message` for people, `data` structured, `cause` the origin. */
export class VmError extends Error {
  override readonly name = "VmError";
  readonly code: ErrorCode;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options?: { data?: Record<string, unknown>; cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.data = options?.data ?? {};
  }

  /** What the user can do about it. */
  get remedy(): string {
    return REMEDIES[this.code];
  }

  toJSON(): VmErrorJson {
    return { name: this.name, code: this.code, message: this.message, data: this.data };
  }

  static fromJSON(json: VmErrorJson): VmError {
    return new VmError(json.code, json.message, { data: { ...json.data } });
  }

  static is(error: unknown, code?: ErrorCode): error is VmError {
    return error instanceof Error && error.name === "VmError" && (code === undefined || (error as VmError).code === code);
  }
}
