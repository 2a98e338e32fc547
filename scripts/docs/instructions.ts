// docs/instructions.md: every row of the instruction set, from the definitions.
import { FEATURES } from "../../src/cpu/cpuid.ts";
import { INSTRUCTIONS } from "../../src/cpu/isa/index.ts";
import type { Form, Instruction } from "../../src/cpu/isa/instruction.ts";
import { GENERATED, type Page, table } from "./page.ts";

/** Modes of a row: 64-bit code, and 16- and 32-bit code. */
function modes(form: Form): string {
  const long = !form.attributes.has("i64");
  const legacy = !form.attributes.has("o64") && !form.rexW && form.opsize !== 64;
  return long && legacy ? "all" : long ? "64" : "16, 32";
}

function row(form: Form): string[] {
  const [opcode = "", operands = ""] = form.text.split("|").map((p) => p.trim());
  const prefix = form.attributes.has("lock") ? "LOCK" : form.attributes.has("rep") ? "REP" : "";
  return [`\`${opcode}\``, operands, modes(form), prefix];
}

function section(i: Instruction): string {
  const flags = [...i.flags].join(" ");
  const notes = [
    i.feature ? `CPUID feature \`${i.feature}\`.` : "",
    flags ? `Flags: ${flags}.` : "",
    i.undefinedFlags.size > 0 ? `Left undefined: ${[...i.undefinedFlags].join(" ")}.` : "",
  ].filter((n) => n !== "");
  return [
    `## ${i.name}`,
    "",
    ...(notes.length > 0 ? [notes.join(" "), ""] : []),
    table(["opcode", "operands", "modes", "prefix"], i.forms.map(row)),
    "",
  ].join("\n");
}

/** The page of all instructions. */
export const instructionsPage: Page = {
  path: "docs/instructions.md",
  render: () => {
    const rows = INSTRUCTIONS.reduce((n, i) => n + i.forms.length, 0);
    return [
      GENERATED,
      "# Instructions",
      "",
      `${INSTRUCTIONS.length} instructions in ${rows} rows, each defined once in \`src/cpu/isa\` and run by every engine. The columns are those of the manual (SDM 2).`,
      "",
      `CPUID reports: ${Object.keys(FEATURES)
        .map((f) => `\`${f}\``)
        .join(" ")}.`,
      "",
      ...[...INSTRUCTIONS].sort((a, b) => a.name.localeCompare(b.name)).map(section),
    ].join("\n");
  },
};
