// Where a processor stood when it shut down: what somebody who debugs a kernel looks for first.
import type { RegisterAccess } from "../../cpu/engine/engine.ts";

const REGISTERS = ["rsp", "cr0", "cr2", "cr3", "cr4", "efer", "rflags"] as const;

/** "at 0010:ffffffff81000000 (rsp … cr2 …)", all in hexadecimal. */
export function describeShutdown(registers: RegisterAccess): string {
  const hex = (value: bigint): string => value.toString(16);
  const { selector } = registers.getSegment("cs");
  const rest = REGISTERS.map((name) => `${name} ${hex(registers.get(name))}`).join(", ");
  return `at ${selector.toString(16).padStart(4, "0")}:${hex(registers.get("rip"))} (${rest})`;
}
