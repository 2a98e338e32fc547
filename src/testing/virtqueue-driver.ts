// The driver's side of a split virtqueue (VIRTIO 1.3 §2.7), for tests: it lays the rings out in guest memory, offers buffers and
// collects used ones. It can also be told to break the rules, since devices must survive that.
import type { GuestMemory } from "../memory/guest-memory.ts";

/** A part of a buffer: bytes for the device to read, or room (a number of bytes) for it to write. */
export type Part = Uint8Array | number;

/** A buffer that the device gave back. */
export interface UsedBuffer {
  /** What `offer` returned for it. */
  readonly head: number;
  /** Bytes that the device says it wrote. */
  readonly written: number;
  /** Content of the writable parts, one after the other. */
  readonly bytes: Uint8Array;
}

/** A descriptor, as it lies in the table. */
export interface Descriptor {
  readonly address: bigint;
  readonly length: number;
  readonly flags: number;
  readonly next: number;
}

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

/** Hands out guest memory from a start address, never twice. */
export class MemoryAllocator {
  #next: number;

  constructor(from: number) {
    this.#next = from;
  }

  /** An address for `bytes`, a multiple of `alignment`. */
  take(bytes: number, alignment: number = 16): number {
    const at = Math.ceil(this.#next / alignment) * alignment;
    this.#next = at + bytes;
    return at;
  }
}

/** One queue, as a driver has it. */
export class VirtqueueDriver {
  readonly size: number;
  readonly desc: number;
  readonly avail: number;
  readonly used: number;
  /** Descriptors of one buffer go into a table of their own. */
  indirect = false;
  /** Bytes left free between the parts of buffers, so that they are apart in memory. */
  gap = 0;
  readonly #memory: GuestMemory;
  readonly #allocator: MemoryAllocator;
  readonly #writable: Map<number, { readonly at: number; readonly length: number }[]> = new Map();
  #nextDescriptor = 0;
  #availIndex = 0;
  #usedIndex = 0;

  constructor(memory: GuestMemory, allocator: MemoryAllocator, size: number) {
    this.size = size;
    this.#memory = memory;
    this.#allocator = allocator;
    this.desc = allocator.take(16 * size, 16);
    this.avail = allocator.take(6 + 2 * size, 2);
    this.used = allocator.take(6 + 8 * size, 4);
  }

  /** Writes one descriptor, whatever it says. */
  setDescriptor(index: number, { address, length, flags, next }: Descriptor, table: number = this.desc): void {
    const at = table + 16 * index;
    this.#memory.writeUint64(at, BigInt.asUintN(64, address));
    this.#memory.writeUint32(at + 8, length);
    this.#memory.writeUint16(at + 12, flags);
    this.#memory.writeUint16(at + 14, next);
  }

  /** Offers a buffer and returns the head of its chain. Parts to be written come last, as the device expects. */
  offer(...parts: readonly Part[]): number {
    const pieces = parts.map((part) => this.#place(part));
    const head = this.#nextDescriptor;
    this.#writable.set(
      head,
      pieces.filter(({ flags }) => (flags & WRITE) !== 0),
    );
    if (this.indirect) this.#offerIndirect(head, pieces);
    else
      pieces.forEach((piece, i) =>
        this.setDescriptor((head + i) % this.size, { ...link(piece, i, pieces.length), next: (head + i + 1) % this.size }),
      );
    this.#nextDescriptor = (head + (this.indirect ? 1 : pieces.length)) % this.size;
    this.offerHead(head);
    return head;
  }

  /** Puts a head into the available ring, whatever it is. */
  offerHead(head: number): void {
    this.#memory.writeUint16(this.avail + 4 + 2 * (this.#availIndex % this.size), head);
    this.setAvailIndex(this.#availIndex + 1);
  }

  /** Sets the available index. */
  setAvailIndex(index: number): void {
    this.#availIndex = index & 0xffff;
    this.#memory.writeUint16(this.avail + 2, this.#availIndex);
  }

  /** VIRTQ_AVAIL_F_NO_INTERRUPT, without EVENT_IDX (§2.7.7). */
  suppressInterrupts(suppress: boolean): void {
    this.#memory.writeUint16(this.avail, suppress ? 1 : 0);
  }

  /** used_event: with EVENT_IDX, notify once the used index has passed this one. */
  set usedEvent(index: number) {
    this.#memory.writeUint16(this.avail + 4 + 2 * this.size, index & 0xffff);
  }

  /** avail_event: the device wants to be notified once the available index has passed this one. */
  get availEvent(): number {
    return this.#memory.readUint16(this.used + 4 + 8 * this.size);
  }

  /** The device's used index. */
  get usedIndex(): number {
    return this.#memory.readUint16(this.used + 2);
  }

  /** The buffers that came back since the last call. */
  collect(): UsedBuffer[] {
    const buffers: UsedBuffer[] = [];
    for (; this.#usedIndex !== this.usedIndex; this.#usedIndex = (this.#usedIndex + 1) & 0xffff) {
      const at = this.used + 4 + 8 * (this.#usedIndex % this.size);
      const head = this.#memory.readUint32(at);
      buffers.push({ head, written: this.#memory.readUint32(at + 4), bytes: this.#content(head) });
    }
    return buffers;
  }

  #place(part: Part): { at: number; length: number; flags: number } {
    const length = typeof part === "number" ? part : part.length;
    const at = this.#allocator.take(length + this.gap, 1);
    if (typeof part !== "number") this.#memory.write(at, part);
    return { at, length, flags: typeof part === "number" ? WRITE : 0 };
  }

  #offerIndirect(head: number, pieces: readonly { at: number; length: number; flags: number }[]): void {
    const table = this.#allocator.take(16 * pieces.length);
    pieces.forEach((piece, i) => this.setDescriptor(i, { ...link(piece, i, pieces.length), next: i + 1 }, table));
    this.setDescriptor(head, { address: BigInt(table), length: 16 * pieces.length, flags: INDIRECT, next: 0 });
  }

  #content(head: number): Uint8Array {
    const parts = this.#writable.get(head) ?? [];
    return Uint8Array.from(parts.flatMap(({ at, length }) => [...this.#memory.bytes(at, length)]));
  }
}

function link(piece: { at: number; length: number; flags: number }, i: number, count: number): Omit<Descriptor, "next"> {
  return { address: BigInt(piece.at), length: piece.length, flags: piece.flags | (i + 1 < count ? NEXT : 0) };
}
