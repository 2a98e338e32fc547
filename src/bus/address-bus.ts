// What the port bus and the memory-mapped bus have in common: who owns which addresses, and how an access finds its register.
//
// Fixed regions are claimed while a board is built; two of them on one address is an error of the configuration. Windows are placed by the
// guest (PCI base address registers), which may well put one over another for a while: then fixed regions win, and older windows.
import { VmError } from "../support/errors.ts";
import type { Log } from "../support/log.ts";
import { RangeMap, type Range } from "../support/range-map.ts";
import { FLOAT, type IoHandler, type Width } from "./region.ts";

/** Called after every access, for tracing. */
export type AccessProbe = (kind: "read" | "write", address: number, width: Width, value: number) => void;

/** A region whose address is decided later, by the guest. */
export type WindowRegion = IoHandler & { readonly name: string; readonly length: number };

/** A place on the bus that can be moved. */
export interface Window {
  readonly name: string;
  /** Where it is, or null while it is nowhere. */
  readonly address: number | null;
  /** Moves it; an address at which it does not fit on the bus leaves it nowhere. */
  map(address: number): void;
  unmap(): void;
}

/** A stretch of addresses with one handler; `base` is where the handler's offset 0 lies. */
export interface Segment {
  readonly start: number;
  readonly end: number;
  readonly base: number;
  readonly handler: IoHandler;
}

const FIXED = 0;
const WINDOW = 1;

// A guest can touch any number of addresses; the log need not hold them all.
const UNCLAIMED_LOGGED = 256;

/** One address space of registers. Subclasses say how an address finds its segment, fast. */
export abstract class AddressBus {
  /** Null costs one comparison an access. */
  onAccess: AccessProbe | null = null;
  /** Replaced whenever a claim changes; covers every address. */
  protected segments: readonly Segment[];
  readonly #space: string;
  readonly #size: number;
  readonly #log: Log;
  readonly #ranges: RangeMap<WindowRegion> = new RangeMap();
  readonly #missed = new Set<number>();
  readonly #nothing: IoHandler = {
    read: (address, width) => this.#miss("read", address, FLOAT[width]),
    write: (address, _, value) => void this.#miss("write", address, value),
  };

  /**
   * @param space what the addresses are, for messages ("port", "memory")
   * @param size  one past the highest address
   */
  constructor(space: string, size: number, log: Log) {
    this.#space = space;
    this.#size = size;
    this.#log = log;
    this.segments = this.#segments();
  }

  /** The segment of an address from 0 to one access past the end of the bus. */
  protected abstract segmentAt(address: number): Segment;

  /** Follows a change of `segments`. */
  protected abstract changed(): void;

  /** Claims a fixed region. Throws VmError CONFIG_INVALID when it does not fit or another fixed region is there. */
  claim(region: WindowRegion & { readonly base: number }): void {
    const { name, base, length } = region;
    const place = `${this.#space} ${show(base, length)} for "${name}"`;
    if (!this.#fits(base, length))
      throw new VmError("CONFIG_INVALID", `Cannot claim ${place}: beyond the end of the address space`, { data: { name, base, length } });
    const other = this.#ranges.overlapping(base, length, FIXED);
    if (other !== undefined) {
      const taken = show(other.start, other.end - other.start);
      throw new VmError("CONFIG_INVALID", `Cannot claim ${place}: "${other.value.name}" has ${taken}`, {
        data: { name, base, length, other: other.value.name, otherBase: other.start, otherLength: other.end - other.start },
      });
    }
    this.#ranges.insert(base, length, region, FIXED);
    this.#update();
  }

  /** Announces a region that the guest will place; it is nowhere until `map`. */
  window(region: WindowRegion): Window {
    let range: Range<WindowRegion> | undefined;
    const unmap = (): void => {
      if (range === undefined) return;
      this.#ranges.remove(range);
      range = undefined;
      this.#update();
    };
    const map = (address: number): void => {
      if (range?.start === address) return;
      unmap();
      if (!this.#fits(address, region.length)) return;
      range = this.#ranges.insert(address, region.length, region, WINDOW);
      this.#update();
    };
    return {
      name: region.name,
      get address() {
        return range?.start ?? null;
      },
      map,
      unmap,
    };
  }

  /** Reads a register; all-ones where nothing answers. */
  read(address: number, width: Width): number {
    const segment = this.segmentAt(address);
    const value = address + width <= segment.end ? segment.handler.read(address - segment.base, width) : this.#readAcross(address, width);
    if (this.onAccess !== null) this.onAccess("read", address, width, value);
    return value;
  }

  /** Writes a register; nothing happens where nothing answers. */
  write(address: number, width: Width, value: number): void {
    const segment = this.segmentAt(address);
    if (address + width <= segment.end) segment.handler.write(address - segment.base, width, value);
    else this.#writeAcross(address, width, value);
    if (this.onAccess !== null) this.onAccess("write", address, width, value);
  }

  #readAcross(address: number, width: Width): number {
    let value = 0;
    for (let done = 0; done < width;) {
      const segment = this.segmentAt(address + done);
      const step = stepWithin(segment, address + done, width - done);
      value += segment.handler.read(address + done - segment.base, step) * 2 ** (8 * done);
      done += step;
    }
    return value;
  }

  #writeAcross(address: number, width: Width, value: number): void {
    for (let done = 0; done < width;) {
      const segment = this.segmentAt(address + done);
      const step = stepWithin(segment, address + done, width - done);
      segment.handler.write(address + done - segment.base, step, ((value >>> (8 * done)) & FLOAT[step]) >>> 0);
      done += step;
    }
  }

  #fits(base: number, length: number): boolean {
    return base >= 0 && length > 0 && base + length <= this.#size;
  }

  #update(): void {
    this.segments = this.#segments();
    this.changed();
  }

  #segments(): readonly Segment[] {
    return this.#ranges.spans.map(({ start, end, range }) => ({
      start,
      end,
      base: range?.start ?? 0,
      handler: range?.value ?? this.#nothing,
    }));
  }

  #miss(kind: "read" | "write", address: number, value: number): number {
    if (this.#missed.size < UNCLAIMED_LOGGED && !this.#missed.has(address)) {
      this.#missed.add(address);
      this.#log.warnOnce(`bus.${this.#space}.${address}`, `Nothing answers a ${kind} of ${this.#space} ${address.toString(16)}h`);
    }
    return value;
  }
}

/** The widest access from `address` that stays within the segment and the bytes left. */
function stepWithin(segment: Segment, address: number, left: number): Width {
  const room = Math.min(segment.end - address, left);
  return room >= 4 ? 4 : room >= 2 ? 2 : 1;
}

function show(base: number, length: number): string {
  return `${base.toString(16)}h..${(base + length - 1).toString(16)}h`;
}
