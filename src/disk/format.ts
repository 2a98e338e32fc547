// What an image format is: a name that the user gives (never a guess for a writable image), and how to open a store as a disk.
import type { ByteStore } from "./byte-store.ts";
import type { Disk } from "./disk.ts";

/** How an image is opened. */
export interface OpenOptions {
  /** Whether the guest may write; needs a writable store. */
  readonly writable: boolean;
  /** What to call the image in messages: its path. */
  readonly name?: string | undefined;
}

/** A disk-image format. */
export interface DiskFormat {
  /** The word that configuration and command line use: `format=raw`. */
  readonly name: string;
  /** Opens the image in `store`, which the disk then owns. Throws DISK_INVALID for an image that is not of this format, DISK_READ_ONLY. */
  open(store: ByteStore, options: OpenOptions): Promise<Disk>;
}
