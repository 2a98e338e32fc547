import { describe, expect, it } from "vitest";
import { INTERNAL_HANDLERS } from "../engine/layout.ts";
import { buildHandler, enumerateHandlers } from "./handlers.ts";
import { INSTRUCTIONS } from "./index.ts";
import { type Instruction, instruction, type Operand } from "./instruction.ts";

const nothing = (name: string, forms: readonly string[], access = "w r"): Instruction =>
  instruction(name, { forms, access, sem: () => {} });
const keys = (...instructions: readonly Instruction[]): string[] => enumerateHandlers(instructions).handlers.map((h) => h.key);

describe("handlers", () => {
  it("exist for register and memory, in each world", () => {
    expect(keys(nothing("MOV", ["89 /r | r/m32, r32"]))).toEqual([
      "MOV.32:r32,r32/long",
      "MOV.32:r32,r32/legacy",
      "MOV.32:m32,r32/long",
      "MOV.32:m32,r32/legacy",
    ]);
  });

  it("are shared by rows that mean the same", () => {
    const { handlers, variants } = enumerateHandlers([nothing("MOV", ["89 /r | r/m32, r32", "8B /r | r32, r/m32"])]);
    expect([handlers.length, variants.length]).toEqual([6, 4]);
    expect(variants.map((v) => v.long - INTERNAL_HANDLERS)).toEqual([0, 2, 0, 4]);
  });

  it("are never shared by instructions that only have their name in common", () => {
    const { handlers, variants } = enumerateHandlers(INSTRUCTIONS);
    const strangers = variants.filter(({ instruction: own, long, legacy }) =>
      [long, legacy].some((id) => id >= 0 && handlers[id - INTERNAL_HANDLERS]!.instruction !== own),
    );
    // SSE4.1's PEXTRW means what SSE2's does; its operands have changed places, which no meaning sees.
    expect(strangers.map((v) => v.form.text)).toEqual(["66 0F 3A 15 /r ib | r32., xmm, imm8 | sse"]);
  });

  it("do not exist where the row does not", () => {
    const { variants } = enumerateHandlers([nothing("A", ["06 | | i64"]), nothing("B", ["REX.W + 07 | |"]), nothing("C", ["08 | | o64"])]);
    expect(variants.map((v) => [v.long < 0, v.legacy < 0])).toEqual([
      [true, false],
      [false, true],
      [false, true],
    ]);
  });

  it("of string instructions exist for each repeat prefix", () => {
    expect(keys(nothing("MOVS", ["A4 | | rep i64"]))).toEqual(["MOVS:/legacy", "MOVS:@repe/legacy", "MOVS:@repne/legacy"]);
  });

  it("are told apart by what they check, not by what selects their row", () => {
    const marked = nothing("X", [
      "0F 01 /2 | m16 | cpl0 i64",
      "0F 02 /2 | m16 | i64 lock",
      "A0 | moffs16 | i64 end",
      "0F 03 /2 | m16 | i64 norep",
    ]);
    expect(keys(marked)).toEqual(["X:m16+cpl0/legacy", "X:m16/legacy", "X.16:m16+moffs/legacy"]);
  });

  it("see immediates as wide as the operand before them", () => {
    const operands = (row: string): readonly Operand[] => enumerateHandlers([nothing("ADD", [row], "rw r r")]).variants[0]!.operands;
    expect(operands("REX.W + 81 /0 id | r/m64, imm32").map((o) => o.width)).toEqual([64, 64]);
    expect(operands("66 0F 70 /r ib | xmm, xmm/m128, imm8").map((o) => o.width)).toEqual([128, 128, 8]);
    expect(operands("E8 cd | rel32").map((o) => [o.kind, o.width])).toEqual([["imm", 64]]);
    expect(operands("81 /0 ib | r/m64, imm8").map(({ slot, access }) => `${slot} ${access}`)).toEqual(["0 rw", "1 r"]);
  });

  it("check what their row demands, run their meaning, and go on", () => {
    const seen: string[] = [];
    const checked = instruction("X", {
      forms: ["A4 | | rep cpl0 sse i64"],
      sem: (o, operands, form) => void seen.push(`${o.world} ${o.repeat} ${operands.length} ${form.text}`),
    });
    const { handlers } = enumerateHandlers([checked]);
    const bodies = handlers.map((h) => buildHandler(h));
    expect(seen).toEqual([
      "legacy  0 A4 | | rep cpl0 sse i64",
      "legacy repe 0 A4 | | rep cpl0 sse i64",
      "legacy repne 0 A4 | | rep cpl0 sse i64",
    ]);
    const plain = buildHandler(enumerateHandlers([nothing("Y", ["A4 | | i64"])]).handlers[0]!);
    expect(plain.stmts.at(-1)?.k).toBe("ret");
    expect(bodies.every((b) => b.stmts.length > plain.stmts.length)).toBe(true);
  });
});
