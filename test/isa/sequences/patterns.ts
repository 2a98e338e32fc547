// What compilers emit in several instructions: branches behind comparisons, loops, calls, copies — and what only tests and kernels
// do: code that writes code, flags taken from the stack, faults.
import type { Prng } from "../prng.ts";
import { COUNT_REGISTER, encode, plain, POINTERS, type Style } from "./encode.ts";
import { type Address, type Branch, type Bytes, type Chunk, type Mode, type Node, type Program, word } from "./program.ts";
import { type Groups, MIXTURES, pickRow, rowsOf } from "./rows.ts";
import { CODE_BYTES, DATA, PRIVATE, SELECTOR } from "./space.ts";

const RAX = 0;
const FEATURES = ["mxcsr", "selfModification", "faults", "flagImages", "device", "systemCalls", "kernel", "segments"] as const;
type Feature = (typeof FEATURES)[number];

/** What a sequence is to be like. */
export interface Wishes {
  readonly mode: Mode;
  readonly cpl: 0 | 3;
  readonly instructions: number;
  /** Runs the whole sequence this many times. */
  readonly rounds: number;
}

const condition = (cc: number, label: number): Branch => ({ kind: "branch", short: [0x70 | cc], long: [0x0f, 0x80 | cc], label });
const jump = (label: number): Branch => ({ kind: "branch", short: [0xeb], long: [0xe9], label });
const call = (label: number): Branch => ({ kind: "branch", short: undefined, long: [0xe8], label });

class Writer {
  readonly #w: Wishes;
  readonly #p: Prng;
  readonly #style: Style;
  readonly #groups: Groups;
  readonly #mixture: Readonly<Record<string, number>>;
  readonly #features = new Set<Feature>();
  readonly #functions: { readonly label: number; nodes: Node[] | undefined }[] = [];
  /** Labels of instructions that end in an immediate, with its size and where it begins. */
  readonly #patchable: { readonly label: number; readonly at: number }[] = [];
  #nodes: Node[] = [];
  #labels = 0;
  #left: number;
  readonly #end: number;

  constructor(w: Wishes, prng: Prng) {
    this.#w = w;
    this.#p = prng;
    this.#style = { mode: w.mode, prng, reserved: new Set() };
    this.#groups = rowsOf(w.mode);
    this.#mixture = MIXTURES[prng.pick(Object.keys(MIXTURES))]!;
    for (const feature of FEATURES) if (prng.chance(feature === "mxcsr" ? 50 : 25)) this.#features.add(feature);
    this.#left = w.instructions;
    this.#end = this.#label();
  }

  run(): Program {
    const rounds = this.#w.rounds > 1 ? this.#label() : undefined;
    if (rounds !== undefined) this.#mark(rounds);
    this.#body(Infinity, 0);
    if (rounds !== undefined) this.#countRounds(rounds);
    this.#mark(this.#end);
    this.#emit([0xcc]);
    const main = this.#nodes;
    const chunks = [main, ...this.#bodiesOfFunctions()];
    return { mode: this.#w.mode, chunks: this.#layOut(chunks) };
  }

  // ── pieces ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #label(): number {
    return this.#labels++;
  }

  #mark(label: number): void {
    this.#nodes.push({ kind: "label", label });
  }

  #push(node: Node): void {
    this.#nodes.push(node);
    this.#left--;
  }

  #emit(bytes: readonly number[], address?: Address): void {
    const node: Bytes = address ? { kind: "bytes", bytes, addresses: [address] } : plain(bytes);
    this.#push(node);
  }

  /** An instruction with an operand at an address: ModRM says so; `reg` is its other field. */
  #emitAt(opcode: readonly number[], reg: number, to: Address["to"], tail: readonly number[] = []): void {
    this.#emit([...opcode, (reg << 3) | 5, 0, 0, 0, 0, ...tail], { at: opcode.length + 1, to });
  }

  #long(): readonly number[] {
    return this.#w.mode === 64 ? [0x48] : [];
  }

  #scratch(): number {
    return this.#p.pick([0, 1, 2].filter((n) => !this.#style.reserved.has(n)));
  }

  // ── bodies ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #body(most: number, depth: number): void {
    for (let n = 0; n < most && this.#left > 0; n++) this.#element(depth);
  }

  #element(depth: number): void {
    const dice = this.#p.below(100);
    if (dice < 70) this.#instruction();
    else if (dice < 80) this.#branchAround(depth);
    else if (dice < 85 && depth < 3) this.#loop(depth);
    else if (dice < 89 && depth < 3) this.#call();
    else if (dice < 91) this.#through();
    else if (dice < 93) this.#repeat();
    else if (dice < 95) this.#saved();
    else this.#unusual();
  }

  #instruction(): void {
    const nodes = encode(pickRow(this.#groups, this.#mixture, this.#p), this.#style);
    if (!nodes) return;
    for (const node of nodes.slice(0, -1)) this.#push(node);
    const last = nodes.at(-1)!;
    // A MOV of an immediate of 32 bits: something to patch.
    if (last.addresses.length === 0 && last.bytes.length === 5 && (last.bytes[0]! & 0xf8) === 0xb8) {
      const label = this.#label();
      this.#mark(label);
      this.#patchable.push({ label, at: 1 });
    }
    this.#push(last);
  }

  /** Something that sets flags. */
  #compare(): void {
    const p = this.#p;
    const [a, b] = [p.pick([0, 1, 2, 3, 6]), p.pick([0, 1, 2, 7])];
    const wide = this.#w.mode === 64 && p.chance(40) ? [0x48] : p.chance(10) ? [0x66] : [];
    const dice = p.below(10);
    if (dice < 4) this.#emit([...wide, p.pick([0x39, 0x3b, 0x85]), 0xc0 | (a << 3) | b]);
    else if (dice < 6) this.#emit([...wide, 0x83, 0xf8 | b, p.below(256)]);
    else if (dice < 7) this.#emit([p.pick([0x38, 0x84]), 0xc0 | (a << 3) | b]);
    else this.#instruction();
  }

  #branchAround(depth: number): void {
    const p = this.#p;
    const [over, end] = [this.#label(), this.#label()];
    if (p.chance(80)) this.#compare();
    if (p.chance(15)) this.#instruction();
    if (p.chance(4)) this.#push({ kind: "branch", short: [0xe3], long: undefined, label: over });
    else this.#push(condition(p.below(16), over));
    this.#body(p.between(1, 4), depth + 1);
    if (p.chance(35)) {
      this.#push(jump(end));
      this.#mark(over);
      this.#body(p.between(1, 4), depth + 1);
      this.#mark(end);
    } else this.#mark(over);
  }

  /** Counts in a register that nothing else in the loop writes, in ECX by LOOP, or in memory while its fuel lasts. */
  #loop(depth: number): void {
    const p = this.#p;
    const again = this.#label();
    const register = this.#w.mode === 64 ? 15 : 5;
    const kind = p.below(3);
    if (kind === 0 && !this.#style.reserved.has(register)) return this.#countedLoop(again, register, depth);
    if (kind === 1 && !this.#style.reserved.has(COUNT_REGISTER)) return this.#loopByLoop(again, depth);
    this.#mark(again);
    this.#body(p.between(1, 6), depth + 1);
    this.#emitAt([0x83], 5, { area: "data", offset: DATA.private + PRIVATE.fuel }, [1]);
    this.#push(condition(8, this.#end));
    this.#compare();
    this.#push(condition(p.below(16), again));
  }

  #countedLoop(again: number, register: number, depth: number): void {
    const p = this.#p;
    const rex = register > 7 ? [0x41] : [];
    this.#emit([...rex, 0xb8 | (register & 7), ...word(p.between(1, 7))]);
    this.#style.reserved.add(register);
    this.#mark(again);
    this.#body(p.between(1, 7), depth + 1);
    this.#style.reserved.delete(register);
    if (p.chance(50)) this.#emit([...rex, 0x83, 0xe8 | (register & 7), 1]);
    else this.#emit([...rex, 0xff, 0xc8 | (register & 7)]);
    this.#push(condition(p.pick([5, 5, 15]), again));
  }

  #loopByLoop(again: number, depth: number): void {
    const p = this.#p;
    this.#emit([0xb8 | COUNT_REGISTER, ...word(p.between(1, 5))]);
    this.#style.reserved.add(COUNT_REGISTER);
    this.#mark(again);
    this.#body(p.between(1, 5), depth + 1);
    this.#emitAt([0x83], 5, { area: "data", offset: DATA.private + PRIVATE.fuel }, [1]);
    this.#push(condition(8, this.#end));
    this.#style.reserved.delete(COUNT_REGISTER);
    this.#push({ kind: "branch", short: [p.pick([0xe0, 0xe1, 0xe2])], long: [0x0f, 0x85], label: again });
  }

  #countRounds(rounds: number): void {
    this.#emitAt([0x83], 5, { area: "data", offset: DATA.private + PRIVATE.outer }, [1]);
    this.#push(condition(this.#p.pick([5, 15]), rounds));
  }

  #call(): void {
    const p = this.#p;
    const isNew = this.#functions.length < 3 && (this.#functions.length === 0 || p.chance(60));
    const target = isNew ? { label: this.#label(), nodes: undefined } : p.pick(this.#functions);
    if (isNew) this.#functions.push(target);
    if (p.chance(85)) return this.#push(call(target.label));
    const register = this.#scratch();
    this.#takeAddress(register, target.label);
    this.#emit([0xff, 0xd0 | register]);
  }

  #takeAddress(register: number, label: number, offset = 0): void {
    if (this.#w.mode === 64) this.#emitAt([0x48, 0x8d], register, { area: "label", label, offset });
    else this.#emit([0xb8 | register, 0, 0, 0, 0], { at: 1, to: { area: "label", label, offset } });
  }

  /** An indirect jump to what follows, by a register, memory or a return. */
  #through(): void {
    const p = this.#p;
    const [to, register] = [this.#label(), this.#scratch()];
    this.#takeAddress(register, to);
    const dice = p.below(3);
    if (dice === 0) this.#emit([0xff, 0xe0 | register]);
    else if (dice === 1) {
      this.#emit([0x50 | register]);
      this.#emit([0xc3]);
    } else {
      const slot = { area: "data", offset: p.below(0x1f00) & ~7 } as const;
      this.#emitAt([...this.#long(), 0x89], register, slot);
      this.#emitAt([0xff], 4, slot);
    }
    this.#body(p.below(3), 3);
    this.#mark(to);
  }

  #repeat(): void {
    const p = this.#p;
    if (this.#style.reserved.has(COUNT_REGISTER)) return;
    const count = p.chance(85) ? p.below(20) : p.below(300);
    this.#emit([0xb8 | COUNT_REGISTER, ...word(count)]);
    if (p.chance(8)) this.#emit([0xfd]);
    const size = p.pick([[], [], [0x66], this.#w.mode === 64 ? [0x48] : []]);
    const prefix = p.pick([0xf3, 0xf3, 0xf2]);
    const [small, rex] = [size[0] === 0x66 ? size : [], size[0] === 0x48 ? size : []];
    this.#emit([...small, prefix, ...rex, p.pick([0xa4, 0xa5, 0xaa, 0xab, 0xa6, 0xa7, 0xae, 0xaf, 0xac, 0xad])]);
    if (p.chance(80)) this.#emit([0xfc]);
    for (const register of [6, 7]) if (p.chance(60)) this.#repoint(register);
  }

  /** Gives a pointer a value again. */
  #repoint(register: number): void {
    const offset = this.#p.pick([0x100, 0xff0, 0x1000, 0x800]) + this.#p.below(8) * 8;
    const to = { area: "data", offset } as const;
    if (this.#w.mode === 64) this.#emitAt([0x48, 0x8d], register, to);
    else this.#emit([0xb8 | register, 0, 0, 0, 0], { at: 1, to });
  }

  /** A register over a few instructions on the stack. */
  #saved(): void {
    const register = this.#p.below(8) & ~4;
    this.#emit([0x50 | register]);
    this.#body(this.#p.between(1, 3), 3);
    this.#emit([0x58 | register]);
  }

  // ── what is unusual ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #unusual(): void {
    const feature = this.#p.pick(FEATURES);
    if (!this.#features.has(feature)) return this.#repoint(this.#p.pick(POINTERS[this.#w.mode].filter((n) => n < 8 && n !== 5)));
    if (feature === "mxcsr") this.#controlWord();
    else if (feature === "selfModification") this.#patch();
    else if (feature === "faults") this.#fault();
    else if (feature === "flagImages") this.#flagImage();
    else if (feature === "device")
      this.#emitAt([this.#p.pick([0x8b, 0x89, 0x8a, 0x88, 0x03])], this.#scratch(), {
        area: "data",
        offset: DATA.device + this.#p.below(64),
      });
    else if (feature === "systemCalls") this.#systemCall();
    else if (feature === "segments") this.#loadSegment();
    else this.#kernel();
  }

  #controlWord(): void {
    const p = this.#p;
    if (p.chance(75)) this.#emitAt([0x0f, 0xae], 2, { area: "data", offset: DATA.private + PRIVATE.mxcsr + p.below(16) * 4 });
    else this.#emitAt([0xd9], 5, { area: "data", offset: DATA.private + PRIVATE.fcw + p.below(8) * 2 });
  }

  /** Writes into an instruction's immediate, ahead or behind, or into a filler of INC and DEC that it makes itself. */
  #patch(): void {
    const p = this.#p;
    let target = this.#patchable.length > 0 && p.chance(60) ? p.pick(this.#patchable) : undefined;
    const label = target?.label ?? this.#label();
    if (!target) this.#patchable.push((target = { label, at: 1 }));
    const to = { area: "label", label, offset: target.at } as const;
    const dice = p.below(4);
    if (dice === 0) this.#emitAt([0xc6], 0, to, [p.below(256)]);
    else if (dice === 1) this.#emitAt([0xc7], 0, to, word(p.below(8)));
    else if (dice === 2) this.#emitAt([0x88], this.#scratch(), to);
    else this.#emitAt([0xff], p.below(2), to);
    this.#body(p.below(3), 3);
    if (this.#nodes.some((n) => n.kind === "label" && n.label === label)) return;
    this.#mark(label);
    this.#emit([0xb8 | this.#scratch(), ...word(p.below(8))]);
  }

  #fault(): void {
    const p = this.#p;
    const register = this.#scratch();
    const dice = p.below(7);
    if (dice === 0) this.#emit([0x0f, 0x0b]);
    else if (dice === 1) this.#divide();
    else if (dice === 2) this.#emitAt([0x8b], register, { area: "data", offset: DATA.unmapped + p.below(64) });
    else if (dice === 3) this.#emitAt([p.pick([0x89, 0x01, 0x31])], register, { area: "data", offset: DATA.readOnly + p.between(-6, 64) });
    else if (dice === 4)
      this.#emitAt([0x0f, p.pick([0x28, 0x29, 0x58])], p.below(8), { area: "data", offset: p.below(0x1000) | p.below(16) });
    else if (dice === 5)
      this.#emitAt([...this.#long(), p.pick([0x01, 0x8b])], register, { area: "data", offset: DATA.unmapped - p.below(9) });
    else this.#emit([0xf0, 0x01, 0xc0 | register]);
  }

  #divide(): void {
    const wide = this.#p.chance(50) ? this.#long() : [];
    this.#emit(
      this.#p.pick([
        [0x31, 0xd2],
        [...wide, 0x99],
        [0x89, 0xc2],
      ]),
    );
    this.#emit([...wide, 0xf7, this.#p.pick([0xf1, 0xf9, 0xf3, 0xf2])]);
  }

  /** POPF of what PUSHF left, or of any image; TF and AC now and then. */
  #flagImage(): void {
    const p = this.#p;
    if (p.chance(50)) this.#emit([0x9c]);
    else {
      const rare = (p.chance(25) ? 0x100 : 0) | (p.chance(10) ? 0x4_0000 : 0) | (p.chance(8) ? 0x4000 : 0) | (p.chance(8) ? 0x400 : 0);
      this.#emit([0x68, ...word((p.next() & 0x8d5) | 0x202 | rare)]);
    }
    this.#body(p.below(2), 3);
    this.#emit([0x9d]);
  }

  #systemCall(): void {
    if (this.#w.cpl === 3 && this.#w.mode === 64 && this.#p.chance(50)) this.#emit([0x0f, 0x05]);
    else this.#emit([0xcd, this.#p.pick([0x80, 0x2e, 0x21])]);
  }

  /** Flat data mostly; in 32-bit code also data that begins elsewhere, and nothing. */
  #loadSegment(): void {
    const p = this.#p;
    this.#emit([0xb8, ...word(p.pick([SELECTOR.userData, SELECTOR.userData, SELECTOR.shifted, 0, 0x1234]))]);
    const segment = p.pick([0, 0, 3, 4, 5]);
    this.#emit([0x8e, 0xc0 | (segment << 3) | RAX]);
    if (p.chance(60)) {
      this.#body(p.below(3), 3);
      this.#emit([0xb8, ...word(SELECTOR.userData)]);
      this.#emit([0x8e, 0xc0 | (segment << 3) | RAX]);
    }
  }

  /** Instructions of kernels; in user mode they fault. */
  #kernel(): void {
    const p = this.#p;
    if (this.#w.cpl === 3 && !p.chance(25)) return this.#instruction();
    const dice = p.below(6);
    if (dice === 0) this.#emit([p.pick([0xfa, 0xfb])]);
    else if (dice === 1) this.#emitAt([0x0f, 0x01], 7, { area: "data", offset: p.below(0x5000) });
    else if (dice === 2) this.#emit([p.pick([0xe4, 0xe5, 0xe6, 0xe7]), p.below(256)]);
    else if (dice === 3) this.#emit([p.pick([0xec, 0xed, 0xee, 0xef])]);
    else if (dice === 4) this.#emit([0x0f, 0x06]);
    else {
      this.#emit([0x0f, 0x20, 0xd8]);
      this.#emit([0x0f, 0x22, 0xd8]);
    }
  }

  // ── functions, places ───────────────────────────────────────────────────────────────────────────────────────────────────

  #bodiesOfFunctions(): Node[][] {
    const chunks: Node[][] = [];
    for (const f of this.#functions) {
      this.#nodes = [];
      this.#mark(f.label);
      this.#left = Math.max(this.#left, this.#p.between(2, 8));
      const frame = this.#p.chance(40);
      if (frame) this.#emit([0x53]);
      this.#body(this.#p.between(1, 6), 3);
      if (frame) this.#emit([0x5b]);
      this.#emit([0xc3]);
      chunks.push(this.#nodes);
    }
    return chunks;
  }

  /** Chunks one after the other, often over a page border, in up to three pages. */
  #layOut(chunks: readonly Node[][]): Chunk[] {
    const p = this.#p;
    const size = (nodes: readonly Node[]): number =>
      nodes.reduce((n, node) => n + (node.kind === "bytes" ? node.bytes.length : node.kind === "branch" ? 6 : 0), 0) + 8;
    let from = p.chance(55) ? 0x1000 - p.below(size(chunks[0]!)) - 1 : p.below(0x1000);
    return chunks.map((nodes) => {
      const origin = Math.max(0x20, Math.min(from, CODE_BYTES - size(nodes)));
      const next = origin + size(nodes) + (p.chance(40) ? p.below(64) : 0);
      from = p.chance(30) ? Math.max(next, 0x2000 - p.below(32)) : next;
      return { origin, nodes };
    });
  }
}

/** Writes a sequence. */
export function writeSequence(wishes: Wishes, prng: Prng): Program {
  return new Writer(wishes, prng).run();
}
