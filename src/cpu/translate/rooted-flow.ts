// How control flows through a region when some of its blocks are reached by number, by way of a root in front of them all.
import { RECORD } from "../engine/layout.ts";
import type { Block, RegionGraph } from "./graph.ts";
import { irreducibleEdges } from "./structure.ts";

/** Largest distance that the map of indirect targets spans, in bytes. */
const MAP_BYTES = 0x2000;

/** Nodes of the structure: the root, then the blocks. */
export const ROOT = 0;
/** The node of a block. */
export const nodeOf = (block: number): number => block + 1;

/** Which deltas the root knows: byte n is for `from` + n, 0 or the number of a way, plus 1. */
export interface IndirectMap {
  readonly from: number;
  readonly bytes: Uint8Array;
}

/** How control flows when some blocks are reached by number. */
export interface RootedFlow {
  readonly ways: readonly number[];
  readonly successors: readonly (readonly number[])[];
  readonly byNumber: ReadonlySet<number>;
  readonly map: IndirectMap;
}

/**
 * Puts a root in front of the entries. What keeps the graph from being structured is reached by way of the root as well: blocks in
 * the middle of loops that something outside leads to. Indirect jumps lead to the root when one of its ways may be their target.
 */
export function throughRoot(graph: RegionGraph): RootedFlow {
  const ways = graph.entries.map(nodeOf);
  const map = indirectMap(graph);
  const isIndirect = ({ flow }: Block): boolean => flow.kind === "indirect" || flow.kind === "return";
  const byNumber = new Set<number>();
  for (;;) {
    const edges = (b: Block): number[] => {
      const direct = b.successors.map(nodeOf).map((to) => (byNumber.has(to) ? ROOT : to));
      return isIndirect(b) && map.bytes.length > 0 ? [...direct, ROOT] : direct;
    };
    const successors = [[...ways], ...graph.blocks.map(edges)];
    const stray = irreducibleEdges(successors).map(([, to]) => to);
    if (stray.length === 0) return { ways, successors, byNumber, map };
    for (const to of stray) {
      byNumber.add(to);
      if (!ways.includes(to)) ways.push(to);
    }
  }
}

/** The entries as targets of indirect jumps, if there are any such jumps and others than where the region begins. */
function indirectMap(graph: RegionGraph): IndirectMap {
  const deltas = graph.entries.map((n) => graph.blocks[n]!.delta);
  const from = Math.min(...deltas);
  const length = Math.max(...deltas) - from + 1;
  const isUsed = graph.blocks.some(({ flow }) => flow.kind === "indirect" || flow.kind === "return");
  if (!isUsed || deltas.length < 2 || length > MAP_BYTES) return { from: 0, bytes: new Uint8Array(0) };
  // In whole records, since records follow.
  const bytes = new Uint8Array(Math.ceil(length / RECORD.size) * RECORD.size);
  deltas.forEach((delta, n) => (bytes[delta - from] = n + 1));
  return { from, bytes };
}
