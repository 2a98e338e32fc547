// The far end of a translator's thread: makes modules of the code it is asked for.
import { ProgramGenerator } from "../engine/generator.ts";
import type { FromTranslator, ToTranslator } from "../engine/remote-translator.ts";
import { RegionTranslator } from "./translator.ts";

/** Serves one processor. */
export class TranslatorService {
  readonly #post: (message: FromTranslator) => void;
  readonly #compile: (bytes: Uint8Array) => WebAssembly.Module;
  readonly #translator = new RegionTranslator(new ProgramGenerator());
  #guest: { readonly memory: WebAssembly.Memory; readonly base: number } | undefined;

  /** @param compile how the host compiles best for code that is known to be hot */
  constructor(post: (message: FromTranslator) => void, compile: (bytes: Uint8Array) => WebAssembly.Module) {
    this.#post = post;
    this.#compile = compile;
  }

  /** Handles a message of the machine's thread. */
  receive(message: ToTranslator): void {
    if (message.type === "open") {
      this.#guest = message;
      return;
    }
    const { requests, hot } = message;
    const guest = this.#guest;
    if (!guest) throw new Error("Bug in Nido: a translation before there is memory");
    this.#post({ requests, batch: this.#translator.translate(guest.memory.buffer, guest.base, requests, { hot, compile: this.#compile }) });
  }
}
