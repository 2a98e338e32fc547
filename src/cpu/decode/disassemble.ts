// The disassembler: what the decoder found, in the manual's (Intel's) syntax.
import { enumerateHandlers, type Variant } from "../isa/handlers.ts";
import { INSTRUCTIONS } from "../isa/index.ts";
import type { OperandSpec } from "../isa/instruction.ts";
import { GPR64, MODE, SEGMENTS, ZERO } from "../state.ts";
import { buildTables } from "./build-tables.ts";
import { Decoder, STATUS } from "./decoder.ts";

/** One instruction as text; `length` is 1 or more. */
export interface DisassembledInstruction {
  readonly length: number;
  readonly text: string;
}

/** Width of the code segment. */
export type CodeMode = 16 | 32 | 64;

const MODES: Readonly<Record<CodeMode, number>> = { 16: 0, 32: MODE.code32 | MODE.stack32, 64: MODE.long };

const LOW8 = ["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"];
const HIGH8 = ["ah", "ch", "dh", "bh"];
const LEGACY = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
const POINTER: Readonly<Record<number, string>> = {
  8: "byte ptr ",
  16: "word ptr ",
  32: "dword ptr ",
  64: "qword ptr ",
  80: "tbyte ptr ",
  128: "xmmword ptr ",
};

/** Name of a general register from its state offset. */
function registerName(offset: number, width: number): string {
  const n = offset >> 3;
  if (width === 8) return offset & 1 ? HIGH8[n]! : n < 8 ? LOW8[n]! : `${GPR64[n]!}b`;
  if (width === 64) return GPR64[n]!;
  if (n < 8) return width === 32 ? `e${LEGACY[n]!}` : LEGACY[n]!;
  return `${GPR64[n]!}${width === 32 ? "d" : "w"}`;
}

let shared: { readonly decoder: Decoder; readonly variants: readonly Variant[] } | undefined;

/** A decoder over all rows, built once, and the rows. */
function instructionSet(): NonNullable<typeof shared> {
  if (shared === undefined) {
    const set = enumerateHandlers(INSTRUCTIONS);
    shared = { decoder: new Decoder(buildTables(set)), variants: set.variants };
  }
  return shared;
}

/** Disassembles the instruction at the start of `bytes` (15 are enough). What is no instruction gives one byte of `(bad)`. */
export function disassemble(bytes: Uint8Array, mode: CodeMode, address: bigint): DisassembledInstruction {
  const { decoder: d, variants } = instructionSet();
  const status = d.decode(bytes, 0, bytes.length, MODES[mode]);
  const variant = variants[d.row];
  if (status !== STATUS.ok || !variant) return { length: Math.max(1, Math.min(d.length, bytes.length)), text: "(bad)" };
  const operands = variant.form.operands.map((_, i) => operandText(d, variant, i, mode, address)).filter((t) => t !== "");
  const name = mnemonic(variant.instruction.name);
  return { length: d.length, text: `${prefixes(d, variant)}${name}${operands.length > 0 ? ` ${operands.join(", ")}` : ""}` };
}

/** Names such as "MOV to CR" tell rows apart; the first word is the mnemonic. */
function mnemonic(name: string): string {
  return (name.split(" ")[0] ?? name).toLowerCase();
}

function prefixes(d: Decoder, { repeat: by }: Variant): string {
  const repeat = by === "repe" ? "rep " : by === "repne" ? "repne " : "";
  return (d.lock ? "lock " : "") + repeat;
}

function operandText(d: Decoder, v: Variant, i: number, mode: CodeMode, address: bigint): string {
  const o = v.form.operands[i]!;
  if (o.kind === "mem" || (isRm(o) && v.memory)) return memoryText(d, o.width, address);
  // oxfmt-ignore
  switch (o.kind) {
    case "one": return "1";
    case "imm": return immediateText(d, v, i);
    case "rel": return hex(BigInt.asUintN(mode === 64 ? 64 : 32, address + BigInt(d.length + d.immLow)));
    case "ptr": return `${hex(BigInt(d.displacement))}:${hex(BigInt(d.immLow >>> 0))}`;
    case "moffs": return `${POINTER[o.width] ?? ""}${segmentPrefix(d)}[${hex(immediate(d))}]`;
    default: return registerText(o, d.operand[i] ?? 0);
  }
}

const isRm = (o: OperandSpec): boolean => o.kind === "rm" || o.kind === "xmmrm" || o.kind === "mmrm";

/** A register operand by the record's field, see Decoder. */
function registerText(o: OperandSpec, field: number): string {
  // oxfmt-ignore
  switch (o.kind) {
    case "xmm": case "xmmrm": return `xmm${field >> 4}`;
    case "mm": case "mmrm": return `mm${field >> 4}`;
    case "st": return o.from === "fixed" ? "st" : `st(${field >> 4})`;
    case "sreg": return SEGMENTS[field] ?? "?";
    case "cr": return `cr${field}`;
    case "dr": return `dr${field}`;
    default: return registerName(field, o.width);
  }
}

const hex = (n: bigint): string => (n < 0n ? `-0x${(-n).toString(16)}` : `0x${n.toString(16)}`);
const immediate = (d: Decoder): bigint => BigInt.asUintN(64, (BigInt(d.immHigh) << 32n) | BigInt(d.immLow >>> 0));

/** The second immediate of ENTER lies where a displacement would. */
function immediateText(d: Decoder, v: Variant, i: number): string {
  const second = v.form.operands.slice(0, i).some((o) => o.from === "imm");
  if (second) return hex(BigInt(d.displacement));
  return hex(BigInt.asUintN(v.operands[i]!.width, immediate(d)));
}

function segmentPrefix(d: Decoder): string {
  return d.override >= 0 ? `${SEGMENTS[d.override] ?? "?"}:` : "";
}

function memoryText(d: Decoder, width: number, address: bigint): string {
  const size = d.address16 ? 16 : d.address32 ? 32 : 64;
  const parts: string[] = [];
  if (d.ripRelative) {
    const target = BigInt.asUintN(64, address + BigInt(d.length + d.displacement));
    return `${POINTER[width] ?? ""}${segmentPrefix(d)}[rip + ${hex(BigInt(d.displacement))}] # ${hex(target)}`;
  }
  if (d.base !== ZERO) parts.push(registerName(d.base, size));
  if (d.index !== ZERO) parts.push(registerName(d.index, size) + (d.scale > 0 ? `*${1 << d.scale}` : ""));
  let text = parts.join(" + ");
  if (d.displacement !== 0 || parts.length === 0) {
    const value = BigInt(d.displacement);
    if (parts.length === 0) text = hex(BigInt.asUintN(size, value));
    else text += value < 0n ? ` - ${hex(-value)}` : ` + ${hex(value)}`;
  }
  return `${POINTER[width] ?? ""}${segmentPrefix(d)}[${text}]`;
}
