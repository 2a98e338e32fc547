// What a processor needs beside the interpreter's code: decoder tables, ends of blocks, cases of the fast loop. Made from the
// definitions when the package is built, and carried by the module itself in a custom section, so that the two cannot get out of step.
//
//   0        4      6          8         12
//   ┌────────┬──────┬──────────┬─────────┬───────────────────────────────┬─────────────┬───────────────┬──────┬───────┐
//   │ "NPLN" │ vers │ handlers │ entries │ first, 2 × 400h + 1 (16 bits) │ modrm, 400h │ entries × 24  │ ends │ hot×2 │
//   └────────┴──────┴──────────┴─────────┴───────────────────────────────┴─────────────┴───────────────┴──────┴───────┘
import { assert } from "../../support/assert.ts";
import type { Decoder } from "../decode/decoder.ts";
import { type DecodeTables, ENTRY, OPCODES } from "../decode/tables.ts";
import { MODE, ZERO } from "../state.ts";
import { FLAT_SEGMENTS } from "./layout.ts";

/** Name of the module's custom section. */
export const PLAN_SECTION = "nido.plan";

const MAGIC = 0x4e4c_504e;
const VERSION = 1;
const HEADER = 12;
const LISTS = 2 * OPCODES;

/** What a processor knows of handlers without their meanings. */
export class EnginePlan {
  readonly tables: DecodeTables;
  /** By handler id, 1 when its instruction never goes on with the next one in memory. */
  readonly ends: Uint8Array;
  /** Case of the fast loop by handler id × 2 + shape, 0 for none. */
  readonly hot: Uint8Array;

  constructor(tables: DecodeTables, ends: Uint8Array, hot: Uint8Array) {
    this.tables = tables;
    this.ends = ends;
    this.hot = hot;
  }

  /** Whether a handler's instruction never goes on with the next one in memory. */
  endsBlock(handler: number): boolean {
    return this.ends[handler] === 1;
  }

  /** Case of the fast loop for what `d` has just decoded, 0 for none. */
  hotCase(d: Decoder, samePage: boolean): number {
    if (!(d.mode & MODE.long ? !d.address32 : isFlat32(d))) return 0;
    const simple = d.relative ? samePage : d.index === ZERO && d.seg === ZERO;
    return this.hot[d.handler * 2 + (simple ? 0 : 1)] ?? 0;
  }
}

/** 32-bit code on a 32-bit stack with a 32-bit address: what the fast loop has cases for outside 64-bit code. */
function isFlat32(d: Decoder): boolean {
  return d.mode === (MODE.code32 | MODE.stack32) && d.address32 && ((FLAT_SEGMENTS >> d.segment) & 1) !== 0;
}

/** A plan as bytes. */
export function packPlan({ tables, ends, hot }: EnginePlan): Uint8Array {
  const { first, modrm, entries } = tables;
  const bytes = new Uint8Array(HEADER + first.length * 2 + modrm.length + entries.length * 4 + ends.length + hot.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, VERSION, true);
  view.setUint16(6, ends.length, true);
  view.setUint32(8, entries.length / ENTRY.words, true);
  let at = HEADER;
  for (const n of first) view.setUint16((at += 2) - 2, n, true);
  bytes.set(modrm, at);
  at += modrm.length;
  for (const word of entries) view.setInt32((at += 4) - 4, word, true);
  bytes.set(ends, at);
  bytes.set(hot, at + ends.length);
  return bytes;
}

/** The plan that `packPlan` was given. Throws when the bytes are no plan of this version. */
export function unpackPlan(bytes: Uint8Array): EnginePlan {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  check(bytes.length >= HEADER && view.getUint32(0, true) === MAGIC && view.getUint16(4, true) === VERSION);
  const handlers = view.getUint16(6, true);
  const count = view.getUint32(8, true);
  const firstAt = HEADER;
  const modrmAt = firstAt + (LISTS + 1) * 2;
  const entriesAt = modrmAt + OPCODES;
  const endsAt = entriesAt + count * ENTRY.words * 4;
  const hotAt = endsAt + handlers;
  check(bytes.length === hotAt + handlers * 2);
  const first = Uint16Array.from({ length: LISTS + 1 }, (_, i) => view.getUint16(firstAt + i * 2, true));
  const entries = new Int32Array(count * ENTRY.words);
  for (let i = 0; i < entries.length; i++) entries[i] = view.getInt32(entriesAt + i * 4, true);
  checkTables(first, entries, handlers);
  const tables = { first, modrm: bytes.slice(modrmAt, entriesAt), entries };
  return new EnginePlan(tables, bytes.slice(endsAt, hotAt), bytes.slice(hotAt));
}

/** Lists follow one another and cover the entries; handlers exist. */
function checkTables(first: Uint16Array, entries: Int32Array, handlers: number): void {
  check(first[0] === 0 && first[LISTS]! * ENTRY.words === entries.length);
  for (let i = 0; i < LISTS; i++) check(first[i]! <= first[i + 1]!);
  for (let i = ENTRY.handlerRow; i < entries.length; i += ENTRY.words) check((entries[i]! & 0xffff) < handlers);
}

function check(holds: boolean): void {
  assert(holds, "the interpreter's module carries a damaged plan, or one of another version: build the package again");
}
