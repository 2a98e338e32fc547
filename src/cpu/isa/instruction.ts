// How an instruction is written down: rows that transcribe the manual's opcode and operand columns, and one meaning.
//
//   instruction("ADD", {
//     forms: ["04 ib | AL, imm8", "REX.W + 01 /r | r/m64, r64 | lock", …],
//     access: "rw r",
//     flags: "CF PF AF ZF SF OF",
//     sem: (o, [dst, src], form) => { … },
//   });
//
// Opcode column (SDM 2A §3.1.1.1): NP 66 F2 F3 mandatory prefixes, REX.W, opcode bytes, /r, /0../7, +rb +rw +rd +ro, ib iw id
// io, cb cw cd, `C0+i` and whole second bytes (`D9 E8`). Operand column (§3.1.1.3): AL AX EAX RAX CL DX 1, r8.., r/m8.., m, m8..
// m512, imm8.., rel8.., moffs8.., Sreg, CR DR, xmm, xmm/m128.., mm, mm/m64, ST ST(i), ptr16:16 ptr16:32, m16:16 m16:32 m16:64,
// m16&32 m16&64. A register operand that sits in ModRM.rm although it cannot be memory is written with a dot: `mm.`, `xmm.`, `r32.`.
//
// Fixed segment registers are operands of their own: ES CS SS DS FS GS.
//
// Attributes: `lock` (LOCK allowed when the destination is memory) · `i64` (#UD in 64-bit mode) · `o64` (only in 64-bit mode) ·
// `d64` (operand size defaults to 64 in 64-bit mode, no 32-bit form there) · `f64` (operand size is 64 whatever the prefixes) ·
// `o16` `o32` (operand size in force when no operand says so) · `any` (every operand size) · `a16` `a32` `a64` (address size in force) ·
// `norep` (F3 and F2 make it no instruction) · `rep` (F3 and F2 select the repeated form) · `b0` (not with REX.B: 90h is NOP, but 41 90 exchanges) · `cpl0`, `fpu`, `mmx`, `sse` (checks made before the meaning runs) · `end` (ends a block).
import { assert } from "../../support/assert.ts";
import type { Sem } from "./sem.ts";

/** What an operand is. `width` is in bits; 0 where the operand has no size of its own (an address). */
export interface OperandSpec {
  readonly kind: "reg" | "mem" | "rm" | "imm" | "rel" | "moffs" | "sreg" | "cr" | "dr" | "xmm" | "mm" | "st" | "ptr" | "xmmrm" | "mmrm" | "one";
  readonly width: number;
  /** Where its register number comes from; "fixed" means `fixed`. */
  readonly from: "reg" | "rm" | "opcode" | "fixed" | "imm";
  readonly fixed: number;
  readonly text: string;
}

/** An operand as a meaning sees it: a register, memory, or an immediate, never "either". */
export interface Operand {
  readonly kind: "reg" | "mem" | "imm" | "sreg" | "cr" | "dr" | "xmm" | "mm" | "st";
  readonly width: number;
  /** Which operand field of the record holds its register slot: 0, 1 or 2. */
  readonly slot: number;
  readonly access: Access;
}

export type Access = "r" | "w" | "rw" | "-";

/** A parsed row. */
export interface Form {
  readonly instruction: string;
  readonly text: string;
  /** 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A. */
  readonly map: 0 | 1 | 2 | 3;
  readonly opcode: number;
  /** How many low bits of the opcode select a register (+rd). */
  readonly plus: boolean;
  readonly prefix: "" | "NP" | "66" | "F2" | "F3";
  readonly rexW: boolean;
  /** ModRM: absent, any (/r), a digit in reg, or a fixed byte (mod = 3), possibly with any rm. */
  readonly modrm: { readonly digit?: number; readonly fixed?: number; readonly anyRm?: boolean } | undefined;
  readonly operands: readonly OperandSpec[];
  /** Immediate bytes after ModRM and displacement: 1, 2, 4, 8, or "z" parts of far pointers. */
  readonly immediates: readonly number[];
  /** Operand size in bits that selects the row, or 0 when it does not matter. */
  readonly opsize: 0 | 16 | 32 | 64;
  readonly attributes: ReadonlySet<string>;
}

/** The row's operands in order. Rows have at most four, and a meaning takes as many as its rows have. */
export type Operands = readonly [Operand, Operand, Operand, Operand];

/** What an instruction does, written in the vocabulary of sem.ts. */
export type Meaning = (o: Sem, operands: Operands, form: Form) => void;

export interface Instruction {
  readonly name: string;
  readonly forms: readonly Form[];
  readonly access: readonly Access[];
  /** Flags that the instruction defines; the others it changes are listed in `undefinedFlags`. */
  readonly flags: ReadonlySet<string>;
  readonly undefinedFlags: ReadonlySet<string>;
  /** CPUID feature that its presence follows, as a name in cpuid.ts; empty for the base architecture. */
  readonly feature: string;
  /** The meaning cannot be expressed for the fast loop (it is rare, or changes modes). */
  readonly sem: Meaning;
}

export interface InstructionSource {
  readonly forms: readonly string[];
  /** Access of each operand in order, e.g. "rw r"; default "w r r". */
  readonly access?: string;
  readonly flags?: string;
  readonly undefinedFlags?: string;
  readonly feature?: string;
  readonly sem: Meaning;
}

/** Declares an instruction. Throws on a row that cannot be parsed: a bug in the row. */
export function instruction(name: string, source: InstructionSource): Instruction {
  return {
    name,
    forms: source.forms.map((f) => parseForm(name, f)),
    access: words(source.access ?? "w r r") as Access[],
    flags: new Set(words(source.flags ?? "")),
    undefinedFlags: new Set(words(source.undefinedFlags ?? "")),
    feature: source.feature ?? "",
    sem: source.sem,
  };
}

function words(s: string): string[] {
  return s.split(/\s+/).filter((w) => w !== "");
}

/** Parses one row. */
export function parseForm(instructionName: string, text: string): Form {
  const [opcodeColumn = "", operandColumn = "", attributeColumn = ""] = text.split("|").map((p) => p.trim());
  const attributes = new Set(words(attributeColumn));
  const encoding = parseOpcode(words(opcodeColumn.replaceAll("REX.W +", "REX.W").replaceAll("REX.W", "REX.W ")), text);
  const specs = operandColumn === "" ? [] : operandColumn.split(/,\s*/).map((o) => parseOperand(o.trim(), encoding, text));
  return {
    instruction: instructionName,
    text,
    ...encoding,
    operands: specs,
    opsize: operandSize(encoding, specs, attributes),
    attributes,
  };
}

type Encoding = Pick<Form, "map" | "opcode" | "plus" | "prefix" | "rexW" | "modrm" | "immediates">;

const IMMEDIATE_BYTES: Readonly<Record<string, readonly number[]>> = {
  ib: [1], iw: [2], id: [4], io: [8], cb: [1], cw: [2], cd: [4], "iw:iw": [2, 2], "id:iw": [4, 2],
};

function parseOpcode(tokens: string[], text: string): Encoding {
  let prefix: Form["prefix"] = "";
  let rexW = false;
  let plus = false;
  let modrm: Form["modrm"];
  const bytes: number[] = [];
  const immediates: number[] = [];
  for (const t of tokens) {
    if (bytes.length === 0 && (t === "NP" || t === "66" || t === "F2" || t === "F3") && tokens.length > 1) prefix = t;
    else if (t === "REX.W") rexW = true;
    else if (t === "/r") modrm = {};
    else if (/^\/[0-7]$/.test(t)) modrm = { digit: Number(t[1]) };
    else if (/^\+r[bwdo]$/.test(t)) plus = true;
    else if (IMMEDIATE_BYTES[t]) immediates.push(...IMMEDIATE_BYTES[t]);
    else if (/^[0-9A-F]{2}\+i$/.test(t)) modrm = { fixed: parseInt(t, 16), anyRm: true };
    else if (/^[0-9A-F]{2}$/.test(t)) bytes.push(parseInt(t, 16));
    else assert(false, `cannot read ${t} in the row "${text}"`);
  }
  let map: Form["map"] = 0;
  const first = bytes[0];
  if (first === 0x0f) {
    bytes.shift();
    const escape = bytes[0];
    map = escape === 0x38 ? 2 : escape === 0x3a ? 3 : 1;
    if (map !== 1) bytes.shift();
  }
  const opcode = bytes.shift();
  assert(opcode !== undefined && bytes.length <= 1, `no opcode in the row "${text}"`);
  const second = bytes[0];
  return { map, opcode, plus, prefix, rexW, modrm: second === undefined ? modrm : { fixed: second }, immediates };
}

const FIXED: Readonly<Record<string, readonly [reg: number, width: number]>> = {
  AL: [0, 8], CL: [1, 8], AX: [0, 16], DX: [2, 16], EAX: [0, 32], RAX: [0, 64],
};

/** In encoding order (SDM 2A table B-8). */
const SEGMENT_OPERANDS: readonly string[] = ["ES", "CS", "SS", "DS", "FS", "GS"];

function parseOperand(t: string, e: Encoding, text: string): OperandSpec {
  const spec = (kind: OperandSpec["kind"], width: number, from: OperandSpec["from"], fixed = 0): OperandSpec => ({ kind, width, from, fixed, text: t });
  const fixed = FIXED[t];
  if (fixed) return spec("reg", fixed[1], "fixed", fixed[0]);
  if (SEGMENT_OPERANDS.includes(t)) return spec("sreg", 16, "fixed", SEGMENT_OPERANDS.indexOf(t));
  if (t === "1") return spec("one", 8, "imm");
  if (t === "XMM0") return spec("xmm", 128, "fixed");
  const inRm = t.endsWith(".");
  const name = inRm ? t.slice(0, -1) : t;
  const where = inRm ? "rm" : e.plus ? "opcode" : "reg";
  let m: RegExpMatchArray | null;
  if ((m = name.match(/^r(8|16|32|64)$/))) return spec("reg", Number(m[1]), where);
  if ((m = name.match(/^r\/m(8|16|32|64)$/))) return spec("rm", Number(m[1]), "rm");
  if ((m = name.match(/^imm(8|16|32|64)$/))) return spec("imm", Number(m[1]), "imm");
  if ((m = name.match(/^rel(8|16|32)$/))) return spec("rel", Number(m[1]), "imm");
  if ((m = name.match(/^moffs(8|16|32|64)$/))) return spec("moffs", Number(m[1]), "imm");
  if ((m = name.match(/^ptr16:(16|32)$/))) return spec("ptr", Number(m[1]), "imm");
  if ((m = name.match(/^xmm\/m(16|32|64|128)$/))) return spec("xmmrm", Number(m[1]), "rm");
  if ((m = name.match(/^mm\/m(32|64)$/))) return spec("mmrm", Number(m[1]), "rm");
  if ((m = name.match(/^m(\d+)?(?:fp|int|dec|byte|bcd)?(?:[:&](\d+))?$/))) return spec("mem", Number(m[1] ?? 0) + Number(m[2] ?? 0), "rm");
  if (name === "xmm") return spec("xmm", 128, where);
  if (name === "mm") return spec("mm", 64, where);
  if (name === "Sreg") return spec("sreg", 16, "reg");
  if (name === "CR") return spec("cr", 64, "reg");
  if (name === "DR") return spec("dr", 64, "reg");
  if (name === "ST(i)") return spec("st", 80, "rm");
  if (name === "ST") return spec("st", 80, "fixed", 0);
  throw new Error(`Bug in Nido: cannot read the operand "${t}" of the row "${text}"`);
}

/** The operand size that selects a row: stated, or that of its first general operand. */
function operandSize(e: Encoding, specs: readonly OperandSpec[], attributes: ReadonlySet<string>): Form["opsize"] {
  if (attributes.has("any")) return 0;
  if (attributes.has("o16")) return 16;
  if (attributes.has("o32")) return 32;
  if (e.rexW) return 64;
  if (e.prefix !== "") return 0;
  const sized = specs.find((s) => (s.kind === "reg" || s.kind === "rm" || s.kind === "moffs" || s.kind === "imm") && s.width > 8 && s.from !== "fixed")
    ?? specs.find((s) => (s.kind === "reg" || s.kind === "ptr") && s.width > 8 && s.text !== "DX");
  return (sized?.width ?? 0) as Form["opsize"];
}
