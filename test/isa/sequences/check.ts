// Holds the translator, and for a sample the evaluator, against the interpreter on batches of sequences.
import type { ProgramGenerator } from "../../../src/cpu/engine/generator.ts";
import type { RegionRequest } from "../../../src/cpu/engine/translation.ts";
import { compareEndings, type Difference } from "./compare.ts";
import { type Assembled, assemble } from "./program.ts";
import { type Ending, SequenceRunner } from "./runner.ts";
import { CODE_BYTES, SLOTS } from "./space.ts";
import { type Schedule, type Sequence, sequenceOf } from "./start.ts";

/** A sequence on which engines disagree. */
export interface Disagreement {
  readonly sequence: Sequence;
  /** Which engine, and in which run of it. */
  readonly where: string;
  readonly differences: readonly Difference[];
}

/** What checking came to. */
export interface Tally {
  sequences: number;
  evaluated: number;
  regions: number;
  timeouts: number;
  /** Sequences that come to something else each time, since a pointer led out of their slot. */
  unstable: number;
  instructions: number;
}

interface Job {
  readonly sequence: Sequence;
  readonly code: Assembled;
  readonly expected: Ending;
  readonly remapped: Remapped | undefined;
}

/** A page of the code with other bytes, and what the sequence comes to with it. */
interface Remapped {
  readonly page: number;
  readonly bytes: Uint8Array;
  readonly expected: Ending;
}

/** One-byte CMC. */
const OTHER = 0xf5;

/** Checks sequences, many at a time. */
export class Checker {
  readonly tally: Tally = { sequences: 0, evaluated: 0, regions: 0, timeouts: 0, unstable: 0, instructions: 0 };
  readonly #translator: SequenceRunner;
  readonly #program: ProgramGenerator;
  #evaluator: SequenceRunner | undefined;

  constructor(program: ProgramGenerator) {
    this.#program = program;
    this.#translator = new SequenceRunner("translator", program);
  }

  /** The sequences of SLOTS seeds from `seed` on, a multiple of SLOTS; every `evaluate`-th also on the evaluator. */
  batch(seed: number, evaluate = 0): Disagreement[] {
    const sequences = Array.from({ length: SLOTS }, (_, i) => sequenceOf(seed + i));
    return this.check(sequences, evaluate);
  }

  /** Sequences of different slots. */
  check(sequences: readonly Sequence[], evaluate = 0): Disagreement[] {
    this.#translator.flushTlb();
    const prepared = sequences.map((sequence) => ({ sequence, code: assemble(sequence.program, sequence.slot) }));
    // All in place before the first one runs: what a wild pointer finds elsewhere is what it finds the next time, too.
    for (const { sequence, code } of prepared) {
      this.#translator.prepare(sequence);
      this.#translator.place(sequence, code.code);
    }
    const jobs = prepared.map(({ sequence, code }) => this.#interpret(sequence, code));
    const requests = jobs.flatMap((job) => this.#requests(job));
    this.tally.regions += this.#translator.translate(requests);
    const found = jobs.flatMap((job) => this.#translated(job));
    if (evaluate > 0) for (let i = 0; i < jobs.length; i += evaluate) found.push(...this.#evaluated(jobs[i]!));
    return found.filter(({ sequence }) => this.#isStable(sequence));
  }

  /**
   * Whether the interpreter agrees with itself, on the code as it is and on the other. Runs of the same kind: if budgets made a
   * difference, that would be a disagreement.
   */
  #isStable(sequence: Sequence): boolean {
    const runner = new SequenceRunner("translator", this.#program);
    const code = assemble(sequence.program, sequence.slot);
    runner.prepare(sequence);
    for (const one of [code, { ...code, code: otherCode(code) }]) {
      const [first, second] = [0, 1].map(() => {
        runner.place(sequence, one.code);
        runner.flushTlb();
        return runner.run(sequence, one);
      }) as [Ending, Ending];
      if (compareEndings(first, second).length === 0) continue;
      this.tally.unstable++;
      return false;
    }
    return true;
  }

  #interpret(sequence: Sequence, code: Assembled): Job {
    this.#translator.place(sequence, code.code);
    const expected = this.#translator.run(sequence, code);
    this.tally.sequences++;
    this.tally.instructions += expected.retired;
    if (expected.kind === "timeout") this.tally.timeouts++;
    const remapped = sequence.schedule.rewrite === "remap" ? this.#interpretRemapped(sequence, code) : undefined;
    this.#translator.place(sequence, code.code);
    return { sequence, code, expected, remapped };
  }

  /** With other bytes in a page that the sequence does not begin in; undefined when it lies in one. */
  #interpretRemapped(sequence: Sequence, code: Assembled): Remapped | undefined {
    const pageOf = (offset: number): number => offset & ~0xfff;
    const page = code.starts.map(pageOf).find((p) => p !== pageOf(code.entry) && p < CODE_BYTES);
    if (page === undefined) return undefined;
    const bytes = otherCode(code).slice(page, page + 0x1000);
    return { page, bytes, expected: this.#runRemapped(sequence, code, page, bytes) };
  }

  #runRemapped(sequence: Sequence, code: Assembled, page: number, bytes: Uint8Array, schedule?: Schedule): Ending {
    const runner = this.#translator;
    runner.place(sequence, code.code);
    runner.remap(sequence, page, bytes);
    const ending = runner.run(sequence, code, schedule);
    runner.remap(sequence, page);
    return ending;
  }

  #requests({ sequence, code }: Job): readonly RegionRequest[] {
    const { inner, late } = sequence.schedule;
    if (late > 0) return [];
    const labels = [...new Set(code.labels.values())].filter((offset) => offset !== code.entry).slice(0, inner);
    return this.#translator.requests(sequence, [code.entry, ...labels]);
  }

  #translated(job: Job): Disagreement[] {
    const { sequence, code, expected } = job;
    const runner = this.#translator;
    const { rewrite, cold } = sequence.schedule;
    if (rewrite === "other") {
      const found = this.#onOther(job, sequence.schedule);
      if (found) return [found];
    }
    if (job.remapped) {
      const { page, bytes } = job.remapped;
      const schedule = comparable(sequence.schedule, job.remapped.expected);
      const found = compareEndings(job.remapped.expected, this.#runRemapped(sequence, code, page, bytes, schedule));
      if (found.length > 0) return [{ sequence, where: "translator, with another page", differences: found }];
    }
    runner.place(sequence, code.code);
    if (rewrite === "same") runner.writeCode(sequence.slot, code.code, true);
    if (cold) runner.flushTlb();
    const got = runner.run(sequence, code, comparable(sequence.schedule, expected));
    runner.place(sequence, code.code);
    return disagreement(sequence, `translator, rewrite ${rewrite}`, expected, got);
  }

  /** The same place holds other code for a while: the regions may not be in force meanwhile. */
  #onOther(job: Job, schedule: Schedule): Disagreement | undefined {
    const { sequence, code } = job;
    const runner = this.#translator;
    runner.place(sequence, code.code);
    const other: Assembled = { ...code, code: otherCode(code) };
    runner.place(sequence, other.code);
    const got = runner.run(sequence, other, schedule);
    runner.place(sequence, other.code);
    runner.writeCode(sequence.slot, other.code, true);
    const expected = runner.run(sequence, other);
    const fair = comparable(schedule, expected);
    if (fair !== schedule) return this.#onOther(job, fair);
    return disagreement(sequence, "translator, on other code", expected, got)[0];
  }

  #evaluated({ sequence, code, expected }: Job): Disagreement[] {
    if (expected.kind === "timeout" || expected.retired > 1500) return [];
    this.#evaluator ??= new SequenceRunner("evaluator", this.#program);
    this.#evaluator.prepare(sequence);
    this.#evaluator.place(sequence, code.code);
    this.#evaluator.flushTlb();
    const got = this.#evaluator.run(sequence, code);
    this.tally.evaluated++;
    return disagreement(sequence, "evaluator", expected, got);
  }
}

/** The schedule without interrupts when the sequence gave up the tables that let them return at once. */
function comparable(schedule: Schedule, expected: Ending): Schedule {
  return schedule.interrupts && !expected.isAtHome ? { ...schedule, interrupts: false } : schedule;
}

/** The code with every third instruction begun by another. */
function otherCode({ code, starts }: Assembled): Uint8Array {
  const other = code.slice();
  starts.forEach((start, i) => {
    if (i % 3 === 1 && start < other.length) other[start] = OTHER;
  });
  return other;
}

function disagreement(sequence: Sequence, where: string, expected: Ending, got: Ending): Disagreement[] {
  const differences = compareEndings(expected, got);
  return differences.length === 0 ? [] : [{ sequence, where, differences }];
}
