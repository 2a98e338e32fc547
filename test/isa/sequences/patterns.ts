// What compilers emit in several instructions: branches behind comparisons, loops, functions with and without a frame, copies.
import type { Prng } from "../prng.ts";
import { COUNT_REGISTER, encode } from "./encode.ts";
import { ODDITIES, restorePointer } from "./oddities.ts";
import { type Chunk, type Node, type Program, word } from "./program.ts";
import { type Choice, choicesOf, pickRow } from "./rows.ts";
import { CODE_BYTES, DATA, PRIVATE } from "./space.ts";
import { call, condition, jump, type Wishes, Writer } from "./writer.ts";

const NAMES = Object.keys(ODDITIES);
const MOST_FUNCTIONS = 3;

class SequenceWriter extends Writer {
  readonly #choice: Choice;
  /** Oddities that come now and then, and the one that comes often. */
  readonly #odd: ReadonlySet<string>;
  readonly #focus: string | undefined;
  readonly #functions: number[] = [];

  constructor(w: Wishes, prng: Prng) {
    super(w, prng);
    this.#choice = prng.pick(choicesOf(w.mode));
    this.#odd = new Set(NAMES.filter((name) => prng.chance(name === "controlWord" ? 50 : 25)));
    this.#focus = prng.chance(35) ? prng.pick(NAMES) : undefined;
  }

  run(): Program {
    const rounds = this.wishes.rounds > 1 ? this.label() : undefined;
    if (rounds !== undefined) this.mark(rounds);
    this.body(Infinity, 0);
    if (rounds !== undefined) this.#countRounds(rounds);
    this.mark(this.end);
    this.emit([0xcc]);
    const main = this.nodes;
    return { mode: this.wishes.mode, chunks: this.#layOut([main, ...this.#bodiesOfFunctions()]) };
  }

  // ── bodies ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  override body(most: number, depth: number): void {
    for (let n = 0; n < most && this.left > 0; n++) this.#element(depth);
  }

  #element(depth: number): void {
    if (this.#focus !== undefined && this.prng.chance(15)) return ODDITIES[this.#focus]!(this);
    const dice = this.prng.below(100);
    if (dice < 69) this.instruction();
    else if (dice < 79) this.#branchAround(depth);
    else if (dice < 84 && depth < 3) this.#loop(depth);
    else if (dice < 88) this.#call(depth);
    else if (dice < 90) this.#through();
    else if (dice < 92) this.#repeat();
    else if (dice < 94) this.#saved();
    else if (dice < 95) this.#anywhere();
    else this.#unusual();
  }

  override instruction(): void {
    const nodes = encode(pickRow(this.#choice, this.prng), this.style);
    if (!nodes) return;
    for (const node of nodes.slice(0, -1)) this.push(node);
    const last = nodes.at(-1)!;
    // A MOV of an immediate of 32 bits: something to patch.
    if (last.addresses.length === 0 && last.bytes.length === 5 && (last.bytes[0]! & 0xf8) === 0xb8) {
      const label = this.label();
      this.mark(label);
      this.patchable.push(label);
    }
    this.push(last);
  }

  #unusual(): void {
    const name = this.prng.pick(NAMES);
    if (this.#odd.has(name)) ODDITIES[name]!(this);
    else restorePointer(this);
  }

  /** Something that sets flags. */
  #compare(): void {
    const p = this.prng;
    const [a, b] = [p.pick([0, 1, 2, 3, 6]), p.pick([0, 1, 2, 7])];
    const wide = this.wishes.mode === 64 && p.chance(40) ? [0x48] : p.chance(10) ? [0x66] : [];
    const dice = p.below(10);
    if (dice < 4) this.emit([...wide, p.pick([0x39, 0x3b, 0x85]), 0xc0 | (a << 3) | b]);
    else if (dice < 6) this.emit([...wide, 0x83, 0xf8 | b, p.below(256)]);
    else if (dice < 7) this.emit([p.pick([0x38, 0x84]), 0xc0 | (a << 3) | b]);
    else this.instruction();
  }

  // ── branches and loops ──────────────────────────────────────────────────────────────────────────────────────────────────

  #branchAround(depth: number): void {
    const p = this.prng;
    const [over, end] = [this.label(), this.label()];
    if (p.chance(80)) this.#compare();
    if (p.chance(15)) this.instruction();
    if (p.chance(4)) this.push({ kind: "branch", short: [0xe3], long: undefined, label: over });
    else this.push(condition(p.below(16), over));
    this.body(p.between(1, 4), depth + 1);
    if (p.chance(35)) {
      this.push(jump(end));
      this.mark(over);
      this.body(p.between(1, 4), depth + 1);
      this.mark(end);
    } else this.mark(over);
  }

  /** Counts in a register that nothing else in the loop writes, in ECX by LOOP, or goes on while there is fuel. */
  #loop(depth: number): void {
    const p = this.prng;
    const again = this.label();
    const register = this.wishes.mode === 64 ? 15 : 5;
    const kind = p.below(3);
    if (kind === 0 && !this.style.reserved.has(register)) return this.#countedLoop(again, register, depth);
    if (kind === 1 && !this.style.reserved.has(COUNT_REGISTER)) return this.#loopByLoop(again, depth);
    this.mark(again);
    this.body(p.between(1, 6), depth + 1);
    this.spend();
    this.#compare();
    this.push(condition(p.below(16), again));
  }

  #countedLoop(again: number, register: number, depth: number): void {
    const p = this.prng;
    const rex = register > 7 ? [0x41] : [];
    this.emit([...rex, 0xb8 | (register & 7), ...word(p.between(1, 7))]);
    this.style.reserved.add(register);
    this.mark(again);
    this.body(p.between(1, 7), depth + 1);
    this.style.reserved.delete(register);
    if (p.chance(50)) this.emit([...rex, 0x83, 0xe8 | (register & 7), 1]);
    else this.emit([...rex, 0xff, 0xc8 | (register & 7)]);
    this.push(condition(p.pick([5, 5, 15]), again));
  }

  #loopByLoop(again: number, depth: number): void {
    const p = this.prng;
    this.load(COUNT_REGISTER, p.between(1, 5));
    this.style.reserved.add(COUNT_REGISTER);
    this.mark(again);
    this.body(p.between(1, 5), depth + 1);
    this.spend();
    this.style.reserved.delete(COUNT_REGISTER);
    this.push({ kind: "branch", short: [p.pick([0xe0, 0xe1, 0xe2])], long: [0x0f, 0x85], label: again });
  }

  #countRounds(rounds: number): void {
    this.emitAt([0x83], 5, { area: "data", offset: DATA.private + PRIVATE.outer }, [1]);
    this.push(condition(this.prng.pick([5, 15]), rounds));
  }

  /** To wherever there is a label, into the middle of loops too. */
  #anywhere(): void {
    this.spend();
    this.#compare();
    this.push(condition(this.prng.below(16), this.someLabel()));
  }

  // ── calls, copies ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #call(depth: number): void {
    const p = this.prng;
    const isNew = this.#functions.length < MOST_FUNCTIONS && (this.#functions.length === 0 || p.chance(60));
    const target = isNew ? this.label() : p.pick(this.#functions);
    if (isNew) this.#functions.push(target);
    // Functions call one another, and themselves.
    if (depth > 2) this.spend();
    if (p.chance(85)) return this.push(call(target));
    const register = this.scratch();
    this.takeAddress(register, target);
    this.emit([0xff, 0xd0 | register]);
  }

  /** An indirect jump to what follows: by a register, a return, memory, another return address, a call that is popped. */
  #through(): void {
    const p = this.prng;
    const [to, register] = [this.label(), this.scratch()];
    const dice = p.below(5);
    if (dice === 4) {
      this.push(call(to));
      this.mark(to);
      return this.emit([0x58 | register]);
    }
    this.takeAddress(register, to);
    if (dice === 0) this.emit([0xff, 0xe0 | register]);
    else if (dice === 1) {
      this.emit([0x50 | register]);
      this.emit([0xc3]);
    } else if (dice === 2) {
      const slot = { area: "data", offset: p.below(0x1f00) & ~7 } as const;
      this.emitAt([...this.long(), 0x89], register, slot);
      this.emitAt([0xff], 4, slot);
    } else {
      const [inner, outer] = [this.label(), to];
      this.push(call(inner));
      this.push(jump(outer));
      this.mark(inner);
      this.emit([...this.long(), 0x89, 0x04 | (register << 3), 0x24]);
      this.emit([0xc3]);
    }
    this.body(p.below(3), 3);
    this.mark(to);
  }

  #repeat(): void {
    const p = this.prng;
    if (this.style.reserved.has(COUNT_REGISTER)) return;
    this.load(COUNT_REGISTER, p.chance(85) ? p.below(20) : p.below(300));
    if (p.chance(8)) this.emit([0xfd]);
    const size = p.pick([[], [], [0x66], this.wishes.mode === 64 ? [0x48] : []]);
    const prefix = p.pick([0xf3, 0xf3, 0xf2]);
    const [small, rex] = [size[0] === 0x66 ? size : [], size[0] === 0x48 ? size : []];
    this.emit([...small, prefix, ...rex, p.pick([0xa4, 0xa5, 0xaa, 0xab, 0xa6, 0xa7, 0xae, 0xaf, 0xac, 0xad])]);
    if (p.chance(80)) this.emit([0xfc]);
    for (const register of [6, 7]) if (p.chance(60)) this.repoint(register);
  }

  /** A register over a few instructions on the stack. */
  #saved(): void {
    const register = this.prng.below(8) & ~4;
    this.emit([0x50 | register]);
    this.body(this.prng.between(1, 3), 3);
    this.emit([0x58 | register]);
  }

  #bodiesOfFunctions(): Node[][] {
    const chunks: Node[][] = [];
    for (const label of this.#functions) {
      this.nodes = [];
      this.mark(label);
      this.left = Math.max(this.left, this.prng.between(2, 8));
      this.#function();
      chunks.push(this.nodes);
    }
    return chunks;
  }

  /** With a saved register, with a frame as -O0 and ENTER make it, or with neither. */
  #function(): void {
    const p = this.prng;
    const frame = p.below(5);
    if (frame === 0) this.emit([0x53]);
    if (frame === 1) {
      this.emit([0x55]);
      this.emit([...this.long(), 0x89, 0xe5]);
      this.emit([...this.long(), 0x83, 0xec, p.below(8) * 8]);
    }
    if (frame === 2) this.emit([0xc8, p.below(32), 0, p.chance(85) ? 0 : p.below(4)]);
    this.body(p.between(1, 6), 3);
    if (frame === 0) this.emit([0x5b]);
    if (frame === 1 || frame === 2) this.emit([0xc9]);
    if (p.chance(8)) this.emit([0xc2, p.below(4) * 8, 0]);
    else this.emit([0xc3]);
  }

  // ── places ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Chunks one after the other, often over a page border, in up to three pages. */
  #layOut(chunks: readonly Node[][]): Chunk[] {
    const p = this.prng;
    let from = p.chance(55) ? 0x1000 - p.below(sizeOf(chunks[0]!)) - 1 : p.below(0x1000);
    return chunks.map((nodes) => {
      const origin = Math.max(0x20, Math.min(from, CODE_BYTES - sizeOf(nodes)));
      const next = origin + sizeOf(nodes) + (p.chance(40) ? p.below(64) : 0);
      from = p.chance(30) ? Math.max(next, 0x2000 - p.below(32)) : next;
      return { origin, nodes };
    });
  }
}

const LONGEST_BRANCH = 6;

/** Bytes that nodes may take. */
function sizeOf(nodes: readonly Node[]): number {
  const one = (node: Node): number => (node.kind === "bytes" ? node.bytes.length : node.kind === "branch" ? LONGEST_BRANCH : 0);
  return nodes.reduce((n, node) => n + one(node), 0) + 8;
}

/** Writes a sequence. */
export function writeSequence(wishes: Wishes, prng: Prng): Program {
  return new SequenceWriter(wishes, prng).run();
}
