// The variables that a region keeps, numbered, so that sets of them and values by them are cheap to copy: that happens at every branch.
import type { Expr, Type, Variable } from "../ir/types.ts";
import { GPR64, XMM } from "../state.ts";

/** A variable that stands for a part of the processor's state within a region. */
export interface KeptVariable extends Variable {
  /** 0 to MOST_KEPT - 1. */
  readonly number: number;
  /** Where the state has it, if it stays there: it is no local then. */
  readonly resident?: number;
}

/** Numbers of flags, general registers and XMM registers begin here. */
export const KEPT_NUMBER = { flags: 0, gpr: 5, xmm: 21 } as const;
/** How many numbers there are. */
export const MOST_KEPT = 37;

/** Values by the numbers of variables, undefined where nothing is known. */
export type KnownValues = (Expr | undefined)[];

/** Nothing known. */
export function noValues(): KnownValues {
  return new Array<Expr | undefined>(MOST_KEPT).fill(undefined);
}

const resident = (type: Type, number: number, name: string, offset: number): KeptVariable => ({
  type,
  index: -1,
  number,
  name,
  resident: offset,
});

/** The registers where the state has them. */
export const RESIDENT: { readonly gpr: readonly KeptVariable[]; readonly xmm: readonly KeptVariable[] } = {
  gpr: GPR64.map((name, n) => resident("i64", KEPT_NUMBER.gpr + n, name, n * 8)),
  xmm: Array.from({ length: 16 }, (_, n) => resident("v128", KEPT_NUMBER.xmm + n, `xmm${n}`, XMM + n * 16)),
};

/** A set of kept variables. */
export class KeptSet {
  /** Numbers below 32, and those from there on. */
  #low = 0;
  #high = 0;

  add({ number }: KeptVariable): void {
    if (number < 32) this.#low |= 1 << number;
    else this.#high |= 1 << (number - 32);
  }

  has({ number }: KeptVariable): boolean {
    return ((number < 32 ? this.#low >> number : this.#high >> (number - 32)) & 1) !== 0;
  }

  addAll(others: KeptSet): void {
    this.#low |= others.#low;
    this.#high |= others.#high;
  }

  /** Forgets the values of the variables in the set. */
  forgetIn(known: KnownValues): void {
    forget(known, this.#low, 0);
    forget(known, this.#high, 32);
  }
}

function forget(known: KnownValues, bits: number, first: number): void {
  for (let left = bits; left !== 0; left &= left - 1) known[first + 31 - Math.clz32(left & -left)] = undefined;
}

/** What some part of a region keeps in locals. */
export class KeptVariables {
  readonly gpr: (KeptVariable | undefined)[] = [];
  readonly xmm: (KeptVariable | undefined)[] = [];
  /** In the order of their first use. */
  readonly used: { readonly v: KeptVariable; readonly offset: number }[] = [];
  readonly dirty: KeptSet = new KeptSet();
}
