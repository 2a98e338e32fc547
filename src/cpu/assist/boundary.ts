// Between two instructions: traps on the one before, interrupts, breakpoints on the next (priorities of SDM 3A table 6-2).

import { ROUTINE } from "../engine-calls.ts";
import { EFLAGS, VECTOR } from "../mmu/control.ts";
import { ATTENTION, EXIT, SHADOW } from "../state.ts";
import type { CpuContext } from "./context.ts";
import { DR6, enterDr6, hitsInstruction } from "./debug.ts";
import { type CpuEvent, deliverEvent } from "./deliver.ts";

/** Work between instructions, `completed` says whether one was just completed → 1 to go on, 0 when `exit` says why not. */
export function betweenInstructions(cpu: CpuContext, completed: boolean): number {
  if (completed) cpu.set32("eflags", cpu.get32("eflags") & ~resumeFlagToClear(cpu));
  const traps = takeTraps(cpu, completed);
  ageShadow(cpu, completed);
  if (traps && !deliverTrap(cpu, traps)) return 0;
  if (!acceptEvents(cpu)) return 0;
  cpu.set32("stepping", cpu.get32("eflags") & EFLAGS.TF ? 1 : 0);
  cpu.call(ROUTINE.updateAttention);
  return kicked(cpu) ? 0 : 1;
}

/** Events that are taken in one go before the host gets a chance to stop a machine whose handlers never run. */
const PATIENCE = 64;

/** Delivers what may interrupt before the next instruction: NMI, INTR, instruction breakpoints → false when `exit` says why the loop stops. */
export function acceptEvents(cpu: CpuContext): boolean {
  for (let i = 0; i < PATIENCE; i++) {
    const event = nextEvent(cpu);
    if (event === undefined) return true;
    cpu.set64("interrupts", cpu.get64("interrupts") + 1n);
    if (!deliverEvent(cpu, event)) return false;
  }
  cpu.set32("exit", EXIT.kick);
  return false;
}

/** RF lasts for one instruction; the one that set it (IRET) keeps it for the next (SDM 3A §17.3.1.1). */
function resumeFlagToClear(cpu: CpuContext): number {
  const fresh = cpu.get32("resumeFresh") !== 0;
  cpu.set32("resumeFresh", 0);
  return fresh ? 0 : EFLAGS.RF;
}

/** Conditions of debug traps that are due now, as DR6 bits. */
function takeTraps(cpu: CpuContext, completed: boolean): number {
  const noted = cpu.get32("debugHits");
  // A task switch's T bit and conditions held back by MOV SS stay due when the next instruction faults or is INT n.
  const held = noted >>> 16;
  const now = (completed ? noted & 0xffff : noted & DR6.BT) | held;
  const stepped = completed && cpu.get32("stepping") !== 0;
  if (completed && cpu.get32("shadow") === SHADOW.movSs) {
    cpu.set32("debugHits", now << 16);
    return 0;
  }
  cpu.set32("debugHits", 0);
  return stepped ? now | DR6.BS : now;
}

/** The shadow of STI and MOV SS ends after the instruction that follows. */
function ageShadow(cpu: CpuContext, completed: boolean): void {
  const shadow = cpu.get32("shadow");
  if (!completed || shadow === 0) return;
  cpu.set32("shadow", shadow & SHADOW.ending ? 0 : shadow | SHADOW.ending);
}

function deliverTrap(cpu: CpuContext, conditions: number): boolean {
  enterDr6(cpu, conditions);
  return deliverEvent(cpu, { vector: VECTOR.DB, code: undefined, kind: "trap", returnIp: cpu.get64("rip") });
}

/** The most urgent event that may be taken before the next instruction. */
function nextEvent(cpu: CpuContext): CpuEvent | undefined {
  const returnIp = cpu.get64("rip");
  if (cpu.get32("shadow") === 0) {
    if (cpu.get32("nmiPending") && !cpu.get32("nmiBlocked")) {
      cpu.set32("nmiPending", 0);
      cpu.set32("nmiBlocked", 1);
      return { vector: VECTOR.NMI, code: undefined, kind: "trap", returnIp };
    }
    if (cpu.get32("intr") && cpu.get32("eflags") & EFLAGS.IF) {
      const vector = cpu.host.acknowledgeInterrupt();
      if (vector >= 0) return { vector, code: undefined, kind: "external", returnIp };
    }
  }
  return instructionBreakpoint(cpu, returnIp);
}

/** A #DB fault before the next instruction: its EFLAGS image has RF as it is, 0 (SDM 3A §17.3.1.1). */
function instructionBreakpoint(cpu: CpuContext, rip: bigint): CpuEvent | undefined {
  const armed = (cpu.get64("dr7") & 0xffn) !== 0n && !(cpu.get32("eflags") & EFLAGS.RF);
  if (!armed || cpu.get32("halted") || cpu.get32("shadow") === (SHADOW.movSs | SHADOW.ending)) return undefined;
  const hits = hitsInstruction(cpu, BigInt.asUintN(64, rip + cpu.get64("csBase")));
  if (hits === 0) return undefined;
  enterDr6(cpu, hits);
  return { vector: VECTOR.DB, code: undefined, kind: "trap", returnIp: rip };
}

/** The host asked the loop to return. */
function kicked(cpu: CpuContext): boolean {
  const attention = cpu.get32("attention");
  if (!(attention & ATTENTION.kick)) return false;
  cpu.set32("attention", attention & ~ATTENTION.kick);
  if (cpu.get32("exit") === EXIT.none) cpu.set32("exit", EXIT.kick);
  return true;
}
