// PCI Express memory-mapped configuration space description (PCI FW 3.2 §4.1.2).
import type { Gpa } from "../../memory/gpa.ts";
import { ByteWriter } from "../byte-writer.ts";
import { systemTable } from "./table.ts";

/** The MCFG for one segment whose buses 0 to `lastBus` start at `base`. */
export function mcfg(base: Gpa, lastBus: number): Uint8Array {
  const w = new ByteWriter().u64(0).u64(base).u16(0).u8(0).u8(lastBus).u32(0);
  return systemTable("MCFG", 1, w.finish());
}
