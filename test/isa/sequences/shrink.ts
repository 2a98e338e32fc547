// Makes a failing sequence smaller while it still fails: one start, fewer instructions, simpler circumstances.
import type { Disagreement } from "./check.ts";
import type { Chunk, Node, Program } from "./program.ts";
import type { Schedule, Sequence, Start, TranslationPlan } from "./sequence.ts";

/** The disagreement of a sequence, if there still is one. */
export type Judge = (sequence: Sequence) => Disagreement | undefined;

type Change = (sequence: Sequence) => Sequence;

const inEachStart =
  (change: (start: Start) => Start): Change =>
  (s) => ({ ...s, starts: s.starts.map(change) });
const schedule = (change: Partial<Schedule>): Change => inEachStart((start) => ({ ...start, schedule: { ...start.schedule, ...change } }));
const translation =
  (change: Partial<TranslationPlan>): Change =>
  (s) => ({ ...s, translation: { ...s.translation, ...change } });

const SIMPLER: readonly Change[] = [
  translation({ late: 0 }),
  translation({ inner: 0 }),
  translation({ hot: "nowhere" }),
  schedule({ rewrite: "none" }),
  schedule({ interrupts: false }),
  schedule({ kicks: false }),
  schedule({ cold: false }),
  schedule({ budget: 100_000 }),
  inEachStart((start) => ({ ...start, interrupting: false })),
];

/** The smallest disagreement that leaving out starts, instructions and interruptions gives. */
export function shrink(found: Disagreement, judge: Judge): Disagreement {
  let best = found;
  const attempt = (sequence: Sequence): boolean => {
    const worse = judge(sequence);
    if (worse) best = worse;
    return worse !== undefined;
  };
  const { sequence } = found;
  const first = sequence.starts[0]!;
  const failing = sequence.starts[found.start]!;
  // Regions are made of what the starts have run; the first says how.
  if (!attempt({ ...sequence, starts: [failing] })) attempt({ ...sequence, starts: [first, failing] });
  for (const change of SIMPLER) attempt(change(best.sequence));
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
