import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { irreducibleEdges, structure, type Structure, type Successors } from "./structure.ts";

/** Graphs of up to 12 nodes with up to three edges out of each. */
const graphs: fc.Arbitrary<Successors> = fc
  .integer({ min: 1, max: 12 })
  .chain((n) => fc.array(fc.array(fc.nat(n - 1), { maxLength: 3 }), { minLength: n, maxLength: n }));

function withoutIrreducible(successors: Successors): Successors {
  const cut = irreducibleEdges(successors);
  return successors.map((list, from) => list.filter((to) => !cut.some(([f, t]) => f === from && t === to)));
}

/** Nodes that cannot be reached any more when `without` is taken out. */
function dominatedBy(successors: Successors, without: number): Set<number> {
  const reached = new Set<number>();
  const visit = (n: number): void => {
    if (n === without || reached.has(n)) return;
    reached.add(n);
    successors[n]!.forEach(visit);
  };
  visit(0);
  return new Set(successors.map((_, n) => n).filter((n) => !reached.has(n)));
}

/** Every branch of the structured code leads to a label around it: a loop that encloses it, or a block that ends before its target. */
function checkNesting(successors: Successors, s: Structure): void {
  const visited = new Set<number>();
  const place = (n: number, labels: readonly string[]): void => {
    expect(visited.has(n)).toBe(false);
    visited.add(n);
    const own = s.isLoopHeader[n] ? [...labels, `again ${n}`] : labels;
    const merges = s.children[n]!.filter((c) => s.isMerge[c]);
    // The last merge stands outermost: behind each one's block come those before it in the list.
    merges.forEach((merge, i) => place(merge, [...own, ...merges.slice(0, i).map((m) => `forward ${m}`)]));
    const inner = [...own, ...merges.map((m) => `forward ${m}`)];
    for (const to of successors[n]!) {
      if (s.position[to]! <= s.position[n]!) expect(inner).toContain(`again ${to}`);
      else if (s.isMerge[to]) expect(inner).toContain(`forward ${to}`);
      else place(to, inner);
    }
  };
  place(0, []);
  s.position.forEach((position, n) => expect(visited.has(n)).toBe(position >= 0));
}

describe("structure", () => {
  it("nests any graph whose irreducible edges are cut, each node once and each branch to a label around it", () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const reducible = withoutIrreducible(graph);
        expect(irreducibleEdges(reducible)).toEqual([]);
        checkNesting(reducible, structure(reducible));
      }),
      { numRuns: 400 },
    );
  });

  it("puts a node under the nearest of those that every way to it passes", () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const { position, children } = structure(graph);
        children.forEach((list, parent) => {
          const dominated = dominatedBy(graph, parent);
          for (const child of list) {
            expect(dominated.has(child)).toBe(true);
            const between = list.filter((other) => other !== child && dominatedBy(graph, other).has(child) && position[other]! >= 0);
            expect(between).toEqual([]);
          }
        });
      }),
    );
  });

  it("cuts nothing from loops within loops", () => {
    const graph = [[1], [2], [3, 1], [1, 4], []];
    expect(irreducibleEdges(graph)).toEqual([]);
    expect(structure(graph).isLoopHeader).toEqual([false, true, false, false, false]);
  });

  it("cuts the second way into a loop", () => {
    expect(irreducibleEdges([[1, 2], [2], [1]])).toHaveLength(1);
  });

  it("takes a conditional branch to the next instruction for two edges", () => {
    expect(structure([[1, 1], []]).isMerge).toEqual([false, true]);
  });
});
