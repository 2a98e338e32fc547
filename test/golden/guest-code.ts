// Hand-written guest code as the translator sees code of a machine.
import { VIEW } from "../../src/cpu/engine/layout.ts";
import { CPU_BASE } from "../../src/cpu/engine/processor.ts";
import { MODE } from "../../src/cpu/state.ts";
import type { CodeSource, WaysGone } from "../../src/cpu/translate/source.ts";

/** 64-bit code, or 32-bit code with flat segments. */
export type Width = 64 | 32;

const PAGE = 0x1000;

/** Code of a page or more, all of which has run; a region's deltas are offsets in it. */
export class GuestCode implements CodeSource {
  /** Host address of the first page. */
  static readonly host = 0x20_0000;
  /** Host address of the processor's state. */
  static readonly state = CPU_BASE;
  /** LOCK prefixes without an end: nothing can be decoded there, whatever the mode. */
  static readonly nothing = 0xf0;
  readonly mode: number;
  readonly base = GuestCode.state;
  readonly view = GuestCode.state + VIEW.user;
  readonly #pages: readonly Uint8Array[];
  readonly #entries: ReadonlySet<number>;

  /** @param entries offsets of places, beside the beginning, where the region may be entered */
  constructor(width: Width, bytes: Uint8Array, entries: readonly number[] = []) {
    this.mode = width === 64 ? MODE.long : MODE.code32 | MODE.stack32;
    this.#pages = Array.from({ length: Math.ceil(bytes.length / PAGE) }, (_, i) => {
      const page = new Uint8Array(PAGE).fill(GuestCode.nothing);
      page.set(bytes.subarray(i * PAGE, (i + 1) * PAGE));
      return page;
    });
    this.#entries = new Set(entries.map((offset) => GuestCode.host + offset));
  }

  page(host: number): Uint8Array {
    return this.#pages[(host - GuestCode.host) / PAGE]!;
  }

  readonly isKernel = false;
  readonly isWide = false;

  hostPage(pages: number): number {
    return pages in this.#pages ? GuestCode.host + pages * PAGE : 0;
  }

  hot(host: number): boolean {
    return this.#entries.has(host);
  }

  hotInPage(host: number): readonly number[] {
    return [...this.#entries].filter((entry) => entry - (entry % PAGE) === host);
  }

  known(): boolean {
    return true;
  }

  deltaOf(): undefined {}

  pointer(): undefined {}

  entered(): boolean {
    return false;
  }

  sizeAt(): number {
    return 0;
  }

  records(): readonly number[] {
    return [];
  }

  targets(): readonly number[] {
    return [];
  }

  ways(): WaysGone {
    return { taken: 0, notTaken: 0 };
  }
}
