// Decoded code: blocks of records in the arena, found by host address and mode, and forgotten when their bytes are written.
//
// A block is a run of instructions from one entry to an unconditional branch, the end of its page, or MAX_BLOCK. All blocks of a
// page hang on a list; the page's 64 granule bits (page table) tell stores whether to call here at all.
import { type Decoder, STATUS } from "../decode/decoder.ts";
import { VECTOR } from "../mmu/control.ts";
import { at, FAULT, MODE } from "../state.ts";
import { ArenaLimit } from "./arena-limit.ts";
import {
  ARENA,
  ARENA_SIZE,
  CODE_HASH,
  CODE_HASH_ENTRIES,
  HASH_MULTIPLIER,
  HASH_SHIFT,
  INTERNAL,
  JUMP_CACHE,
  JUMP_ENTRIES,
  ONCE,
  PAGE_ENTRY,
  TLB_INVALID_0,
  VIEW_SIZE,
  RECORD,
  TLB,
  VIEW,
} from "./layout.ts";
import { isInternal, recordAt } from "./place.ts";

/** Longest block, in instructions. */
const MAX_BLOCK = 64;
/** Blocks and list nodes that fit before everything is dropped. */
const MAX_BLOCKS = 0x4_0000;
/** Blocks decoded in one slice before it ends. */
const MOST_DECODED = 1024;
const RESERVE = 0x4_0000;
const RESERVE_BLOCKS = 0x1000;
/** How often a page's code has to be rewritten before its bytes stay guarded, and how far that is remembered. */
const OFTEN_REWRITTEN = 8;
const MOST_REWRITTEN = 16;
/** A write to guarded bytes without code counts against that many to such with code. */
const IN_VAIN = 4;
/** How full the hash may be: beyond that, finding a block takes more than two slots (linear probing). */
const FULL_HASH = 0.6;
/** A hash key that no code has: a removed entry. */
const TOMBSTONE = 1;

/** What the cache needs of its processor. */
export interface CodeCacheHost {
  readonly view: DataView;
  readonly u8: Uint8Array;
  readonly base: number;
  readonly ramBase: number;
  readonly ramBytes: number;
  readonly pageTable: number;
  readonly decoder: Decoder;
  /** Case of the fast loop for what the decoder just decoded, 0 for none. */
  hot(decoder: Decoder, samePage: boolean): number;
  /** True when the instruction ends a block. */
  endsBlock(handler: number): boolean;
  /** Host address of the code at linear address page + 4096, 0 with a fault pending or when it is not RAM. */
  nextPageHost(): number;
  /** Makes the loop return to the host, which calls `flushAll`. */
  requestFlush(): void;
  /** Translated code, which has to hear of everything that happens to decoded code. */
  readonly regions?: CodeListener | undefined;
  /** A byte of code that is not in RAM. */
  fetchDevice(offset: number): number;
}

/** Who else depends on the bytes of code (region-cache.ts). */
export interface CodeListener {
  /** A block has been decoded. */
  decoded(host: number, mode: number, record: number): void;
  /** Code within a block has become an entry. Its record may be the one that is being executed. */
  entered(host: number, mode: number, record: number): void;
  /** Bytes [from, to) of a page are changing; before blocks are dropped. */
  invalidate(page: number, from: number, to: number): void;
  /** The page's guards have been taken away, and those of blocks set anew. */
  guardAgain(page: number): void;
  /** Everything has been dropped. */
  recordsDropped(): void;
}

/** The decoded code of one processor, by host address and mode. It forgets what `invalidate` says, and everything when it is full. */
export class CodeCache {
  readonly #h: CodeCacheHost;
  readonly #words: Int32Array;
  #next = 0;
  /** Blocks decoded in this slice. */
  #decoded = 0;
  readonly #limit: ArenaLimit;
  /** Instructions executed when everything was dropped last. */
  #retired = 0n;
  #blocks = 0;
  #nodes = 0;
  #hashUsed = 0;
  readonly #record = new Int32Array(MAX_BLOCKS);
  readonly #count = new Uint8Array(MAX_BLOCKS);
  readonly #start = new Int32Array(MAX_BLOCKS);
  readonly #length = new Uint16Array(MAX_BLOCKS);
  readonly #mode = new Uint8Array(MAX_BLOCKS);
  /** Whether code within a block is an entry, too. */
  readonly #hasEntries = new Uint8Array(MAX_BLOCKS);
  readonly #nodeBlock = new Int32Array(MAX_BLOCKS * 2);
  readonly #nodeNext = new Int32Array(MAX_BLOCKS * 2);
  readonly #pageHead = new Map<number, number>();
  readonly #crossing = new Uint8Array(32);
  /** Little room is left: `flushAll` is due as soon as no record is being executed. */
  full = false;
  /** Blocks decoded; times that everything was dropped; blocks dropped because their bytes changed. */
  decoded = 0;
  flushes = 0;
  invalidated = 0;

  constructor(host: CodeCacheHost) {
    this.#h = host;
    this.#words = new Int32Array(host.view.buffer);
    this.#limit = new ArenaLimit(host.regions !== undefined);
  }

  /** A slice of execution begins. */
  beginSlice(): void {
    this.#decoded = 0;
  }

  /** Decodes the block at host address `host` (0: not RAM) in the present mode → record, 0 with a fault pending. */
  decodeBlock(host: number): number {
    const h = this.#h;
    const mode = h.view.getInt32(h.base + at("mode"), true);
    // Decoding takes longer than what is counted: a slice that does little else must not take for ever.
    if (++this.#decoded === MOST_DECODED) h.requestFlush();
    if (host === 0) return this.#once(mode);
    if (!this.full && this.#nearlyFull()) {
      this.full = true;
      h.requestFlush();
    }
    const first = h.base + ARENA + this.#next;
    const pageEnd = ((host & ~0xfff) >>> 0) + 0x1000;
    const codeEnd = host + this.#bytesLeft(mode);
    const within = this.#enterWithin(host, mode, codeEnd);
    if (within !== 0) return within;
    let record = first;
    let address = host;
    let n = 0;
    for (;;) {
      const status = h.decoder.decode(h.u8, address, pageEnd, mode);
      const isBeyond = (status === STATUS.more ? pageEnd + 1 : address + h.decoder.length) > codeEnd;
      if (isBeyond || status === STATUS.more) {
        if (n === 0) return (isBeyond ? this.#limitFault() : this.#crossPage(first, host, mode, codeEnd)) === 0 ? 0 : first;
        record = this.#internal(record, INTERNAL.end, address & 0xfff, n);
        break;
      }
      n++;
      record = this.#write(record, status, address & 0xfff, n);
      address += h.decoder.length;
      if (status !== STATUS.ok || h.endsBlock(h.decoder.handler)) break;
      if (n === MAX_BLOCK || address === pageEnd) {
        record = this.#internal(record, INTERNAL.end, address - (pageEnd - 0x1000), n);
        break;
      }
    }
    this.#commit(first, record, host, Math.max(1, address - host), mode);
    return first;
  }

  /**
   * The record of code within a block that is known, as an entry into that: blocks go on behind branches that are not taken, so that half of
   * all code is met again as the target of one. 0 when there is none.
   */
  #enterWithin(host: number, mode: number, codeEnd: number): number {
    let node = this.#pageHead.get(host >>> 12) ?? -1;
    for (; node !== -1; node = this.#nodeNext[node]!) {
      const block = this.#nodeBlock[node]!;
      const start = this.#start[block]!;
      const end = start + this.#length[block]!;
      if (host <= start || host >= end || end > codeEnd || this.#mode[block] !== mode || this.#count[block] === 0) continue;
      const index = this.#indexOf(block, host & 0xfff);
      if (index === 0) continue;
      const record = this.#record[block]! + index * RECORD.size;
      this.#hasEntries[block] = 1;
      this.#insertHash(host, record | mode);
      this.#h.regions?.entered(host, mode, record);
      return record;
    }
    return 0;
  }

  /** Which record of a block is for the instruction at an offset in its page; 0 when none but the first. */
  #indexOf(block: number, offset: number): number {
    const { view } = this.#h;
    const first = this.#record[block]!;
    // The check of an instruction over a page border, and the instruction, have the same offset.
    if (view.getUint16(first + RECORD.cold, true) === INTERNAL.crossing) return 0;
    for (let i = 1; i < this.#count[block]!; i++) {
      const at = view.getUint16(first + i * RECORD.size + RECORD.offset, true);
      if (at >= offset) return at === offset && !isInternal(view, first + i * RECORD.size) ? i : 0;
    }
    return 0;
  }

  /** Bytes from the instruction at `rip` to the end of its segment; 64-bit code has none (SDM 3A §5.3). */
  #bytesLeft(mode: number): number {
    const { view, base } = this.#h;
    return mode & MODE.long ? Infinity : view.getUint32(base + at("csLimit"), true) - view.getUint32(base + at("rip"), true) + 1;
  }

  /** Makes #GP(0) pending, for an instruction that reaches beyond its segment's end. */
  #limitFault(): 0 {
    const { view, base } = this.#h;
    view.setInt32(base + at("fault"), VECTOR.GP | FAULT.pending | FAULT.hasCode, true);
    view.setInt32(base + at("faultCode"), 0, true);
    return 0;
  }

  /** With a reserve for what is decoded until the loop comes back to the host. */
  #nearlyFull(): boolean {
    const limit = Math.min(this.#limit.bytes, ARENA_SIZE - RESERVE);
    return this.#next > limit || this.#blocks > MAX_BLOCKS - RESERVE_BLOCKS || this.#hashUsed > CODE_HASH_ENTRIES * FULL_HASH;
  }

  /** An instruction over a page border: a check of the second page, the instruction, and a way on. */
  #crossPage(first: number, host: number, mode: number, codeEnd: number): number {
    const h = this.#h;
    const offset = host & 0xfff;
    const inFirst = 0x1000 - offset;
    const second = h.nextPageHost();
    if (second === 0 && h.view.getInt32(h.base + at("fault"), true) !== 0) return 0;
    this.#crossing.set(h.u8.subarray(host, host + inFirst));
    for (let i = 0; i < 16; i++) this.#crossing[inFirst + i] = second === 0 ? h.fetchDevice(inFirst + i) : h.u8[second + i]!;
    const status = h.decoder.decode(this.#crossing, 0, inFirst + 16, mode);
    if (host + h.decoder.length > codeEnd) return this.#limitFault();
    let record = this.#internal(first, INTERNAL.crossing, offset, 0);
    h.view.setInt32(first + RECORD.imm, second, true);
    record = this.#write(record, status, offset, 1);
    const length = Math.max(h.decoder.length, inFirst + 1);
    record = this.#internal(record, INTERNAL.end, offset + length, 1);
    this.#commit(first, record, host, inFirst, mode);
    if (second !== 0) this.#attach(this.#blocks - 1, second);
    return record;
  }

  /** Code in a device's memory is decoded each time, one instruction at a time. */
  #once(mode: number): number {
    const h = this.#h;
    for (let i = 0; i < 16; i++) this.#crossing[i] = h.fetchDevice(i);
    const status = h.decoder.decode(this.#crossing, 0, 16, mode);
    const offset = h.view.getInt32(h.base + at("walkPhysical"), true) & 0xfff;
    const first = h.base + ONCE;
    const after = this.#write(first, status, offset, 1);
    this.#internal(after, INTERNAL.end, offset + h.decoder.length, 1);
    return first;
  }

  #internal(record: number, handler: number, offset: number, n: number): number {
    const { u8, view } = this.#h;
    u8.fill(0, record, record + RECORD.size);
    view.setUint16(record + RECORD.cold, handler, true);
    view.setUint16(record + RECORD.offset, offset, true);
    view.setUint16(record + RECORD.n, n, true);
    return record + RECORD.size;
  }

  #write(r: number, status: number, offset: number, n: number): number {
    const { view, u8, decoder: d } = this.#h;
    if (status !== STATUS.ok) return this.#internal(r, status === STATUS.tooLong ? INTERNAL.tooLong : INTERNAL.undefined, offset, n);
    view.setUint16(r + RECORD.cold, d.handler, true);
    u8[r + RECORD.len] = d.length;
    view.setUint16(r + RECORD.offset, offset, true);
    view.setUint16(r + RECORD.n, n, true);
    u8[r + RECORD.a] = d.operand[0]!;
    u8[r + RECORD.a + 1] = d.operand[1]!;
    u8[r + RECORD.a + 2] = d.operand[2]!;
    u8[r + RECORD.base] = d.base;
    u8[r + RECORD.index] = d.index;
    u8[r + RECORD.scale] = d.scale;
    u8[r + RECORD.seg] = d.seg;
    u8[r + RECORD.flags] = (d.address32 ? 1 : 0) | (d.address16 ? 2 : 0) | (d.segment << 2);
    view.setInt32(r + RECORD.disp, d.ripRelative ? d.displacement + offset + d.length : d.displacement, true);
    view.setInt32(r + RECORD.target, 0, true);
    let samePage = false;
    if (d.relative) {
      const target = offset + d.length + d.immLow;
      samePage = target >= 0 && target < 0x1000;
      view.setBigInt64(r + RECORD.imm, BigInt(target), true);
    } else {
      view.setInt32(r + RECORD.imm, d.immLow, true);
      view.setInt32(r + RECORD.imm + 4, d.immHigh, true);
    }
    u8[r + RECORD.hot] = this.#h.hot(d, samePage);
    return r + RECORD.size;
  }

  #commit(first: number, end: number, host: number, length: number, mode: number): void {
    const block = this.#blocks++;
    this.decoded++;
    this.#limit.note(host);
    this.#record[block] = first;
    this.#count[block] = (end - first) / RECORD.size;
    this.#start[block] = host;
    this.#length[block] = length;
    this.#mode[block] = mode;
    this.#hasEntries[block] = 0;
    this.#next = end - this.#h.base - ARENA;
    this.#attach(block, host);
    this.#insertHash(host, first | mode);
    this.#h.regions?.decoded(host, mode, first);
  }

  /** Record of the code at host address `host` in a mode, 0 when it is not decoded. */
  recordAt(host: number, mode: number): number {
    return recordAt(this.#h.view, this.#h.base, host, mode);
  }

  /** Host address of a record's instruction, 0 when the record is of no block. */
  hostOf(record: number): number {
    let [low, high] = [0, this.#blocks];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#record[middle]! <= record) low = middle + 1;
      else high = middle;
    }
    const block = low - 1;
    if (block < 0 || record >= this.#record[block]! + this.#count[block]! * RECORD.size) return 0;
    return (this.#start[block]! & ~0xfff) + this.#h.view.getUint16(record + RECORD.offset, true);
  }

  /** Makes writes to these bytes, in one page, known; for whoever else made something of them. */
  guard(host: number, length: number): void {
    const page = host >>> 12;
    const entry = this.#pageEntry(page);
    if (this.#h.view.getBigUint64(entry, true) === 0n) this.#protect(page << 12);
    this.#markBytes(entry, host & 0xfff, (host & 0xfff) + length);
    this.#guarded.add(page);
  }
  /** Pages guarded for others. */
  readonly #guarded = new Set<number>();

  /** Hangs a block on a page's list and marks its granules. */
  #attach(block: number, host: number): void {
    const h = this.#h;
    const page = host >>> 12;
    const node = this.#nodes++;
    this.#nodeBlock[node] = block;
    this.#nodeNext[node] = this.#pageHead.get(page) ?? -1;
    this.#pageHead.set(page, node);
    const entry = this.#pageEntry(page);
    if (h.view.getBigUint64(entry, true) === 0n) this.#protect(page << 12);
    this.#markGranules(entry, page, block);
  }

  #markGranules(entry: number, page: number, block: number): void {
    this.#markBytes(entry, ...this.#extent(block, page));
  }

  #markBytes(entry: number, from: number, to: number): void {
    const { view } = this.#h;
    for (let g = from >> 6; g <= (to - 1) >> 6; g++) {
      const at32 = entry + (g >> 5) * 4;
      view.setInt32(at32, view.getInt32(at32, true) | (1 << (g & 31)), true);
    }
  }

  /** Offsets [from, to) that a block covers in a page; the second page of a crossing instruction holds at most 15 bytes. */
  #extent(block: number, page: number): [number, number] {
    const start = this.#start[block]!;
    if (start >>> 12 === page) return [start & 0xfff, Math.min(0x1000, (start & 0xfff) + this.#length[block]!)];
    return [0, 15];
  }

  #pageEntry(page: number): number {
    return this.#h.pageTable + (page - (this.#h.ramBase >>> 12)) * PAGE_ENTRY;
  }

  /** A page got its first code: no TLB may let writes to it pass unseen. */
  #protect(hostPage: number): void {
    const { view, base } = this.#h;
    const end = (base + VIEW.user + 3 * VIEW_SIZE) >>> 2;
    const host = hostPage | 0;
    for (let i = (base + VIEW.user + TLB.host) >>> 2; i < end; i += TLB.size >>> 2) {
      if (this.#words[i] !== host) continue;
      const entry = i * 4 - TLB.host;
      view.setBigUint64(entry + TLB.write, (entry - base) % VIEW_SIZE === 0 ? TLB_INVALID_0 : 0n, true);
    }
  }

  #insertHash(key: number, value: number): void {
    const { view, base } = this.#h;
    let i = Math.imul(key, HASH_MULTIPLIER) >>> HASH_SHIFT;
    for (;;) {
      const slot = base + CODE_HASH + i * 8;
      const k = view.getInt32(slot, true);
      if (k === 0 || k === TOMBSTONE) {
        if (k === 0) this.#hashUsed++;
        view.setInt32(slot, key, true);
        view.setInt32(slot + 4, value, true);
        return;
      }
      i = (i + 1) & (CODE_HASH_ENTRIES - 1);
    }
  }

  #removeHash(key: number, record: number): void {
    const { view, base } = this.#h;
    let i = Math.imul(key, HASH_MULTIPLIER) >>> HASH_SHIFT;
    for (;;) {
      const slot = base + CODE_HASH + i * 8;
      const k = view.getInt32(slot, true);
      if (k === 0) return;
      if (k === (key | 0) && (view.getInt32(slot + 4, true) & ~7) === (record | 0)) {
        view.setInt32(slot, TOMBSTONE, true);
        view.setInt32(slot + 4, 0, true);
        return;
      }
      i = (i + 1) & (CODE_HASH_ENTRIES - 1);
    }
  }

  /** Forgets every block that holds one of these bytes (host addresses). */
  invalidate(host: number, length: number): void {
    for (let page = host >>> 12; page <= (host + length - 1) >>> 12; page++) this.#invalidatePage(page, host, host + length);
  }

  #invalidatePage(page: number, from: number, to: number): void {
    let node = this.#pageHead.get(page) ?? -1;
    const guarded = this.#guarded.delete(page);
    if (node === -1 && !guarded && !this.#rewritten.has(page)) return;
    const { view, regions } = this.#h;
    if (guarded) regions?.invalidate(page, from, to);
    const entry = this.#pageEntry(page);
    const invalidatedBefore = this.invalidated;
    const guards = view.getBigUint64(entry, true);
    view.setBigUint64(entry, 0n, true);
    let kept = -1;
    while (node !== -1) {
      const next: number = this.#nodeNext[node]!;
      const block = this.#nodeBlock[node]!;
      const [a, b] = this.#extent(block, page);
      if (page * 0x1000 + a < to && page * 0x1000 + b > from) this.#drop(block);
      else if (this.#count[block] !== 0) {
        this.#nodeNext[node] = kept;
        kept = node;
        this.#markGranules(entry, page, block);
      }
      node = next;
    }
    // A page without code stays in the map: removing and adding one key again and again makes V8 look at all that were removed.
    if (this.#pageHead.has(page)) this.#pageHead.set(page, kept);
    if (guarded) regions?.guardAgain(page);
    if (this.#isOftenRewritten(page, this.invalidated > invalidatedBefore)) view.setBigUint64(entry, guards, true);
  }

  /**
   * Code that is written again and again, and executed in between, keeps its guards: finding every entry of the TLB through which a page may be
   * written, each time that it gets its first code, takes longer than all the rest.
   */
  #isOftenRewritten(page: number, hadCode: boolean): boolean {
    const before = this.#rewritten.get(page) ?? 0;
    const times = hadCode ? Math.min(before + 1, MOST_REWRITTEN) : before - IN_VAIN;
    if (times > 0) this.#rewritten.set(page, times);
    else this.#rewritten.delete(page);
    return times >= OFTEN_REWRITTEN;
  }
  readonly #rewritten = new Map<number, number>();

  /** Every record of a dropped block looks itself up again when it is reached, by a link or within the running block. */
  #drop(block: number): void {
    const { view, u8 } = this.#h;
    const count = this.#count[block]!;
    if (count === 0) return;
    const first = this.#record[block]!;
    for (let i = 0; i < count; i++) {
      const r = first + i * RECORD.size;
      view.setUint16(r + RECORD.cold, INTERNAL.stale, true);
      u8[r + RECORD.hot] = 0;
    }
    this.#removeHash(this.#start[block]!, first);
    if (this.#hasEntries[block] !== 0) this.#removeEntries(block, first, count);
    this.#count[block] = 0;
    this.invalidated++;
  }

  #removeEntries(block: number, first: number, count: number): void {
    const page = this.#start[block]! & ~0xfff;
    for (let i = 1; i < count; i++) {
      const r = first + i * RECORD.size;
      this.#removeHash(page + this.#h.view.getUint16(r + RECORD.offset, true), r);
    }
  }

  #noteFlush(): void {
    const { view, base } = this.#h;
    const retired = view.getBigUint64(base + at("retired"), true);
    this.#limit.dropped({ blocks: this.#blocks, decoded: this.#next / RECORD.size, executed: Number(retired - this.#retired) });
    this.#retired = retired;
  }

  /** Drops everything. Only between instructions. */
  flushAll(): void {
    const { u8, view, base } = this.#h;
    this.#noteFlush();
    for (const pages of [this.#pageHead.keys(), this.#guarded, this.#rewritten.keys()]) {
      for (const page of pages) view.setBigUint64(this.#pageEntry(page), 0n, true);
    }
    this.#pageHead.clear();
    this.#guarded.clear();
    this.#rewritten.clear();
    this.#h.regions?.recordsDropped();
    u8.fill(0, base + CODE_HASH, base + CODE_HASH + CODE_HASH_ENTRIES * 8);
    u8.fill(0, base + JUMP_CACHE, base + JUMP_CACHE + JUMP_ENTRIES * 16);
    this.#next = this.#blocks = this.#nodes = this.#hashUsed = 0;
    this.full = false;
    this.flushes++;
  }
}
