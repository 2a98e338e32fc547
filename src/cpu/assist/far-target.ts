// Where a far JMP or CALL leads: code segments, call gates, tasks (SDM 3A §5.8, SDM 2A CALL and JMP).
import { VECTOR } from "../mmu/control.ts";
import type { CpuContext } from "./context.ts";
import {
  ACCESS_BITS,
  type Descriptor,
  dplOf,
  isCode,
  isConforming,
  isIa32e,
  isLongCode,
  isNull,
  isPresent,
  readDescriptor,
  readUpperHalf,
  SYSTEM_TYPE,
  systemType,
} from "./descriptor.ts";
import { refuseReservedSize } from "./return-segments.ts";
import type { Size } from "./stack-cursor.ts";
import { availableTask } from "./task-switch.ts";

/** A checked destination. */
export type FarTarget =
  | { readonly kind: "code"; readonly segment: Descriptor }
  | { readonly kind: "gate"; readonly segment: Descriptor; readonly offset: bigint; readonly size: Size; readonly parameters: number }
  | { readonly kind: "task"; readonly task: Descriptor };

const T = SYSTEM_TYPE;

/** What `selector` leads to, for JMP or CALL at the present privilege level. */
export function farTarget(cpu: CpuContext, selector: number, isCall: boolean): FarTarget {
  if (isNull(selector)) cpu.raise(VECTOR.GP, 0);
  const d = readDescriptor(cpu, selector, VECTOR.GP);
  const type = systemType(d);
  if (type < 0) return { kind: "code", segment: directSegment(cpu, d) };
  // IA-32e mode has neither tasks nor 16-bit gates (SDM 3A §5.8.3.1, §7.7).
  if (type === T.callGate32 || (type === T.callGate16 && !isIa32e(cpu))) return gateTarget(cpu, d, isCall);
  if (isIa32e(cpu)) cpu.raise(VECTOR.GP, selector & 0xfffc);
  return { kind: "task", task: taskTarget(cpu, d, type) };
}

/** A code segment reached without a gate (SDM 3A table 5-1). */
function directSegment(cpu: CpuContext, d: Descriptor): Descriptor {
  const code = d.selector & 0xfffc;
  const cpl = cpu.get32("cpl");
  if (!isCode(d)) cpu.raise(VECTOR.GP, code);
  refuseReservedSize(cpu, d);
  const refused = isConforming(d) ? dplOf(d) > cpl : (d.selector & 3) > cpl || dplOf(d) !== cpl;
  if (refused) cpu.raise(VECTOR.GP, code);
  if (!isPresent(d)) cpu.raise(VECTOR.NP, code);
  return d;
}

/** Gates and task segments are data to their users: DPL must not be below CPL and RPL. */
function checkAccess(cpu: CpuContext, d: Descriptor): void {
  if (dplOf(d) < Math.max(cpu.get32("cpl"), d.selector & 3)) cpu.raise(VECTOR.GP, d.selector & 0xfffc);
}

function gateTarget(cpu: CpuContext, gate: Descriptor, isCall: boolean): FarTarget {
  checkAccess(cpu, gate);
  const wide = systemType(gate) === T.callGate32;
  const upper = isIa32e(cpu) ? readUpperHalf(cpu, gate, VECTOR.GP) & 0xffff_ffffn : 0n;
  if (!isPresent(gate)) cpu.raise(VECTOR.NP, gate.selector & 0xfffc);
  const low = (gate.raw & 0xffffn) | (wide ? (gate.raw >> 32n) & 0xffff_0000n : 0n);
  return {
    kind: "gate",
    segment: gateSegment(cpu, Number((gate.raw >> 16n) & 0xffffn), isCall),
    offset: low | (upper << 32n),
    size: isIa32e(cpu) ? 8 : wide ? 4 : 2,
    parameters: Number((gate.raw >> 32n) & 0x1fn),
  };
}

/** The code segment behind a call gate; only CALL reaches a more privileged one (SDM 3A table 5-2). */
function gateSegment(cpu: CpuContext, selector: number, isCall: boolean): Descriptor {
  const code = selector & 0xfffc;
  if (isNull(selector)) cpu.raise(VECTOR.GP, 0);
  const d = readDescriptor(cpu, selector, VECTOR.GP);
  const cpl = cpu.get32("cpl");
  const reachable = isCall || isConforming(d) ? dplOf(d) <= cpl : dplOf(d) === cpl;
  if (!isCode(d) || !reachable) cpu.raise(VECTOR.GP, code);
  if (isIa32e(cpu) && (!isLongCode(d) || d.access & ACCESS_BITS.big)) cpu.raise(VECTOR.GP, code);
  if (!isPresent(d)) cpu.raise(VECTOR.NP, code);
  return d;
}

function taskTarget(cpu: CpuContext, d: Descriptor, type: number): Descriptor {
  checkAccess(cpu, d);
  if (type !== T.taskGate) return availableTask(cpu, d.selector, VECTOR.GP);
  if (!isPresent(d)) cpu.raise(VECTOR.NP, d.selector & 0xfffc);
  return availableTask(cpu, Number((d.raw >> 16n) & 0xffffn), VECTOR.GP);
}
