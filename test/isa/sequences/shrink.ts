// Makes a failing sequence smaller while it still fails: fewer instructions, simpler circumstances.
import type { Disagreement } from "./check.ts";
import type { Chunk, Node, Program } from "./program.ts";
import type { Schedule, Sequence } from "./start.ts";

/** The disagreement of a sequence, if there still is one. */
export type Judge = (sequence: Sequence) => Disagreement | undefined;

const SIMPLER: readonly Partial<Schedule>[] = [
  { late: 0 },
  { inner: 0 },
  { rewrite: "none" },
  { interrupts: false },
  { kicks: false },
  { cold: false },
  { budget: 100_000 },
];

/** The smallest disagreement that leaving out instructions and interruptions gives. */
export function shrink(found: Disagreement, judge: Judge): Disagreement {
  let best = found;
  const attempt = (sequence: Sequence): boolean => {
    const worse = judge(sequence);
    if (worse) best = worse;
    return worse !== undefined;
  };
  for (const change of SIMPLER) attempt({ ...best.sequence, schedule: { ...best.sequence.schedule, ...change } });
  for (let size = 16, changed = false; size >= 1; size = changed && size === 1 ? 1 : size >> 1) {
    changed = false;
    for (let at = instructionsOf(best.sequence.program) - size; at > -size; at -= size) {
      changed = attempt({ ...best.sequence, program: without(best.sequence.program, Math.max(0, at), size) }) || changed;
    }
  }
  return best;
}

function instructionsOf({ chunks }: Program): number {
  return chunks.reduce((n, { nodes }) => n + nodes.filter((node) => node.kind !== "label").length, 0);
}

/** The program without `count` instructions from number `from` on; its labels stay. */
function without(program: Program, from: number, count: number): Program {
  let n = 0;
  const kept = (node: Node): boolean => node.kind === "label" || n++ < from || n > from + count;
  const chunks: Chunk[] = program.chunks.map(({ origin, nodes }) => ({ origin, nodes: nodes.filter(kept) }));
  return { ...program, chunks };
}
