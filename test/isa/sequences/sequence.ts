// A sequence: a program, how it is translated, and the starts from which it is run. One number gives all of it.
import { Prng } from "../prng.ts";
import { writeSequence } from "./patterns.ts";
import type { Mode, Program } from "./program.ts";
import { SLOTS } from "./space.ts";
import { type Segments, startState, type StartState } from "./start.ts";

/** How often the processor is interrupted in the run that is compared. */
export interface Schedule {
  /** Largest budget of one `run`, in instructions. */
  readonly budget: number;
  readonly interrupts: boolean;
  readonly kicks: boolean;
  /** With an empty TLB. */
  readonly cold: boolean;
  /**
   * What happens to the code between translation and the run: nothing, the same bytes again, other bytes and back, or one page is
   * another, absent or not executable, and as it was again.
   */
  readonly rewrite: "none" | "same" | "other" | "spare" | "absent" | "noExecute";
}

/** How a program is translated. */
export interface TranslationPlan {
  /** Regions also begin at so many labels. */
  readonly inner: number;
  /** Where the regions may be entered, besides where they begin: nowhere, where others begin, or at all labels. */
  readonly hot: "nowhere" | "entries" | "labels";
  /** Made when the first start has run for so many instructions already; 0 for before. */
  readonly late: number;
}

/** One start of a program. */
export interface Start {
  readonly cpl: 0 | 3;
  readonly segments: Segments;
  /** The program runs at its other address, and its pointers lead to the other addresses of its data. */
  readonly isAliased: boolean;
  /** Device accesses may raise an interrupt, in all runs at the same place; only where no others come. */
  readonly interrupting: boolean;
  readonly schedule: Schedule;
  readonly state: StartState;
}

/** A program with its starts. */
export interface Sequence {
  readonly seed: number;
  readonly slot: number;
  readonly program: Program;
  readonly translation: TranslationPlan;
  readonly starts: readonly Start[];
}

/** Starts of each program. */
export const STARTS = 4;

const REWRITES = ["same", "same", "other", "other", "spare", "spare", "absent", "noExecute"] as const;

function scheduleOf(prng: Prng): Schedule {
  const often = prng.chance(25);
  return {
    budget: often ? prng.pick([1, 2, 3, 7, 10, 40, 150]) : 100_000,
    interrupts: (often && prng.chance(60)) || prng.chance(3),
    kicks: often && prng.chance(30),
    cold: prng.chance(10),
    rewrite: prng.chance(85) ? "none" : prng.pick(REWRITES),
  };
}

function translationOf(prng: Prng): TranslationPlan {
  const isLate = prng.chance(4);
  return {
    inner: prng.chance(20) ? prng.between(1, 3) : 0,
    hot: prng.chance(40) ? "labels" : prng.chance(30) ? "entries" : "nowhere",
    late: isLate ? (prng.chance(60) ? prng.between(1, 12) : prng.between(5, 200)) : 0,
  };
}

/** Most starts are of the privilege that the program was written for. */
function startOf(prng: Prng, mode: Mode, cpl: 0 | 3, slot: number): Start {
  const segments = mode === 64 || prng.chance(90) ? "flat" : prng.chance(60) ? "shifted" : "limited";
  const isAliased = prng.chance(8);
  const schedule = scheduleOf(prng);
  return {
    cpl: prng.chance(92) ? cpl : cpl === 0 ? 3 : 0,
    segments,
    isAliased,
    interrupting: !schedule.interrupts && prng.chance(20),
    schedule,
    state: startState(prng, { mode, slot, segments, isAliased }),
  };
}

/** The sequence of a seed; its slot is the seed's remainder. */
export function sequenceOf(seed: number, starts: number = STARTS): Sequence {
  const prng = new Prng(Math.imul(seed, 0x9e37_79b1) ^ (seed / 0x1_0000_0000));
  const slot = seed % SLOTS;
  const mode = prng.chance(65) ? 64 : 32;
  const cpl = prng.chance(60) ? 3 : 0;
  const rounds = prng.chance(30) ? 10 : 1;
  const translation = translationOf(prng);
  const begin = prng.next();
  const program = writeSequence({ mode, cpl, instructions: prng.between(5, 50), rounds }, prng);
  return {
    seed,
    slot,
    program,
    translation,
    starts: Array.from({ length: starts }, (_, i) => startOf(new Prng(begin + i), mode, cpl, slot)),
  };
}
