// Raw images: byte n of the store is byte n of the disk. There is no header, hence nothing to recognise: a guest that may write
// its first sector could otherwise turn its raw disk into an image of another format, with a backing file of its choice.
import { VmError } from "../../support/errors.ts";
import type { ByteStore } from "../byte-store.ts";
import { checkRange, checkWritable, type Disk } from "../disk.ts";
import type { DiskFormat, OpenOptions } from "../format.ts";

/** Bytes a sector of a raw image. */
export const RAW_SECTOR = 512;

/** Bytes of zeroes written at a time where the store cannot deallocate. */
const ZERO_CHUNK = 0x1_0000;

/** Raw images, opened only when the user says so. */
export const raw: DiskFormat = { name: "raw", open: async (store, options) => openRaw(store, options) };

function openRaw(store: ByteStore, options: OpenOptions): Disk {
  if (store.size === 0 || store.size % RAW_SECTOR !== 0) {
    const what = options.name === undefined ? "raw disk" : `raw disk ${JSON.stringify(options.name)}`;
    const why = store.size === 0 ? "it is empty" : `its ${store.size} bytes are not a whole number of ${RAW_SECTOR}-byte sectors`;
    throw new VmError("DISK_INVALID", `Cannot open ${what}: ${why}`, { data: { format: "raw", bytes: store.size } });
  }
  if (options.writable && !store.writable) throw new VmError("DISK_READ_ONLY", "Cannot open a read-only file as a writable disk");
  const disk = new RawDisk(store, !options.writable);
  return store.deallocate === undefined || disk.readOnly ? disk : new TrimmableRawDisk(store, store.deallocate.bind(store));
}

class RawDisk implements Disk {
  readonly sectorSize = RAW_SECTOR;
  readonly sectors: number;
  readonly readOnly: boolean;
  protected readonly store: ByteStore;

  constructor(store: ByteStore, readOnly: boolean) {
    this.store = store;
    this.sectors = store.size / RAW_SECTOR;
    this.readOnly = readOnly;
  }

  async read(sector: number, into: Uint8Array): Promise<void> {
    checkRange(this, sector, into.length);
    await this.store.read(sector * RAW_SECTOR, into);
  }

  async write(sector: number, bytes: Uint8Array, options?: { readonly fua?: boolean }): Promise<void> {
    checkWritable(this);
    checkRange(this, sector, bytes.length);
    await this.store.write(sector * RAW_SECTOR, bytes);
    if (options?.fua === true) await this.store.flush();
  }

  async flush(): Promise<void> {
    if (!this.readOnly) await this.store.flush();
  }

  async zero(sector: number, count: number, _options?: { readonly unmap?: boolean }): Promise<void> {
    checkWritable(this);
    checkRange(this, sector, count * RAW_SECTOR);
    const zeroes = new Uint8Array(Math.min(ZERO_CHUNK, count * RAW_SECTOR));
    const end = (sector + count) * RAW_SECTOR;
    for (let at = sector * RAW_SECTOR; at < end; at += ZERO_CHUNK) await this.store.write(at, zeroes.subarray(0, end - at));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]();
  }
}

/** A raw disk whose store can give space back. */
class TrimmableRawDisk extends RawDisk {
  readonly #deallocate: (at: number, length: number) => Promise<void>;

  constructor(store: ByteStore, deallocate: (at: number, length: number) => Promise<void>) {
    super(store, false);
    this.#deallocate = deallocate;
  }

  async trim(sector: number, count: number): Promise<void> {
    checkRange(this, sector, count * RAW_SECTOR);
    await this.#deallocate(sector * RAW_SECTOR, count * RAW_SECTOR);
  }

  override async zero(sector: number, count: number, options?: { readonly unmap?: boolean }): Promise<void> {
    await (options?.unmap === true ? this.trim(sector, count) : super.zero(sector, count));
  }
}
