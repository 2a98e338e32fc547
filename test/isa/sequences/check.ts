// Holds the translator, and for a sample the evaluator, against the interpreter on batches of sequences.
import type { ProgramGenerator } from "../../../src/cpu/engine/generator.ts";
import { compareEndings, type Difference } from "./compare.ts";
import { type Ending, Keeper } from "./ending.ts";
import { type Assembled, assemble } from "./program.ts";
import { SequenceRunner } from "./runner.ts";
import { type Schedule, type Sequence, sequenceOf, type Start } from "./sequence.ts";
import { CODE_BYTES, SLOTS } from "./space.ts";
import { SequenceTranslator } from "./translate.ts";

/** A start of a sequence on which engines disagree. */
export interface Disagreement {
  readonly sequence: Sequence;
  /** Number of the start. */
  readonly start: number;
  /** Which engine, and in which run of it. */
  readonly where: string;
  readonly differences: readonly Difference[];
}

/** What checking came to. */
export interface Tally {
  /** Programs; programs from a start; starts on the evaluator. */
  programs: number;
  sequences: number;
  evaluated: number;
  /** Regions, and how many of them the optimizing compiler compiled. */
  regions: number;
  optimized: number;
  /** Instructions that the interpreter executed, those of the runs held against it, and how many of them in regions. */
  instructions: number;
  compared: number;
  translated: number;
  /** Runs held against the interpreter's in which some region was entered. */
  entered: number;
  timeouts: number;
  /** Sequences that come to something else each time, since a pointer led out of their slot. */
  unstable: number;
}

/** How to check. */
export interface CheckOptions {
  /** One start of every so many sequences also runs on the evaluator; 0 for none. */
  readonly evaluate?: number;
  /** Regions are compiled by V8's optimizing compiler. */
  readonly optimize?: boolean;
}

/** What the interpreter comes to. */
interface Expected {
  readonly start: Start;
  readonly ending: Ending;
  /** With other code, and with another page, where the schedule says so. */
  readonly other: Ending | undefined;
  readonly remapped: Ending | undefined;
}

interface Job {
  readonly sequence: Sequence;
  readonly code: Assembled;
  /** The code with other instructions here and there. */
  readonly other: Assembled;
  /** Offset of a page that the sequence does not begin in; undefined when it lies in one. */
  readonly page: number | undefined;
  readonly expected: Expected[];
}

/** One-byte CMC. */
const OTHER = 0xf5;
/** Instructions beyond which the evaluator is not asked. */
const MOST_EVALUATED = 1500;

/** Checks sequences, many at a time. */
export class Checker {
  readonly tally: Tally = {
    programs: 0,
    sequences: 0,
    evaluated: 0,
    regions: 0,
    optimized: 0,
    instructions: 0,
    compared: 0,
    translated: 0,
    entered: 0,
    timeouts: 0,
    unstable: 0,
  };
  readonly #runner: SequenceRunner;
  readonly #translator: SequenceTranslator;
  readonly #keeper = new Keeper();
  readonly #program: ProgramGenerator;
  #evaluator: SequenceRunner | undefined;

  constructor(program: ProgramGenerator) {
    this.#program = program;
    this.#runner = new SequenceRunner("translator", program);
    this.#translator = new SequenceTranslator(program, this.#runner);
  }

  /** The sequences of SLOTS seeds from `seed` on, a multiple of SLOTS. */
  batch(seed: number, options?: CheckOptions): Disagreement[] {
    const sequences = Array.from({ length: SLOTS }, (_, i) => sequenceOf(seed + i));
    return this.check(sequences, options);
  }

  /** Sequences of different slots. */
  check(sequences: readonly Sequence[], { evaluate = 0, optimize = false }: CheckOptions = {}): Disagreement[] {
    this.#runner.flushTlb();
    this.#keeper.reset();
    const jobs = sequences.map((sequence) => this.#job(sequence));
    // All in place before the first one runs, and again behind each: what a wild pointer finds elsewhere is always the same.
    for (const job of jobs) this.#putBack(job);
    for (const job of jobs) this.#interpret(job);
    const made = this.#translator.translate(jobs, optimize);
    this.tally.regions += made;
    if (optimize) this.tally.optimized += made;
    const found = jobs.flatMap((job) => this.#translated(job, optimize));
    if (evaluate > 0) for (let i = 0; i < jobs.length; i += evaluate) found.push(...this.#evaluated(jobs[i]!));
    return found.filter(({ sequence }) => this.#isStable(sequence));
  }

  #job(sequence: Sequence): Job {
    const code = assemble(sequence.program, sequence.slot);
    const pageOf = (offset: number): number => offset & ~0xfff;
    const page = code.starts.map(pageOf).find((p) => p !== pageOf(code.entry) && p < CODE_BYTES);
    return { sequence, code, other: { ...code, code: otherCode(code) }, page, expected: [] };
  }

  #putBack({ sequence, code }: Job): void {
    this.#runner.place(sequence, sequence.starts[0]!, code.code);
  }

  // ── the interpreter ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #interpret(job: Job): void {
    this.tally.programs++;
    for (const start of job.sequence.starts) job.expected.push(this.#expect(job, start));
    this.#putBack(job);
  }

  #expect({ sequence, code, other, page }: Job, start: Start): Expected {
    const runner = this.#runner;
    const run = (with_: Assembled): Ending => {
      const ending = this.#keeper.keep(runner.run(sequence, start, with_));
      this.tally.instructions += ending.retired;
      return ending;
    };
    runner.place(sequence, start, code.code);
    const ending = run(code);
    this.tally.sequences++;
    if (ending.kind === "timeout") this.tally.timeouts++;
    const { rewrite } = start.schedule;
    let others: { other?: Ending; remapped?: Ending } = {};
    if (rewrite === "other") {
      runner.place(sequence, start, other.code);
      others = { other: run(other) };
    }
    if (isMapping(rewrite) && page !== undefined) {
      runner.place(sequence, start, code.code);
      runner.remap(sequence, page, rewrite, other.code.subarray(page, page + 0x1000));
      others = { remapped: run(code) };
      runner.remap(sequence, page, "own");
    }
    return { start, ending, other: others.other, remapped: others.remapped };
  }

  /** Whether the interpreter agrees with itself, on the code as it is and on the other. */
  #isStable(sequence: Sequence): boolean {
    const runner = new SequenceRunner("translator", this.#program);
    const { code, other } = this.#job(sequence);
    const keeper = new Keeper();
    for (const start of sequence.starts) {
      for (const one of [code, other]) {
        const [first, second] = [0, 1].map(() => {
          runner.place(sequence, start, one.code);
          runner.flushTlb();
          return keeper.keep(runner.run(sequence, start, one));
        }) as [Ending, Ending];
        if (compareEndings(first, second, runner.before(sequence.slot)).length === 0) continue;
        this.tally.unstable++;
        return false;
      }
    }
    return true;
  }

  // ── the others ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #translated(job: Job, optimize: boolean): Disagreement[] {
    const found: Disagreement[] = [];
    job.expected.forEach((expected, i) => found.push(...this.#startTranslated(job, expected, i, optimize)));
    this.#putBack(job);
    return found;
  }

  #startTranslated(job: Job, expected: Expected, number: number, optimize: boolean): Disagreement[] {
    const { sequence, code, other, page } = job;
    const { start } = expected;
    const { rewrite, cold } = start.schedule;
    const runner = this.#runner;
    const found: Disagreement[] = [];
    const run = (where: string, with_: Assembled, against: Ending, late = 0, except?: number): void => {
      if (cold) runner.flushTlb();
      else runner.warm(sequence, start, except);
      const interlude = late > 0 ? { after: late, act: (): void => this.#translateLate(job, optimize) } : undefined;
      const got = this.#counted(() => runner.run(sequence, start, with_, comparable(start.schedule, against), interlude));
      const differences = compareEndings(against, got, runner.before(sequence.slot));
      if (differences.length > 0) found.push({ sequence, start: number, where, differences });
    };
    if (expected.other) {
      // The same place holds other code for a while: the regions may not be in force meanwhile.
      runner.place(sequence, start, code.code);
      runner.place(sequence, start, other.code);
      run("translator, on other code", other, expected.other);
    }
    if (expected.remapped && page !== undefined && isMapping(rewrite)) {
      runner.place(sequence, start, code.code);
      runner.remap(sequence, page, rewrite, other.code.subarray(page, page + 0x1000));
      run(`translator, a page ${rewrite}`, code, expected.remapped, 0, page);
      runner.remap(sequence, page, "own");
    }
    runner.place(sequence, start, code.code);
    if (rewrite === "same") runner.writeCode(sequence.slot, code.code, true);
    run(`translator, rewrite ${rewrite}`, code, expected.ending, number === 0 ? sequence.translation.late : 0);
    return found;
  }

  #counted(run: () => Ending): Ending {
    const before = this.#runner.inRegions;
    const ending = run();
    this.tally.compared += ending.retired;
    const translated = this.#runner.inRegions - before;
    this.tally.translated += translated;
    if (translated > 0) this.tally.entered++;
    return ending;
  }

  #translateLate({ sequence, code }: Job, optimize: boolean): void {
    const made = this.#translator.translateHere(sequence, code, optimize);
    this.tally.regions += made;
    if (optimize) this.tally.optimized += made;
  }

  #evaluated({ sequence, code, expected }: Job): Disagreement[] {
    const number = sequence.seed % expected.length;
    const { start, ending } = expected[number]!;
    if (ending.kind === "timeout" || ending.retired > MOST_EVALUATED) return [];
    const evaluator = (this.#evaluator ??= new SequenceRunner("evaluator", this.#program));
    evaluator.place(sequence, start, code.code);
    evaluator.flushTlb();
    const got = evaluator.run(sequence, start, code);
    this.tally.evaluated++;
    const differences = compareEndings(ending, got, evaluator.before(sequence.slot));
    return differences.length === 0 ? [] : [{ sequence, start: number, where: "evaluator", differences }];
  }
}

/** The schedule without interrupts when the sequence gave up the tables that let them return at once. */
function comparable(schedule: Schedule, expected: Ending): Schedule {
  return schedule.interrupts && !expected.isAtHome ? { ...schedule, interrupts: false } : schedule;
}

/** Whether a page of the code is to be mapped otherwise. */
function isMapping(rewrite: Schedule["rewrite"]): rewrite is "spare" | "absent" | "noExecute" {
  return rewrite === "spare" || rewrite === "absent" || rewrite === "noExecute";
}

/** The code with every third instruction begun by another. */
function otherCode({ code, starts }: Assembled): Uint8Array {
  const other = code.slice();
  starts.forEach((start, i) => {
    if (i % 3 === 1 && start < other.length) other[start] = OTHER;
  });
  return other;
}
