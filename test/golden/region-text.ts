// A region of hand-written code as text: what the translator emits for it, taken from the module's bytes.
import { ProgramGenerator } from "../../src/cpu/engine/generator.ts";
import { bodyOf } from "../../src/cpu/translate/region-body.ts";
import { moduleOf, RegionImports } from "../../src/cpu/translate/region-module.ts";
import { RegionTranslator } from "../../src/cpu/translate/translator.ts";
import { GuestCode } from "./guest-code.ts";
import { readModule } from "./module-parts.ts";
import { printed } from "./print.ts";
import { REGION_NAMES, slotName, withNames } from "./region-names.ts";
import { expressionsIn, type Statement } from "./statement.ts";
import { statementsOf } from "./statements.ts";

/** A region's function. */
export interface RegionText {
  /** Instructions that their complete handlers execute: where in the code, and why. */
  readonly called: readonly { readonly offset: number; readonly why: string }[];
  /** All of it, line by line. */
  lines(): string[];
  /** The statements of its instructions, without the frame of entry and exits. */
  readonly own: readonly Statement[];
}

/** Translates code and shows it. */
export class RegionPrinter {
  readonly #translator: RegionTranslator;

  constructor(generator: ProgramGenerator = new ProgramGenerator()) {
    this.#translator = new RegionTranslator(generator);
  }

  /** The region at the beginning of the code; throws when nothing can be decoded there. */
  print(code: GuestCode): RegionText {
    const draft = this.#translator.draft(code, GuestCode.host);
    if (!draft) throw new Error("Nothing can be decoded there");
    const { called, reasons, body } = draft.region;
    const imports = new RegionImports();
    const region = { id: 0, body: bodyOf(draft.region, imports) };
    const module = readModule(moduleOf(imports, [region]));
    const list = withNames(statementsOf(module, module.functions[0]!), module, body);
    return {
      called: called.map(({ delta }, i) => ({ offset: delta, why: reason(reasons[i]!) })),
      lines: () => printed(list, REGION_NAMES),
      own: withoutFrame(list),
    };
  }
}

/** With slots of the state by their names. */
function reason(why: string): string {
  return why.replace(/state at ([0-9a-f]+)/, (_, offset: string) => slotName(Number.parseInt(offset, 16)));
}

/** What stands within `exit` and the pads between counting the instructions and going on behind them (src/cpu/translate/region.ts). */
function withoutFrame(list: readonly Statement[]): readonly Statement[] {
  let code = firstBlock(firstBlock(firstBlock(list)));
  for (let [inner, ...pad] = code; inner?.k === "block" && isPad(pad); [inner, ...pad] = code) code = inner.body;
  const [first] = code;
  const last = code.at(-1);
  const goesOn = last?.k === "br" && !last.c;
  return code.slice(first?.k === "set" && first.name === "budget" ? 1 : 0, goesOn ? -1 : undefined);
}

/** Sets what the way out needs, and leaves. */
function isPad(list: readonly Statement[]): boolean {
  const last = list.at(-1);
  return last?.k === "br" && !last.c && list.slice(0, -1).every(({ k }) => k === "set");
}

function firstBlock(list: readonly Statement[]): readonly Statement[] {
  const found = list.find((s) => s.k === "block");
  if (found?.k !== "block") throw new Error("Regions have another frame than they had: see buildRegion");
  return found.body;
}

/** Operators, branches and writes of locals: how much there is to compile. */
export function sizeOf(list: readonly Statement[]): number {
  const operators = expressionsIn(list).filter(({ op }) => op !== "get" && op !== "const").length;
  return operators + writesAndBranches(list);
}

function writesAndBranches(list: readonly Statement[]): number {
  return list.reduce((n, s) => {
    if (s.k === "block" || s.k === "loop") return n + writesAndBranches(s.body);
    if (s.k === "if") return n + 1 + writesAndBranches(s.then) + writesAndBranches(s.else);
    return s.k === "do" ? n : n + 1;
  }, 0);
}
