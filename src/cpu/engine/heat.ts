// How often places in guest code were met by samples, lately and over a longer time.

/** All counts are halved each time that this many samples have been taken: what ran long ago is not hot. */
const HALF_LIFE = 0x4000;
/** Samples in a period that counts as the present: some 30 ms. */
const RECENT = 1024;

/** Samples by place (place.ts). */
export class Heat {
  readonly #counts = new Map<number, number>();
  #samples = 0;
  /** Samples in the present period, and in the one before. */
  #recent = new Map<number, number>();
  #recentBefore: ReadonlyMap<number, number> = new Map();

  /** Samples taken so far, at all places. */
  get samples(): number {
    return this.#samples;
  }

  /** The places that are not cold. */
  places(): Float64Array {
    return Float64Array.from(this.#counts.keys());
  }

  /** Counts a sample. → how hot the place is now */
  note(place: number): number {
    const heat = (this.#counts.get(place) ?? 0) + 1;
    this.#counts.set(place, heat);
    this.#recent.set(place, (this.#recent.get(place) ?? 0) + 1);
    this.#samples++;
    if (this.#samples % HALF_LIFE === 0) this.#cool();
    if (this.#samples % RECENT === 0) {
      this.#recentBefore = this.#recent;
      this.#recent = new Map();
    }
    return heat;
  }

  /** The place begins anew. */
  forget(place: number): void {
    this.#counts.delete(place);
  }

  /** How urgent a place is, to compare: by how often it is met now, then by how often it was; 0 for what is not met now. */
  urgencyOf(place: number): number {
    const now = (this.#recent.get(place) ?? 0) + (this.#recentBefore.get(place) ?? 0);
    return now === 0 ? 0 : now * HALF_LIFE + (this.#counts.get(place) ?? 0);
  }

  #cool(): void {
    for (const [place, heat] of this.#counts) {
      if (heat < 2) this.#counts.delete(place);
      else this.#counts.set(place, heat >> 1);
    }
  }
}
