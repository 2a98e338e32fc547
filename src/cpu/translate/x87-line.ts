// What is known of the x87 stack along a straight line: TOP, tags, status word and contents as expressions. The state in memory stays
// true all the time; only loads and looks at tags are spared.
//
// Registers are numbered from where TOP was when the line began to know it.
import type { Expr } from "../ir/types.ts";

const COUNT = 8;
const nothing = (): (Expr | undefined)[] => new Array<Expr | undefined>(COUNT).fill(undefined);

/** Knowledge of the x87 stack. */
export class X87Line {
  /** The line's first value of TOP, and how far TOP is from there now. */
  first: Expr | undefined;
  distance = 0;
  tags: Expr | undefined;
  status: Expr | undefined;
  /** Registers that are known to hold something, and to be empty: bits. */
  full = 0;
  empty = 0;
  /** Physical numbers, heads and significands by number, as far as there is an expression. */
  readonly names: (Expr | undefined)[];
  readonly heads: (Expr | undefined)[];
  readonly significands: (Expr | undefined)[];

  constructor(
    names: (Expr | undefined)[] = nothing(),
    heads: (Expr | undefined)[] = nothing(),
    significands: (Expr | undefined)[] = nothing(),
  ) {
    this.names = names;
    this.heads = heads;
    this.significands = significands;
  }

  /** The same, to go on from. */
  copy(): X87Line {
    const line = new X87Line(this.names.slice(), this.heads.slice(), this.significands.slice());
    line.first = this.first;
    line.distance = this.distance;
    line.tags = this.tags;
    line.status = this.status;
    line.full = this.full;
    line.empty = this.empty;
    return line;
  }

  /** Notes that a register holds something. */
  fill(n: number): void {
    this.full |= 1 << n;
    this.empty &= ~(1 << n);
  }

  /** Notes that a register is empty. */
  clear(n: number): void {
    this.empty |= 1 << n;
    this.full &= ~(1 << n);
  }

  /** Notes that tags have become whatever they are. */
  forgetTags(): void {
    this.full = this.empty = 0;
  }
}
