// What locals, functions and places of a region are called.
import { RECORD } from "../../src/cpu/engine/layout.ts";
import type { Body } from "../../src/cpu/ir/types.ts";
import { STATE, X87, XMM } from "../../src/cpu/state.ts";
import { GuestCode } from "./guest-code.ts";
import type { ModuleParts } from "./module-parts.ts";
import type { Names } from "./print.ts";
import { type Expression, mapped, type Statement } from "./statement.ts";

const PARAMETERS = ["next", "base", "budget"];
/** The blocks around a region's code, outermost first (src/cpu/translate/region.ts). */
const FRAME = ["done", "leave", "exit"];
const SLOTS = new Map(Object.entries(STATE).map(([name, { offset }]) => [offset, name]));

/** Labels by depth, and state slots. */
export const REGION_NAMES: Names = {
  label: ({ kind, depth }) => (kind === "block" ? FRAME[depth - 1] : undefined) ?? String(depth),
  place: (address, offset) => (isBase(address) ? `base.${slotName(offset)}` : undefined),
};

/** The state's address. */
const isBase = ({ op, imm }: Expression): boolean => op === "const" && imm === BigInt(GuestCode.state);

/** Name of the slot at an offset in the state. */
export function slotName(offset: number): string {
  if (offset >= XMM && offset < X87 && offset % 16 === 0) return `xmm${(offset - XMM) / 16}`;
  return SLOTS.get(offset) ?? `0x${offset.toString(16)}`;
}

/** Values of the frame that stand in locals that have no name. */
const VALUES: readonly (readonly [name: string, is: (e: Expression) => boolean])[] = [
  ["entryRecord", (e) => e.op === "get" && e.name === "next"],
  ["copy", (e) => isField(e, RECORD.target)],
  ["side", (e) => isField(e, RECORD.disp)],
  ["page", (e) => isField(e, RECORD.imm + 4)],
  ["origin", (e) => e.op === "i64.sub" && e.args[1]?.args[0]?.name === "page"],
];

const isField = (e: Expression, offset: number): boolean => e.op === "i32.load" && e.args[0]?.name === "entryRecord" && e.imm === offset;

/** Gives locals and callees their names: variables those that they were declared with, others by number. */
export function withNames(list: readonly Statement[], module: ModuleParts, { variables }: Body): Statement[] {
  const unnamed = variables.filter(({ name }, i) => name === undefined && i >= PARAMETERS.length).map(({ index }) => index);
  const fixed = (i: number): string | undefined =>
    PARAMETERS[i] ?? variables[i]?.name ?? (i < variables.length ? `v${unnamed.indexOf(i)}` : undefined);
  /** Locals that hold a value of the frame at present: others use them before and afterwards. */
  const values = new Map<number, string>();
  const nameOf = (i: number): string => fixed(i) ?? values.get(i) ?? `t${i - variables.length}`;
  const named = (e: Expression): Expression => {
    const args = e.args.map(named);
    if (e.op === "call") return { ...e, args, name: module.imports[Number(e.imm)]?.name ?? "?" };
    return e.op === "get" || e.op === "tee" ? { ...e, args, name: nameOf(Number(e.imm)) } : { ...e, args };
  };
  return mapped(list, named, (s) => {
    const value = VALUES.find(([, is]) => is(s.e))?.[0];
    if (value === undefined) values.delete(s.local);
    else values.set(s.local, value);
    return { ...s, name: nameOf(s.local) };
  });
}
