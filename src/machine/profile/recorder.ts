// What has to be remembered of a run to tell guest code from a host's profile: regions by the names of their functions, and where the
// interpreter was. Both are bounded, however long the guest runs.
import type { ExecutionObserver, GuestPlace, ObservedRegion } from "../../cpu/engine/observer.ts";

/** Regions that are remembered; later ones have no name. */
export const MOST_REGIONS = 100_000;

interface TimedRegion {
  readonly atUs: number;
  readonly region: ObservedRegion;
}

/** Remembers one machine's run. Times are microseconds of the clock that it was given. */
export class RunRecorder implements ExecutionObserver {
  readonly #nowUs: () => number;
  readonly #spacingUs: number;
  readonly #most: number;
  readonly #regions = new Map<string, TimedRegion[]>();
  #regionCount = 0;
  #times = new Float64Array(1024);
  #places = new BigUint64Array(1024);
  #users = new Uint8Array(1024);
  #count = 0;
  #seed = 1;

  /**
   * @param spacingUs two places are never remembered within less
   * @param most places that are remembered until they are forgotten
   */
  constructor(nowUs: () => number, spacingUs: number, most: number) {
    this.#nowUs = nowUs;
    this.#spacingUs = spacingUs;
    this.#most = most;
  }

  regionTaken(region: ObservedRegion): void {
    if (this.#regionCount >= MOST_REGIONS) return;
    this.#regionCount++;
    const list = this.#regions.get(region.name) ?? [];
    list.push({ atUs: this.#nowUs(), region });
    this.#regions.set(region.name, list);
  }

  sampled(count: number, place: (index: number) => GuestPlace): void {
    const now = this.#nowUs();
    const n = this.#count;
    if (n === this.#most || (n > 0 && now - this.#times[n - 1]! < this.#spacingUs)) return;
    if (n === this.#times.length) this.#grow();
    const { linear, isUser } = place(this.#any(count));
    this.#times[n] = now;
    this.#places[n] = linear;
    this.#users[n] = isUser ? 1 : 0;
    this.#count = n + 1;
  }

  /** The region whose function had this name at a time; undefined when none ever had. */
  regionAt(name: string, atUs: number): ObservedRegion | undefined {
    const list = this.#regions.get(name);
    return (list?.findLast((each) => each.atUs <= atUs) ?? list?.[0])?.region;
  }

  /** Where the interpreter was in the slice that a time belongs to: what was remembered next, within `withinUs`. */
  placeAt(atUs: number, withinUs: number): GuestPlace | undefined {
    const next = this.#firstFrom(atUs);
    const after = next < this.#count ? this.#times[next]! - atUs : Infinity;
    const before = next > 0 ? atUs - this.#times[next - 1]! : Infinity;
    if (Math.min(after, before) > withinUs) return undefined;
    const index = after <= withinUs ? next : next - 1;
    return { linear: this.#places[index]!, isUser: this.#users[index] === 1 };
  }

  /** Forgets all places. */
  forgetPlaces(): void {
    this.#count = 0;
  }

  /** Index of the first place at or after a time. */
  #firstFrom(atUs: number): number {
    let [low, high] = [0, this.#count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#times[middle]! < atUs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** An index below `count`, each as often: always the same one would favour what slices end with (Numerical Recipes' LCG). */
  #any(count: number): number {
    this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#seed / 0x1_0000_0000) * count);
  }

  #grow(): void {
    const size = this.#times.length * 2;
    const [times, places, users] = [new Float64Array(size), new BigUint64Array(size), new Uint8Array(size)];
    times.set(this.#times);
    places.set(this.#places);
    users.set(this.#users);
    [this.#times, this.#places, this.#users] = [times, places, users];
  }
}
