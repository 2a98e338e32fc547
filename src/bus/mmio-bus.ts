// Memory-mapped registers. Whether an address is RAM has been decided before; what arrives here is not.
import type { Log } from "../support/log.ts";
import { findSpan } from "../support/range-map.ts";
import { AddressBus, type Segment } from "./address-bus.ts";

// MAXPHYADDR is at most 52 bits (SDM 3A §4.1.4).
const ADDRESSES = 2 ** 52;

/** The guest-physical space outside RAM. */
export class MmioBus extends AddressBus {
  // Drivers touch one device many times in a row.
  #last: Segment;

  constructor(log: Log) {
    super("memory", ADDRESSES, log);
    this.#last = this.segments[0]!;
  }

  protected override segmentAt(gpa: number): Segment {
    const last = this.#last;
    if (gpa >= last.start && gpa < last.end) return last;
    return (this.#last = findSpan(this.segments, gpa));
  }

  protected override changed(): void {
    this.#last = this.segments[0]!;
  }
}
