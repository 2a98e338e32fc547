// A region apart from the place where it was found: its code holds no address but that of the processor's state, so that it serves wherever
// the same bytes lie in the same order. Deltas are linear addresses relative to the region's origin, the beginning of a page.
import type { FunctionType } from "../../wasm/module-builder.ts";
import { MODE } from "../state.ts";
import { INTERNAL_HANDLERS, RECORD } from "./layout.ts";
import { ownRecord } from "./place.ts";

/** Code that regions can be made of: 64-bit, and 32-bit with a 32-bit stack. */
export function isTranslatable(mode: number): boolean {
  return mode === MODE.long || mode === (MODE.code32 | MODE.stack32);
}

/** A region's function: (record, base, budget) → next record or 0, budget. */
export const REGION_TYPE: FunctionType = { params: ["i32", "i32", "i32"], result: ["i32", "i32"] };
/** The same as it is called. */
export type RegionFunction = (record: number, base: number, budget: number) => [number, number];

/** What a translator gives for a region beside its code; it travels between threads and is kept for the next time. */
export interface RegionShape {
  readonly mode: number;
  /** Deltas where it may be entered; the first is what it was asked for. Which one it is, the code finds in the record. */
  readonly entries: readonly number[];
  /** For each entry, the key under which it is found (`entryKey`). */
  readonly keys: readonly number[];
  /** Distances from the origin of the pages that it spans, in pages; the origin's own, 0, is the first. */
  readonly pages: readonly number[];
  /** The bytes that it was made from: where each range begins, none of which lies in two pages. */
  readonly ranges: readonly { readonly delta: number; readonly length: number }[];
  /** All these bytes, one range after the other; zeros where a parameter is. */
  readonly bytes: Uint8Array;
  /** In the order of `at`. */
  readonly parameters: readonly RegionParameter[];
  /** What SEEN describes, the map of indirect targets, and records of called instructions, each with the one that goes on behind it. */
  readonly records: Uint8Array;
  /** Guest instructions in the region. */
  readonly instructions: number;
  /** Whether it also holds what other regions do, and so takes the place of another where it begins. */
  readonly isWide: boolean;
  /** Whether calls in it may lead where they had not led when it was made: it may be worth making again. */
  readonly isOpen: boolean;
}

/**
 * A number among the code's bytes that may be another one where the same code lies elsewhere: the region finds it in its records.
 * `size` bytes from `at` on, sign-extended, plus `add`, stand in `as` bytes at `to`.
 */
export interface RegionParameter {
  readonly at: number;
  readonly size: 4 | 8;
  readonly to: number;
  readonly as: 4 | 8;
  readonly add: number;
}

/** A region in one place. */
export interface PlacedRegion {
  readonly shape: RegionShape;
  /** Host address of each of its pages. */
  readonly hosts: readonly number[];
}

/** A region as it is put in force. */
export interface RegionPlan {
  readonly mode: number;
  /** Host address, and linear address of the page relative to the region's origin. */
  readonly entries: readonly { readonly host: number; readonly page: number }[];
  /** The bytes it was made from: host address, page as above and length of each range, and all bytes one after the other. */
  readonly ranges: readonly { readonly host: number; readonly page: number; readonly length: number }[];
  readonly bytes: Uint8Array;
  readonly records: Uint8Array;
  readonly instructions: number;
  readonly isWide: boolean;
  readonly isOpen: boolean;
}

/** Pages that a region may span. */
export const MOST_PAGES = 12;
/**
 * At the beginning of a region's records: the jump cache's tag and the origin with which its pages were looked at last; 1 while the region
 * is not in force, which it looks at when something it called may have written; where in the host its pages lie (u32 each, in the
 * order of `pages`); and how often it was entered where they are not, since it was where they are. In whole records.
 */
export const SEEN = { tag: 0, origin: 8, stale: 16, hosts: 20, refusals: 68, size: 96 } as const;

/** Name of a region's function in the host's profiles, by the region's number. */
export const regionName = (id: number): string => `region ${id}`;

/** Host address of what lies at `delta`, on one of the pages. */
export function hostIn({ pages, hosts }: { readonly pages: readonly number[]; readonly hosts: readonly number[] }, delta: number): number {
  return (hosts[pages.indexOf(delta >> 12)] ?? 0) + (delta & 0xfff);
}

/** The region as it is put in force where its pages are, with the parameters found there. Undefined when other bytes are there. */
export function planOf({ shape, hosts }: PlacedRegion, memory: Uint8Array): RegionPlan | undefined {
  const hostOf = (delta: number): number => hostIn({ pages: shape.pages, hosts }, delta);
  if (!isMadeFrom(shape, memory, (page) => hosts[shape.pages.indexOf(page)])) return undefined;
  const ranges = shape.ranges.map(({ delta, length }) => ({ host: hostOf(delta), page: delta & ~0xfff, length }));
  const bytes = new Uint8Array(shape.bytes.length);
  let at = 0;
  for (const { host, length } of ranges) {
    bytes.set(memory.subarray(host, host + length), at);
    at += length;
  }
  return {
    mode: shape.mode,
    entries: shape.entries.map((delta) => ({ host: hostOf(delta), page: delta & ~0xfff })),
    ranges,
    bytes,
    records: recordsOf(shape, hosts, bytes),
    instructions: shape.instructions,
    isWide: shape.isWide,
    isOpen: shape.isOpen,
  };
}

/**
 * Whether a region's bytes, but for its parameters, are in memory.
 * @param hostOf host address of a page, by its distance from the origin; what is on pages without one is not looked at
 */
export function isMadeFrom(shape: RegionShape, memory: Uint8Array, hostOf: (page: number) => number | undefined): boolean {
  let at = 0;
  for (const { delta, length } of shape.ranges) {
    const page = hostOf(delta >> 12);
    if (page !== undefined && !isRange(shape, at, length, memory, page + (delta & 0xfff))) return false;
    at += length;
  }
  return true;
}

/** Whether `length` bytes of a region from `at` on are at a host address. */
function isRange({ bytes, parameters }: RegionShape, from: number, length: number, memory: Uint8Array, host: number): boolean {
  const end = from + length;
  let i = from;
  for (const { at, size } of parameters) {
    if (at >= end) break;
    for (; i < at; i++) if (memory[host + i - from] !== bytes[i]) return false;
    i = Math.max(i, at + size);
  }
  for (; i < end; i++) if (memory[host + i - from] !== bytes[i]) return false;
  return true;
}

function recordsOf({ records, parameters }: RegionShape, hosts: readonly number[], bytes: Uint8Array): Uint8Array {
  const result = records.slice();
  const to = new DataView(result.buffer);
  const from = new DataView(bytes.buffer);
  hosts.forEach((host, n) => to.setUint32(SEEN.hosts + 4 * n, host, true));
  for (const p of parameters) {
    const value = (p.size === 8 ? from.getBigInt64(p.at, true) : BigInt(from.getInt32(p.at, true))) + BigInt(p.add);
    if (p.as === 8) to.setBigInt64(p.to, BigInt.asIntN(64, value), true);
    else to.setInt32(p.to, Number(BigInt.asIntN(32, value)), true);
  }
  return result;
}

/** Instructions that a key is made of. */
const KEY_INSTRUCTIONS = 3;

/**
 * The key of an entry: of where it lies in its page, and of handlers and lengths of the first instructions decoded there. Equal code
 * has equal keys wherever it lies; other code seldom.
 * @param instruction the nth instruction, which lies at `offset`, as handler | length << 16; negative when there is none
 */
export function entryKey(
  offset: number,
  mode: number,
  endsBlock: (handler: number) => boolean,
  instruction: (n: number, offset: number) => number,
): number {
  let key = offset * 8 + mode;
  let at = offset;
  for (let n = 0; n < KEY_INSTRUCTIONS; n++) {
    const found = instruction(n, at);
    if (found < 0) break;
    key = Math.imul(key ^ found, 0x9e37_79b1);
    key ^= key >>> 15;
    at += found >>> 16;
    if (endsBlock(found & 0xffff) || at >= 0x1000) break;
  }
  return key >>> 0;
}

/** The key of a block that has been decoded, from its records. */
export function keyOfBlock(view: DataView, record: number, mode: number, endsBlock: (handler: number) => boolean): number {
  return entryKey(view.getUint16(record + RECORD.offset, true), mode, endsBlock, (n) => {
    const r = ownRecord(view, record + n * RECORD.size);
    const handler = view.getUint16(r + RECORD.cold, true);
    return handler < INTERNAL_HANDLERS ? -1 : handler | (view.getUint8(r + RECORD.len) << 16);
  });
}
