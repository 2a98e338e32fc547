// Split virtqueues, device side (VIRTIO 1.3 §2.7): takes the driver's buffers from the available ring and gives them back on the
// used ring. Every value read from guest memory is checked; one that no correct driver writes breaks the queue until the device
// is reset (§2.1.2). Packed rings and in-order use are not offered.
import type { GuestMemory } from "../../memory/guest-memory.ts";
import { boolean, record, u16, u64, type Schema } from "../../support/schema.ts";
import { Segments } from "./segments.ts";
import { AVAIL_F_NO_INTERRUPT, DESC_F_INDIRECT, DESC_F_NEXT, DESC_F_WRITE, DESCRIPTOR, F_EVENT_IDX, F_INDIRECT_DESC } from "./spec.ts";

/** What the driver set up, and how far both sides are. */
export interface QueueState {
  /** Entries: a power of two once enabled. */
  size: number;
  enabled: boolean;
  /** Guest-physical addresses of descriptor table, available ring and used ring, as the driver wrote them. */
  desc: bigint;
  driver: bigint;
  device: bigint;
  /** Free-running index of the next available entry to take. */
  nextAvail: number;
  /** Free-running index of the next used entry to fill. */
  nextUsed: number;
  /** `nextUsed` when the driver was last considered for a notification. */
  signalled: number;
}

/** Describes QueueState. */
export const QUEUE_STATE: Schema<QueueState> = record<QueueState>({
  size: u16,
  enabled: boolean,
  desc: u64,
  driver: u64,
  device: u64,
  nextAvail: u16,
  nextUsed: u16,
  signalled: u16,
});

/** Power-on state of a queue that may have up to `size` entries. */
export function freshQueue(size: number): QueueState {
  return { size, enabled: false, desc: 0n, driver: 0n, device: 0n, nextAvail: 0, nextUsed: 0, signalled: 0 };
}

/** What a queue tells its transport. */
export interface QueueEvents {
  /** The driver wants to know that buffers were used. */
  notifyDriver(queue: number): void;
  /** The driver broke the rules; the queue has stopped. */
  broken(queue: number, reason: string): void;
}

/** A buffer that the driver lent to the device. Belongs to the device until it is pushed. */
export class Chain {
  /** Device-readable bytes. */
  readonly readable: Segments;
  /** Device-writable bytes. */
  readonly writable: Segments;
  /** Index of the first descriptor, which names the buffer to the driver. */
  head = 0;
  /** Which activation of the queue it came from. */
  epoch = 0;

  constructor(memory: GuestMemory) {
    this.readable = new Segments(memory);
    this.writable = new Segments(memory);
  }
}

/** One virtqueue. */
export class VirtQueue {
  readonly index: number;
  /** Most entries that the device allows. */
  readonly maxSize: number;
  state: QueueState;
  readonly #memory: GuestMemory;
  readonly #events: QueueEvents;
  readonly #free: Chain[] = [];
  readonly #fence = new Int32Array(new SharedArrayBuffer(4));
  #epoch = 0;
  #live = false;
  #eventIdx = false;
  #indirect = false;
  // Host offsets of the three parts, while live.
  #desc = 0;
  #avail = 0;
  #used = 0;

  constructor(index: number, maxSize: number, memory: GuestMemory, events: QueueEvents) {
    this.index = index;
    this.maxSize = maxSize;
    this.state = freshQueue(maxSize);
    this.#memory = memory;
    this.#events = events;
  }

  /** Buffers can be taken and given back. */
  get live(): boolean {
    return this.#live;
  }

  /** Begins to work, if enabled, with the features negotiated. A layout that is not valid breaks the queue. */
  start(features: bigint): void {
    const { state } = this;
    if (!state.enabled) return;
    this.#eventIdx = (features & F_EVENT_IDX) !== 0n;
    this.#indirect = (features & F_INDIRECT_DESC) !== 0n;
    const { size } = state;
    if (size === 0 || size > this.maxSize || (size & (size - 1)) !== 0) return this.fail(`size ${size}`);
    // §2.7: alignment and size of the three parts; the event fields count whether or not they are used.
    this.#desc = this.#part(state.desc, 16, DESCRIPTOR * size);
    this.#avail = this.#part(state.driver, 2, 6 + 2 * size);
    this.#used = this.#part(state.device, 4, 6 + 8 * size);
    if (this.#desc < 0 || this.#avail < 0 || this.#used < 0) return this.fail("a ring outside of memory or misaligned");
    this.#live = true;
  }

  /** Stops until the next `start`; buffers still out are forgotten when they come back. */
  stop(): void {
    this.#live = false;
    this.#epoch++;
  }

  /** Stops for good: the driver did what no driver may. */
  fail(reason: string): void {
    this.stop();
    this.#events.broken(this.index, reason);
  }

  /** Whether a buffer is waiting. */
  get pending(): boolean {
    return this.#live && this.#available() !== this.state.nextAvail;
  }

  /** The next buffer, or undefined when there is none; asks the driver to notify when there is one again. */
  pop(): Chain | undefined {
    if (!this.#live) return undefined;
    const { state } = this;
    let available = this.#available();
    if (available === state.nextAvail && this.#eventIdx) {
      // §2.7.10: the wish to be notified must be visible before the index is looked at for the last time.
      this.#put16(this.#used + 4 + 8 * state.size, state.nextAvail);
      this.#order();
      available = this.#available();
    }
    if (available === state.nextAvail) return undefined;
    if (((available - state.nextAvail) & 0xffff) > state.size) {
      this.fail("more buffers available than entries");
      return undefined;
    }
    const chain = this.#free.pop() ?? new Chain(this.#memory);
    chain.head = this.#memory.view.getUint16(this.#avail + 4 + 2 * (state.nextAvail & (state.size - 1)), true);
    chain.epoch = this.#epoch;
    if (!this.#walk(chain)) {
      this.#free.push(chain);
      return undefined;
    }
    state.nextAvail = (state.nextAvail + 1) & 0xffff;
    return chain;
  }

  /** Whether a buffer is still the device's: a reset takes all of them back. */
  current(chain: Chain): boolean {
    return this.#live && chain.epoch === this.#epoch;
  }

  /** Gives a buffer back with `written` bytes of it filled. The chain must not be touched afterwards. */
  push(chain: Chain, written: number): void {
    this.#free.push(chain);
    if (!this.current(chain)) return;
    const { state } = this;
    const { view } = this.#memory;
    const element = this.#used + 4 + 8 * (state.nextUsed & (state.size - 1));
    view.setUint32(element, chain.head, true);
    view.setUint32(element + 4, written, true);
    this.#memory.wrote(element, 8);
    state.nextUsed = (state.nextUsed + 1) & 0xffff;
    // §2.7.8.2: the index follows the element.
    this.#put16(this.#used + 2, state.nextUsed);
  }

  /** Notifies the driver of what was pushed since the last call, if it wants to know (§2.7.7). */
  signal(): void {
    const { state } = this;
    if (!this.#live || state.nextUsed === state.signalled) return;
    this.#order();
    const wanted = this.#eventIdx ? this.#passedUsedEvent() : (this.#memory.view.getUint16(this.#avail, true) & AVAIL_F_NO_INTERRUPT) === 0;
    state.signalled = state.nextUsed;
    if (wanted) this.#events.notifyDriver(this.index);
  }

  // §2.7.7.2: notify when the index has moved past the entry that the driver named, modulo 2^16.
  #passedUsedEvent(): boolean {
    const { size, nextUsed, signalled } = this.state;
    const event = this.#memory.view.getUint16(this.#avail + 4 + 2 * size, true);
    return ((nextUsed - event - 1) & 0xffff) < ((nextUsed - signalled) & 0xffff);
  }

  /** Follows the chain from its head; false when it breaks a rule. */
  #walk(chain: Chain): boolean {
    const { view } = this.#memory;
    chain.readable.clear();
    chain.writable.clear();
    let table = this.#desc;
    let entries = this.state.size;
    let left = entries;
    let index = chain.head;
    let nested = false;
    for (;;) {
      if (index >= entries) return this.#refuse("a descriptor index beyond its table");
      // §2.7.5.2: a chain is no longer than the queue, hence a longer one is a loop.
      if (left-- === 0) return this.#refuse("a descriptor chain longer than the queue");
      const at = table + DESCRIPTOR * index;
      const flags = view.getUint16(at + 12, true);
      if ((flags & DESC_F_INDIRECT) !== 0) {
        if (nested || (flags & DESC_F_NEXT) !== 0 || !this.#indirect) return this.#refuse("an indirect descriptor where none may be");
        // §2.7.5.3.1: one level only, and nothing after it in the chain.
        const length = view.getUint32(at + 8, true);
        table = this.#memory.hostOffset(this.#address(at), length);
        if (length === 0 || length % DESCRIPTOR !== 0 || table < 0) return this.#refuse("an indirect table that is none");
        // Linux bounds indirect chains by the device's limits, not by a queue size that it made smaller than offered.
        entries = length / DESCRIPTOR;
        left = this.maxSize;
        index = 0;
        nested = true;
        continue;
      }
      if (!this.#add(chain, at, (flags & DESC_F_WRITE) !== 0)) return false;
      if ((flags & DESC_F_NEXT) === 0) return true;
      index = view.getUint16(at + 14, true);
    }
  }

  #add(chain: Chain, at: number, writable: boolean): boolean {
    const length = this.#memory.view.getUint32(at + 8, true);
    if (length === 0) return true;
    const host = this.#memory.hostOffset(this.#address(at), length);
    if (host < 0) return this.#refuse("a buffer outside of memory");
    // §2.7.4.2: device-writable parts come after all device-readable ones.
    if (!writable && chain.writable.length > 0) return this.#refuse("a readable descriptor after a writable one");
    (writable ? chain.writable : chain.readable).add(host, length);
    return true;
  }

  #refuse(reason: string): false {
    this.fail(reason);
    return false;
  }

  /** The 64-bit address at a host offset; beyond 2^53 inexact, and no RAM is there. */
  #address(at: number): number {
    const { view } = this.#memory;
    return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
  }

  #available(): number {
    return this.#memory.view.getUint16(this.#avail + 2, true);
  }

  #part(address: bigint, alignment: number, length: number): number {
    const gpa = Number(address);
    return gpa % alignment === 0 ? this.#memory.hostOffset(gpa, length) : -1;
  }

  #put16(at: number, value: number): void {
    this.#memory.view.setUint16(at, value, true);
    this.#memory.wrote(at, 2);
  }

  // A full barrier: the driver may run on another thread, and stores otherwise pass later loads.
  #order(): void {
    Atomics.add(this.#fence, 0, 0);
  }
}
