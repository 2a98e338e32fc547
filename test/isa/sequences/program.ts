// A sequence before it has addresses: instructions with places to fill in, labels, branches whose length is not settled. Whatever is
// left out, the rest is still a program.
import { CODE_BYTES, codeBase, DATA, dataBase } from "./space.ts";

/** A sequence's mode. */
export type Mode = 64 | 32;

/** An address of four bytes within an instruction: RIP-relative in 64-bit code, absolute otherwise. */
export interface Address {
  /** Its offset in the instruction's bytes. */
  readonly at: number;
  /** The slot's data window at `offset`, or the code at a label plus `offset`: where it runs, or where it can be written besides. */
  readonly to:
    | { readonly area: "data"; readonly offset: number }
    | { readonly area: "label" | "alias"; readonly label: number; readonly offset: number };
  /** As a plain number, whatever the mode. */
  readonly absolute?: boolean;
}

/** An instruction. */
export interface Bytes {
  readonly kind: "bytes";
  readonly bytes: readonly number[];
  readonly addresses: readonly Address[];
}

/** A direct branch. Short and long opcodes; a branch without a long one becomes a jump when its target is far. */
export interface Branch {
  readonly kind: "branch";
  readonly short: readonly number[] | undefined;
  readonly long: readonly number[] | undefined;
  readonly label: number;
}

/** A place that others refer to. */
export interface Mark {
  readonly kind: "label";
  readonly label: number;
}

/** What a sequence is made of. */
export type Node = Bytes | Branch | Mark;

/** Code that lies together, at an offset of the slot's code pages. */
export interface Chunk {
  readonly origin: number;
  readonly nodes: readonly Node[];
}

/** A whole sequence; it begins with the first chunk. */
export interface Program {
  readonly mode: Mode;
  readonly chunks: readonly Chunk[];
}

/** A program with addresses. */
export interface Assembled {
  /** The slot's code pages. */
  readonly code: Uint8Array;
  readonly entry: number;
  /** Offsets at which an instruction begins, and the ends of chunks, ascending. */
  readonly starts: readonly number[];
  /** Offsets of labels; those beyond the code pages are not among them. */
  readonly labels: ReadonlyMap<number, number>;
  readonly instructions: number;
}

const INT3 = 0xcc;
const JMP = [0xe9];

class Assembler {
  readonly #program: Program;
  readonly #slot: number;
  readonly #long = new Set<Branch>();
  readonly #labels = new Map<number, number>();
  readonly #offsets = new Map<Node, number>();

  constructor(program: Program, slot: number) {
    this.#program = program;
    this.#slot = slot;
  }

  run(): Assembled {
    do this.#place();
    while (this.#lengthen());
    const code = new Uint8Array(CODE_BYTES).fill(INT3);
    const starts: number[] = [];
    let instructions = 0;
    for (const { nodes, origin } of this.#program.chunks) {
      let end = origin;
      for (const node of nodes) {
        if (node.kind === "label") continue;
        const at = this.#offsets.get(node)!;
        const bytes = node.kind === "branch" ? this.#branch(node, at) : this.#bytes(node, at);
        if (at + bytes.length <= CODE_BYTES) code.set(bytes, at);
        starts.push(at);
        end = at + bytes.length;
        instructions++;
      }
      starts.push(end);
    }
    const labels = new Map([...this.#labels].filter(([, offset]) => offset < CODE_BYTES));
    return { code, entry: this.#program.chunks[0]!.origin, starts: starts.sort((a, b) => a - b), labels, instructions };
  }

  #place(): void {
    for (const { origin, nodes } of this.#program.chunks) {
      let at = origin;
      for (const node of nodes) {
        if (node.kind === "label") this.#labels.set(node.label, at);
        else {
          this.#offsets.set(node, at);
          at += this.#length(node);
        }
      }
    }
  }

  #length(node: Bytes | Branch): number {
    if (node.kind === "bytes") return node.bytes.length;
    return this.#isLong(node) ? (node.long ?? JMP).length + 4 : node.short!.length + 1;
  }

  #isLong(branch: Branch): boolean {
    return branch.short === undefined || this.#long.has(branch);
  }

  /** Makes short branches that do not reach long; says whether there were any. */
  #lengthen(): boolean {
    let changed = false;
    for (const { nodes } of this.#program.chunks) {
      for (const node of nodes) {
        if (node.kind !== "branch" || this.#isLong(node)) continue;
        const distance = this.#target(node.label) - this.#offsets.get(node)! - this.#length(node);
        if (distance >= -128 && distance <= 127) continue;
        this.#long.add(node);
        changed = true;
      }
    }
    return changed;
  }

  /** A label that is nowhere any more: the start of the code pages, which hold INT3. */
  #target(label: number): number {
    return this.#labels.get(label) ?? 0;
  }

  #branch(node: Branch, at: number): number[] {
    const length = this.#length(node);
    const distance = this.#target(node.label) - at - length;
    if (!this.#isLong(node)) return [...node.short!, distance & 0xff];
    return [...(node.long ?? JMP), ...word(distance)];
  }

  #bytes({ bytes, addresses }: Bytes, at: number): number[] {
    const result = [...bytes];
    for (const { at: place, to, absolute } of addresses) {
      const base = this.#base(to);
      const next = this.#program.mode === 64 && absolute !== true ? codeBase(this.#slot) + at + bytes.length : 0;
      word(base + to.offset - next).forEach((b, i) => (result[place + i] = b));
    }
    return result;
  }

  #base(to: Address["to"]): number {
    if (to.area === "data") return dataBase(this.#slot);
    return this.#target(to.label) + (to.area === "label" ? codeBase(this.#slot) : dataBase(this.#slot) + DATA.code);
  }
}

/** Four bytes, low first. */
export function word(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >> 24) & 0xff];
}

/** Gives a program its addresses in a slot. */
export function assemble(program: Program, slot: number): Assembled {
  return new Assembler(program, slot).run();
}
