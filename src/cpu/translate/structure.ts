// The shape of a region's control flow: reverse postorder, dominators, loops and merges (Ramsey, "Beyond Relooper", ICFP 2022).
import { assert } from "../../support/assert.ts";

/** A graph whose nodes are 0..n-1 and whose entry is 0. */
export type Successors = readonly (readonly number[])[];

/** What structured code needs to know of a graph. */
export interface Structure {
  /** Position in reverse postorder; -1 for nodes that cannot be reached. */
  readonly position: readonly number[];
  /** Nodes that a node immediately dominates, last in reverse postorder first. */
  readonly children: readonly (readonly number[])[];
  readonly isLoopHeader: readonly boolean[];
  /** Reached by more than one forward edge. */
  readonly isMerge: readonly boolean[];
  /** For nodes in a loop that is small enough, the header of the outermost such loop; -1 for others. */
  readonly loop: readonly number[];
}

/** Reverse postorder of what the entry reaches. */
function reversePostorder(successors: Successors): number[] {
  const order: number[] = [];
  const state = new Uint8Array(successors.length);
  const stack: [node: number, next: number][] = [[0, 0]];
  state[0] = 1;
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const [node, next] = top;
    const to = successors[node]![next];
    if (to === undefined) {
      order.push(node);
      stack.pop();
      continue;
    }
    top[1]++;
    if (state[to] === 0) {
      state[to] = 1;
      stack.push([to, 0]);
    }
  }
  return order.reverse();
}

/** Immediate dominators by position (Cooper, Harvey, Kennedy, "A Simple, Fast Dominance Algorithm"). */
function dominators(order: readonly number[], position: readonly number[], predecessors: readonly (readonly number[])[]): number[] {
  const idom: number[] = order.map((_, i) => (i === 0 ? 0 : -1));
  const meet = (a: number, b: number): number => {
    while (a !== b) {
      if (a > b) a = idom[a]!;
      else b = idom[b]!;
    }
    return a;
  };
  for (let changed = true; changed;) {
    changed = false;
    for (let i = 1; i < order.length; i++) {
      let found = -1;
      for (const p of predecessors[order[i]!]!) {
        const at = position[p]!;
        if (idom[at] === -1) continue;
        found = found === -1 ? at : meet(at, found);
      }
      if (idom[i] !== found) {
        idom[i] = found;
        changed = true;
      }
    }
  }
  return idom;
}

/** Edges that jump into a loop past its header: what keeps a graph from being structured. Removing them leaves a reducible graph. */
export function irreducibleEdges(successors: Successors): readonly (readonly [from: number, to: number])[] {
  const { order, position, idom } = analyse(successors);
  const dominates = (a: number, b: number): boolean => {
    for (let at = b; ; at = idom[at]!) {
      if (at === a) return true;
      if (at <= a) return false;
    }
  };
  const edges: [number, number][] = [];
  for (const from of order) {
    for (const to of successors[from]!) {
      const [f, t] = [position[from]!, position[to]!];
      if (t <= f && !dominates(t, f)) edges.push([from, to]);
    }
  }
  return edges;
}

interface Analysis {
  readonly order: readonly number[];
  readonly position: readonly number[];
  readonly predecessors: readonly (readonly number[])[];
  readonly idom: readonly number[];
}

function analyse(successors: Successors): Analysis {
  const order = reversePostorder(successors);
  const position = successors.map(() => -1);
  order.forEach((node, i) => (position[node] = i));
  const predecessors: number[][] = successors.map(() => []);
  for (const node of order) for (const to of successors[node]!) predecessors[to]!.push(node);
  return { order, position, predecessors, idom: dominators(order, position, predecessors) };
}

/** Nodes of the loop that a header begins: those that lead back to it, without passing it. */
function loopOf(header: number, { position, predecessors }: Analysis): Set<number> {
  const loop = new Set([header]);
  const stack = predecessors[header]!.filter((p) => position[p]! >= position[header]!);
  for (let n = stack.pop(); n !== undefined; n = stack.pop()) {
    if (loop.has(n)) continue;
    loop.add(n);
    stack.push(...predecessors[n]!);
  }
  return loop;
}

/** Headers of the outermost loops whose nodes together weigh no more than `most`, by node. */
function smallLoops(analysis: Analysis, isLoopHeader: readonly boolean[], weights: readonly number[], most: number): number[] {
  const loops = isLoopHeader.map(() => -1);
  for (const header of analysis.order) {
    if (!isLoopHeader[header] || loops[header] !== -1) continue;
    const nodes = loopOf(header, analysis);
    let weight = 0;
    for (const n of nodes) weight += weights[n]!;
    if (weight <= most) for (const n of nodes) loops[n] = header;
  }
  return loops;
}

/** The structure of a reducible graph. @param weights of the nodes @param most that a small loop weighs */
export function structure(
  successors: Successors,
  weights: readonly number[] = successors.map(() => 1),
  most: number = Infinity,
): Structure {
  const analysis = analyse(successors);
  const { order, position, predecessors, idom } = analysis;
  const children: number[][] = successors.map(() => []);
  for (let i = order.length - 1; i > 0; i--) {
    assert(idom[i] !== -1, "every node but the entry has a dominator");
    children[order[idom[i]!]!]!.push(order[i]!);
  }
  const isLoopHeader = successors.map((_, n) => position[n]! >= 0 && predecessors[n]!.some((p) => position[p]! >= position[n]!));
  const isMerge = successors.map((_, n) => predecessors[n]!.filter((p) => position[p]! < position[n]!).length > 1);
  return { position, children, isLoopHeader, isMerge, loop: smallLoops(analysis, isLoopHeader, weights, most) };
}
