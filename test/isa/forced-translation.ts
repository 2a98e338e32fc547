// Translation at once and of what a test says, however cold it is.
import type { ProgramGenerator } from "../../src/cpu/engine/generator.ts";
import type { Processor } from "../../src/cpu/engine/processor.ts";
import type { TranslatorClient, TranslatorFactory } from "../../src/cpu/engine/translation.ts";
import { RegionTranslator } from "../../src/cpu/translate/translator.ts";

/** Translates for one processor. */
export class ForcedTranslation {
  readonly #translator: RegionTranslator;
  #client: TranslatorClient | undefined;

  constructor(program: ProgramGenerator) {
    this.#translator = new RegionTranslator(program);
  }

  /** For the processor's options. Samples ask for nothing. */
  readonly factory: TranslatorFactory = (client) => {
    this.#client = client;
    return { request: (requests) => client.done(requests) };
  };

  /** Translates what begins at a host address, for the processor's present mode and TLB. */
  translate(host: number, linear: bigint, { context }: Processor): void {
    const client = this.#client!;
    const request = { host, mode: context.get32("mode"), linearPage: linear & ~0xfffn, view: context.get32("tlbView"), isWide: true };
    const batch = this.#translator.translate(client.memory.buffer, client.base, [request]);
    if (batch) client.accept(batch);
  }
}
