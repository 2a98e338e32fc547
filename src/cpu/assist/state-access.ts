// The state table as numbers and bigints.
import { assert } from "../../support/assert.ts";
import { SEG_BASE, SEGMENTS, STATE, type StateName } from "../state.ts";

export type { StateName };

/** The table once more as a Map, which is quicker to ask than an object of this many properties. */
const SLOTS: ReadonlyMap<StateName, { readonly offset: number; readonly width: number }> = new Map(
  Object.entries(STATE) as [StateName, (typeof STATE)[StateName]][],
);

function slotOf(name: StateName): { readonly offset: number; readonly width: number } {
  const slot = SLOTS.get(name);
  assert(slot, `the processor's state has no ${name}`);
  return slot;
}

/** Reads and writes slots of one processor's state. */
export class BigIntState {
  readonly view: DataView;
  readonly #base: number;

  constructor(view: DataView, base: number) {
    this.view = view;
    this.#base = base;
  }

  /** A slot of up to 32 bits, unsigned. */
  get32(name: StateName): number {
    const { width, offset: at } = slotOf(name);
    const offset = this.#base + at;
    if (width === 8) return this.view.getUint8(offset);
    return width === 16 ? this.view.getUint16(offset, true) : this.view.getUint32(offset, true);
  }

  set32(name: StateName, value: number): void {
    const { width, offset: at } = slotOf(name);
    const offset = this.#base + at;
    if (width === 8) this.view.setUint8(offset, value);
    else if (width === 16) this.view.setUint16(offset, value, true);
    else this.view.setUint32(offset, value, true);
  }

  get64(name: StateName): bigint {
    return this.view.getBigUint64(this.#base + slotOf(name).offset, true);
  }

  set64(name: StateName, value: bigint): void {
    this.view.setBigUint64(this.#base + slotOf(name).offset, BigInt.asUintN(64, value), true);
  }

  /** Any slot by its width. */
  get(name: StateName): bigint {
    return STATE[name].width === 64 ? this.get64(name) : BigInt(this.get32(name));
  }

  set(name: StateName, value: bigint): void {
    if (STATE[name].width === 64) this.set64(name, value);
    else this.set32(name, Number(BigInt.asUintN(32, value)));
  }

  /** Base address of segment register number `n`. */
  segmentBase(n: number): bigint {
    return this.view.getBigUint64(this.#base + SEG_BASE + n * 8, true);
  }

  /** Name of a slot of segment register number `n`. */
  static segment(n: number, part: "Base" | "Selector" | "Limit" | "Access"): StateName {
    return `${SEGMENTS[n]!}${part}`;
  }
}
