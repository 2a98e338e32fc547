// Names of guest code by address.
import { VmError } from "../../support/errors.ts";

/** Symbols of one file beyond which it is refused. */
export const MOST_SYMBOLS = 2_000_000;
/** Characters of all names of one file, beyond which it is refused. */
const MOST_CHARACTERS = 1 << 26;
/** Longest name that is kept, in characters; what is longer is cut. */
export const LONGEST_NAME = 200;
/** How far a symbol of unknown size reaches, at most and in bytes. */
const REACH = 1n << 20n;

/** A symbol file that cannot be used: SYMBOLS_INVALID. */
export function symbolsInvalid(label: string, why: string): VmError {
  return new VmError("SYMBOLS_INVALID", `Cannot use symbols ${label}: ${why}`, { data: { file: label } });
}

/** What covers an address. */
export interface FoundSymbol {
  readonly name: string;
  /** Distance from the symbol's beginning, in bytes. */
  readonly offset: number;
}

/** The symbols of a file while it is read. */
export class SymbolList {
  readonly label: string;
  #addresses = new BigUint64Array(1024);
  #sizes = new Uint32Array(1024);
  readonly #names: string[] = [];
  #characters = 0;

  constructor(label: string) {
    this.label = label;
  }

  /** Takes a symbol in; a size of 0 is unknown. Throws SYMBOLS_INVALID when there are too many. */
  add(address: bigint, size: number, name: string): void {
    const n = this.#names.length;
    if (n === MOST_SYMBOLS) throw symbolsInvalid(this.label, `it has more than ${MOST_SYMBOLS} symbols of code`);
    const short = name.slice(0, LONGEST_NAME);
    this.#characters += short.length;
    if (this.#characters > MOST_CHARACTERS)
      throw symbolsInvalid(this.label, `the names of its symbols have more than ${MOST_CHARACTERS} characters`);
    if (n === this.#addresses.length) this.#grow();
    this.#addresses[n] = address;
    this.#sizes[n] = size;
    this.#names.push(short);
  }

  #grow(): void {
    const addresses = new BigUint64Array(this.#addresses.length * 2);
    addresses.set(this.#addresses);
    this.#addresses = addresses;
    const sizes = new Uint32Array(this.#sizes.length * 2);
    sizes.set(this.#sizes);
    this.#sizes = sizes;
  }

  /** The table of all of them. Throws SYMBOLS_INVALID when there is none, or when every address is 0. */
  finish(): SymbolTable {
    const count = this.#names.length;
    if (count === 0) throw symbolsInvalid(this.label, "it names no code");
    const addresses = this.#addresses.subarray(0, count);
    if (addresses.every((a) => a === 0n))
      throw symbolsInvalid(this.label, "all its addresses are 0: the guest hides them from whoever is not root (kernel.kptr_restrict)");
    const order = Uint32Array.from({ length: count }, (_, i) => i);
    if (!isSorted(addresses)) order.sort((a, b) => (addresses[a]! < addresses[b]! ? -1 : addresses[a]! > addresses[b]! ? 1 : a - b));
    return new SymbolTable(this.label, {
      addresses: BigUint64Array.from(order, (i) => addresses[i]!),
      sizes: Uint32Array.from(order, (i) => this.#sizes[i]!),
      names: Array.from(order, (i) => this.#names[i]!),
    });
  }
}

function isSorted(addresses: BigUint64Array): boolean {
  for (let i = 1; i < addresses.length; i++) if (addresses[i]! < addresses[i - 1]!) return false;
  return true;
}

/** Symbols in the order of their addresses. */
interface Columns {
  readonly addresses: BigUint64Array;
  readonly sizes: Uint32Array;
  readonly names: readonly string[];
}

/** The symbols of one file. */
export class SymbolTable {
  readonly label: string;
  /** What the guest's addresses are above those of the file, modulo 2^64. */
  bias = 0n;
  readonly #columns: Columns;

  /** For `SymbolList`. */
  constructor(label: string, columns: Columns) {
    this.label = label;
    this.#columns = columns;
  }

  get size(): number {
    return this.#columns.names.length;
  }

  /** What covers a linear address of the guest. Of several symbols at one address, the file's first. */
  find(linear: bigint): FoundSymbol | undefined {
    const { addresses, sizes, names } = this.#columns;
    const address = BigInt.asUintN(64, linear - this.bias);
    const last = upperBound(addresses, address) - 1;
    if (last < 0) return undefined;
    const start = addresses[last]!;
    const first = upperBound(addresses, start - 1n);
    const offset = address - start;
    const size = sizes[first]!;
    if (offset >= (size === 0 ? REACH : BigInt(size))) return undefined;
    return { name: names[first]!, offset: Number(offset) };
  }

  /** Address of a symbol in the file; the first of this name. */
  addressOf(name: string): bigint | undefined {
    return this.#columns.addresses[this.#columns.names.indexOf(name)];
  }
}

/** Index of the first address above `address`. */
function upperBound(addresses: BigUint64Array, address: bigint): number {
  let [low, high] = [0, addresses.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (addresses[middle]! <= address) low = middle + 1;
    else high = middle;
  }
  return low;
}
