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
// `norep` (F3 and F2 make it no instruction) · `rep` (F3 and F2 select the repeated form) · `b0` (not with REX.B: 90h is NOP, but 41 90
// exchanges) · `cpl0`, `fpu`, `mmx`, `sse` (checks made before the meaning runs) · `end` (ends a block).
import { assert } from "../../support/assert.ts";
import type { Sem } from "./sem.ts";

/** What an operand is. `width` is in bits; 0 where the operand has no size of its own (an address). */
export interface OperandSpec {
  readonly kind:
    | "reg"
    | "mem"
    | "rm"
    | "imm"
    | "rel"
    | "moffs"
    | "sreg"
    | "cr"
    | "dr"
    | "xmm"
    | "mm"
    | "st"
    | "ptr"
    | "xmmrm"
    | "mmrm"
    | "one";
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

/** What an instruction does with an operand; "-" when it only computes its address. */
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

/** An instruction: its rows, and what engines, tests and documentation know about it. */
export interface Instruction {
  readonly name: string;
  readonly forms: readonly Form[];
  readonly access: readonly Access[];
  /** Flags that the instruction defines; the others it changes are listed in `undefinedFlags`. */
  readonly flags: ReadonlySet<string>;
  readonly undefinedFlags: ReadonlySet<string>;
  /** CPUID feature that its presence follows, as a name in cpuid.ts; empty for the base architecture. */
  readonly feature: string;
  readonly sem: Meaning;
}

/** An instruction as it is written down: rows and lists as text. */
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

const ATTRIBUTES: ReadonlySet<string> = new Set(words("lock i64 o64 d64 f64 o16 o32 any a16 a32 a64 norep rep b0 cpl0 fpu mmx sse end"));

/** Parses one row. */
export function parseForm(instructionName: string, text: string): Form {
  const [opcodeColumn = "", operandColumn = "", attributeColumn = ""] = text.split("|").map((p) => p.trim());
  const attributes = new Set(words(attributeColumn));
  for (const a of attributes) assert(ATTRIBUTES.has(a), `no attribute is called ${a} in the row "${text}"`);
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
  ib: [1],
  iw: [2],
  id: [4],
  io: [8],
  cb: [1],
  cw: [2],
  cd: [4],
  "iw:iw": [2, 2],
  "id:iw": [4, 2],
};

/** What has been read of an opcode column. */
interface OpcodeColumn {
  prefix: Form["prefix"];
  rexW: boolean;
  plus: boolean;
  modrm: Form["modrm"];
  readonly bytes: number[];
  readonly immediates: number[];
}

const isPrefix = (t: string): t is "NP" | "66" | "F2" | "F3" => t === "NP" || t === "66" || t === "F2" || t === "F3";

/** Reads one word of an opcode column → false when it is none. */
function readOpcodeWord(c: OpcodeColumn, t: string): boolean {
  const immediate = IMMEDIATE_BYTES[t];
  if (t === "REX.W") c.rexW = true;
  else if (t === "/r") c.modrm = {};
  else if (/^\/[0-7]$/.test(t)) c.modrm = { digit: Number(t[1]) };
  else if (/^\+r[bwdo]$/.test(t)) c.plus = true;
  else if (immediate) c.immediates.push(...immediate);
  else if (/^[0-9A-F]{2}\+i$/.test(t)) c.modrm = { fixed: parseInt(t, 16), anyRm: true };
  else if (/^[0-9A-F]{2}$/.test(t)) c.bytes.push(parseInt(t, 16));
  else return false;
  return true;
}

function parseOpcode(tokens: readonly string[], text: string): Encoding {
  const c: OpcodeColumn = { prefix: "", rexW: false, plus: false, modrm: undefined, bytes: [], immediates: [] };
  for (const t of tokens) {
    if (isPrefix(t) && c.bytes.length === 0 && tokens.length > 1) c.prefix = t;
    else assert(readOpcodeWord(c, t), `cannot read ${t} in the row "${text}"`);
  }
  const { bytes, prefix, rexW, plus, immediates } = c;
  const map = takeMap(bytes);
  const [opcode, second] = bytes;
  assert(opcode !== undefined && bytes.length <= 2, `no opcode in the row "${text}"`);
  return { map, opcode, plus, prefix, rexW, modrm: second === undefined ? c.modrm : { fixed: second }, immediates };
}

/** Takes the escape bytes from the front (SDM 2A §2.1.2). */
function takeMap(bytes: number[]): Form["map"] {
  const [first, second] = bytes;
  if (first !== 0x0f) return 0;
  const map = second === 0x38 ? 2 : second === 0x3a ? 3 : 1;
  bytes.splice(0, map === 1 ? 1 : 2);
  return map;
}

type Kind = OperandSpec["kind"];

/** Operands that are always the same register (segment registers in the order of SDM 2A table B-8), and the constant 1. */
// oxfmt-ignore
const FIXED: Readonly<Record<string, readonly [kind: Kind, width: number, fixed: number]>> = {
  AL: ["reg", 8, 0], CL: ["reg", 8, 1], AX: ["reg", 16, 0], DX: ["reg", 16, 2], EAX: ["reg", 32, 0], RAX: ["reg", 64, 0],
  ES: ["sreg", 16, 0], CS: ["sreg", 16, 1], SS: ["sreg", 16, 2], DS: ["sreg", 16, 3], FS: ["sreg", 16, 4], GS: ["sreg", 16, 5],
  XMM0: ["xmm", 128, 0], ST: ["st", 80, 0], "1": ["one", 8, 0],
};

/** Operands by their name. "where" stands for ModRM.reg, ModRM.rm with a dot, or the opcode's low bits with +r. */
const NAMED: Readonly<Record<string, readonly [kind: Kind, width: number, from: OperandSpec["from"] | "where"]>> = {
  xmm: ["xmm", 128, "where"],
  mm: ["mm", 64, "where"],
  Sreg: ["sreg", 16, "reg"],
  CR: ["cr", 64, "reg"],
  DR: ["dr", 64, "reg"],
  "ST(i)": ["st", 80, "rm"],
};

/** Operands with their width in the name; that of `m16&32` is the sum. */
const SIZED: readonly (readonly [pattern: RegExp, kind: Kind, from: OperandSpec["from"] | "where"])[] = [
  [/^r(8|16|32|64)$/, "reg", "where"],
  [/^r\/m(8|16|32|64)$/, "rm", "rm"],
  [/^imm(8|16|32|64)$/, "imm", "imm"],
  [/^rel(8|16|32)$/, "rel", "imm"],
  [/^moffs(8|16|32|64)$/, "moffs", "imm"],
  [/^ptr16:(16|32)$/, "ptr", "imm"],
  [/^xmm\/m(16|32|64|128)$/, "xmmrm", "rm"],
  [/^mm\/m(32|64)$/, "mmrm", "rm"],
  [/^m(\d+)?(?:fp|int|dec|byte|bcd)?(?:[:&](\d+))?$/, "mem", "rm"],
];

function parseOperand(text: string, e: Encoding, row: string): OperandSpec {
  const fixed = FIXED[text];
  if (fixed) return { kind: fixed[0], width: fixed[1], from: fixed[0] === "one" ? "imm" : "fixed", fixed: fixed[2], text };
  const inRm = text.endsWith(".");
  const name = inRm ? text.slice(0, -1) : text;
  const where = inRm ? "rm" : e.plus ? "opcode" : "reg";
  const known = NAMED[name] ?? sized(name);
  assert(known, `cannot read the operand "${text}" of the row "${row}"`);
  const [kind, width, from] = known;
  return { kind, width, from: from === "where" ? where : from, fixed: 0, text };
}

function sized(name: string): (typeof NAMED)[string] | undefined {
  for (const [pattern, kind, from] of SIZED) {
    const found = pattern.exec(name);
    if (found) return [kind, Number(found[1] ?? 0) + Number(found[2] ?? 0), from];
  }
  return undefined;
}

/** The operand size that selects a row: stated, or that of its first general operand. */
function operandSize(e: Encoding, specs: readonly OperandSpec[], attributes: ReadonlySet<string>): Form["opsize"] {
  if (attributes.has("any")) return 0;
  if (attributes.has("o16")) return 16;
  if (attributes.has("o32")) return 32;
  if (e.rexW) return 64;
  if (e.prefix !== "") return 0;
  const wide = specs.filter((s) => s.width > 8);
  const general = wide.find((s) => ["reg", "rm", "moffs", "imm"].includes(s.kind) && s.from !== "fixed");
  const implied = general ?? wide.find((s) => (s.kind === "reg" || s.kind === "ptr") && s.text !== "DX");
  return (implied?.width ?? 0) as Form["opsize"];
}
