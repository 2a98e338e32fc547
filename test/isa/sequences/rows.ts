// Rows of the instruction set by how often compilers emit their like.
import { INSTRUCTIONS } from "../../../src/cpu/isa/index.ts";
import type { Form, Instruction } from "../../../src/cpu/isa/instruction.ts";
import { existsIn } from "../generator.ts";
import type { Prng } from "../prng.ts";
import type { Mode } from "./program.ts";

/** A row with its instruction. */
export interface Row {
  readonly instruction: Instruction;
  readonly form: Form;
}

/**
 * What plain instructions of a sequence are not: those that need a place to go to (patterns.ts), that would change the address
 * space, or whose answer is another every time.
 */
const LEFT_OUT =
  /^(J.*|CALL.*|RET.*|LOOP.*|IRET|SYS.*|HLT|INT.*|MWAIT|MONITOR|[LS][GI]DT|LLDT|LTR|MOV (to|CR|DR).*|WRMSR|RDMSR|XSETBV|LMSW|SMSW|CLTS|RDPMC|SWAPGS|INVPCID|INVD|WBINVD|INVLPG|STI|CLI|IN|OUT|INS|OUTS|UD\d?|FXRSTOR|XRSTOR|L[DEFGS]S|POPA|PUSHA|POPF|ENTER|LEAVE|WR[FG]SBASE|BOUND|ARPL|STR|SLDT|VER[RW]|LAR|LSL|PREFETCH.*)$/;

const GROUPS: readonly (readonly [name: string, pattern: RegExp])[] = [
  ["arithmetic", /^(ADD|SUB|AND|OR|XOR|CMP|TEST|INC|DEC|NEG|NOT|ADC|SBB|LEA|MOVZX|MOVSXD?|XCHG|XADD|CMPXCHG)$/],
  ["shift", /^(SH[LR]D?|SA[LR]|RO[LR]|RC[LR]|MUL|IMUL|BT[SRC]?|BS[FR]|BSWAP|[LT]ZCNT|POPCNT|DIV|IDIV|CWD|CDQ|CQO|CBW|CWDE|CDQE|CRC32)$/],
  ["flags", /^(SET.*|CMOV.*|LAHF|SAHF|CMC|CLC|STC|PUSHF|SALC|CLD|STD)$/],
  ["stack", /^(PUSH|POP)$/],
  ["string", /^(MOVS|STOS|LODS|SCAS|CMPS|XLAT)$/],
];
const X87 = /^(F|WAIT)/;
const FLOAT = /(PS|SS|PD|SD|[PS][SD]2.*|DQ2P[SD])$/;

function groupOf({ instruction, form }: Row): string {
  const found = GROUPS.find(([, pattern]) => pattern.test(instruction.name));
  if (found) return found[0];
  if (form.operands.some((o) => o.kind === "xmm" || o.kind === "xmmrm")) return FLOAT.test(instruction.name) ? "float" : "vector";
  if (form.operands.some((o) => o.kind === "mm" || o.kind === "mmrm") || instruction.name === "EMMS") return "mmx";
  if (instruction.name === "MOV") return form.operands.some((o) => o.kind === "sreg") ? "segment" : "move";
  return X87.test(instruction.name) ? "x87" : "other";
}

/** Rows of a mode by group. */
type Groups = ReadonlyMap<string, readonly Row[]>;

function groupsOf(mode: Mode): Groups {
  const groups = new Map<string, Row[]>();
  for (const instruction of INSTRUCTIONS) {
    if (LEFT_OUT.test(instruction.name)) continue;
    for (const form of instruction.forms) {
      if (!existsIn(form, mode)) continue;
      const row = { instruction, form };
      const group = groupOf(row);
      groups.set(group, [...(groups.get(group) ?? []), row]);
    }
  }
  return groups;
}

let choices: Readonly<Record<Mode, readonly Choice[]>> | undefined;

/** Mixtures of rows that sequences of a mode are made of. */
export function choicesOf(mode: Mode): readonly Choice[] {
  const all = (groups: Groups): Choice[] => Object.values(MIXTURES).map((mixture) => choiceOf(groups, mixture));
  choices ??= { 64: all(groupsOf(64)), 32: all(groupsOf(32)) };
  return choices[mode];
}

/** How often each group comes, by what a sequence is about. */
const MIXTURES: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  integer: { arithmetic: 42, move: 18, shift: 14, flags: 12, stack: 6, string: 2, other: 2, vector: 1, float: 1, x87: 1, mmx: 1 },
  mixed: { arithmetic: 26, move: 12, shift: 8, flags: 8, stack: 4, string: 2, other: 3, vector: 10, float: 16, x87: 5, mmx: 5, segment: 1 },
  float: { arithmetic: 12, move: 6, flags: 5, float: 60, vector: 12, other: 1 },
  vector: { arithmetic: 12, move: 6, flags: 4, float: 8, vector: 60, mmx: 6, other: 1 },
  x87: { arithmetic: 12, move: 6, flags: 5, x87: 60, mmx: 10, float: 3 },
  odd: { arithmetic: 20, other: 25, segment: 8, string: 12, flags: 10, stack: 10, mmx: 5, x87: 5, shift: 5 },
};

/** A mixture of a mode: groups by the last of a hundred numbers that choose them. */
export type Choice = readonly { readonly below: number; readonly rows: readonly Row[] }[];

/** What `pickRow` chooses from. */
function choiceOf(groups: Groups, mixture: Readonly<Record<string, number>>): Choice {
  let below = 0;
  return Object.entries(mixture).map(([group, weight]) => ({ below: (below += weight), rows: groups.get(group) ?? [] }));
}

/** A row by a mixture's weights. */
export function pickRow(choice: Choice, prng: Prng): Row {
  for (;;) {
    const dice = prng.below(100);
    const rows = choice.find(({ below }) => dice < below)?.rows;
    if (rows !== undefined && rows.length > 0) return prng.pick(rows);
  }
}
