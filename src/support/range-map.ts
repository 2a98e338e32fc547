// Which of many half-open ranges of numbers owns an address, when ranges may hide one another.
//
//   ranges      |---- A (0) ----|          |-- B (0) --|
//                        |--------- C (1) ---------|
//   spans    bg |---- A --------|---- C ---|-- B ------| bg
//
// The lower rank wins, then the older range. Removing a range uncovers what it hid.

/** A range as inserted: [start, end). */
export interface Range<T> {
  readonly start: number;
  readonly end: number;
  readonly rank: number;
  readonly value: T;
}

/** A stretch of addresses [start, end) with one owner; `range` is undefined where the background shows. */
export interface Span<T> {
  readonly start: number;
  readonly end: number;
  readonly range: Range<T> | undefined;
}

/** Ranges over the addresses from 0 up; every address lies in exactly one span. */
export class RangeMap<T> {
  #ranges: Range<T>[] = [];
  #spans: readonly Span<T>[] = [{ start: 0, end: Number.POSITIVE_INFINITY, range: undefined }];

  /** All spans in order of address, without gaps: from 0 to infinity. */
  get spans(): readonly Span<T>[] {
    return this.#spans;
  }

  /** Adds a range of `length` > 0 from `start` >= 0. Ranges of a lower rank hide it; older ones of its own rank do too. */
  insert(start: number, length: number, value: T, rank = 0): Range<T> {
    const range: Range<T> = { start, end: start + length, rank, value };
    const behind = this.#ranges.findIndex((other) => other.rank > rank);
    this.#ranges.splice(behind < 0 ? this.#ranges.length : behind, 0, range);
    this.#spans = flatten(this.#ranges);
    return range;
  }

  /** Removes a range that `insert` returned; one that is not there is no matter. */
  remove(range: Range<T>): void {
    this.#ranges = this.#ranges.filter((other) => other !== range);
    this.#spans = flatten(this.#ranges);
  }

  /** The first range of `rank` that shares an address with [start, start + length). */
  overlapping(start: number, length: number, rank = 0): Range<T> | undefined {
    return this.#ranges.find((other) => other.rank === rank && other.start < start + length && start < other.end);
  }

  /** The span that an address >= 0 lies in. */
  find(address: number): Span<T> {
    return findSpan(this.#spans, address);
  }
}

/** The last of `spans` (ascending, not empty, the first at or below `address`) that starts at or below `address`. */
export function findSpan<S extends { readonly start: number }>(spans: readonly S[], address: number): S {
  let low = 0;
  let high = spans.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (spans[middle]!.start <= address) low = middle;
    else high = middle - 1;
  }
  return spans[low]!;
}

/** Boards have some dozens of ranges and change them seldom: quadratic and plain beats clever. */
function flatten<T>(ranges: readonly Range<T>[]): readonly Span<T>[] {
  const edges = [...new Set([0, ...ranges.flatMap(({ start, end }) => [start, end])])].sort((a, b) => a - b);
  const spans: Span<T>[] = [];
  edges.forEach((start, index) => {
    const end = edges[index + 1] ?? Number.POSITIVE_INFINITY;
    const range = ranges.find((each) => each.start <= start && start < each.end);
    const last = spans.at(-1);
    if (last !== undefined && last.range === range) spans[spans.length - 1] = { start: last.start, end, range };
    else spans.push({ start, end, range });
  });
  return spans;
}
