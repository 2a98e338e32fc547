// Timers by the time they are due: a binary heap. Cancelled ones stay in it until their time comes or they are the larger part.

interface Entry {
  readonly at: number;
  /** Timers of one time fire in the order they were added. */
  readonly order: number;
  /** Null once cancelled or fired. */
  fire: (() => void) | null;
}

/** What `add` gives back. */
export interface QueuedTimer {
  cancel(): void;
}

/** Fewer cancelled timers than this are not worth a sweep. */
const SWEEP_FROM = 64;

/** A queue of timers; times are numbers on any one scale. */
export class TimerQueue {
  #heap: Entry[] = [];
  #orders = 0;
  #cancelled = 0;

  /** Adds a timer. */
  add(at: number, fire: () => void): QueuedTimer {
    const entry: Entry = { at, order: this.#orders++, fire };
    this.#heap.push(entry);
    this.#rise(this.#heap.length - 1);
    return { cancel: () => this.#cancel(entry) };
  }

  /** When the next timer is due; Infinity when there is none. */
  get nextAt(): number {
    return this.#first()?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Fires what is due at `now`, in order. Timers that are added meanwhile wait for the next call, due or not: nothing can loop here. */
  fireDue(now: number): void {
    const limit = this.#orders;
    const late: Entry[] = [];
    for (let entry = this.#first(); entry !== undefined && entry.at <= now; entry = this.#first()) {
      this.#take();
      if (entry.order >= limit) late.push(entry);
      else this.#fire(entry);
    }
    for (const entry of late) {
      this.#heap.push(entry);
      this.#rise(this.#heap.length - 1);
    }
  }

  #fire(entry: Entry): void {
    const { fire } = entry;
    entry.fire = null;
    fire?.();
  }

  #cancel(entry: Entry): void {
    if (entry.fire === null) return;
    entry.fire = null;
    this.#cancelled++;
    if (this.#cancelled > SWEEP_FROM && this.#cancelled > this.#heap.length / 2) this.#sweep();
  }

  #sweep(): void {
    this.#heap = this.#heap.filter(({ fire }) => fire !== null).sort((a, b) => (before(a, b) ? -1 : 1));
    this.#cancelled = 0;
  }

  /** The entry that is due next. */
  #first(): Entry | undefined {
    while (this.#heap[0]?.fire === null) {
      this.#take();
      this.#cancelled--;
    }
    return this.#heap[0];
  }

  /** Removes the entry at the top. */
  #take(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #rise(from: number): void {
    const heap = this.#heap;
    const entry = heap[from]!;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const entry = heap[from]!;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, entry)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = entry;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
