// What x87 instructions leave to TypeScript.
import { ROUTINE } from "../engine-calls.ts";
import { RECORD } from "../engine/layout.ts";
import { CR0 } from "../mmu/control.ts";
import { MODE } from "../state.ts";
import type { CpuContext } from "./context.ts";
import { X87_HELPER } from "./numbers.ts";

const PREFIXES: ReadonlySet<number> = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

/** A byte of the running code. It was fetched, so it is mapped. */
function codeByte(cpu: CpuContext, linear: bigint): number {
  const host = cpu.call(ROUTINE.codeHost, linear) as number;
  return cpu.view.getUint8(host >>> 0);
}

/** FOP: the low 3 bits of the opcode's first byte and ModRM of the instruction that raised an exception (SDM 1 §8.1.9). */
function noteOpcode(cpu: CpuContext): number {
  const record = cpu.get32("currentRecord");
  const long = (cpu.get32("mode") & MODE.long) !== 0;
  let linear = cpu.get64("ripPage") + BigInt(cpu.view.getUint16(record + RECORD.offset, true));
  for (let byte = codeByte(cpu, linear); PREFIXES.has(byte) || (long && (byte & 0xf0) === 0x40); byte = codeByte(cpu, linear)) linear++;
  cpu.set32("fop", ((codeByte(cpu, linear) & 7) << 8) | codeByte(cpu, linear + 1n));
  return 0;
}

function ferr(cpu: CpuContext, level: boolean): number {
  if ((cpu.get64("cr0") & BigInt(CR0.NE)) === 0n) cpu.host.ferr(level);
  return 0;
}

/** HELPER.x87: see X87_HELPER. */
export function x87(cpu: CpuContext, what: number): number {
  switch (what) {
    case X87_HELPER.ferr:
      return ferr(cpu, true);
    case X87_HELPER.ferrGone:
      return ferr(cpu, false);
    default:
      return noteOpcode(cpu);
  }
}
