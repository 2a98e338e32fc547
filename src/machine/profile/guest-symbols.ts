// All symbols that a user gave for a guest: files of either kind, where they lie, and what an address is called.
import { isElf } from "../../firmware/elf.ts";
import { readElfSymbols } from "./symbol-elf.ts";
import { readSymbolText } from "./symbol-text.ts";
import type { FoundSymbol, SymbolTable } from "./symbols.ts";

/** A symbol and the file that it is from. */
export interface NamedCode extends FoundSymbol {
  readonly file: string;
}

/** Linux's entry of 64-bit system calls, whose address the guest gives to its processor. */
const SYSTEM_CALL_ENTRY = "entry_SYSCALL_64";
/** Kernels are moved by whole steps of this (Linux CONFIG_PHYSICAL_ALIGN), and stay within 1 GiB. */
const SLIDE_STEP = 0x20_0000n;
const SLIDE_MAX = 1n << 30n;

/** The symbols of one guest. */
export class GuestSymbols {
  readonly #tables: { readonly table: SymbolTable; readonly isPlaced: boolean }[] = [];
  readonly #known = new Map<bigint, NamedCode | undefined>();

  /**
   * Takes in a file.
   * @param label what to call it
   * @param bias what the guest's addresses are above the file's; undefined: they are the same unless `findKernel` knows better
   * Throws SYMBOLS_INVALID.
   */
  add(label: string, bytes: Uint8Array, bias: bigint | undefined): void {
    const table = isElf(bytes) ? readElfSymbols(label, bytes) : readSymbolText(label, bytes);
    table.bias = bias ?? 0n;
    this.#tables.push({ table, isPlaced: bias !== undefined });
  }

  /**
   * Moves kernels to where they run: Linux tells its processor where `entry_SYSCALL_64` is, and moves itself as a whole at boot (KASLR).
   * @param entry the processor's LSTAR, 0 when the guest has not set it
   * @returns labels of files whose kernel is not the one that ran
   */
  findKernel(entry: bigint): readonly string[] {
    const strangers: string[] = [];
    for (const { table, isPlaced } of this.#tables) {
      const own = table.addressOf(SYSTEM_CALL_ENTRY);
      if (own === undefined || isPlaced || entry === 0n) continue;
      const slide = BigInt.asIntN(64, entry - own);
      if (slide % SLIDE_STEP !== 0n || slide > SLIDE_MAX || slide < -SLIDE_MAX) strangers.push(table.label);
      else table.bias = BigInt.asUintN(64, slide);
    }
    this.#known.clear();
    return strangers;
  }

  /** What is at a linear address; the first file that knows it answers. */
  find(linear: bigint): NamedCode | undefined {
    if (this.#known.has(linear)) return this.#known.get(linear);
    const found = this.#search(linear);
    this.#known.set(linear, found);
    return found;
  }

  #search(linear: bigint): NamedCode | undefined {
    for (const { table } of this.#tables) {
      const symbol = table.find(linear);
      if (symbol !== undefined) return { ...symbol, file: table.label };
    }
    return undefined;
  }
}
