import { describe, expect, it } from "vitest";
import { Decoder, STATUS } from "../../src/cpu/decode/decoder.ts";
import { buildTables } from "../../src/cpu/decode/build-tables.ts";
import { enumerateHandlers } from "../../src/cpu/isa/handlers.ts";
import { INSTRUCTIONS } from "../../src/cpu/isa/index.ts";
import type { Form } from "../../src/cpu/isa/instruction.ts";
import { MODE } from "../../src/cpu/state.ts";
import type { Mode } from "./case.ts";
import { existsIn, generate } from "./generator.ts";

const INSTANCES = 20;
const set = enumerateHandlers(INSTRUCTIONS);
const decoder = new Decoder(buildTables(set));

describe("generator", () => {
  it("makes instances that the decoder takes for the row they were made from, or for one that owns a prefix of it", () => {
    const problems = INSTRUCTIONS.flatMap(({ forms }) => forms.flatMap((form) => [...strays(form, 64), ...strays(form, 32)]));
    expect(problems).toEqual([]);
  });
});

/** Instances that decode to something else; a LOCK prefix may make them undefined, and code cut off at a page's end is left out. */
function strays(form: Form, mode: Mode): string[] {
  if (!existsIn(form, mode)) return [];
  const problems: string[] = [];
  for (let i = 0; i < INSTANCES; i++) {
    const { code, overrides } = generate(form, mode, i);
    if (overrides.some(({ kind }) => kind === "origin")) continue;
    const status = decoder.decode(
      Uint8Array.from([...code, ...new Array<number>(16).fill(0xcc)]),
      0,
      code.length + 16,
      mode === 64 ? MODE.long : MODE.code32 | MODE.stack32,
    );
    if (status === STATUS.undefined && code.includes(0xf0)) continue;
    const found = status === STATUS.ok ? set.variants[decoder.row]?.form : undefined;
    if (sameOpcode(found, form) && decoder.length === code.length) continue;
    problems.push(`${form.instruction} | ${form.text}: ${Buffer.from(code).toString("hex")} decodes to ${found?.text ?? "nothing"}`);
  }
  return problems;
}

function sameOpcode(one: Form | undefined, other: Form): boolean {
  return one === other || (one !== undefined && other.attributes.has("any") && one.map === other.map && one.opcode === other.opcode);
}
