// Instructions that a region calls the complete handlers of, and what those may touch.
import type { Handler } from "../isa/handlers.ts";

/** Instructions whose complete handler is as good. */
export function isCalledByChoice({ form, repeat }: Handler): boolean {
  return form.attributes.has("mmx") || repeat !== "";
}

/** Instructions that read flags, XMM registers or rDI although no operand says so. */
const READS_MORE = /^(FCMOV|FX|X|MASKMOVQ)/;

/** x87 and MMX instructions without a general register or flags among their operands touch nothing that a region keeps. */
export function keepsToItself({ form, operands, instruction }: Handler): boolean {
  if (!form.attributes.has("fpu") && !form.attributes.has("mmx")) return false;
  const isOwn = operands.every(({ kind }) => kind === "mem" || kind === "mm" || kind === "st" || kind === "imm");
  return isOwn && instruction.flags.size === 0 && !READS_MORE.test(instruction.name);
}

/** Whether the region's own code may be other than it was behind an instruction. */
export function mayWrite(h: Handler): boolean {
  return !keepsToItself(h) || h.operands.some(({ kind, access }) => kind === "mem" && access !== "r");
}
