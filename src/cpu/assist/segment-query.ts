// LAR, LSL, VERR, VERW: what a program may learn about a selector without a fault (SDM 3A §5.10).
import type { CpuContext } from "./context.ts";
import {
  ACCESS_BITS,
  type Descriptor,
  dplOf,
  findDescriptor,
  isCode,
  isConforming,
  isIa32e,
  isNull,
  isWritableData,
  SYSTEM_TYPE,
  systemType,
} from "./descriptor.ts";

const T = SYSTEM_TYPE;
/** System descriptors that LAR and LSL accept (SDM 2A tables 3-53 and 3-56). */
const LAR_TYPES: ReadonlySet<number> = new Set([T.tss16, T.ldt, T.busyTss16, T.callGate16, T.taskGate, T.tss32, T.busyTss32, T.callGate32]);
const LAR_TYPES_IA32E: ReadonlySet<number> = new Set([T.ldt, T.tss32, T.busyTss32, T.callGate32]);
const LSL_TYPES: ReadonlySet<number> = new Set([T.tss16, T.ldt, T.busyTss16, T.tss32, T.busyTss32]);
const LSL_TYPES_IA32E: ReadonlySet<number> = new Set([T.ldt, T.tss32, T.busyTss32]);

/** The descriptor when the program's privilege lets it see it: conforming code always, the rest when DPL ≥ CPL and RPL. */
function visible(cpu: CpuContext, selector: number): Descriptor | undefined {
  if (isNull(selector)) return undefined;
  const d = findDescriptor(cpu, selector);
  if (!d || (!isConforming(d) && dplOf(d) < Math.max(cpu.get32("cpl"), selector & 3))) return undefined;
  return d;
}

function query(cpu: CpuContext, selector: number, types: ReadonlySet<number>): Descriptor | undefined {
  const d = visible(cpu, selector);
  const type = d ? systemType(d) : -1;
  return type < 0 || types.has(type) ? d : undefined;
}

/** HELPER.lar → 1 with the rights in `scratchValue`, or 0. */
export function lar(cpu: CpuContext, selector: number): number {
  const d = query(cpu, selector, isIa32e(cpu) ? LAR_TYPES_IA32E : LAR_TYPES);
  if (d) cpu.set64("scratchValue", (d.raw >> 32n) & 0xff_ff00n);
  return d ? 1 : 0;
}

/** HELPER.lsl → 1 with the limit in bytes in `scratchValue`, or 0. */
export function lsl(cpu: CpuContext, selector: number): number {
  const d = query(cpu, selector, isIa32e(cpu) ? LSL_TYPES_IA32E : LSL_TYPES);
  if (d) cpu.set64("scratchValue", BigInt(d.limit));
  return d ? 1 : 0;
}

/** HELPER.verify: the argument is selector | write << 16 → 1 when the segment can be read (written). */
export function verify(cpu: CpuContext, argument: number): number {
  const d = visible(cpu, argument & 0xffff);
  if (!d || !(d.access & ACCESS_BITS.segment)) return 0;
  if (argument >>> 16) return isWritableData(d) ? 1 : 0;
  return !isCode(d) || d.access & ACCESS_BITS.readable ? 1 : 0;
}
