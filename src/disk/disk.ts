// What a disk controller sees: numbered sectors, whatever format and store are below.
import { VmError } from "../support/errors.ts";

/**
 * A block device. Any range may be asked for: one that does not lie within the disk rejects with VmError DISK_OUT_OF_RANGE and
 * has no effect; failures of the host reject with DISK_IO; changes to a read-only disk with DISK_READ_ONLY.
 * Buffers are whole sectors and belong to the disk until the promise settles. Requests may overlap in time; only `flush` orders them.
 */
export interface Disk extends AsyncDisposable {
  /** Bytes a sector; a power of two of at least 512. */
  readonly sectorSize: number;
  readonly sectors: number;
  readonly readOnly: boolean;
  read(sector: number, into: Uint8Array): Promise<void>;
  /** With `fua` the bytes are durable when it resolves. */
  write(sector: number, bytes: Uint8Array, options?: { readonly fua?: boolean }): Promise<void>;
  /** Every write that resolved before this call is durable when it resolves. */
  flush(): Promise<void>;
  /** The content of these sectors is no longer needed; they may read as anything. Absent when the format cannot deallocate. */
  trim?(sector: number, count: number): Promise<void>;
  /** These sectors read as zeroes; with `unmap` their space may be given back to the host. */
  zero?(sector: number, count: number, options?: { readonly unmap?: boolean }): Promise<void>;
}

/** Throws DISK_OUT_OF_RANGE unless [sector, sector+bytes/sectorSize) lies within the disk and is a whole number of sectors. */
export function checkRange(disk: Pick<Disk, "sectors" | "sectorSize">, sector: number, bytes: number): void {
  const count = bytes / disk.sectorSize;
  if (Number.isInteger(count) && Number.isSafeInteger(sector) && sector >= 0 && sector + count <= disk.sectors) return;
  throw new VmError("DISK_OUT_OF_RANGE", `Cannot access ${bytes} bytes at sector ${sector} of a disk with ${disk.sectors} sectors`, {
    data: { sector, bytes, sectors: disk.sectors },
  });
}

/** Throws DISK_READ_ONLY when the disk may not be changed. */
export function checkWritable(disk: Pick<Disk, "readOnly">): void {
  if (disk.readOnly) throw new VmError("DISK_READ_ONLY", "Cannot write to a disk that was opened read-only");
}
