// A place in guest code as one number: its host address and the mode it runs in.
import { CODE_HASH, CODE_HASH_ENTRIES, HASH_MULTIPLIER, HASH_SHIFT, HOT_REGION, INTERNAL_HANDLERS, RECORD } from "./layout.ts";

const MODES = 8;

/** The number of a place. */
export const placeOf = (host: number, mode: number): number => host * MODES + mode;
/** A place's host address. */
export const hostOfPlace = (place: number): number => Math.floor(place / MODES);
/** A place's mode (state.ts MODE). */
export const modeOfPlace = (place: number): number => place % MODES;

/**
 * Record of the code at a host address in a mode, 0 when it is not decoded. May be asked by another thread than the processor's, which
 * changes the table meanwhile: so it looks at each slot once at most.
 */
export function recordAt(view: DataView, base: number, host: number, mode: number): number {
  let i = Math.imul(host, HASH_MULTIPLIER) >>> HASH_SHIFT;
  for (let left = CODE_HASH_ENTRIES; left > 0; left--) {
    const slot = base + CODE_HASH + i * 8;
    const key = view.getUint32(slot, true);
    if (key === 0) return 0;
    const value = view.getUint32(slot + 4, true);
    if (key === host && modeOfPlace(value) === mode) return value - mode;
    i = (i + 1) & (CODE_HASH_ENTRIES - 1);
  }
  return 0;
}

/** Whether a record is no instruction's: ends of blocks, checks, entries of regions, and code whose bytes have changed. */
export function isInternal(view: DataView, record: number): boolean {
  return view.getUint16(record + RECORD.cold, true) < INTERNAL_HANDLERS;
}

/** Whether a region in force is entered at a record. */
export function isEntry(view: DataView, record: number): boolean {
  return view.getUint8(record + RECORD.hot) === HOT_REGION;
}

/** The record as it was decoded: where a region is entered that is its copy. May be asked by another thread, too, so that the copy's address is bounded. */
export function ownRecord(view: DataView, record: number): number {
  if (!isEntry(view, record)) return record;
  return Math.min(view.getUint32(record + RECORD.target, true), view.byteLength - RECORD.size);
}
