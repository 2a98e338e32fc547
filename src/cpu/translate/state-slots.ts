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

const GPRS: readonly Register[] = Array.from({ length: GPR_END }, (_, at) => ({ kind: "gpr", number: at >> 3, byte: at & 7 }));
const XMMS: readonly Register[] = Array.from({ length: XMM_END - XMM }, (_, at) => ({ kind: "xmm", number: at >> 4, byte: at & 15 }));

/** The register that a state offset lies in; `byte` is the offset within it. */
export function registerAt(offset: number): Register | undefined {
  return offset < GPR_END ? GPRS[offset] : XMMS[offset - XMM];
}

/** Whether an access of `bytes` at a state offset touches anything that regions keep in locals. */
export function isKept(offset: number, bytes: number): boolean {
  const end = offset + bytes;
  return offset < GPR_END || (offset < XMM_END && end > XMM) || (offset < FLAGS_END && end > FLAG_SLOTS.result);
}
