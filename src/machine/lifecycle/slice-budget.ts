// How many instructions a slice of the processor may take so that it lasts a given time. Speeds differ a hundredfold between a first, cold run
// and a warm loop, so the measure follows at once when the guest gets slower, and by at most a factor of two a slice when it gets faster.

/** Instructions a nanosecond before anything has been measured: slow enough for any host. */
const FIRST_GUESS = 0.002;
const SMALLEST = 500;
/** Samples below this say more about the clock than about the processor. */
const SHORTEST_SAMPLE_NS = 20_000;

/** The measure of one processor's speed. */
export class SliceBudget {
  #perNs = FIRST_GUESS;

  /** Instructions that last about `ns`. */
  instructions(ns: number): number {
    return Math.max(SMALLEST, Math.floor(ns * this.#perNs));
  }

  /** A slice of so many instructions took `ns`. */
  measured(instructions: number, ns: number): void {
    if (ns < SHORTEST_SAMPLE_NS || instructions <= 0) return;
    this.#perNs = Math.min(instructions / ns, this.#perNs * 2);
  }
}
