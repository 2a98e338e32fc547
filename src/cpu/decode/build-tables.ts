// Decoder tables from the rows.
import { assert } from "../../support/assert.ts";
import type { HandlerSet, Variant } from "../isa/handlers.ts";
import type { Form, OperandSpec } from "../isa/instruction.ts";
import { CONTEXT, type DecodeTables, ENTRY, ENTRY_FLAGS, FIELD, OPCODES, SOURCE, tableIndex } from "./tables.ts";

type World = "long" | "legacy";

/** Builds the tables from all variants. An entry's row is the index of its variant. */
export function buildTables(set: HandlerSet): DecodeTables {
  const modrm = modrmTable(set);
  const words: number[] = [];
  const first = [0];
  for (const world of ["long", "legacy"] as const) {
    for (const list of candidates(set, world)) {
      for (const entry of list) words.push(...entry);
      first.push(words.length / ENTRY.words);
    }
  }
  assert(set.variants.length <= 0x8000 && words.length / ENTRY.words <= 0xffff, "rows and entries have 16 bits");
  return { first: Uint16Array.from(first), modrm, entries: Int32Array.from(words) };
}

function modrmTable(set: HandlerSet): Uint8Array {
  const modrm = new Uint8Array(OPCODES);
  const opcodes = (f: Form): number[] => Array.from({ length: f.plus ? 8 : 1 }, (_, r) => tableIndex(f.map, f.opcode + r));
  for (const { form } of set.variants) if (form.modrm) for (const index of opcodes(form)) modrm[index] = 1;
  for (const { form } of set.variants) {
    for (const index of opcodes(form)) assert(form.modrm || modrm[index] === 0, `opcode ${form.text} has ModRM in some rows only`);
  }
  return modrm;
}

/** The entries of each opcode that exist in a world, in the order in which they are tried. */
function candidates(set: HandlerSet, world: World): number[][][] {
  const lists: { readonly variant: Variant; readonly row: number }[][] = Array.from({ length: OPCODES }, () => []);
  set.variants.forEach((variant, row) => {
    const { form } = variant;
    if (variant[world] < 0 || sizeCondition(form, world) === undefined) return;
    for (let r = 0; r < (form.plus ? 8 : 1); r++) lists[tableIndex(form.map, form.opcode + r)]!.push({ variant, row });
  });
  return lists.map((list) =>
    list.sort((a, b) => specificity(b.variant.form) - specificity(a.variant.form)).map(({ variant, row }) => entryOf(variant, row, world)),
  );
}

function specificity(f: Form): number {
  return (
    (f.modrm?.fixed === undefined ? 0 : f.modrm.anyRm ? 32 : 64) +
    (f.prefix === "" ? 0 : f.prefix === "NP" ? 8 : 16) +
    (f.attributes.has("b0") ? 8 : 0) +
    (f.rexW ? 4 : 0) +
    (f.opsize ? 2 : 0) +
    (f.modrm?.digit === undefined ? 0 : 1)
  );
}

function entryOf(v: Variant, row: number, world: World): number[] {
  const f = v.form;
  const [mask, value] = conditions(v, world);
  assert(f.immediates.length <= 2, `${f.text} has more than two immediates`);
  const words = new Array<number>(ENTRY.words).fill(0);
  words[ENTRY.mask] = mask;
  words[ENTRY.value] = value;
  words[ENTRY.handlerRow] = v[world] | (row << 16);
  words[ENTRY.sizes] = (f.immediates[0] ?? 0) | ((f.immediates[1] ?? 0) << 8);
  let sources = flagsOf(v);
  f.operands.slice(0, 3).forEach((o, slot) => {
    const how = sourceOf(o);
    if (how === SOURCE.fixed) words[ENTRY.fields]! |= fixedField(o) << (slot * 8);
    else sources |= (how | fieldOf(o)) << (slot * 8);
  });
  words[ENTRY.sources] = sources;
  return words;
}

/** What the context must be: bits that count, and their values. */
class Condition {
  mask = 0;
  value = 0;

  require(mask: number, value: number): this {
    assert((this.mask & mask & (this.value ^ value)) === 0, "a row contradicts itself");
    this.mask |= mask;
    this.value |= value;
    return this;
  }
}

const REPEAT: number = CONTEXT.f3 | CONTEXT.f2;
const ADDRESS: number = CONTEXT.address16 | CONTEXT.address32;
/** Mandatory prefixes; F2 and F3 win over 66. */
const PREFIX: Readonly<Record<Form["prefix"], readonly [mask: number, value: number]>> = {
  "": [0, 0],
  NP: [REPEAT | CONTEXT.operandPrefix, 0],
  "66": [REPEAT | CONTEXT.operandPrefix, CONTEXT.operandPrefix],
  F3: [REPEAT, CONTEXT.f3],
  F2: [REPEAT, CONTEXT.f2],
};
const REPEATED = { "": 0, repe: CONTEXT.f3, repne: CONTEXT.f2 } as const;

function conditions(v: Variant, world: World): readonly [mask: number, value: number] {
  const f = v.form;
  const c = new Condition();
  if (f.modrm?.digit !== undefined) c.require(0x38, f.modrm.digit << 3);
  const fixedMask = f.modrm?.anyRm ? 0xf8 : 0xff;
  if (f.modrm?.fixed !== undefined) c.require(fixedMask, f.modrm.fixed & fixedMask);
  c.require(...PREFIX[f.prefix]);
  if (f.attributes.has("norep")) c.require(REPEAT, 0);
  if (f.rexW) c.require(CONTEXT.rexW, CONTEXT.rexW);
  if (f.attributes.has("b0")) c.require(CONTEXT.rexB, 0);
  c.require(...(sizeCondition(f, world) ?? [0, 0]));
  const rm = f.operands.some((o) => o.from === "rm");
  if (hasAddress(f) && rm) c.require(CONTEXT.register, v.memory ? 0 : CONTEXT.register);
  if (f.attributes.has("rep")) c.require(REPEAT, REPEATED[v.repeat]);
  else if (f.attributes.has("a16")) c.require(ADDRESS, CONTEXT.address16);
  else if (f.attributes.has("a32")) c.require(ADDRESS, CONTEXT.address32);
  else if (f.attributes.has("a64")) c.require(ADDRESS, 0);
  return [c.mask, c.value];
}

const SIZE: number = CONTEXT.size16 | CONTEXT.size32;
const SIZES: Readonly<Record<number, number>> = { 16: CONTEXT.size16, 32: CONTEXT.size32, 64: 0 };

/** The operand size in force that a row needs, undefined when it can never be in force. */
function sizeCondition({ opsize, attributes }: Form, world: World): readonly [mask: number, value: number] | undefined {
  if (opsize === 0) return [0, 0];
  if (world === "long" && attributes.has("f64")) return opsize === 64 ? [0, 0] : undefined;
  if (world === "long" && attributes.has("d64")) {
    if (opsize === 32) return undefined;
    return [CONTEXT.size16, opsize === 16 ? CONTEXT.size16 : 0];
  }
  return [SIZE, SIZES[opsize]!];
}

/** MOV to and from control and debug registers takes ModRM.mod for 3 whatever it is (SDM 2B, MOV—Move to/from Control Registers). */
function hasAddress(f: Form): boolean {
  return f.modrm !== undefined && f.modrm.fixed === undefined && !f.operands.some((o) => o.kind === "cr" || o.kind === "dr");
}

function flagsOf({ form, memory }: Variant): number {
  const immediate = form.operands.find((o) => o.from === "imm")?.kind;
  assert(!memory || form.modrm?.fixed === undefined, `${form.text} has memory where its ModRM byte has none`);
  return (
    (hasAddress(form) ? ENTRY_FLAGS.address : 0) |
    (memory && form.attributes.has("lock") ? ENTRY_FLAGS.lock : 0) |
    (immediate === "rel" ? ENTRY_FLAGS.relative : 0) |
    (immediate === "moffs" ? ENTRY_FLAGS.moffs : 0) |
    (immediate === "one" ? ENTRY_FLAGS.one : 0)
  );
}

function sourceOf(o: OperandSpec): number {
  return o.from === "imm" ? SOURCE.fixed : SOURCE[o.from];
}

function fieldOf(o: OperandSpec): number {
  // oxfmt-ignore
  switch (o.kind) {
    case "reg": case "rm": return o.width === 8 ? FIELD.byte : FIELD.general;
    case "xmm": case "xmmrm": return FIELD.vector;
    case "mm": case "mmrm": case "st": return FIELD.stack;
    case "sreg": return FIELD.segment;
    default: return FIELD.number;
  }
}

/** A fixed byte register is a low one. */
function fixedField(o: OperandSpec): number {
  const scale: Readonly<Record<number, number>> = { [FIELD.byte]: 8, [FIELD.general]: 8, [FIELD.vector]: 16, [FIELD.stack]: 16 };
  return o.fixed * (scale[fieldOf(o)] ?? 1);
}
