// What a block device offers and tells about itself (VIRTIO 1.3 §5.2.3, §5.2.4).
import type { BlockStorage } from "./index.ts";
import * as spec from "./spec.ts";

/** Entries of the request queue. */
export const QUEUE_SIZE = 256;

/** Segments of a request: what fits into a chain beside header and status. */
const SEG_MAX: number = QUEUE_SIZE - 2;
/** Bytes of a segment. */
const SIZE_MAX = 0x10_0000;

/** 512-byte sectors of one discard or write-zeroes segment: 1 GiB. */
export const MAX_RANGE_SECTORS = 0x20_0000;
/** Segments of one such request. */
export const MAX_RANGE_SEGMENTS = 16;

/** The features that a disk allows. */
export function blockFeatures(disk: BlockStorage): bigint {
  const always = spec.F_SIZE_MAX | spec.F_SEG_MAX | spec.F_BLK_SIZE | spec.F_FLUSH | spec.F_TOPOLOGY;
  if (disk.readOnly) return always | spec.F_RO;
  return always | (disk.trim === undefined ? 0n : spec.F_DISCARD) | (disk.zero === undefined ? 0n : spec.F_WRITE_ZEROES);
}

/** The configuration bytes. */
export function blockConfig(disk: BlockStorage, physicalBlock: number): Uint8Array {
  const bytes = new Uint8Array(spec.CFG_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(spec.CFG_CAPACITY, BigInt((disk.sectors * disk.sectorSize) / spec.SECTOR), true);
  view.setUint32(spec.CFG_SIZE_MAX, SIZE_MAX, true);
  view.setUint32(spec.CFG_SEG_MAX, SEG_MAX, true);
  view.setUint32(spec.CFG_BLK_SIZE, disk.sectorSize, true);
  view.setUint8(spec.CFG_PHYSICAL_BLOCK_EXP, Math.max(0, Math.round(Math.log2(physicalBlock / disk.sectorSize))));
  view.setUint16(spec.CFG_MIN_IO_SIZE, Math.max(1, physicalBlock / disk.sectorSize), true);
  view.setUint16(spec.CFG_NUM_QUEUES, 1, true);
  if (disk.trim !== undefined) setRanges(view, spec.CFG_MAX_DISCARD_SECTORS, spec.CFG_MAX_DISCARD_SEG);
  view.setUint32(spec.CFG_DISCARD_ALIGNMENT, disk.sectorSize / spec.SECTOR, true);
  if (disk.zero !== undefined) setRanges(view, spec.CFG_MAX_WRITE_ZEROES_SECTORS, spec.CFG_MAX_WRITE_ZEROES_SEG);
  view.setUint8(spec.CFG_WRITE_ZEROES_MAY_UNMAP, disk.trim === undefined ? 0 : 1);
  return bytes;
}

function setRanges(view: DataView, sectors: number, segments: number): void {
  view.setUint32(sectors, MAX_RANGE_SECTORS, true);
  view.setUint32(segments, MAX_RANGE_SEGMENTS, true);
}
