// 32-bit code with flat segments at privilege level 0, ready to run.
import type { RegisterAccess } from "../cpu/engine/engine.ts";

/** Sets registers, and segments that begin at 0. @param limit of the code segment */
export function setFlat(r: RegisterAccess, values: Readonly<Record<string, number | bigint>>, limit = 0xffff_ffff): void {
  for (const [name, value] of Object.entries(values)) r.set(name, BigInt(value));
  r.setSegment("cs", { selector: 8, base: 0n, limit, access: 0xc09b });
  for (const s of ["ds", "es", "ss"] as const) r.setSegment(s, { selector: 16, base: 0n, limit: 0xffff_ffff, access: 0xc093 });
  r.commit();
}
