import { describe, expect, it } from "vitest";
import { INSTRUCTIONS } from "./index.ts";
import { instruction, parseForm } from "./instruction.ts";

/** The operands of a row: kind, width, and where they are. */
function operands(row: string): string[] {
  return parseForm("TEST", row).operands.map((o) => `${o.kind}${o.width} ${o.from}${o.from === "fixed" ? o.fixed : ""}`);
}

describe("a row's opcode column", () => {
  it.each([
    ["90 | |", { map: 0, opcode: 0x90, prefix: "", rexW: false, plus: false, modrm: undefined, immediates: [] }],
    ["REX.W + 0F B0 /r | r/m8, r8", { map: 1, opcode: 0xb0, rexW: true, modrm: {} }],
    ["66 0F 38 41 /r | xmm, xmm/m128", { map: 2, opcode: 0x41, prefix: "66", modrm: {} }],
    ["NP 0F 3A 0F /r ib | mm, mm/m64, imm8", { map: 3, opcode: 0x0f, prefix: "NP", immediates: [1] }],
    ["80 /7 ib | r/m8, imm8", { opcode: 0x80, modrm: { digit: 7 }, immediates: [1] }],
    ["B8 +rd id | r32, imm32", { opcode: 0xb8, plus: true, immediates: [4] }],
    ["D9 E8 | |", { opcode: 0xd9, modrm: { fixed: 0xe8 } }],
    ["D8 C0+i | ST, ST(i)", { opcode: 0xd8, modrm: { fixed: 0xc0, anyRm: true } }],
    ["0F 01 D0 | |", { map: 1, opcode: 0x01, modrm: { fixed: 0xd0 } }],
    ["66 | |", { opcode: 0x66, prefix: "" }],
    ["EA iw:iw | ptr16:16", { immediates: [2, 2] }],
  ])("%s", (row, wanted) => {
    expect(parseForm("TEST", row)).toMatchObject(wanted);
  });
});

describe("a row's operand column", () => {
  it.each([
    ["00 /r | r/m8, r8", ["rm8 rm", "reg8 reg"]],
    ["B8 +rd id | r32, imm32", ["reg32 opcode", "imm32 imm"]],
    ["05 id | EAX, imm32", ["reg32 fixed0", "imm32 imm"]],
    ["0F C5 /r ib | r32, mm., imm8", ["reg32 reg", "mm64 rm", "imm8 imm"]],
    ["D1 /4 | r/m32, 1", ["rm32 rm", "one8 imm"]],
    ["0F A8 | GS", ["sreg16 fixed5"]],
    ["66 0F 38 14 /r | xmm, xmm/m128, XMM0", ["xmm128 reg", "xmmrm128 rm", "xmm128 fixed0"]],
    ["FF /3 | m16:32", ["mem48 rm"]],
    ["62 /r | r16, m16&16", ["reg16 reg", "mem32 rm"]],
    ["DB /5 | m80fp", ["mem80 rm"]],
    ["8D /r | r32, m", ["reg32 reg", "mem0 rm"]],
    ["A1 | EAX, moffs32", ["reg32 fixed0", "moffs32 imm"]],
    ["D8 C0+i | ST, ST(i)", ["st80 fixed0", "st80 rm"]],
    ["0F 22 /r | CR, r64.", ["cr64 reg", "reg64 rm"]],
  ])("%s", (row, wanted) => {
    expect(operands(row)).toEqual(wanted);
  });
});

describe("a row's operand size", () => {
  it.each([
    ["01 /r | r/m16, r16", 16],
    ["83 /0 ib | r/m32, imm8", 32],
    ["REX.W + 05 id | RAX, imm32", 64],
    ["00 /r | r/m8, r8", 0],
    ["05 iw | AX, imm16", 16],
    ["ED | EAX, DX", 32],
    ["C3 | | o16", 16],
    ["C3 | | o32", 32],
    ["0F 1F /r | r/m32 | any", 0],
    ["F3 0F B8 /r | r32, r/m32", 0],
    ["A4 | | rep", 0],
  ])("%s: %d", (row, wanted) => {
    expect(parseForm("TEST", row).opsize).toBe(wanted);
  });
});

describe("rows that cannot be read are refused", () => {
  it.each([
    ["01 /9 | r/m32", "cannot read /9"],
    ["1 /r | r/m32", "cannot read 1"],
    ["B8 +rx | r32", "cannot read +rx"],
    ["REX.W | r64", "no opcode"],
    ["0F 38 | r32", "no opcode"],
    ["01 02 03 | |", "no opcode"],
    ["01 ix | imm8", "cannot read ix"],
    ["01 /r | r/m7", 'cannot read the operand "r/m7"'],
    ["01 /r | eax", 'cannot read the operand "eax"'],
    ["01 /r | r32, ", 'cannot read the operand ""'],
    ["01 /r | r32 | locked", "no attribute is called locked"],
  ])("%s", (row, message) => {
    expect(() => instruction("TEST", { forms: [row], sem: () => {} })).toThrow(message);
  });
});

describe("an instruction", () => {
  it("takes lists as words, and has defaults for what it does not say", () => {
    const plain = instruction("TEST", { forms: ["90 | |"], sem: () => {} });
    expect([plain.access, [...plain.flags], plain.feature]).toEqual([["w", "r", "r"], [], ""]);
    const full = instruction("TEST", { forms: [], access: "rw r", flags: "CF  ZF", undefinedFlags: "AF", feature: "sse", sem: () => {} });
    expect([full.access, [...full.flags], [...full.undefinedFlags]]).toEqual([["rw", "r"], ["CF", "ZF"], ["AF"]]);
  });

  it("leaves no flag open that it defines", () => {
    expect(INSTRUCTIONS.filter((i) => [...i.flags].some((f) => i.undefinedFlags.has(f))).map((i) => i.name)).toEqual([]);
  });
});
