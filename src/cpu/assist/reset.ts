// Power-on and INIT state (SDM 3A table 10-1).
import type { GuestMemory } from "../../memory/guest-memory.ts";
import { ARENA, TLB, TLB_INVALID_0, VIEW } from "../engine/layout.ts";
import { SIGNATURE } from "../cpuid.ts";
import { CR0 } from "../mmu/control.ts";
import { SEGMENTS, type StateName } from "../state.ts";
import type { CpuContext } from "./context.ts";

/** Access rights of a present, accessed, writable data segment; and of a code segment. */
const DATA_RIGHTS = 0x93;
const CODE_RIGHTS = 0x9b;

/** Puts a processor into its power-on state. The memory layout of `memory` is entered too. */
export function resetState(cpu: CpuContext, memory: GuestMemory, pageTable: number): void {
  memory.u8.fill(0, cpu.base, cpu.base + ARENA);
  for (const view of Object.values(VIEW)) {
    for (const tag of [TLB.read, TLB.write, TLB.execute]) memory.view.setBigUint64(cpu.base + view + tag, TLB_INVALID_0, true);
  }
  cpu.set32("ramBase", memory.ramBase);
  cpu.set32("lowSize", memory.lowSize);
  cpu.set32("highSize", memory.highSize);
  cpu.set32("pageTable", pageTable);

  for (const name of SEGMENTS) {
    cpu.set32(`${name}Limit`, 0xffff);
    cpu.set32(`${name}Access`, DATA_RIGHTS);
  }
  cpu.set32("csSelector", 0xf000);
  cpu.set64("csBase", 0xffff_0000n);
  cpu.set32("csAccess", CODE_RIGHTS);
  cpu.set32("ldtrAccess", 0x82);
  cpu.set32("trAccess", 0x8b);
  cpu.set32("gdtrLimit", 0xffff);
  cpu.set32("idtrLimit", 0xffff);
  const values: Partial<Record<StateName, bigint>> = {
    rip: 0xfff0n,
    rdx: BigInt(SIGNATURE),
    cr0: BigInt(CR0.CD | CR0.ET | CR0.NW) & 0xffff_ffffn,
    dr6: 0xffff_0ff0n,
    dr7: 0x400n,
    xcr0: 1n,
    pat: 0x0007_0406_0007_0406n,
    miscEnable: 1n,
  };
  for (const [name, value] of Object.entries(values)) cpu.set64(name as StateName, value);
  cpu.set32("fcw", 0x40);
  cpu.set32("mxcsr", 0x1f80);
  cpu.refresh();
}
