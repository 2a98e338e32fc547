// The 64 Ki I/O ports (SDM 1 §19.3). Guests poll ports in tight loops, so every port knows its segment by index.
import type { Log } from "../support/log.ts";
import { AddressBus, type Segment } from "./address-bus.ts";

const PORTS = 0x1_0000;

// A wide access at the last port reaches past the end: those few lie in the last, open segment.
const OVERHANG = 4;

/** The I/O port space. */
export class PortBus extends AddressBus {
  readonly #index = new Uint16Array(PORTS + OVERHANG);

  constructor(log: Log) {
    super("port", PORTS, log);
  }

  protected override segmentAt(port: number): Segment {
    return this.segments[this.#index[port]!]!;
  }

  protected override changed(): void {
    this.segments.forEach(({ start, end }, position) => this.#index.fill(position, start, Math.min(end, this.#index.length)));
  }
}
