// Block device (VIRTIO 1.3 §5.2): one queue, any number of requests under way at once. Data goes straight between the disk and
// guest memory where a request's data is one piece of it, and through a spare buffer otherwise. Completed writes are volatile
// until a flush, for drivers that negotiated flushes; for others every write is durable when it completes.
import { record, type Schema } from "../../../support/schema.ts";
import type { Activation, VirtioDevice, VirtioDeviceType, VirtioWiring } from "../device.ts";
import type { Chain, VirtQueue } from "../queue.ts";
import type { Segments } from "../segments.ts";
import { TYPE_BLOCK } from "../spec.ts";
import { blockConfig, blockFeatures, MAX_RANGE_SECTORS, MAX_RANGE_SEGMENTS, QUEUE_SIZE } from "./config.ts";
import * as spec from "./spec.ts";

/** What the device stores its sectors in; disks of src/disk fit. Rejections become I/O errors of the guest. */
export interface BlockStorage {
  /** Bytes. */
  readonly sectorSize: number;
  readonly sectors: number;
  readonly readOnly: boolean;
  read(sector: number, into: Uint8Array): Promise<void>;
  write(sector: number, bytes: Uint8Array, options?: { readonly fua?: boolean }): Promise<void>;
  flush(): Promise<void>;
  trim?(sector: number, count: number): Promise<void>;
  zero?(sector: number, count: number, options?: { readonly unmap?: boolean }): Promise<void>;
}

/** What a block device is made of. */
export interface BlockConfig {
  readonly disk: BlockStorage;
  /** Up to 20 ASCII characters that the guest sees as the disk's serial number. */
  readonly serial?: string;
  /** Bytes the host reads and writes best at a time, a power of two of at least the disk's sector size. */
  readonly physicalBlock?: number;
  /** Told of every failure of the disk; the guest gets an I/O error. */
  readonly onError?: (error: unknown) => void;
}

/** A block device keeps nothing between requests. */
export type BlockState = Record<never, never>;
const BLOCK_STATE: Schema<BlockState> = record<BlockState>({});

/** The outcome of a request: its status, and how many bytes of data the guest got. */
interface Outcome {
  readonly status: number;
  readonly filled: number;
}

const IO_ERROR: Outcome = { status: spec.S_IOERR, filled: 0 };
const UNSUPPORTED: Outcome = { status: spec.S_UNSUPP, filled: 0 };
const DONE: Outcome = { status: spec.S_OK, filled: 0 };

/** Bytes of a spare buffer, a multiple of every sector size. */
const CHUNK = 0x8_0000;
/** Spare buffers kept for the next request. */
const KEPT_BUFFERS = 4;

/** A virtio block device over a disk. */
export class VirtioBlock implements VirtioDevice<BlockState> {
  readonly features: bigint;
  readonly queueSizes: readonly number[] = [QUEUE_SIZE];
  readonly config: Uint8Array;
  readonly state: BlockState = {};
  readonly #disk: BlockStorage;
  readonly #id = new Uint8Array(spec.ID_BYTES);
  readonly #onError: (error: unknown) => void;
  readonly #wiring: VirtioWiring;
  readonly #buffers: Uint8Array[] = [];
  #writeThrough = true;
  #underWay = 0;
  #quiet: (() => void)[] = [];

  constructor(config: BlockConfig, wiring: VirtioWiring) {
    this.#disk = config.disk;
    this.#wiring = wiring;
    this.#onError = config.onError ?? (() => {});
    this.features = blockFeatures(config.disk);
    this.config = blockConfig(config.disk, config.physicalBlock ?? config.disk.sectorSize);
    for (let i = 0; i < spec.ID_BYTES; i++) this.#id[i] = (config.serial ?? "").charCodeAt(i) & 0x7f;
  }

  get busy(): boolean {
    return this.#underWay > 0;
  }

  // §5.2.6.2: a driver without FLUSH cannot ask for durability, so it gets it with every write.
  activate({ features }: Activation): void {
    this.#writeThrough = (features & spec.F_FLUSH) === 0n;
  }

  handle(queue: VirtQueue): void {
    for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
      if (chain.readable.length < spec.REQUEST_HEADER || chain.writable.length === 0)
        queue.fail("a block request without header or status");
      else this.#begin(queue, chain);
    }
    queue.signal();
  }

  reset(): void {
    this.#writeThrough = true;
  }

  pause(): Promise<void> {
    return this.#underWay === 0 ? Promise.resolve() : new Promise((resolve) => void this.#quiet.push(resolve));
  }

  #begin(queue: VirtQueue, chain: Chain): void {
    const outcome = this.#perform(chain);
    if (!(outcome instanceof Promise)) return this.#complete(queue, chain, outcome);
    this.#underWay++;
    void outcome
      .catch((error: unknown) => this.#failed(error))
      .then((result) => {
        this.#underWay--;
        this.#complete(queue, chain, result);
        queue.signal();
        if (this.#underWay === 0) for (const resolve of this.#quiet.splice(0)) resolve();
      });
  }

  /** Reports the status in the last device-writable byte, wherever the data ends. */
  #complete(queue: VirtQueue, chain: Chain, { status, filled }: Outcome): void {
    const { writable } = chain;
    if (queue.current(chain)) writable.setU8(writable.length - 1, status);
    queue.push(chain, filled + 1);
  }

  #failed(error: unknown): Outcome {
    this.#wiring.log.warnOnce(
      "virtio-blk.error",
      `Disk error, reported to the guest: ${error instanceof Error ? error.message : String(error)}`,
    );
    this.#onError(error);
    return IO_ERROR;
  }

  #perform(chain: Chain): Outcome | Promise<Outcome> {
    const type = chain.readable.u32(0);
    switch (type) {
      case spec.T_IN:
        return this.#read(chain);
      case spec.T_OUT:
        return this.#write(chain);
      case spec.T_FLUSH:
        return this.#disk.flush().then(() => DONE);
      case spec.T_GET_ID:
        return { status: spec.S_OK, filled: chain.writable.write(0, this.#id.subarray(0, chain.writable.length - 1)) };
      case spec.T_DISCARD:
        return this.#disk.trim === undefined || this.#disk.readOnly ? UNSUPPORTED : this.#ranges(chain, false);
      case spec.T_WRITE_ZEROES:
        return this.#disk.zero === undefined || this.#disk.readOnly ? UNSUPPORTED : this.#ranges(chain, true);
      default:
        return UNSUPPORTED;
    }
  }

  #read(chain: Chain): Outcome | Promise<Outcome> {
    const { readable, writable } = chain;
    const length = writable.length - 1;
    const sector = this.#diskSector(readable.u64(8), length);
    if (sector === undefined) return IO_ERROR;
    const view = writable.view(0, length);
    return view === undefined
      ? this.#readScattered(chain, sector, length)
      : this.#disk.read(sector, view).then(() => {
          writable.wrote(0, length);
          return { status: spec.S_OK, filled: length };
        });
  }

  // In chunks: a driver may describe far more bytes than it has memory, and the spare buffer is the host's.
  async #readScattered({ writable }: Chain, sector: number, length: number): Promise<Outcome> {
    const buffer = this.#buffers.pop() ?? new Uint8Array(CHUNK);
    for (let at = 0; at < length; at += CHUNK) {
      const chunk = buffer.subarray(0, length - at);
      await this.#disk.read(sector + at / this.#disk.sectorSize, chunk);
      writable.write(at, chunk);
    }
    this.#keep(buffer);
    return { status: spec.S_OK, filled: length };
  }

  #write({ readable }: Chain): Outcome | Promise<Outcome> {
    const length = readable.length - spec.REQUEST_HEADER;
    const sector = this.#diskSector(readable.u64(8), length);
    // §5.2.6.2: writes to a read-only device fail, and do nothing.
    if (sector === undefined || this.#disk.readOnly) return IO_ERROR;
    const view = readable.view(spec.REQUEST_HEADER, length);
    if (view === undefined) return this.#writeScattered(readable, sector, length);
    return this.#disk.write(sector, view, { fua: this.#writeThrough }).then(() => DONE);
  }

  async #writeScattered(readable: Segments, sector: number, length: number): Promise<Outcome> {
    const buffer = this.#buffers.pop() ?? new Uint8Array(CHUNK);
    for (let at = 0; at < length; at += CHUNK) {
      const chunk = buffer.subarray(0, length - at);
      readable.read(spec.REQUEST_HEADER + at, chunk);
      await this.#disk.write(sector + at / this.#disk.sectorSize, chunk, { fua: this.#writeThrough });
    }
    this.#keep(buffer);
    return DONE;
  }

  /** Discards or zeroes the ranges listed, in order. All are checked before the first is touched. */
  #ranges({ readable }: Chain, zero: boolean): Outcome | Promise<Outcome> {
    const bytes = readable.length - spec.REQUEST_HEADER;
    if (bytes === 0 || bytes % spec.RANGE_SEGMENT !== 0 || bytes / spec.RANGE_SEGMENT > MAX_RANGE_SEGMENTS) return IO_ERROR;
    const ranges: { sector: number; count: number; unmap: boolean }[] = [];
    for (let at = spec.REQUEST_HEADER; at < readable.length; at += spec.RANGE_SEGMENT) {
      const [count, flags] = [readable.u32(at + 8), readable.u32(at + 12)];
      // §5.2.6.2: reserved flags, and unmap of a discard, are unsupported.
      if ((flags & ~(zero ? spec.RANGE_F_UNMAP : 0)) !== 0) return UNSUPPORTED;
      const sector = this.#diskSector(readable.u64(at), count * spec.SECTOR);
      if (sector === undefined || count > MAX_RANGE_SECTORS) return IO_ERROR;
      ranges.push({ sector, count: (count * spec.SECTOR) / this.#disk.sectorSize, unmap: (flags & spec.RANGE_F_UNMAP) !== 0 });
    }
    return this.#applyRanges(ranges, zero);
  }

  async #applyRanges(ranges: readonly { sector: number; count: number; unmap: boolean }[], zero: boolean): Promise<Outcome> {
    for (const { sector, count, unmap } of ranges) {
      if (zero) await this.#disk.zero?.(sector, count, { unmap });
      else await this.#disk.trim?.(sector, count);
    }
    if (this.#writeThrough) await this.#disk.flush();
    return DONE;
  }

  /** The disk's sector for a request's 512-byte one; undefined unless the range is whole sectors within the disk. */
  #diskSector(sector: number, bytes: number): number | undefined {
    const { sectorSize, sectors } = this.#disk;
    const first = (sector * spec.SECTOR) / sectorSize;
    const count = bytes / sectorSize;
    return Number.isInteger(first) && Number.isInteger(count) && first + count <= sectors ? first : undefined;
  }

  #keep(buffer: Uint8Array): void {
    if (this.#buffers.length < KEPT_BUFFERS) this.#buffers.push(buffer);
  }
}

/** The block device. */
export const virtioBlk: VirtioDeviceType<BlockConfig, BlockState, VirtioBlock> = {
  kind: "virtio-blk",
  version: 1,
  state: BLOCK_STATE,
  deviceType: TYPE_BLOCK,
  classCode: 0x01_0000,
  create: (config, wiring) => new VirtioBlock(config, wiring),
};
