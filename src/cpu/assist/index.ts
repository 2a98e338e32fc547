// Rare instructions in TypeScript, by number.
import type { CpuContext } from "./context.ts";
import { lmsw, readCr, readDr, writeCr, writeDr } from "./control.ts";
import { noteDataAccess, notePortAccess } from "./debug.ts";
import { farCall, farJump, farReturn } from "./far.ts";
import { halt, mwait } from "./halt.ts";
import { ioPermission } from "./io-permission.ts";
import { cpuidInstruction, random, rdmsr, rdtsc, wrmsr } from "./msr.ts";
import { iret } from "./iret.ts";
import { HELPER } from "./numbers.ts";
import { lar, lsl, verify } from "./segment-query.ts";
import { loadLdt, loadTask } from "./system-segment.ts";
import { x87 } from "./x87.ts";
import { computeFunction } from "./x87-functions.ts";

/** One helper: the processor and an i32 → i32. Throws GuestFault (or CpuContext.raise) for a guest exception. */
export type Assist = (cpu: CpuContext, argument: number) => number;

/** All helpers by their number. */
export const ASSISTS: ReadonlyMap<number, Assist> = new Map<number, Assist>([
  [HELPER.dataBreakpoint, noteDataAccess],
  [HELPER.portBreakpoint, notePortAccess],
  [HELPER.ioPermission, ioPermission],
  [HELPER.cpuid, cpuidInstruction],
  [HELPER.rdmsr, rdmsr],
  [HELPER.wrmsr, wrmsr],
  [HELPER.rdtsc, rdtsc],
  [HELPER.random, random],
  [HELPER.writeCr, writeCr],
  [HELPER.readCr, readCr],
  [HELPER.writeDr, writeDr],
  [HELPER.readDr, readDr],
  [HELPER.lmsw, lmsw],
  [HELPER.halt, halt],
  [HELPER.mwait, mwait],
  [HELPER.x87, x87],
  [HELPER.transcendental, computeFunction],
  [HELPER.iret, iret],
  [HELPER.farJump, farJump],
  [HELPER.farCall, farCall],
  [HELPER.farReturn, farReturn],
  [HELPER.loadLdt, loadLdt],
  [HELPER.loadTask, loadTask],
  [HELPER.lar, lar],
  [HELPER.lsl, lsl],
  [HELPER.verify, verify],
]);

export { HELPER };
