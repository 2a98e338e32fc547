// Instructions about single flags (SDM 1 §5.1.11).
import type { Expr } from "../ir/types.ts";
import { CR4, EFLAGS } from "../mmu/control.ts";
import { SHADOW } from "../state.ts";
import { type Instruction, instruction } from "./instruction.ts";
import type { Sem } from "./sem.ts";

const plain = (name: string, opcode: string, flags: string, sem: (o: Sem) => void): Instruction =>
  instruction(name, { forms: [opcode], flags, sem });

/** CF changes, the other five stay. */
function setCarry(o: Sem, cf: Expr): void {
  const [of, af] = [o.of(), o.af()];
  o.flagsCarry({ cf, of, af });
}

const change = (o: Sem, mask: number, on: boolean): void =>
  o.setState("eflags", on ? o.or(o.state("eflags"), mask) : o.and(o.state("eflags"), ~mask));

/**
 * Interrupts stay off until after the next instruction when STI turns them on (SDM 2B, STI). Nothing can tell when none is waiting:
 * one that the next instruction causes comes after it anyway. Kernels run STI all the time, so the shadow is cast only then.
 */
function enableInterrupts(o: Sem): void {
  const waiting = o.or(o.state("intr"), o.state("nmiPending"));
  const wasOff = o.not(o.and(o.state("eflags"), EFLAGS.IF));
  o.if(o.and(wasOff, o.ne(waiting, 0)), () => o.setState("shadow", o.i32(SHADOW.sti)));
  change(o, EFLAGS.IF, true);
}

/** Where IOPL forbids IF, virtual-8086 mode with VME and protected mode with PVI have VIF instead (SDM 3A §20.3, §20.4). */
function virtualInterruptFlag(o: Sem, on: boolean): void {
  const flags = o.state("eflags");
  const feature = o.select(o.and(flags, EFLAGS.VM), o.i32(CR4.VME), o.i32(CR4.PVI));
  const available = o.ne(o.and(o.state("cr4"), feature), 0);
  o.gpIf(o.not(o.and(available, o.eq(o.state("cpl"), 3))));
  if (on) o.gpIf(o.and(flags, EFLAGS.VIP));
  change(o, EFLAGS.VIF, on);
}

function interruptFlag(o: Sem, on: boolean): void {
  const iopl = o.and(o.shrU(o.state("eflags"), 12), 3);
  o.if(
    o.leU(o.state("cpl"), iopl),
    () => (on ? enableInterrupts(o) : change(o, EFLAGS.IF, false)),
    () => virtualInterruptFlag(o, on),
  );
  o.updateAttention();
}

/** Instructions about single flags. */
export const flagControl: readonly Instruction[] = [
  plain("CLC", "F8", "CF", (o) => setCarry(o, o.i32(0))),
  plain("STC", "F9", "CF", (o) => setCarry(o, o.i32(1))),
  plain("CMC", "F5", "CF", (o) => setCarry(o, o.xor(o.cf(), 1))),
  plain("CLD", "FC", "", (o) => change(o, EFLAGS.DF, false)),
  plain("STD", "FD", "", (o) => change(o, EFLAGS.DF, true)),
  plain("CLI", "FA", "", (o) => interruptFlag(o, false)),
  plain("STI", "FB", "", (o) => interruptFlag(o, true)),
];
