// The registers that a boot protocol promises, put into a processor.
import type { RegisterAccess } from "../cpu/engine/engine.ts";
import type { CpuStart, GeneralName, SegmentName } from "../firmware/cpu-start.ts";

const GENERAL: readonly GeneralName[] = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp"];
const ALWAYS_ZERO = ["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"] as const;

/** Sets every register that `start` names, and the general ones that it leaves out to zero. */
export function applyCpuStart(registers: RegisterAccess, start: CpuStart): void {
  for (const name of GENERAL) registers.set(name, start.general[name] ?? 0n);
  for (const name of ALWAYS_ZERO) registers.set(name, 0n);
  for (const name of ["rip", "rsp", "rflags", "cr0", "cr3", "cr4", "efer"] as const) registers.set(name, start[name]);
  for (const table of ["gdtr", "idtr"] as const) {
    registers.set(`${table}Base`, start[table].base);
    registers.set(`${table}Limit`, BigInt(start[table].limit));
  }
  for (const [name, segment] of Object.entries(start.segments)) registers.setSegment(name as SegmentName, segment);
  registers.commit();
}
