// Guest code for the translator where nothing is known but the bytes.
import type { CodeSource } from "../cpu/translate/source.ts";
import { CPU_BASE } from "../cpu/engine/processor.ts";
import { MODE } from "../cpu/state.ts";

/** 64-bit code of a program, all of which has run, where no region is and no branch has gone either way; `own` says what is different. */
export function codeSource(own: Pick<CodeSource, "page" | "hostPage"> & Partial<CodeSource>): CodeSource {
  return {
    mode: MODE.long,
    base: CPU_BASE,
    view: undefined,
    isKernel: false,
    isWide: false,
    hot: () => false,
    hotInPage: () => [],
    known: () => true,
    entered: () => false,
    sizeAt: () => 0,
    records: () => [],
    ways: () => ({ taken: 0, notTaken: 0 }),
    targets: () => [],
    pointer: () => undefined,
    deltaOf: () => undefined,
    ...own,
  };
}
