// The translation of every row of the instruction set.
import { disassemble } from "../../src/cpu/decode/disassemble.ts";
import type { Form, Instruction } from "../../src/cpu/isa/instruction.ts";
import { existsIn } from "../isa/generator.ts";
import { GuestCode, type Width } from "./guest-code.ts";
import { printed } from "./print.ts";
import { REGION_NAMES } from "./region-names.ts";
import { type RegionPrinter, type RegionText, sizeOf } from "./region-text.ts";
import { encodeRow, operandChoices } from "./row-encoding.ts";
import { expressionsIn } from "./statement.ts";

const HEAD = `# A region of one instruction for each row, 64-bit code where the row exists there: its statements, without entry and exits of the
# region. "size" counts operators, branches and writes of locals. Written by \`npm run golden\`; see CONTRIBUTING.md.
`;
/** What sets the flags in front of an instruction that reads them. */
const COMPARE = Uint8Array.of(0x39, 0xc8);
/** The conditions, each once: where flags come from before the region, their rows show how those are read. */
const SHOWS_ALL = /^(SET|ADC|PUSHF)/;
const REPEATS: readonly (readonly number[])[] = [[], [0xf3], [0xf2]];
const INDENT = "    ";

/** The text of a family's rows. */
export function familyText(instructions: readonly Instruction[], printer: RegionPrinter): string {
  const text = new FamilyText(printer);
  for (const { forms } of instructions) for (const [i, form] of forms.entries()) text.row(form, i === 0);
  return `${HEAD}\n${text.lines.join("\n")}\n`;
}

class FamilyText {
  readonly lines: string[] = [];
  readonly #printer: RegionPrinter;

  constructor(printer: RegionPrinter) {
    this.#printer = printer;
  }

  row(form: Form, isFirst: boolean): void {
    const width = existsIn(form, 64) ? 64 : 32;
    const [plain, memory] = operandChoices(form).map((isMemory) => encodeRow(form, width, isMemory)) as [
      Uint8Array,
      Uint8Array | undefined,
    ];
    const row = `${form.instruction} | ${form.text}`.replace(/[\s|]+$/, "");
    const repeats = form.attributes.has("rep") ? REPEATS : [[]];
    repeats.forEach((prefix, i) => this.#instance(i === 0 ? row : "", Uint8Array.of(...prefix, ...plain), width, isFirst));
    if (memory) this.lines.push(`  with memory: ${this.#summary(this.#region(width, memory))}`);
  }

  #region(width: Width, bytes: Uint8Array): RegionText {
    return this.#printer.print(new GuestCode(width, bytes));
  }

  #instance(row: string, bytes: Uint8Array, width: Width, isFirst: boolean): void {
    const { text, length } = disassemble(bytes, width, 0n);
    if (length !== bytes.length) throw new Error(`${text} has ${length} bytes, not ${bytes.length}: how is ${row} encoded?`);
    const region = this.#region(width, bytes);
    this.lines.push(row === "" ? `  ${text}: ${this.#summary(region)}` : `${row}  ·  ${text}  ·  ${this.#summary(region)}`);
    if (region.called.length > 0) return;
    const readsFlags = expressionsIn(region.own).some(({ op, name }) => op === "get" && name?.startsWith("flag"));
    if (!readsFlags || (isFirst && SHOWS_ALL.test(row))) this.#statements(region);
    if (!readsFlags) return;
    const behind = this.#region(width, Uint8Array.of(...COMPARE, ...bytes));
    this.lines.push(`  behind cmp eax, ecx: ${this.#summary(behind)}`);
    this.#statements(behind);
  }

  #statements({ own }: RegionText): void {
    this.lines.push(...printed(own, REGION_NAMES).map((line) => INDENT + line));
  }

  /** Around a call all that the region keeps is stored and loaded again, unless the instruction does not care. */
  #summary({ called, own }: RegionText): string {
    const [first] = called;
    if (!first) return `size ${sizeOf(own)}`;
    const isSeparate = !own.some(({ k }) => k === "block");
    return `called${isSeparate ? ", registers kept" : ""}: ${first.why}`;
  }
}
