// Delivery of exceptions and interrupts: from a pending event to the first instruction of its handler (SDM 3A chapter 6).
//
// A fault during delivery becomes the next event to deliver, or a double fault, or shutdown (table 6-5). Registers change only
// when nothing can fault any more.
import { ROUTINE } from "../engine-calls.ts";
import { RECORD } from "../engine/layout.ts";
import { CR0, EFLAGS, VECTOR } from "../mmu/control.ts";
import { EXIT, FAULT } from "../state.ts";
import { type CpuContext, GuestFault } from "./context.ts";
import { deliverLong } from "./deliver-long.ts";
import { deliverProtected } from "./deliver-protected.ts";
import { deliverReal, deliverRedirected, redirects } from "./deliver-real.ts";
import { isIa32e } from "./descriptor.ts";

/** What is to be delivered. */
export interface CpuEvent {
  readonly vector: number;
  /** Error code, where the exception has one. */
  readonly code: number | undefined;
  /** software: INT n, INT3, INTO · external: INTR · trap: everything whose return address is the next instruction. */
  readonly kind: "fault" | "trap" | "software" | "external";
  /** INT n itself, which virtual-8086 mode treats differently from INT3 and INTO. */
  readonly intN?: boolean;
  /** Instruction pointer to return to. */
  readonly returnIp: bigint;
}

/** Exceptions of fault class without #DB, which can be either (SDM 3A table 6-1): RF is set in their EFLAGS image (§17.3.1.1). */
const FAULT_CLASS: ReadonlySet<number> = new Set([0, 5, 6, 7, 10, 11, 12, 13, 14, 16, 17, 19, 20, 21]);
/** SDM 3A table 6-4. */
const CONTRIBUTORY: ReadonlySet<number> = new Set([VECTOR.DE, VECTOR.TS, VECTOR.NP, VECTOR.SS, VECTOR.GP]);

/** Delivers the pending exception → 1, or 0 when the processor shut down. `rip` holds the address to report. */
export function deliverPending(cpu: CpuContext): number {
  return deliverEvent(cpu, pendingEvent(cpu)) ? 1 : 0;
}

/** Takes the noted fault out of the state. */
function pendingEvent(cpu: CpuContext): CpuEvent {
  const fault = cpu.get32("fault");
  cpu.set32("fault", 0);
  const vector = fault & 0xff;
  const rip = cpu.get64("rip");
  if (fault & FAULT.software)
    return { vector, code: undefined, kind: "software", intN: (fault & FAULT.intN) !== 0, returnIp: afterCurrent(cpu) };
  const code = fault & FAULT.hasCode ? cpu.get32("faultCode") : undefined;
  if (fault & FAULT.external) return { vector, code: undefined, kind: "external", returnIp: rip };
  const trap = vector === VECTOR.BP || vector === VECTOR.OF || (vector === VECTOR.DB && (fault & FAULT.ripValid) !== 0);
  return { vector, code, kind: trap ? "trap" : "fault", returnIp: rip };
}

/** Instruction pointer after the instruction in `currentRecord`, whose own is in `rip`. */
function afterCurrent(cpu: CpuContext): bigint {
  const length = cpu.view.getUint8(cpu.get32("currentRecord") + RECORD.len);
  return (cpu.get64("rip") + BigInt(length)) & cpu.get64("ipMask");
}

/**
 * Faults during delivery that are followed in one go. Some handlers can never be reached without a new #AC or #DB, and silicon
 * spins there for ever; the host gets a chance to stop such a machine.
 */
const PATIENCE = 16;

/** Delivers one event and whatever comes of it → false when `exit` says why the loop has to stop. */
export function deliverEvent(cpu: CpuContext, first: CpuEvent): boolean {
  if (first.kind === "external" && deliverShort(cpu, first.vector)) return true;
  let event = first;
  noteRegisters(cpu, event);
  for (let i = 0; i < PATIENCE; i++) {
    const second = attempt(cpu, event);
    if (second === undefined) {
      settleHandler(cpu);
      return true;
    }
    const next = combine(event, second);
    if (next === undefined) {
      cpu.set32("exit", EXIT.shutdown);
      return false;
    }
    event = next;
  }
  cpu.set32("fault", event.vector | FAULT.pending | FAULT.ripValid | (event.code === undefined ? 0 : FAULT.hasCode));
  cpu.set32("faultCode", event.code ?? 0);
  cpu.set32("exit", EXIT.kick);
  return false;
}

/** Most interrupts meet the circumstances of the short ways, which take a fraction of the time. */
function deliverShort(cpu: CpuContext, vector: number): boolean {
  cpu.set32("fault", vector | FAULT.pending | FAULT.external);
  if (cpu.call(isIa32e(cpu) ? ROUTINE.deliverLongFault : ROUTINE.deliverProtectedEvent) === 0) {
    cpu.set32("fault", 0);
    return false;
  }
  endHalt(cpu);
  return true;
}

function endHalt(cpu: CpuContext): void {
  if (cpu.get32("exit") === EXIT.halt) cpu.set32("exit", EXIT.none);
}

/** Tries to deliver → undefined, or the fault that came up. */
function attempt(cpu: CpuContext, event: CpuEvent): CpuEvent | undefined {
  try {
    deliver(cpu, event);
    return undefined;
  } catch (error) {
    if (!(error instanceof GuestFault)) throw error;
    cpu.note(error);
    const second = pendingEvent(cpu);
    noteRegisters(cpu, second);
    return nested(second, event);
  }
}

/** What an exception changes whether its handler is reached or not: CR2, and DR7.GD (SDM 3A §17.2.4). */
function noteRegisters(cpu: CpuContext, event: CpuEvent): void {
  if (event.kind === "software" || event.kind === "external") return;
  if (event.vector === VECTOR.PF) cpu.set64("cr2", cpu.get64("faultAddress"));
  if (event.vector === VECTOR.DB) cpu.set64("dr7", cpu.get64("dr7") & ~0x2000n);
}

/** A fault raised while `event` was delivered: EXT is set unless the program itself asked for the event (SDM 3A §6.13). */
function nested(fault: CpuEvent, event: CpuEvent): CpuEvent {
  const hasExt = CONTRIBUTORY.has(fault.vector) && event.kind !== "software";
  return hasExt && fault.code !== undefined ? { ...fault, code: fault.code | 1 } : fault;
}

/** The event after `second` came up while `first` was delivered, undefined for shutdown (SDM 3A table 6-5). */
function combine(first: CpuEvent, second: CpuEvent): CpuEvent | undefined {
  if (first.kind === "software" || first.kind === "external") return second;
  const severe = CONTRIBUTORY.has(second.vector) || second.vector === VECTOR.PF;
  if (first.vector === VECTOR.DF) return severe ? undefined : second;
  const doubles = (CONTRIBUTORY.has(first.vector) && CONTRIBUTORY.has(second.vector)) || (first.vector === VECTOR.PF && severe);
  return doubles ? { vector: VECTOR.DF, code: 0, kind: "fault", returnIp: second.returnIp } : second;
}

function deliver(cpu: CpuContext, event: CpuEvent): void {
  const rf = event.kind === "fault" && (FAULT_CLASS.has(event.vector) || event.vector === VECTOR.DB);
  const extraFlags = rf ? EFLAGS.RF : 0;
  if (!(cpu.get32("cr0") & CR0.PE)) deliverReal(cpu, event, extraFlags);
  else if (isIa32e(cpu)) deliverLong(cpu, event, extraFlags);
  else if (redirects(cpu, event)) deliverRedirected(cpu, event);
  else deliverProtected(cpu, event, extraFlags);
}

/** The handler's first instruction comes next: nothing of the interrupted instruction's circumstances remains. */
function settleHandler(cpu: CpuContext): void {
  cpu.set32("shadow", 0);
  cpu.set32("halted", 0);
  endHalt(cpu);
  cpu.set32("stepping", (cpu.get32("eflags") & EFLAGS.TF) !== 0 ? 1 : 0);
  cpu.refresh();
}
