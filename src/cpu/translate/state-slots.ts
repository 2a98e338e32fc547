// Which state slots a region keeps in locals, and where in them an access by state offset lands.
import { at, XMM } from "../state.ts";

/** General registers, XMM registers. */
export type Register = { readonly kind: "gpr" | "xmm"; readonly number: number; readonly byte: number };

const GPR_END = 0x80;
const XMM_END: number = XMM + 0x100;

/** Lazy flags: offsets of their slots. */
export const FLAG_SLOTS: Readonly<Record<"result" | "a" | "b" | "kind", number>> = {
  result: at("flagResult"),
  a: at("flagA"),
  b: at("flagB"),
  kind: at("flagKind"),
};

const FLAGS_END: number = FLAG_SLOTS.kind + 4;

/** The register that a state offset lies in; `byte` is the offset within it. */
export function registerAt(offset: number): Register | undefined {
  if (offset < GPR_END) return { kind: "gpr", number: offset >> 3, byte: offset & 7 };
  if (offset >= XMM && offset < XMM_END) return { kind: "xmm", number: (offset - XMM) >> 4, byte: offset & 15 };
  return undefined;
}

/** Whether an access of `bytes` at a state offset touches anything that regions keep in locals. */
export function isKept(offset: number, bytes: number): boolean {
  const overlaps = (from: number, to: number): boolean => offset < to && offset + bytes > from;
  return overlaps(0, GPR_END) || overlaps(XMM, XMM_END) || overlaps(FLAG_SLOTS.result, FLAGS_END);
}
