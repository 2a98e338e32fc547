// How much of the arena is used before it is dropped. A boot runs through much code once, and every record that was ever written stays
// resident: so little is used at first, and more when the guest shows that it comes back to code which had to be dropped.
import { ARENA_SIZE, HASH_MULTIPLIER } from "./layout.ts";

const FIRST_LIMIT = 0x20_0000;
/** Where hot code is translated: with the records every region is dropped, until its entry has been decoded again. */
const FIRST_LIMIT_WITH_REGIONS = 0x200_0000;
/** Decoding an instruction takes as long as running some hundreds, so this leaves a twentieth of the time for decoding again at most. */
const EXECUTED_PER_DECODED_AGAIN = 8192;
/** Bits of the set of blocks, which is inexact: two blocks may share a bit. */
const SET_BITS = 20;
/** Bits taken after which the set is begun anew: most blocks would seem to be known. */
const MOST_SEEN = 0.7 * 2 ** SET_BITS;

/** What happened between two flushes. */
export interface Filling {
  /** Blocks and instructions that were decoded. */
  readonly blocks: number;
  readonly decoded: number;
  /** Instructions that were executed. */
  readonly executed: number;
}

/** The size of the arena that is in use. */
export class ArenaLimit {
  /** Bytes of records after which everything is to be dropped. */
  bytes: number;
  /** Blocks that were decoded at any time: a guest that goes round in more code than there is room for comes back late. */
  readonly #seen = new Uint8Array(2 ** (SET_BITS - 3));
  #count = 0;
  #again = 0;
  #wasTooSmall = false;
  readonly #hasRegions: boolean;

  constructor(hasRegions = false) {
    this.#hasRegions = hasRegions;
    this.bytes = hasRegions ? FIRST_LIMIT_WITH_REGIONS : FIRST_LIMIT;
  }

  /** Notes a block that was decoded from a host address. */
  note(host: number): void {
    const bit = Math.imul(host, HASH_MULTIPLIER) >>> (32 - SET_BITS);
    const mask = 1 << (bit & 7);
    if (this.#seen[bit >> 3]! & mask) this.#again++;
    else this.#count++;
    this.#seen[bit >> 3]! |= mask;
  }

  /**
   * Everything was dropped. Doubles the limit when dropping cost too much twice in a row: once may be a phase that passes. Where regions
   * went with it, once is enough.
   */
  dropped({ blocks, decoded, executed }: Filling): void {
    const again = blocks === 0 ? 0 : (decoded * this.#again) / blocks;
    const tooSmall = again * EXECUTED_PER_DECODED_AGAIN > executed;
    if (tooSmall && (this.#wasTooSmall || this.#hasRegions)) this.bytes = Math.min(this.bytes * 2, ARENA_SIZE);
    this.#wasTooSmall = tooSmall;
    this.#again = 0;
    if (this.#count < MOST_SEEN) return;
    this.#seen.fill(0);
    this.#count = 0;
  }
}
