// From rows to handlers: every combination of operand kinds that a row allows, in each world, once.
import { assert } from "../../support/assert.ts";
import { INTERNAL_HANDLERS } from "../engine/layout.ts";
import type { Body } from "../ir/types.ts";
import type { Access, Form, Instruction, Operand, Operands, OperandSpec } from "./instruction.ts";
import { Sem, type World } from "./sem.ts";

/** How a repeat prefix selects a variant of a string instruction. */
export type Repeat = "" | "repe" | "repne";

/** A meaning for one kind of operands in one world. */
export interface Handler {
  /** Unique name: `ADD:r64,m64/long`. */
  readonly key: string;
  readonly instruction: Instruction;
  /** The first of the rows that lead here. */
  readonly form: Form;
  readonly operands: readonly Operand[];
  readonly world: World;
  readonly repeat: Repeat;
  /** Index among all handlers; the internal ones (engine/internal.ts) come first. */
  readonly id: number;
}

/** One way to decode a row: with a register or with memory in ModRM.rm, and the handlers it leads to. */
export interface Variant {
  readonly form: Form;
  readonly instruction: Instruction;
  readonly memory: boolean;
  readonly repeat: Repeat;
  readonly operands: readonly Operand[];
  /** Handler id by world; -1 where the row does not exist. */
  readonly long: number;
  readonly legacy: number;
}

/** All handlers by id - INTERNAL_HANDLERS, and all decodings. */
export interface HandlerSet {
  readonly handlers: readonly Handler[];
  readonly variants: readonly Variant[];
}

/** Attributes that change what a handler does; the others only select rows. */
const CHECKS: ReadonlySet<string> = new Set(["cpl0", "fpu", "mmx", "sse"]);

const KIND_LETTER: Readonly<Record<Operand["kind"], string>> = {
  reg: "r",
  mem: "m",
  imm: "i",
  sreg: "s",
  cr: "c",
  dr: "d",
  xmm: "x",
  mm: "q",
  st: "f",
};

function resolve(spec: OperandSpec, memory: boolean): { kind: Operand["kind"]; width: number } {
  switch (spec.kind) {
    case "rm":
      return { kind: memory ? "mem" : "reg", width: spec.width };
    case "xmmrm":
      return memory ? { kind: "mem", width: spec.width } : { kind: "xmm", width: 128 };
    case "mmrm":
      return memory ? { kind: "mem", width: spec.width } : { kind: "mm", width: 64 };
    case "moffs":
      return { kind: "mem", width: spec.width };
    case "rel":
      return { kind: "imm", width: 64 };
    case "ptr":
    case "one":
      return { kind: "imm", width: spec.width };
    default:
      return { kind: spec.kind, width: spec.width };
  }
}

/** The operand size that an immediate is cut to is its companion's: `ADD r64, imm32` sees a 64-bit immediate. */
function widen(operands: Operand[]): Operand[] {
  const first = operands[0];
  if (first === undefined || (first.kind !== "reg" && first.kind !== "mem") || first.width > 64) return operands;
  return operands.map((o, i) => (o.kind === "imm" && i > 0 && first.width > o.width ? { ...o, width: first.width } : o));
}

function hasRm(form: Form): boolean {
  return form.operands.some((o) => o.kind === "rm" || o.kind === "xmmrm" || o.kind === "mmrm");
}

function hasMemory(form: Form): boolean {
  return form.operands.some((o) => o.kind === "mem");
}

/** Builds the list of handlers and the decodings that lead to them, in a fixed order. */
export function enumerateHandlers(instructions: readonly Instruction[]): HandlerSet {
  const handlers: Handler[] = [];
  const variants: Variant[] = [];
  const byKey = new Map<string, number>();
  const add = (h: Omit<Handler, "id">): number => {
    const known = byKey.get(h.key);
    if (known !== undefined) return known;
    const id = handlers.length + INTERNAL_HANDLERS;
    assert(id < 0x1_0000, "handler ids have 16 bits");
    handlers.push({ ...h, id });
    byKey.set(h.key, id);
    return id;
  };
  for (const instruction of instructions) {
    for (const form of instruction.forms) {
      const memories = hasRm(form) ? [false, true] : [hasMemory(form)];
      const repeats: readonly Repeat[] = form.attributes.has("rep") ? ["", "repe", "repne"] : [""];
      for (const memory of memories) for (const repeat of repeats) variants.push(variantOf(instruction, form, memory, repeat, add));
    }
  }
  return { handlers, variants };
}

function variantOf(
  instruction: Instruction,
  form: Form,
  memory: boolean,
  repeat: Repeat,
  add: (h: Omit<Handler, "id">) => number,
): Variant {
  const operands = widen(
    form.operands.map((spec, slot) => {
      const access: Access = instruction.access[slot] ?? "r";
      return { ...resolve(spec, memory), slot, access };
    }),
  );
  const marks = [...form.attributes].filter((a) => CHECKS.has(a)).sort();
  // Its address is not where ModRM operands have theirs.
  if (form.operands.some((o) => o.kind === "moffs")) marks.push("moffs");
  const size = form.opsize === 0 ? "" : `.${form.opsize}`;
  const text = operands.map((o) => KIND_LETTER[o.kind] + o.width).join();
  const key = (world: World): string =>
    `${instruction.name}${size}:${text}${marks.map((m) => `+${m}`).join("")}${repeat && `@${repeat}`}/${world}`;
  const common = { instruction, form, operands, repeat };
  const long = form.attributes.has("i64") ? -1 : add({ ...common, key: key("long"), world: "long" });
  const legacy =
    form.attributes.has("o64") || form.rexW || form.opsize === 64 ? -1 : add({ ...common, key: key("legacy"), world: "legacy" });
  return { form, instruction, memory, repeat, operands, long, legacy };
}

/** Builds a handler's complete routine. */
export function buildHandler(h: Handler, make: (name: string, world: World) => Sem = (name, world) => new Sem(name, world)): Body {
  const o = make(h.key, h.world);
  const attributes = h.form.attributes;
  if (attributes.has("cpl0")) o.requireCpl0();
  for (const unit of ["fpu", "mmx", "sse"] as const) if (attributes.has(unit)) o.requireUnit(unit);
  o.repeat = h.repeat;
  h.instruction.sem(o, h.operands as Operands, h.form);
  o.next();
  return o.finish();
}
