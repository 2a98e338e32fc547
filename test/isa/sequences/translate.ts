// Translates sequences at once, however cold they are.
import type { ProgramGenerator } from "../../../src/cpu/engine/generator.ts";
import { placeOf } from "../../../src/cpu/engine/place.ts";
import type { RegionRequest } from "../../../src/cpu/engine/translation.ts";
import { HotPlaces } from "../../../src/cpu/translate/memory-source.ts";
import { RegionTranslator } from "../../../src/cpu/translate/translator.ts";
import { compileBaseline, compileOptimized } from "./compile.ts";
import type { Assembled } from "./program.ts";
import { type SequenceRunner, windowsOf } from "./runner.ts";
import type { Sequence, Start } from "./sequence.ts";

/** What a sequence asks for. */
interface Wanted {
  readonly requests: readonly RegionRequest[];
  /** Numbers of the places where its regions may be entered. */
  readonly hot: readonly number[];
}

/** Regions that are made in the middle of a run. */
const MOST_LATE = 4;

/** The translator of a runner's processor. */
export class SequenceTranslator {
  readonly #translator: RegionTranslator;
  readonly #runner: SequenceRunner;

  constructor(program: ProgramGenerator, runner: SequenceRunner) {
    this.#translator = new RegionTranslator(program);
    this.#runner = runner;
  }

  /** Translates sequences, all into one module. → regions got */
  translate(jobs: readonly { readonly sequence: Sequence; readonly code: Assembled }[], optimize: boolean): number {
    const wanted = jobs.map(({ sequence, code }) => this.#wanted(sequence, code));
    return this.#make(
      wanted.flatMap((w) => w.requests),
      wanted.flatMap((w) => w.hot),
      optimize,
    );
  }

  /** Translates a sequence in the middle of its first start's run. → regions got */
  translateHere(sequence: Sequence, code: Assembled, optimize: boolean): number {
    const start = sequence.starts[0]!;
    const { context } = this.#runner.board.processor;
    const { mode, view } = this.#runner.worldOf(sequence, start);
    if (context.get32("cpl") !== start.cpl || context.get32("mode") !== mode || context.get32("tlbView") !== view) return 0;
    const offsets = [code.entry, ...code.labels.values()].slice(0, MOST_LATE);
    return this.#make(this.#requests(sequence, start, offsets), this.#hot(sequence, code, offsets), optimize);
  }

  #wanted(sequence: Sequence, code: Assembled): Wanted {
    const { inner, late } = sequence.translation;
    if (late > 0) return { requests: [], hot: [] };
    const start = sequence.starts[0]!;
    this.#runner.warm(sequence, start);
    const labels = [...new Set(code.labels.values())].filter((offset) => offset !== code.entry).slice(0, inner);
    const offsets = [code.entry, ...labels];
    return { requests: this.#requests(sequence, start, offsets), hot: this.#hot(sequence, code, offsets) };
  }

  #requests(sequence: Sequence, start: Start, offsets: readonly number[]): RegionRequest[] {
    const { mode, view } = this.#runner.worldOf(sequence, start);
    const [base] = windowsOf(sequence, start);
    // Every other one holds what the one before does, and takes its place where both can be entered.
    return offsets.map((offset, n) => ({
      host: this.#runner.board.hostOf(sequence.slot, offset),
      mode,
      linearPage: BigInt(base + (offset & ~0xfff)),
      view,
      isWide: n % 2 === 1,
    }));
  }

  #hot(sequence: Sequence, code: Assembled, offsets: readonly number[]): number[] {
    const { hot } = sequence.translation;
    if (hot === "nowhere") return [];
    const { mode } = this.#runner.worldOf(sequence, sequence.starts[0]!);
    const places = hot === "entries" ? offsets : [...code.labels.values()];
    return places.map((offset) => placeOf(this.#runner.board.hostOf(sequence.slot, offset), mode));
  }

  #make(requests: readonly RegionRequest[], hot: readonly number[], optimize: boolean): number {
    const client = this.#runner.board.client!;
    const compile = optimize ? compileOptimized : compileBaseline;
    const batch = this.#translator.translate(client.memory.buffer, client.base, requests, { places: new HotPlaces(hot), compile });
    if (batch) client.accept(batch);
    return batch?.regions.length ?? 0;
  }
}
