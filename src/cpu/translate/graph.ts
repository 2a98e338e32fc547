// The guest code of a region as a graph of basic blocks, followed from its entry through direct jumps, calls and returns.
import { type Decoder, STATUS } from "../decode/decoder.ts";
import { ZERO } from "../state.ts";
import { MOST_PAGES } from "../engine/region-shape.ts";
import type { CodeSource } from "./source.ts";
import { type GuestInstruction, instructionOf, type RowLookup } from "./guest-instruction.ts";

/** Where control goes at the end of a block; deltas are linear addresses relative to the region's origin. */
export type Flow =
  /** On to the next instruction; also behind anything that the region does not contain. */
  | { readonly kind: "next"; readonly next: number }
  | { readonly kind: "conditional"; readonly target: number; readonly next: number }
  | { readonly kind: "jump"; readonly target: number }
  | { readonly kind: "call"; readonly target: number; readonly next: number }
  | { readonly kind: "return" }
  /** With where it is likely to lead, and where a call then comes back. */
  | { readonly kind: "indirect"; readonly likely?: readonly number[]; readonly next?: number }
  /** Ends in something after which execution has to be looked up. */
  | { readonly kind: "leave" };

/** A basic block. */
export interface Block {
  readonly delta: number;
  readonly instructions: readonly GuestInstruction[];
  readonly flow: Flow;
  /** Indices of the blocks in the region that control may go to. */
  readonly successors: readonly number[];
}

/** A region: blocks in the order in which they were found. */
export interface RegionGraph {
  readonly blocks: readonly Block[];
  /** Indices of the blocks where the region may be entered; what it was asked for comes first. */
  readonly entries: readonly number[];
  /** Index of the block at a delta. */
  readonly at: ReadonlyMap<number, number>;
  /** For blocks that end in a return: deltas that it may go to within the region. */
  readonly returns: ReadonlyMap<number, readonly number[]>;
  /** Bytes of code, from the lowest on. */
  readonly ranges: readonly CodeRange[];
  /** The pages: linear distance in pages, and host address. */
  readonly pages: readonly { readonly pages: number; readonly host: number }[];
  /** Whether nothing is left out because another region holds it, or because it has not run, and nothing leads where it has not led yet. */
  readonly isWide: boolean;
  /** Whether it calls what it finds in a register or in memory. */
  readonly isOpen: boolean;
}

/** Some bytes of code; a range lies in one page. */
export interface CodeRange {
  readonly delta: number;
  readonly length: number;
}

/** How much one region may hold. */
export const LIMITS: { readonly instructions: number; readonly blocks: number; readonly pages: number; readonly entries: number } = {
  instructions: 600,
  blocks: 144,
  pages: MOST_PAGES,
  entries: 24,
};
/** Bytes of the longest instruction (SDM 2A §2.3.11). */
const LONGEST = 15;
/** Targets that an indirect branch is followed to. */
export const MOST_LIKELY = 4;
/** Pointers of a table that a jump goes through that are looked at. */
const LONGEST_TABLE = 64;
/** A region of so many instructions may be part of another one. */
const SMALL = 64;
/** What is met once in 2^n times that the entry is, or less, is not looked at. */
const RAREST = 7;
/** How far from an indirect jump its targets are looked for, in bytes. */
const REACH = 0x800;

/** Follows the code from `entry` (a delta in the origin's page). Undefined when nothing can be decoded there. */
export function discover(source: CodeSource, decoder: Decoder, rows: RowLookup, entry: number): RegionGraph | undefined {
  return new Discovery(source, decoder, rows).run(entry);
}

/** A way on. */
interface Way {
  readonly to: number;
  /** Binary logarithm of how many times its branch is executed for each time that it goes this way. */
  readonly rarity: number;
  /** Whether it is sure that execution has come that way. */
  readonly sure: boolean;
  /** Records of the instruction that falls into it. */
  readonly before?: readonly number[];
}

class Discovery {
  readonly #source: CodeSource;
  readonly #decoder: Decoder;
  readonly #rows: RowLookup;
  /** Instructions by delta; undefined where none can be decoded. */
  readonly #instructions = new Map<number, GuestInstruction | undefined>();
  /** Where blocks begin, and how they were reached first. */
  readonly #leaders = new Map<number, Way>();
  readonly #pages = new Map<number, number>();
  /** Where indirect branches are likely to lead, by the branch's delta. */
  readonly #likely = new Map<number, readonly number[]>();
  /** Where switches lead. */
  readonly #targets = new Set<number>();
  #count = 0;
  /** Something is left out because another region holds it, or because it has not run. */
  #isCut = false;
  #isOpen = false;

  constructor(source: CodeSource, decoder: Decoder, rows: RowLookup) {
    this.#source = source;
    this.#decoder = decoder;
    this.#rows = rows;
  }

  run(asked: number): RegionGraph | undefined {
    const entry = this.#behindBorder(asked);
    this.#explore([entry]);
    if (this.#instructions.get(entry) === undefined) return undefined;
    this.#explore(this.#indirectTargets());
    return this.#graph(entry);
  }

  /** The interpreter enters no region in front of an instruction over a page's border, but behind it. */
  #behindBorder(delta: number): number {
    const i = this.#decode(delta);
    this.#count = 0;
    return i !== undefined && crossesPage(i) ? delta + i.length : delta;
  }

  /** Nearest first: what is often met counts as near, and a way that may not be taken is twice as long as one that is. */
  #explore(from: readonly number[]): void {
    const queues: number[][] = [[...from]];
    for (const to of from) this.#leaders.set(to, { to, rarity: 0, sure: true });
    for (let distance = 0; distance < queues.length; distance++) {
      const queue = (queues[distance] ??= []);
      for (let delta = queue.shift(); delta !== undefined; delta = queue.shift()) {
        const soFar = this.#leaders.get(delta)?.rarity ?? 0;
        for (const way of this.#follow(delta)) {
          if (this.#leaders.has(way.to) || this.#leaders.size >= LIMITS.blocks || !this.#worthwhile(way)) continue;
          const isHot = this.#isHot(way.to);
          const rarity = isHot ? 0 : soFar + way.rarity;
          if (rarity > RAREST) continue;
          this.#leaders.set(way.to, { ...way, rarity });
          (queues[distance + (isHot ? 0 : 1 + way.rarity)] ??= []).push(way.to);
        }
      }
    }
  }

  /** Hot places near indirect jumps, which are likely to lead there. */
  #indirectTargets(): number[] {
    const jumps = [...this.#instructions.values()].filter((i) => i?.flow === "indirect" && i.handler.instruction.name === "JMP");
    if (jumps.length === 0) return [];
    const places = [...this.#pages].flatMap(([page, host]) => this.#source.hotInPage(host).map((h) => (page << 12) + (h & 0xfff)));
    const isNear = (delta: number): boolean => jumps.some((i) => i !== undefined && Math.abs(i.delta - delta) < REACH);
    // The interpreter remembers no more than a few: with more than that, a table told all of them.
    const likely = this.#targets.size > MOST_LIKELY ? [...this.#targets] : [...this.#targets, ...places.filter(isNear)];
    return [...new Set(likely)].filter((delta) => !this.#leaders.has(delta)).slice(0, LIMITS.entries);
  }

  /** Decodes from `delta` on to the end of its run, and gives where that leads: likely ways first. */
  #follow(delta: number): readonly Way[] {
    let records = this.#leaders.get(delta)?.before ?? [];
    for (let at = delta; ;) {
      if (this.#instructions.has(at)) return [];
      const i = this.#decode(at);
      this.#instructions.set(at, i);
      if (i === undefined) return [];
      records = this.#source.records(i.host, records);
      if (i.flow === "indirect") this.#noteTargets(i, records);
      const flow = this.#flow(i);
      if (flow.kind === "conditional") return this.#waysOn(i, flow, records);
      if (flow.kind !== "next") return waysOf(flow);
      at = flow.next;
    }
  }

  /** The ways that a branch goes often enough: most of those that the code has are for errors, and never taken. */
  #waysOn(i: GuestInstruction, { target, next }: Extract<Flow, { kind: "conditional" }>, records: readonly number[]): readonly Way[] {
    const { taken, notTaken } = this.#source.ways(records);
    const total = taken + notTaken;
    const rarity = (count: number): number => (total === 0 ? 0 : Math.round(Math.log2(total / count)));
    return [
      { to: next, rarity: rarity(notTaken), sure: true, before: records },
      { to: target, rarity: total === 0 ? 1 : rarity(taken), sure: taken > 0 },
    ];
  }

  #flow(i: GuestInstruction): Flow {
    return flowOf(i, this.#likely.get(i.delta));
  }

  /**
   * Where an indirect branch is likely to lead: through a pointer beside the code (procedure linkage
   * tables call what they always call), or where the interpreter saw it go. Calls come back, so that each of a few targets is worth a
   * comparison; a jump that has several is a switch.
   */
  #noteTargets(i: GuestInstruction, records: readonly number[]): void {
    // It may lead elsewhere later.
    this.#isCut = true;
    this.#isOpen ||= i.handler.instruction.name === "CALL";
    const pointer = i.ripRelative ? this.#source.pointer(i.delta + i.length + i.displacement) : undefined;
    const seen = new Set([...(pointer === undefined ? [] : [pointer]), ...this.#targetsOf(i, records)]);
    const likely = [...seen].filter((to) => this.#worthwhile({ to, sure: false })).slice(0, MOST_LIKELY);
    if (likely.length === 0) return;
    if ((likely.length === 1 && i.index === ZERO) || i.handler.instruction.name === "CALL") this.#likely.set(i.delta, likely);
    else for (const to of [...likely, ...this.#tableOf(i)]) this.#targets.add(to);
  }

  /** Where the interpreter saw an indirect branch go. */
  #targetsOf({ delta, host }: GuestInstruction, records: readonly number[]): readonly number[] {
    const targets = this.#source.targets(host, records).map((distance) => (delta & ~0xfff) + distance);
    return targets.filter((to) => to === (to | 0));
  }

  /** Where the pointers lead that a jump through a table chooses from. */
  #tableOf(i: GuestInstruction): readonly number[] {
    const table = i.base === ZERO && i.index !== ZERO ? this.#source.deltaOf(i.displacement) : undefined;
    if (table === undefined) return [];
    const found: number[] = [];
    for (let n = 0; n < LONGEST_TABLE; n++) {
      const to = this.#source.pointer(table + (n << i.scale));
      if (to === undefined || Math.abs(to - i.delta) > REACH) break;
      if (this.#worthwhile({ to, sure: false })) found.push(to);
    }
    return found;
  }

  #decode(delta: number): GuestInstruction | undefined {
    if (this.#count >= LIMITS.instructions) return undefined;
    const host = this.#host(delta);
    if (host === 0) return undefined;
    const page = this.#source.page(host - (host & 0xfff));
    let status = this.#decoder.decode(page, host & 0xfff, 0x1000, this.#source.mode);
    if (status === STATUS.more) status = this.#decodeCrossing(page, delta);
    if (status !== STATUS.ok) return undefined;
    this.#count++;
    return instructionOf(this.#decoder, this.#rows, delta, host);
  }

  /** An instruction that begins in one page and ends in the next. */
  #decodeCrossing(page: Uint8Array, delta: number): number {
    const next = this.#host((delta | 0xfff) + 1);
    if (next === 0) return STATUS.more;
    const inFirst = 0x1000 - (delta & 0xfff);
    const bytes = new Uint8Array(inFirst + LONGEST);
    bytes.set(page.subarray(0x1000 - inFirst));
    bytes.set(this.#source.page(next).subarray(0, LONGEST), inFirst);
    return this.#decoder.decode(bytes, 0, bytes.length, this.#source.mode);
  }

  #isHot(delta: number): boolean {
    const host = this.#host(delta);
    return host !== 0 && this.#source.hot(host);
  }

  /** Host address of a delta's byte, 0 when its page is unknown or one too many. */
  #host(delta: number): number {
    const page = delta >> 12;
    let host = this.#pages.get(page);
    if (host === undefined) {
      host = this.#pages.size < LIMITS.pages ? this.#source.hostPage(page) : 0;
      if (host !== 0) this.#pages.set(page, host);
    }
    return host === 0 ? 0 : host + (delta & 0xfff);
  }

  /** Code that has not run yet is not likely to; what is another region's is entered there. */
  #worthwhile({ to, sure }: Pick<Way, "to" | "sure">): boolean {
    const host = this.#host(to);
    const hasRun = host !== 0 && (sure || this.#source.known(host));
    const isFree = this.#source.isWide || !this.#source.entered(host) || this.#source.sizeAt(host) <= SMALL;
    if (!hasRun || !isFree) this.#isCut = true;
    return hasRun && isFree;
  }

  #graph(entry: number): RegionGraph {
    const order = [entry, ...[...this.#leaders.keys()].filter((d) => d !== entry && this.#instructions.get(d) !== undefined)];
    const at = new Map(order.map((delta, i) => [delta, i]));
    const drafts = order.map((delta) => this.#block(delta, at));
    const returns = returnPoints(drafts, at);
    const blocks = drafts.map((b, i): Block => ({
      delta: b.delta,
      instructions: b.instructions,
      flow: b.flow,
      successors: successorsOf(b, at, returns.get(i) ?? []),
    }));
    const used = new Set<number>();
    for (const { instructions } of blocks) {
      for (const i of instructions) used.add(i.delta >> 12).add((i.delta + i.length - 1) >> 12);
    }
    const pages = [...this.#pages].filter(([page]) => used.has(page)).map(([page, host]) => ({ pages: page, host }));
    const comesBack = new Set(drafts.flatMap(({ flow }) => (flow.kind === "call" && !at.has(flow.target) ? [flow.next] : [])));
    // Where the regions are entered that a wide one replaces, so is that: who went on in one of them would stay there.
    const isReplaced = (delta: number): boolean => this.#source.isWide && this.#source.entered(this.#host(delta));
    const isEntry = ({ delta, instructions: [i] }: Omit<Block, "successors">): boolean =>
      (this.#isHot(delta) || this.#targets.has(delta) || comesBack.has(delta) || isReplaced(delta)) && (i === undefined || !crossesPage(i));
    const targets = [...this.#targets].map((delta) => at.get(delta) ?? 0);
    const others = [...targets, ...order.keys()].filter((n) => n !== 0 && isEntry(drafts[n]!));
    const entries = [...new Set([0, ...others])].slice(0, LIMITS.entries);
    const isWide = this.#source.isWide || !this.#isCut;
    return { blocks, at, entries, returns, ranges: this.#ranges(blocks), pages, isWide, isOpen: this.#isOpen };
  }

  #block(delta: number, at: ReadonlyMap<number, number>): Omit<Block, "successors"> {
    const instructions: GuestInstruction[] = [];
    for (let d = delta; ;) {
      const i = this.#instructions.get(d);
      // Reached the end of what was decoded, or the next block.
      if (i === undefined || (d !== delta && at.has(d))) return { delta, instructions, flow: { kind: "next", next: d } };
      instructions.push(i);
      const flow = this.#flow(i);
      if (flow.kind !== "next") return { delta, instructions, flow };
      d = flow.next;
    }
  }

  /** An instruction's bytes, which may lie in two pages. */
  #spansOf({ delta, length }: GuestInstruction): readonly CodeRange[] {
    const inFirst = Math.min(length, 0x1000 - (delta & 0xfff));
    if (inFirst === length) return [{ delta, length }];
    return [
      { delta, length: inFirst },
      { delta: delta + inFirst, length: length - inFirst },
    ];
  }

  #ranges(blocks: readonly Block[]): CodeRange[] {
    const ranges: { delta: number; length: number }[] = [];
    const spans: CodeRange[] = [];
    for (const { instructions } of blocks) for (const i of instructions) spans.push(...this.#spansOf(i));
    spans.sort((a, b) => a.delta - b.delta);
    for (const { delta, length } of spans) {
      const last = ranges.at(-1);
      const joins = last !== undefined && delta <= last.delta + last.length && delta >> 12 === last.delta >> 12;
      if (joins) last.length = Math.max(last.length, delta + length - last.delta);
      else ranges.push({ delta, length });
    }
    return ranges;
  }
}

const crossesPage = ({ delta, length }: GuestInstruction): boolean => (delta & 0xfff) + length > 0x1000;

/** Likely ways first. */
function waysOf(flow: Flow): readonly Way[] {
  switch (flow.kind) {
    case "jump":
      return [{ to: flow.target, rarity: 0, sure: true }];
    case "call":
      return [
        { to: flow.next, rarity: 0, sure: true },
        { to: flow.target, rarity: 1, sure: false },
      ];
    case "indirect":
      return [flow.next, ...(flow.likely ?? [])].filter((to) => to !== undefined).map((to) => ({ to, rarity: 0, sure: true }));
    default:
      return [];
  }
}

/** Where an instruction leads; `likely` is where it is likely to lead if it is indirect. */
export function flowOf(i: GuestInstruction, likely?: readonly number[]): Flow {
  const next = i.delta + i.length;
  switch (i.flow) {
    case "next":
      return { kind: "next", next };
    case "indirect":
      if (likely === undefined) return { kind: "indirect" };
      return i.handler.instruction.name === "CALL" ? { kind: "indirect", likely, next } : { kind: "indirect", likely };
    case "return":
    case "leave":
      return { kind: i.flow };
    case "jump":
      return { kind: "jump", target: i.target };
    default:
      return { kind: i.flow, target: i.target, next };
  }
}

function successorsOf(b: Omit<Block, "successors">, at: ReadonlyMap<number, number>, returns: readonly number[]): number[] {
  const deltas: number[] = [...returns];
  const { flow } = b;
  // A call whose target is in the region comes back by the callee's return only.
  if (flow.kind === "conditional") deltas.push(flow.target, flow.next);
  else if (flow.kind === "jump" || flow.kind === "call") deltas.push(flow.target);
  else if (flow.kind === "indirect" && flow.likely !== undefined) deltas.push(...flow.likely);
  else if (flow.kind === "next") deltas.push(flow.next);
  // Twice the same one stays: these are two edges.
  return deltas.map((d) => at.get(d)).filter((n) => n !== undefined);
}

/** For each block that ends in a return, the return addresses of the calls in the region that may have led there. */
function returnPoints(
  blocks: readonly Omit<Block, "successors">[],
  at: ReadonlyMap<number, number>,
): ReadonlyMap<number, readonly number[]> {
  const result = new Map<number, number[]>();
  for (const { flow } of blocks) {
    if (!("next" in flow) || flow.next === undefined || !at.has(flow.next)) continue;
    for (const block of calleesOf(flow).flatMap((callee) => returnsOf(callee, blocks, at))) {
      const points = result.get(block) ?? [];
      if (!points.includes(flow.next)) result.set(block, [...points, flow.next]);
    }
  }
  return result;
}

function calleesOf(flow: Flow): readonly number[] {
  return flow.kind === "call" ? [flow.target] : flow.kind === "indirect" ? (flow.likely ?? []) : [];
}

/** Blocks with returns that a function's entry reaches without leaving the function: calls are stepped over. */
function returnsOf(entry: number, blocks: readonly Omit<Block, "successors">[], at: ReadonlyMap<number, number>): number[] {
  const seen = new Set<number>();
  const queue = [entry];
  const found: number[] = [];
  for (let delta = queue.pop(); delta !== undefined; delta = queue.pop()) {
    const index = at.get(delta);
    if (index === undefined || seen.has(index)) continue;
    seen.add(index);
    const { flow } = blocks[index]!;
    if (flow.kind === "return") found.push(index);
    if ("next" in flow && flow.next !== undefined) queue.push(flow.next);
    else if (flow.kind === "indirect") queue.push(...(flow.likely ?? []));
    if (flow.kind === "conditional" || flow.kind === "jump") queue.push(flow.target);
  }
  return found;
}
