// One instance of every row: always the same registers, the same address, the same immediates.
import type { Form, OperandSpec } from "../../src/cpu/isa/instruction.ts";
import type { Width } from "./guest-code.ts";

/** ModRM.reg (rDX, XMM2) and ModRM.rm or the opcode's register (rBX, XMM3). */
const REG = 2;
const RM = 3;
/** [rBX + 10h]; with 16-bit addresses [BX + 10h]. */
const DISPLACEMENT = 0x10;
const RM16 = 7;

/** By size in bytes, where 5 and the like say little of the instruction. */
const IMMEDIATE: Readonly<Record<number, readonly number[]>> = {
  1: [0x05],
  2: [0x34, 0x12],
  4: [0x78, 0x56, 0x34, 0x12],
  8: [0xf0, 0xde, 0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12],
};
/** Products of all lanes into all lanes; rounding down. */
const TELLING: readonly (readonly [pattern: RegExp, byte: number])[] = [
  [/^DPP[SD]$/, 0xff],
  [/^ROUND/, 0x09],
];
/** Branches go to where there is no code. */
const BRANCH: Readonly<Record<number, readonly number[]>> = { 1: [0x40], 2: [0x00, 0x02], 4: [0x00, 0x02, 0x00, 0x00] };

/** Whether the row's ModRM operand may be a register, and whether it may be memory. */
export function operandChoices({ operands }: Form): readonly boolean[] {
  const isChoice = operands.some(({ kind }) => kind === "rm" || kind === "xmmrm" || kind === "mmrm");
  return isChoice ? [false, true] : [operands.some(({ kind }) => kind === "mem")];
}

/** The bytes of a row's instance in a mode that it exists in. */
export function encodeRow(form: Form, width: Width, memory: boolean): Uint8Array {
  const escape = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]][form.map]!;
  const opcode = form.opcode | (form.plus ? RM : 0);
  return Uint8Array.from([...prefixes(form, width), ...escape, opcode, ...modrm(form, memory), ...immediates(form, width)]);
}

function prefixes(form: Form, width: Width): number[] {
  const has = (attribute: string): boolean => form.attributes.has(attribute);
  const isWide = width === 64 && (has("d64") || has("f64"));
  const bytes: number[] = [];
  if ((has("a32") && width === 64) || (has("a16") && width === 32)) bytes.push(0x67);
  if (form.opsize === 16 && !(width === 64 && has("f64"))) bytes.push(0x66);
  if (form.prefix !== "" && form.prefix !== "NP") bytes.push(Number.parseInt(form.prefix, 16));
  if (form.rexW || (form.opsize === 64 && !isWide)) bytes.push(0x48);
  return bytes;
}

function modrm(form: Form, memory: boolean): number[] {
  const { modrm: how, attributes, operands } = form;
  if (!how) return [];
  if (how.fixed !== undefined) return [how.fixed | (how.anyRm ? RM : 0)];
  // ES: SS holds back interrupts, and there is no segment register 6 or 7.
  const isSegment = operands.some(({ kind, from }) => kind === "sreg" && from === "reg");
  const reg = (how.digit ?? (isSegment ? 0 : REG)) << 3;
  return memory ? [0x40 | reg | (attributes.has("a16") ? RM16 : RM), DISPLACEMENT] : [0xc0 | reg | RM];
}

function immediates({ immediates: sizes, operands, instruction }: Form, width: Width): number[] {
  const ofOperand = (o: OperandSpec): readonly number[] => (o.kind === "moffs" ? IMMEDIATE[width / 8]! : []);
  const isBranch = operands.some(({ kind }) => kind === "rel");
  const telling = TELLING.find(([pattern]) => pattern.test(instruction));
  const bytes = sizes.flatMap((size) => (isBranch ? BRANCH[size]! : size === 1 && telling ? [telling[1]] : IMMEDIATE[size]!));
  return [...operands.flatMap(ofOperand), ...bytes];
}
