// What a run came to, and what of it is compared.
import { at, X87, XMM } from "../../../src/cpu/state.ts";
import { SLOT_PAGES } from "./space.ts";

/** An exception that was raised on the way. */
export interface Raised {
  readonly vector: number;
  readonly error: number | undefined;
  readonly rip: bigint;
  readonly rsp: bigint;
  readonly rflags: bigint;
  readonly cr2: bigint;
}

/** How a run ended, and all it left. */
export interface Ending {
  readonly kind: "done" | "shutdown" | "timeout";
  readonly raised: readonly Raised[];
  readonly rflags: number;
  /** The processor's state up to the scratch area. */
  readonly state: Uint8Array;
  /** Those of the slot's pages that are not what they were, by number. */
  readonly pages: readonly (Uint8Array | undefined)[];
  /** What devices were told, as a hash. */
  readonly devices: number;
  readonly retired: number;
  /** Interrupts return at once up to the end: the sequence has not turned paging off, taken other tables, or written over them. */
  readonly isAtHome: boolean;
}

/** Bytes of the state that endings have. */
export const STATE_BYTES = 0x680;

/** Parts of the state that a guest can see, by name: offset and length. */
export const VISIBLE: readonly (readonly [name: string, offset: number, length: number])[] = [
  ...["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"].map(
    (n, i) => [n, i * 8, 8] as const,
  ),
  ["segment bases", 0x90, 0x40],
  ["rip", at("rip"), 8],
  ["cpl", at("cpl"), 4],
  ["mode", at("mode"), 4],
  ["shadow", at("shadow"), 4],
  ["control registers and segments", 0x200, at("mxcsr") - 0x200],
  ...(["mxcsr", "fcw", "fsw", "ftw", "ftop", "fop", "fip", "fdp", "fcs", "fds"] as const).map(
    (n) => [n, at(n), n === "mxcsr" ? 4 : n.startsWith("fi") || n === "fdp" ? 8 : n === "ftw" || n === "ftop" ? 1 : 2] as const,
  ),
  ["other registers", at("specCtrl"), 0x18],
  ...Array.from({ length: 16 }, (_, i) => [`xmm${i}`, XMM + i * 16, 16] as const),
  ...Array.from({ length: 8 }, (_, i) => [`fpr${i}`, X87 + i * 16, 10] as const),
];

/** The bits of each 32-bit word of the state that a guest can see. */
export const VISIBLE_BITS: Int32Array = (() => {
  const bytes = new Uint8Array(STATE_BYTES);
  for (const [, offset, length] of VISIBLE) bytes.fill(0xff, offset, offset + length);
  return new Int32Array(bytes.buffer);
})();

/** Copies of endings, in memory that is used again. */
export class Keeper {
  readonly #states: Uint8Array[] = [];
  readonly #pages: Uint8Array[] = [];
  #usedStates = 0;
  #usedPages = 0;

  /** An ending that stays as it is when the next run begins. */
  keep(ending: Ending): Ending {
    const state = (this.#states[this.#usedStates++] ??= new Uint8Array(STATE_BYTES));
    state.set(ending.state);
    return { ...ending, state, pages: ending.pages.map((page) => (page ? this.#page(page) : undefined)) };
  }

  #page(bytes: Uint8Array): Uint8Array {
    const page = (this.#pages[this.#usedPages++] ??= new Uint8Array(0x1000));
    page.set(bytes);
    return page;
  }

  /** Nobody needs the endings kept so far. */
  reset(): void {
    this.#usedStates = this.#usedPages = 0;
  }
}

/** Those of a slot's pages that differ from what they were. */
export function changedPages(now: readonly Uint8Array[], before: readonly Uint8Array[]): (Uint8Array | undefined)[] {
  const changed: (Uint8Array | undefined)[] = [];
  for (let i = 0; i < SLOT_PAGES; i++) changed.push(Buffer.compare(now[i]!, before[i]!) === 0 ? undefined : now[i]!);
  return changed;
}
